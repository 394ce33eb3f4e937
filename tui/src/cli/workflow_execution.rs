//! `aiflow workflow-execution …`.
//!
//! Must never start a run twice for one command: the request carries an id.

use aiflow_client::{CallError, new_id};
use aiflow_model::state::RunStatus;
use aiflow_model::wire::{OptionalWorkflow, RunRef, StartRun};
use aiflow_model::{ErrorCode, JsonText, Offset, RunId, WorkflowName};
use clap::{Args, Subcommand};

use super::confirm::Confirmation;
use super::failure::Failure;
use super::listen;
use super::options::{InNamespace, WithinNamespace};
use super::output::note;
use super::parse;
use super::session::Session;

/// What to do with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start a run; prints its id.
    Start(Start),
    /// List runs.
    List {
        /// Only of this workflow
        name: Option<WorkflowName>,
        #[command(flatten)]
        within: WithinNamespace,
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
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let client = session.connect().await?;
        match self {
            Self::Start(start) => {
                let reply = client.start_run(start.request()).await?;
                session.output.answer(&reply, &reply.run.to_string())
            }
            Self::List { name: workflow, within } => {
                let filter = OptionalWorkflow { namespace: within.namespace, workflow };
                session.output.list(&client.list_runs(filter).await?)
            }
            Self::Show { run } => session.output.show(&client.show_run(RunRef { run }).await?),
            Self::Listen { run, from } => listen::listen_to_run(session, run, from).await,
            Self::Rules { run } => session.output.list(&client.list_rules(RunRef { run }).await?),
            Self::Stop { run } => {
                let reply = client.stop_run(RunRef { run }).await?;
                session.output.answer(&reply, &format!("stopping {}", reply.stopping))
            }
            Self::StopAll { name: workflow, within, confirmation } => {
                confirmation.ask(&format!("Stop all runs of {workflow}?"))?;
                let (namespace, workflow) = (Some(within.namespace), Some(workflow));
                let runs = client.list_runs(OptionalWorkflow { namespace, workflow }).await?;
                let mut stopping = 0;
                let lives = |status| matches!(status, RunStatus::Waiting | RunStatus::Running);
                for run in runs.iter().filter(|run| lives(run.status)) {
                    match client.stop_run(RunRef { run: run.id }).await {
                        Ok(_) => stopping += 1,
                        // It ended in the meantime.
                        Err(CallError::Rejected(r)) if r.code == ErrorCode::RunEnded => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                note(&format!("stopping {stopping} runs"));
                Ok(())
            }
            Self::Delete { run, confirmation } => {
                confirmation.ask(&format!("Delete run {run}?"))?;
                client.delete_run(RunRef { run }).await?;
                note(&format!("run {run} is deleted"));
                Ok(())
            }
        }
    }
}
