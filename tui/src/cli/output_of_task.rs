//! `aiflow output …`: what tasks say of their work for those that come after.
//!
//! Must never keep what is set for later: an attempt that is over says nothing any more.

use aiflow_model::wire::{OutputQuery, SetOutput};
use aiflow_model::{OutputName, RunId, Sequence, TaskName};
use clap::{Args, Subcommand};

use super::failure::Failure;
use super::parse;
use super::session::Session;

/// What to do with outputs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Inside a task: say something of its work; a later value of the same name replaces it.
    Set {
        /// By what name
        name: OutputName,
        /// What: JSON if it parses as JSON, else a string
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Print what a task said of its work: strings without quotes.
    Get {
        /// The task
        task: TaskName,
        /// By what name
        name: OutputName,
        #[command(flatten)]
        of: Of,
    },
    /// List what tasks said of their work.
    List {
        /// Only this task
        task: Option<TaskName>,
        #[command(flatten)]
        of: Of,
    },
}

/// Of which run and execution.
#[derive(Debug, Args)]
pub(crate) struct Of {
    /// The run; inside a task its own
    #[arg(long, value_name = "RUN", env = "AIFLOW_EXECUTION_ID")]
    run: RunId,
    /// Which execution of the task [default: the latest that said anything]
    #[arg(long, value_name = "N")]
    sequence: Option<Sequence>,
}

impl Verb {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Set { name, value } => {
                let Ok(token) = std::env::var("AIFLOW_TOKEN") else {
                    let what = "AIFLOW_TOKEN is not set: an output is a task's";
                    return Err(Failure::input(what, Some("set it from inside a task")));
                };
                let value = parse::value(&value);
                let set = SetOutput { token, name, value };
                // A daemon that goes down for a moment must not fail the task.
                session.persist(async |client| client.set_output(set.clone()).await).await
            }
            Self::Get { task, name, of } => {
                let Of { run, sequence } = of;
                let (wanted, named) = (Some(task.clone()), Some(name.clone()));
                let query = OutputQuery { run, task: wanted, sequence, name: named };
                let found = session.connect().await?.list_outputs(query).await?;
                let Some(output) = found.first() else {
                    let what = format!("task {task} of run {run} has no output {name}");
                    let hint = format!("aiflow output list {task} --run {run}");
                    return Err(Failure::input(what, Some(&hint)));
                };
                session.output.answer(&output, &output.value.to_plain())
            }
            Self::List { task, of } => {
                let Of { run, sequence } = of;
                let query = OutputQuery { run, task, sequence, name: None };
                session.output.list(&session.connect().await?.list_outputs(query).await?)
            }
        }
    }
}
