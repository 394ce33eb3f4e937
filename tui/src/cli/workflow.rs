//! `aiflow workflow …`.
//!
//! Must never check a definition: the daemon does, with line and column.

use std::path::PathBuf;

use aiflow_model::WorkflowName;
use aiflow_model::wire::{NamedWorkflow, NamespaceFilter};
use clap::Subcommand;

use super::failure::Failure;
use super::options::{InNamespace, WithinNamespace};
use super::session::Session;
use super::upload;

/// What to do with workflows.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Store a definition, with the files that it lists; later runs use it.
    Upload {
        /// The definition, in YAML
        file: PathBuf,
        #[command(flatten)]
        within: InNamespace,
    },
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
}

impl Verb {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Upload { file, within } => upload::perform(session, &file, within).await,
            Self::List { within } => {
                let filter = NamespaceFilter { namespace: within.namespace };
                session.output.list(&session.connect().await?.list_workflows(filter).await?)
            }
            Self::Show { name: workflow, within } => {
                let name = NamedWorkflow { namespace: within.namespace, workflow };
                session.output.show(&session.connect().await?.show_workflow(name).await?)
            }
        }
    }
}
