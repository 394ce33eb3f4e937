//! The whole system on one thread, from one seed: the real core, the real log and its recovery over
//! a simulated disk; a simulated host, clients and clock; faults; an oracle of what is promised.
//!
//! The same seed gives the same story, told by the same hash. Must never read a clock or a file.

mod bug;
mod clients;
mod daemon;
mod history;
mod host;
mod oracle;
mod rules;
mod world;

pub use bug::Bug;

/// How a story went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Hash of all that happened, in order.
    pub trace: u64,
    /// Records that the log holds at its end.
    pub records: u64,
    /// Attempts that were executed.
    pub executed: u64,
    /// How often the daemon was started.
    pub lives: u64,
}

/// Tells the story of a seed: so many steps with faults, then a tail without.
///
/// # Errors
/// The promise that was broken, and the step.
pub fn simulate(seed: u64, steps: u64, bug: Option<Bug>) -> Result<Story, String> {
    world::World::new(seed, bug).tell(steps)
}
