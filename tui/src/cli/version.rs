//! `aiflow version`.
//!
//! Must never ask a daemon: `server status` tells the daemon's version.

use aiflow_model::wire::PROTOCOL_VERSION;
use serde::Serialize;

use super::failure::Failure;
use super::session::Session;

#[derive(Serialize)]
struct Version {
    version: &'static str,
    protocol: u32,
}

/// Prints the version of this program and of the protocol that it speaks.
pub(crate) fn perform(session: &Session) -> Result<(), Failure> {
    let version = Version { version: env!("CARGO_PKG_VERSION"), protocol: PROTOCOL_VERSION };
    session.output.answer(&version, &format!("aiflow {}", version.version))
}
