//! `aiflow backfill`: windows of a task that no clock fires, or that have run before.
//!
//! Must never say which windows there are: the daemon knows the clock.

use aiflow_client::new_id;
use aiflow_model::time::Timestamp;
use aiflow_model::wire::Backfill;
use aiflow_model::{RunId, TaskName};
use clap::Args;

use super::failure::Failure;
use super::session::Session;
use crate::state::text;

/// Windows to run.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The run
    run: RunId,
    /// The task
    task: TaskName,
    /// Windows that begin at or after this time, such as 2013-01-01T00:00:00Z
    from: Timestamp,
    /// Windows that begin before this time [default: only the window that holds FROM]
    to: Option<Timestamp>,
    /// How many at once, besides those that the rules start
    #[arg(long, value_name = "N", default_value_t = 1)]
    parallel: u32,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let Self { run, task, from, to, parallel } = self;
        let (parallel, request) = (Some(parallel), Some(new_id()));
        let ask = Backfill { run, task, from, to, parallel, request };
        let reply = session.connect().await?.backfill_task(ask).await?;
        session.output.answer(&reply, &text::count(reply.windows, "window"))
    }
}
