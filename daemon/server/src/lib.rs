//! What the daemon shares with the simulator: how records become bytes and a log becomes a state.
//!
//! Must never hold a clock, a socket or a process: those are the program's.

pub mod records;
