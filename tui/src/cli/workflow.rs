//! `aiflow workflow …`.
//!
//! Must never check a definition: the daemon does, with line and column.

use std::path::PathBuf;

use aiflow_model::wire::{Call, NamedWorkflow, NamespaceFilter};
use aiflow_model::{DraftId, WorkflowName};
use clap::Subcommand;

use super::check;
use super::confirm::Confirmation;
use super::draft::{self, Draft, Drafts};
use super::failure::Failure;
use super::options::{InNamespace, WithinNamespace};
use super::python::Interpreter;
use super::session::Session;
use super::upload;

/// What a definition may look like; the reader's tests hold it to what the reader takes.
const SCHEMA: &str = include_str!("../../../docs/workflow.schema.json");

/// What to do with workflows.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Store a definition, with the files that it lists; later runs use it.
    Upload {
        /// The definition, in YAML, or in Python (.py)
        file: PathBuf,
        /// Further files or folders beside the definition, between commas
        #[arg(short, long, value_name = "PATHS", value_delimiter = ',')]
        files: Vec<String>,
        #[command(flatten)]
        within: InNamespace,
        #[command(flatten)]
        interpreter: Interpreter,
    },
    /// Tell what is wrong in a definition, and what it hardly means; needs no daemon that runs.
    Check {
        /// The definition, in YAML, or in Python (.py)
        file: PathBuf,
        #[command(flatten)]
        interpreter: Interpreter,
    },
    /// Print the JSON Schema of definitions, by which editors complete and check them.
    Schema,
    /// List workflows.
    List {
        #[command(flatten)]
        within: WithinNamespace,
    },
    /// Show a workflow: its tasks and their rules; with -o json also its text.
    Show {
        /// Its name
        name: WorkflowName,
        #[command(flatten)]
        within: InNamespace,
    },
    /// Watch a definition on what comes: where its rules fire is recorded, and nothing follows.
    Draft(Draft),
    /// List drafts; with an id: what its rules would have done.
    Drafts(Drafts),
    /// Make the text of a draft the workflow's definition; the draft ends.
    Promote {
        /// Its id
        draft: DraftId,
        /// Also when another definition was uploaded since it began
        #[arg(long)]
        anyway: bool,
    },
    /// Throw a draft away.
    Discard {
        /// Its id
        draft: DraftId,
    },
    /// Let a workflow start runs again.
    Enable {
        /// Its name
        name: WorkflowName,
        #[command(flatten)]
        within: InNamespace,
    },
    /// Let a workflow start nothing new; what is alive goes on.
    Disable {
        /// Its name
        name: WorkflowName,
        #[command(flatten)]
        within: InNamespace,
    },
    /// Delete a workflow with its triggers and runs, all of which have ended.
    Delete {
        /// Its name
        name: WorkflowName,
        #[command(flatten)]
        within: InNamespace,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Show { .. } | Self::Drafts(_))
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Upload { file, files, within, interpreter } => {
                upload::perform(session, &file, files, within, &interpreter).await
            }
            Self::Check { file, interpreter } => check::perform(session, &file, &interpreter),
            Self::Schema => session.output.write(SCHEMA.as_bytes()),
            Self::List { within } => {
                let filter = NamespaceFilter { namespace: within.namespace };
                session.output.list(&session.connect().await?.list_workflows(filter).await?)
            }
            Self::Show { name: workflow, within } => {
                let name = NamedWorkflow { namespace: within.namespace, workflow };
                session.output.show(&session.connect().await?.show_workflow(name).await?)
            }
            Self::Draft(ask) => ask.perform(session).await,
            Self::Drafts(which) => which.perform(session).await,
            Self::Promote { draft, anyway } => draft::promote(session, draft, anyway).await,
            Self::Discard { draft } => draft::discard(session, draft).await,
            Self::Enable { name: workflow, within } => {
                let text = format!("workflow {workflow} starts runs again");
                let name = NamedWorkflow { namespace: within.namespace, workflow };
                let client = session.connect().await?;
                session.change_and_note(&client, Call::WorkflowEnable(name), &text).await
            }
            Self::Disable { name: workflow, within } => {
                let text = format!("workflow {workflow} starts nothing new");
                let name = NamedWorkflow { namespace: within.namespace, workflow };
                let client = session.connect().await?;
                session.change_and_note(&client, Call::WorkflowDisable(name), &text).await
            }
            Self::Delete { name: workflow, within, confirmation } => {
                let client = session.connect().await?;
                let question = format!("Delete workflow {workflow} with all of its runs?");
                confirmation.ask(session, &question)?;
                let text = format!("workflow {workflow} is deleted");
                let name = NamedWorkflow { namespace: within.namespace, workflow };
                session.change_and_note(&client, Call::WorkflowDelete(name), &text).await
            }
        }
    }
}
