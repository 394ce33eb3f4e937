//! The crate against real processes: nothing is mocked, and nothing waits by sleeping.

#[cfg(test)]
mod confinement;
#[cfg(test)]
mod footprint;
#[cfg(test)]
mod fork_server;
#[cfg(test)]
mod outcome;
#[cfg(test)]
mod output;
#[cfg(test)]
mod races;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod support;
