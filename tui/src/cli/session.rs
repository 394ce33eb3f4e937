//! What every verb needs: where the daemon is, and how to print.
//!
//! Must never start a daemon because none answers: only `server start` does.

use std::collections::BTreeMap;

use aiflow_client::{CallError, Client, Home, NoHome, with_retry};

use super::failure::Failure;
use super::output::Output;

/// One invocation of the program.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) home: Result<Home, NoHome>,
    pub(crate) output: Output,
    /// Whether nothing is to be changed.
    pub(crate) dry_run: bool,
    /// Settings that flags say, by their names.
    pub(crate) flags: BTreeMap<&'static str, String>,
}

impl Session {
    /// The home; some verbs need none.
    pub(crate) fn home(&self) -> Result<&Home, Failure> {
        self.home.as_ref().map_err(|error| Failure::Home(*error))
    }

    /// A connection, now or not at all.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        Ok(Client::connect(self.home()?.socket()).await?)
    }

    /// Does `work`, and goes on doing it on a new connection while the daemon is away. For what
    /// began on a connection that stood: a daemon that was there will be there again.
    pub(crate) async fn persist<T>(
        &self,
        work: impl AsyncFnMut(&Client) -> Result<T, CallError>,
    ) -> Result<T, Failure> {
        Ok(with_retry(self.home()?.socket(), None, work).await?)
    }
}
