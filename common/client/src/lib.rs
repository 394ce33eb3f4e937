//! The Rust SDK: talks to the daemon over its local socket.
//!
//! One connection carries any number of outstanding calls; a follower receives records as they
//! become durable. Must never decide anything, never start a daemon, and never read state from
//! the daemon's files: all it knows came over the socket.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use aiflow_client::{Client, Home};
//! let home = Home::from_environment(None)?;
//! let client = Client::connect(home.socket()).await?;
//! for run in client.list_runs(Default::default()).await? {
//!     println!("{} {} {}", run.id, run.workflow, run.status);
//! }
//! # Ok(()) }
//! ```

mod calls;
mod client;
mod connection;
mod error;
mod follow;
mod home;
mod retry;
pub mod spool;

pub use client::{Client, Reply};
pub use error::{CallError, ConnectError};
pub use follow::{Broken, Subscription};
pub use home::{Home, NoHome, SOCKET_PATH_BYTES_MAX};
pub use retry::{RetryError, with_retry};

/// A new identity for an event or a request: unique, and later ones sort after earlier ones.
///
/// Make it once and keep it over retries, so that the daemon knows a repeat when it sees one.
#[must_use]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
