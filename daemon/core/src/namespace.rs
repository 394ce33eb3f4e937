//! Namespaces: added, checked, deleted when they are empty.
//!
//! Must never delete what is in one.

use std::collections::BTreeMap;

use aiflow_model::{ErrorCode, Namespace, Record, Rejection};

use crate::input::Answer;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// Adds a namespace; one that exists is no fault.
    pub(crate) fn add_namespace(&mut self, namespace: Namespace) -> Answer {
        if !self.state.namespaces.contains_key(&namespace) {
            self.record(None, Record::NamespaceAdded { namespace });
        }
        Answer::Done
    }

    pub(crate) fn check_namespace(&self, namespace: &Namespace) -> Result<(), Rejection> {
        if self.state.namespaces.contains_key(namespace) {
            return Ok(());
        }
        let names: Vec<&str> =
            self.state.namespaces.keys().map(Namespace::as_str).take(20).collect();
        let message =
            format!("there is no namespace {namespace:?}; there are: {}", names.join(", "));
        Err(Rejection::new(ErrorCode::UnknownNamespace, message)
            .hint(format!("aiflow namespace add {namespace}")))
    }

    pub(crate) fn delete_namespace(&mut self, namespace: Namespace) -> Result<Answer, Rejection> {
        self.check_namespace(&namespace)?;
        if namespace == Namespace::default_namespace() {
            let message = format!("namespace {namespace} is always there");
            return Err(
                Rejection::new(ErrorCode::InvalidParams, message).hint("aiflow namespace list")
            );
        }
        let workflows = self.state.namespaces.get(&namespace).map(|space| &space.workflows);
        if let Some((workflow, _)) = workflows.and_then(BTreeMap::first_key_value) {
            let message =
                format!("namespace {namespace} cannot be deleted: it holds workflow {workflow}");
            return Err(Rejection::new(ErrorCode::StillAlive, message)
                .hint(format!("aiflow workflow delete {workflow} -n {namespace}")));
        }
        self.record(None, Record::NamespaceDeleted { namespace });
        Ok(Answer::Done)
    }
}
