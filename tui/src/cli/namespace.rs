//! `aiflow namespace …`.
//!
//! Must never make a namespace as a side effect of another verb.

use aiflow_model::wire::{Call, Empty, NamespaceName, NamespaceProperties};
use aiflow_model::{JsonText, Namespace};
use clap::Subcommand;

use super::confirm::Confirmation;
use super::failure::Failure;
use super::parse;
use super::session::Session;

/// What to do with namespaces.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Add a namespace.
    Add {
        /// Its name
        name: Namespace,
        /// What is said of it; the value is JSON if it parses as JSON, else a string
        #[arg(long = "property", value_name = "NAME=VALUE", value_parser = parse::param)]
        properties: Vec<(String, JsonText)>,
    },
    /// Say other things of a namespace; what is not named stays, what is `null` goes.
    Update {
        /// Its name
        name: Namespace,
        /// What is said of it; the value is JSON if it parses as JSON, else a string
        #[arg(long = "property", value_name = "NAME=VALUE", value_parser = parse::param)]
        #[arg(required = true)]
        properties: Vec<(String, JsonText)>,
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
            Self::Update { name: namespace, properties } => {
                let text = format!("namespace {namespace} is changed");
                let properties = properties.into_iter().collect();
                let call = Call::NamespaceUpdate(NamespaceProperties { namespace, properties });
                session.change_and_note(&client, call, &text).await
            }
            Self::Add { name: namespace, properties } => {
                let text = format!("namespace {namespace} is there");
                let properties = properties.into_iter().collect();
                let call = Call::NamespaceAdd(NamespaceProperties { namespace, properties });
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
