//! `aiflow namespace …`.
//!
//! Must never make a namespace as a side effect of another verb.

use aiflow_model::Namespace;
use aiflow_model::wire::{Call, Empty, NamespaceName};
use clap::Subcommand;

use super::confirm::Confirmation;
use super::failure::Failure;
use super::session::Session;

/// What to do with namespaces.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Add a namespace.
    Add {
        /// Its name
        name: Namespace,
    },
    /// List namespaces.
    List,
    /// Delete a namespace that holds no workflow.
    Delete {
        /// Its name
        name: Namespace,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::List)
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let client = session.connect().await?;
        match self {
            Self::Add { name: namespace } => {
                let text = format!("namespace {namespace} is there");
                let call = Call::NamespaceAdd(NamespaceName { namespace });
                session.change_and_note(&client, call, &text).await
            }
            Self::Delete { name: namespace, confirmation } => {
                confirmation.ask(session, &format!("Delete namespace {namespace}?"))?;
                let text = format!("namespace {namespace} is deleted");
                let call = Call::NamespaceDelete(NamespaceName { namespace });
                session.change_and_note(&client, call, &text).await
            }
            Self::List => session.output.list(&client.list_namespaces(Empty {}).await?),
        }
    }
}
