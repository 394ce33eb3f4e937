//! Storage in memory that fails and crashes in the ways that a log must survive, for the tests of
//! this and other crates and for the simulator.
//!
//! Everything is a function of the calls and of a seed. Never: use it for real data.

mod image;
mod memory;
mod rng;

pub use image::CrashMode;
pub use memory::{Fault, MemoryFile, MemoryStorage, Repeat};
pub use rng::Rng;
