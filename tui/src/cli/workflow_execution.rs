//! `aiflow workflow-execution …`.
//!
//! Must never start a run twice for one command: the request carries an id.

use aiflow_client::{CallError, Client, new_id};
use aiflow_model::state::RunStatus;
use aiflow_model::wire::{Call, RunOrder, RunQuery, RunRef, RunReply, StartRun, StopReply};
use aiflow_model::{ErrorCode, JsonText, Offset, RunId, TaskName, Timestamp, WorkflowName};
use clap::{Args, Subcommand};

use super::confirm::Confirmation;
use super::failure::Failure;
use super::listen;
use super::options::{InNamespace, WithinNamespace};
use super::output::note;
use super::parse;
use super::session::Session;
use crate::state::text;

/// What to do with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a run; prints its id.
    Start(Start),
    /// List runs: those that are alive and those that have ended lately, or with any option, all.
    List {
        /// Only of this workflow
        name: Option<WorkflowName>,
        #[command(flatten)]
        within: WithinNamespace,
        #[command(flatten)]
        filter: RunFilter,
    },
    /// Show a run.
    Show {
        /// Its id
        #[arg(value_name = "ID")]
        run: RunId,
    },
    /// List the rules of a run, each with how far it has come and what it waits for.
    Rules {
        /// Its id
        #[arg(value_name = "ID")]
        run: RunId,
    },
    /// Print all that happens to a run as it comes, each record once, from its beginning on
    Listen {
        /// Its id
        #[arg(value_name = "ID")]
        run: RunId,
        /// Begin with the record at this offset or the first after it
        #[arg(long, value_name = "OFFSET")]
        from: Option<Offset>,
    },
    /// Stop a run and what is alive of it.
    Stop {
        /// Its id
        #[arg(value_name = "ID")]
        run: RunId,
    },
    /// Let nothing new start in a run: firings and windows wait.
    Pause {
        /// Its id
        #[arg(value_name = "ID")]
        run: RunId,
    },
    /// Let what waits in a run start.
    Resume {
        /// Its id
        #[arg(value_name = "ID")]
        run: RunId,
    },
    /// Stop all runs of a workflow.
    StopAll {
        /// The workflow
        name: WorkflowName,
        #[command(flatten)]
        within: InNamespace,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Delete a run that has ended.
    Delete {
        /// Its id
        #[arg(value_name = "ID")]
        run: RunId,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// Which runs, from the history.
#[derive(Debug, Args)]
pub(crate) struct RunFilter {
    /// Only those that stand so: waiting, running, stopping, success, failed, stopped
    #[arg(long, value_parser = parse::word::<RunStatus>)]
    status: Option<RunStatus>,
    /// Only those that began then or later, e.g. 2013-01-01T05:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only those in which this task had an execution
    #[arg(long)]
    task: Option<TaskName>,
    /// Only those with a lower id: the next page
    #[arg(long, value_name = "ID")]
    before: Option<RunId>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// What is listed last, and kept by --limit: the highest id, the last to end, the longest
    #[arg(long, default_value = "id", value_parser = parse::word::<RunOrder>,
        value_name = "id|ended|duration")]
    order: RunOrder,
}

impl RunFilter {
    fn query(self) -> RunQuery {
        let Self { status, since, task, before, limit, order } = self;
        RunQuery { status, since, task, before, limit, order, ..RunQuery::default() }
    }
}

/// A run to start.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// The workflow
    name: WorkflowName,
    /// A parameter; the value is JSON if it parses as JSON, else a string
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parse::param)]
    params: Vec<(String, JsonText)>,
    #[command(flatten)]
    within: InNamespace,
}

impl Start {
    /// The request, with an id of its own: repeating it starts nothing new.
    pub(crate) fn request(self) -> StartRun {
        StartRun {
            namespace: self.within.namespace,
            workflow: self.name,
            params: self.params.into_iter().collect(),
            request: Some(new_id()),
        }
    }
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Show { .. } | Self::Rules { .. })
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let client = session.connect().await?;
        match self {
            Self::Start(start) => {
                let call = Call::RunStart(start.request());
                let Some(reply) = session.change::<RunReply>(&client, call).await? else {
                    return Ok(());
                };
                session.output.answer(&reply, &reply.run.to_string())
            }
            Self::List { name: workflow, within, filter } => {
                let filter = RunQuery { namespace: within.namespace, workflow, ..filter.query() };
                session.output.list(&client.list_runs(filter).await?)
            }
            Self::Show { run } => session.output.show(&client.show_run(RunRef { run }).await?),
            Self::Listen { run, from } => listen::listen_to_run(session, run, from).await,
            Self::Rules { run } => session.output.list(&client.list_rules(RunRef { run }).await?),
            Self::Stop { run } => {
                let call = Call::RunStop(RunRef { run });
                let Some(reply) = session.change::<StopReply>(&client, call).await? else {
                    return Ok(());
                };
                session.output.answer(&reply, &format!("stopping {}", reply.stopping))
            }
            Self::Pause { run } => {
                let text = format!("run {run} is paused; what is alive goes on");
                session.change_and_note(&client, Call::RunPause(RunRef { run }), &text).await
            }
            Self::Resume { run } => {
                let text = format!("run {run} goes on");
                session.change_and_note(&client, Call::RunResume(RunRef { run }), &text).await
            }
            Self::StopAll { name, within, confirmation } => {
                confirmation.ask(session, &format!("Stop all runs of {name}?"))?;
                stop_all(session, &client, within, name).await
            }
            Self::Delete { run, confirmation } => {
                confirmation.ask(session, &format!("Delete run {run}?"))?;
                let text = format!("run {run} is deleted");
                session.change_and_note(&client, Call::RunDelete(RunRef { run }), &text).await
            }
        }
    }
}

async fn stop_all(
    session: &Session,
    client: &Client,
    within: InNamespace,
    workflow: WorkflowName,
) -> Result<(), Failure> {
    let (namespace, workflow) = (Some(within.namespace), Some(workflow));
    let runs = client.list_runs(RunQuery { namespace, workflow, ..RunQuery::default() }).await?;
    let mut stopping = 0;
    let lives = |status| matches!(status, RunStatus::Waiting | RunStatus::Running);
    for run in runs.iter().filter(|run| lives(run.status)) {
        let call = Call::RunStop(RunRef { run: run.id });
        let change = match session.try_change::<StopReply>(client, call).await {
            Ok(change) => change,
            // It ended in the meantime.
            Err(CallError::Rejected(r)) if r.code == ErrorCode::RunEnded => continue,
            Err(error) => return Err(error.into()),
        };
        stopping += usize::from(session.made(change)?.is_some());
    }
    if !session.dry_run {
        note(&format!("stopping {}", text::count(stopping, "run")));
    }
    Ok(())
}
