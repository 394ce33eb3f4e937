//! `aiflow task-execution …`.
//!
//! Must never start what a rule would not also be allowed to: the daemon decides.

use aiflow_model::wire::{RunRef, TaskRef};
use aiflow_model::{RunId, TaskName};
use clap::Subcommand;

use super::failure::Failure;
use super::output::note;
use super::session::Session;

/// What to do with task executions.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the task executions of a run.
    List {
        /// The run
        run: RunId,
    },
    /// Start a task of a run.
    Start {
        /// The run
        run: RunId,
        /// The task
        task: TaskName,
    },
    /// Stop what is alive of a task.
    Stop {
        /// The run
        run: RunId,
        /// The task
        task: TaskName,
    },
}

impl Verb {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let client = session.connect().await?;
        match self {
            Self::List { run } => {
                session.output.list(&client.list_task_executions(RunRef { run }).await?)
            }
            Self::Start { run, task } => {
                let asked = format!("task {task} of run {run} is to start");
                client.start_task(TaskRef { run, task }).await?;
                note(&asked);
                Ok(())
            }
            Self::Stop { run, task } => {
                let reply = client.stop_task(TaskRef { run, task }).await?;
                session.output.answer(&reply, &format!("stopping {}", reply.stopping))
            }
        }
    }
}
