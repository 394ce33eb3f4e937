//! The crate against real processes: nothing is mocked, and nothing waits by sleeping.

mod footprint;
mod outcome;
mod output;
mod races;
mod recovery;
mod stop;
mod support;
