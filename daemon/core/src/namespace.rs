//! Namespaces: added, checked, deleted when they are empty.
//!
//! Must never delete what is in one.

use std::collections::BTreeMap;

use aiflow_model::{ErrorCode, JsonText, Namespace, Record, Rejection};

use crate::input::Answer;
use crate::transaction::Transaction;

/// What is said of a namespace.
type Properties = BTreeMap<String, JsonText>;

/// Most properties of a namespace, and most bytes of all of them.
const PROPERTIES_MAX: usize = 64;
const PROPERTIES_BYTES_MAX: usize = 64 << 10;

impl Transaction<'_> {
    /// Adds a namespace; one that exists is no fault.
    pub(crate) fn add_namespace(
        &mut self,
        namespace: Namespace,
        properties: Properties,
    ) -> Result<Answer, Rejection> {
        check_properties(&namespace, &properties)?;
        if !self.state.namespaces.contains_key(&namespace) {
            self.record(None, Record::NamespaceAdded { namespace, properties });
        }
        Ok(Answer::Done)
    }

    /// Says other things of a namespace; what is not named stays.
    pub(crate) fn update_namespace(
        &mut self,
        namespace: Namespace,
        changes: Properties,
    ) -> Result<Answer, Rejection> {
        self.check_namespace(&namespace)?;
        let known = self.state.namespaces.get(&namespace).map(|known| &known.properties);
        let known = known.cloned().unwrap_or_default();
        let mut properties = known.clone();
        properties.extend(changes);
        properties.retain(|_, value| *value != JsonText::null());
        check_properties(&namespace, &properties)?;
        if properties != known {
            self.record(None, Record::NamespaceChanged { namespace, properties });
        }
        Ok(Answer::Done)
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
        let draft = self.state.drafts.values().find(|draft| draft.began.namespace == namespace);
        if let Some(id) = draft.map(aiflow_model::state::Draft::id) {
            let message = format!("namespace {namespace} cannot be deleted: draft {id} listens");
            return Err(Rejection::new(ErrorCode::StillAlive, message)
                .hint(format!("aiflow workflow discard {id}")));
        }
        self.record(None, Record::NamespaceDeleted { namespace });
        Ok(Answer::Done)
    }
}

fn check_properties(namespace: &Namespace, properties: &Properties) -> Result<(), Rejection> {
    let bytes: usize =
        properties.iter().map(|(name, value)| name.len() + value.as_str().len()).sum();
    if properties.len() <= PROPERTIES_MAX && bytes <= PROPERTIES_BYTES_MAX {
        return Ok(());
    }
    let message = format!(
        "namespace {namespace}: {} properties of {bytes} bytes, at most {PROPERTIES_MAX} of \
         {PROPERTIES_BYTES_MAX} bytes are kept",
        properties.len()
    );
    Err(Rejection::new(ErrorCode::ValueTooLarge, message).hint("put the data in a file"))
}
