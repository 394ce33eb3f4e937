//! Trials of the real programs: kill -9 at random moments, outages, floods, strangers.
//!
//! The programs have to be built before: `cargo build --workspace --bins`. A trial prints the
//! command that repeats it; its choices come from its seed, its moments are the machine's.
#![cfg(test)]

mod client;
mod floods;
mod judge;
mod kills;
mod outages;
mod strangers;
mod strike;
