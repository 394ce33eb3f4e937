//! The core as a whole: scenarios (given, when, expect) and properties over random inputs.

#[cfg(test)]
mod archive;
#[cfg(test)]
mod backtests;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod conditions;
#[cfg(test)]
mod contact;
#[cfg(test)]
mod control;
#[cfg(test)]
mod drafts;
#[cfg(test)]
mod elsewhere;
mod emissions;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod fans;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod outputs;
#[cfg(test)]
mod pools;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod ready;
#[cfg(test)]
mod receipts;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod support;
#[cfg(test)]
mod triggers;
#[cfg(test)]
mod why;
