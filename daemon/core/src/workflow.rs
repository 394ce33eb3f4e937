//! Workflows as a whole: stored as snapshots, whole or not at all; enabled, disabled, deleted.
//!
//! Must never look at a run's tasks.

use std::sync::Arc;

use aiflow_model::record::{FileEntry, WorkflowUploaded};
use aiflow_model::state::Snapshot;
use aiflow_model::{ErrorCode, Namespace, Record, Rejection, RuleId, WorkflowName, WorkflowSpec};

use crate::definition;
use crate::input::Answer;
use crate::transaction::Transaction;

impl Transaction<'_> {
    pub(crate) fn upload(
        &mut self,
        namespace: Namespace,
        source: String,
        files: Vec<FileEntry>,
    ) -> Result<Answer, Rejection> {
        self.check_namespace(&namespace)?;
        let spec = read_definition(&source)?;
        let workflow = spec.name.clone();
        let warnings = definition::warnings(&source, &spec);
        if let Some(current) = self.state.current_snapshot(namespace.as_str(), workflow.as_str())
            && current.source == source
            && current.files == files
        {
            let (snapshot, unchanged) = (current.number, true);
            return Ok(Answer::Uploaded { namespace, workflow, snapshot, unchanged, warnings });
        }
        let snapshot = self.state.next_snapshot_number();
        let uploaded =
            WorkflowUploaded { namespace: namespace.clone(), snapshot, spec, source, files };
        let cause = self.record(None, Record::WorkflowUploaded(Box::new(uploaded)));
        if let Some(stored) = self.state.snapshots.get(&snapshot).cloned() {
            self.replace_triggers(&stored, cause);
        }
        let unchanged = false;
        Ok(Answer::Uploaded { namespace, workflow, snapshot, unchanged, warnings })
    }

    pub(crate) fn find_workflow(
        &self,
        namespace: &Namespace,
        workflow: &WorkflowName,
    ) -> Result<Arc<Snapshot>, Rejection> {
        self.check_namespace(namespace)?;
        let current = self.state.current_snapshot(namespace.as_str(), workflow.as_str()).cloned();
        current.ok_or_else(|| {
            let message = format!("there is no workflow {workflow} in namespace {namespace}");
            Rejection::new(ErrorCode::UnknownWorkflow, message)
                .hint(format!("aiflow workflow list -n {namespace}"))
        })
    }

    pub(crate) fn enable_workflow(
        &mut self,
        namespace: Namespace,
        workflow: WorkflowName,
        enabled: bool,
    ) -> Result<Answer, Rejection> {
        self.find_workflow(&namespace, &workflow)?;
        let space = self.state.namespaces.get(&namespace);
        let is_enabled = space.is_some_and(|space| !space.disabled.contains(&workflow));
        if is_enabled == enabled {
            return Ok(Answer::Done);
        }
        let triggers = self.state.triggers_of(&namespace, &workflow);
        self.record(None, Record::WorkflowEnabled { namespace, workflow, enabled });
        for id in triggers.into_iter().filter(|_| enabled) {
            let trigger = self.state.triggers.get(&id).filter(|trigger| !trigger.paused);
            if let Some(condition) = trigger.map(|trigger| trigger.condition.clone()) {
                self.rearm(RuleId::Trigger(id), &condition, None);
            }
        }
        Ok(Answer::Done)
    }

    pub(crate) fn delete_workflow(
        &mut self,
        namespace: Namespace,
        workflow: WorkflowName,
    ) -> Result<Answer, Rejection> {
        self.find_workflow(&namespace, &workflow)?;
        let alive = self.state.runs.values().find(|run| {
            run.namespace == namespace && run.workflow == workflow && run.status.is_alive()
        });
        if let Some(run) = alive {
            let message = format!("workflow {workflow} cannot be deleted: run {} is alive", run.id);
            return Err(Rejection::new(ErrorCode::StillAlive, message)
                .hint(format!("aiflow workflow-execution stop-all {workflow} -n {namespace}")));
        }
        let own = self.state.runs.values();
        let own = own.filter(|run| run.namespace == namespace && run.workflow == workflow);
        own.map(|run| run.id).try_for_each(|run| self.check_hooks_ended(run))?;
        self.record(None, Record::WorkflowDeleted { namespace, workflow });
        Ok(Answer::Done)
    }
}

/// What a definition says; else what is wrong with it, and where.
pub(crate) fn read_definition(source: &str) -> Result<WorkflowSpec, Rejection> {
    definition::read(source).map_err(|diagnostics| {
        let count = diagnostics.len();
        let noun = if count == 1 { "fault" } else { "faults" };
        let message = format!("the definition has {count} {noun}; nothing was stored");
        let mut rejection = Rejection::new(ErrorCode::InvalidDefinition, message);
        rejection.diagnostics = diagnostics;
        rejection
    })
}
