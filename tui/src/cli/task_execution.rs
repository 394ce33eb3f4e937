//! `aiflow task-execution …`.
//!
//! Must never do a thing twice for one command: what would is given an id.

use aiflow_client::{CallError, Client, new_id};
use aiflow_model::wire::{
    Call, ExecutionReply, RerunTask, RunRef, StopReply, TaskControl, TaskRef, TaskRequest,
};
use aiflow_model::{ErrorCode, ExecutionId, Rejection, RunId, Sequence, TaskName};
use clap::{Args, Subcommand};

use super::failure::Failure;
use super::session::Session;

/// What to do with task executions.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the task executions of a run.
    List {
        /// The run
        run: RunId,
    },
    /// Show a task execution.
    Show {
        /// Its id, such as 3.train.1
        #[arg(value_name = "ID")]
        id: ExecutionId,
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
    /// Stop what is alive of a task and start it anew.
    Restart {
        /// The run
        run: RunId,
        /// The task
        task: TaskName,
    },
    /// Go on without an execution: what waits for its success goes on; prints its id.
    Skip(Which),
    /// Go on as if an execution had succeeded; prints its id.
    MarkSuccess(Which),
    /// Do an execution anew that has ended, with the same events and window; prints its id.
    Rerun {
        /// The run
        run: RunId,
        /// The task
        task: TaskName,
        /// Which execution [default: the latest]
        #[arg(long, value_name = "N")]
        sequence: Option<Sequence>,
        /// And all that follows from it by `after`
        #[arg(long)]
        from_here: bool,
    },
}

/// One execution of a task.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The run
    run: RunId,
    /// The task
    task: TaskName,
    /// Which execution [default: the oldest that is alive, else the latest]
    #[arg(long, value_name = "N")]
    sequence: Option<Sequence>,
}

impl Which {
    /// The request, with an id of its own: repeating it does nothing more.
    fn request(self) -> TaskControl {
        let Self { run, task, sequence } = self;
        TaskControl { run, task, sequence, request: Some(new_id()) }
    }
}

async fn show(session: &Session, client: &Client, id: &ExecutionId) -> Result<(), Failure> {
    let views = client.list_task_executions(RunRef { run: id.run }).await?;
    let mut views = views.into_iter();
    let found = views.find(|view| view.task == id.task && view.sequence == id.sequence);
    let view = found.ok_or_else(|| {
        let rejection =
            Rejection::new(ErrorCode::UnknownExecution, format!("there is no task execution {id}"));
        CallError::Rejected(rejection.hint(format!("aiflow task-execution list {}", id.run)))
    })?;
    session.output.show(&view)
}

async fn control(session: &Session, client: &Client, call: Call) -> Result<(), Failure> {
    let Some(reply) = session.change::<ExecutionReply>(client, call).await? else {
        return Ok(());
    };
    let id = ExecutionId { run: reply.run, task: reply.task.clone(), sequence: reply.sequence };
    session.output.answer(&reply, &id.to_string())
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Show { .. })
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let client = session.connect().await?;
        match self {
            Self::List { run } => {
                session.output.list(&client.list_task_executions(RunRef { run }).await?)
            }
            Self::Show { id } => show(session, &client, &id).await,
            Self::Start { run, task } => {
                let asked = format!("task {task} of run {run} is to start");
                let call = Call::TaskStart(TaskRef { run, task });
                session.change_and_note(&client, call, &asked).await
            }
            Self::Stop { run, task } => {
                let call = Call::TaskStop(TaskRef { run, task });
                let Some(reply) = session.change::<StopReply>(&client, call).await? else {
                    return Ok(());
                };
                session.output.answer(&reply, &format!("stopping {}", reply.stopping))
            }
            Self::Restart { run, task } => {
                let asked = format!("task {task} of run {run} is to start anew");
                let request = Some(new_id());
                let call = Call::TaskRestart(TaskRequest { run, task, request });
                session.change_and_note(&client, call, &asked).await
            }
            Self::Skip(which) => control(session, &client, Call::TaskSkip(which.request())).await,
            Self::MarkSuccess(which) => {
                control(session, &client, Call::TaskMarkSuccess(which.request())).await
            }
            Self::Rerun { run, task, sequence, from_here } => {
                let request = Some(new_id());
                let asked = RerunTask { run, task, sequence, from_here, request };
                control(session, &client, Call::TaskRerun(asked)).await
            }
        }
    }
}
