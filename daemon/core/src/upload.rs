//! Uploads: a definition becomes a snapshot, whole or not at all.

use aiflow_model::record::{FileEntry, WorkflowUploaded};
use aiflow_model::{ErrorCode, Namespace, Record, Rejection};

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
        let spec = definition::read(&source).map_err(|diagnostics| {
            let count = diagnostics.len();
            let noun = if count == 1 { "fault" } else { "faults" };
            let message = format!("the definition has {count} {noun}; nothing was stored");
            let mut rejection = Rejection::new(ErrorCode::InvalidDefinition, message);
            rejection.diagnostics = diagnostics;
            rejection
        })?;
        let workflow = spec.name.clone();
        if let Some(current) = self.state.current_snapshot(namespace.as_str(), workflow.as_str())
            && current.source == source
            && current.files == files
        {
            return Ok(Answer::Uploaded { workflow, snapshot: current.number, unchanged: true });
        }
        let snapshot = self.state.next_snapshot_number();
        let uploaded = WorkflowUploaded { namespace, snapshot, spec, source, files };
        let cause = self.record(None, Record::WorkflowUploaded(Box::new(uploaded)));
        if let Some(stored) = self.state.snapshots.get(&snapshot).cloned() {
            self.replace_triggers(&stored, cause);
        }
        Ok(Answer::Uploaded { workflow, snapshot, unchanged: false })
    }
}
