//! Starts, adopts and stops the processes of attempts, and says afterwards how each one ended.
//!
//! It knows commands, directories and exits. It must never know workflows, never decide whether
//! an attempt is tried again, and never signal a process by its number alone. It is synchronous
//! and Linux only; the caller waits on the descriptors that it hands out.
//!
//! One attempt is one directory. [`launch`] creates it and has `aiflow-shim`, the small process
//! above the attempt that outlives the daemon, forked by a [`ForkServer`]; [`inspect`] reads the
//! same directory later and tells, from locks and files alone, what became of the attempt. What
//! each file says and where each crash leads is specified in `docs/supervision.md`.
//!
//! The way of a caller:
//!
//! 1. [`launch`], once the decision to start is durable.
//! 2. Wait for the one line on [`Launched::report`] and for the end of [`Launched::shim`] (its
//!    descriptor becomes readable).
//! 3. When the shim has ended: [`ShimHandle::reap`], then [`inspect`], which answers
//!    [`Evidence::Ended`] in the ordinary case and the truth in every other.
//! 4. After a restart: [`inspect`] for each attempt that has no terminal record.

mod companion;
mod confinement;
mod directory;
mod discard;
mod fork_server;
mod handle;
mod inspect;
mod launch;
mod order;
mod output;
mod process;
mod records;
mod report;
pub mod shim;
mod survivors;
mod system;
mod user;

pub use companion::{Companion, CompanionOrder, Streams};
pub use confinement::{Confinement, Limit};
pub use directory::DirectoryError;
pub use discard::{DISCARDED_PREFIX, discard};
pub use fork_server::ForkServer;
pub use handle::ShimHandle;
pub use inspect::{Evidence, InspectError, ReadError, inspect, read_outcome};
pub use launch::{LOG_BYTES_MIN, LOG_FILES_MAX, Launch, LaunchError, Launched, launch};
pub use output::{Piece, Stream, output_file_name, parse_piece};
pub use process::{BootId, BootIdError, ProcessIdentity, boot_id};
pub use records::{Exit, FormatError, Outcome, Released};
pub use report::{Report, ReportError, parse_report};
pub use user::{User, UserError};

/// Version of the protocol between daemon and shim: arguments, report line and files.
pub const PROTOCOL_VERSION: u32 = 1;

/// The variable that carries the attempt's id into the task. [`launch`] sets it; recovery finds
/// the processes of an attempt by it, together with [`ATTEMPT_DIRECTORY_VARIABLE`].
pub const ATTEMPT_ID_VARIABLE: &str = "AIFLOW_ATTEMPT_ID";

/// The variable that carries the attempt's directory (absolute, without symbolic links) into the
/// task. [`launch`] sets it, so that two daemons on one host whose attempts carry the same ids
/// never take each other's processes for their own.
pub const ATTEMPT_DIRECTORY_VARIABLE: &str = "AIFLOW_ATTEMPT_DIRECTORY";

/// Lets the allocator keep little of what is freed. For the beginning of `main`, before any thread
/// is started.
pub fn keep_little_memory() {
    system::keep_little_memory();
}

/// Gives freed memory back to the system. It stands here because this is the only room that may ask
/// the allocator; worth a call after work that needed much for a moment.
pub fn return_free_memory() {
    system::return_free_memory();
}
