//! Following records: what comes, and where to go on after a break.
//!
//! Must never skip or repeat a record: the offset to resume from moves only when records are taken.

use std::io;
use std::sync::Arc;

use aiflow_model::Offset;
use aiflow_model::wire::Records;
use tokio::sync::mpsc;

use crate::connection::Connection;

/// Records as they become durable, on an open connection that it keeps open.
#[derive(Debug)]
pub struct Subscription {
    records: mpsc::Receiver<Records>,
    resume: Offset,
    connection: Arc<Connection>,
}

/// The connection under a subscription broke, or the daemon ended the subscription. Follow again
/// from [`Broken::resume`] on a new one: nothing is missed and nothing comes twice; if the records
/// from there on are not kept any more, that call is told so.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the connection broke; records are followed up to offset {resume}")]
pub struct Broken {
    /// First offset that was not taken.
    pub resume: Offset,
    /// What broke it.
    pub source: Arc<io::Error>,
}

impl Subscription {
    pub(crate) fn new(
        records: mpsc::Receiver<Records>,
        resume: Offset,
        connection: Arc<Connection>,
    ) -> Self {
        Self { records, resume, connection }
    }

    /// The next records, never out of order; an empty list only moves the offset on. May be
    /// dropped and called again without losing any.
    ///
    /// # Errors
    /// [`Broken`] once the connection has broken and all that came before is taken.
    pub async fn next(&mut self) -> Result<Records, Broken> {
        match self.records.recv().await {
            Some(records) => {
                self.resume = records.next;
                Ok(records)
            }
            None => Err(Broken { resume: self.resume, source: self.connection.breakage() }),
        }
    }

    /// First offset that was not taken.
    #[must_use]
    pub fn resume(&self) -> Offset {
        self.resume
    }
}
