//! Contact with what runs: until when it is to be heard of again.
//!
//! Silence is no end: must never change a status.

use super::apply::{At, Fit};
use super::{Execution, State};
use crate::time::Span;
use crate::{AttemptId, ExecutionId};

impl Execution {
    /// It was heard of now, and has to be again within a heartbeat.
    pub(super) fn hear(&mut self, heartbeat: Option<Span>, at: At) {
        self.contact_due = heartbeat.map(|heartbeat| at.time.plus(heartbeat));
        self.silent_since = None;
    }

    /// Nobody waits to hear of it any more.
    pub(super) fn hang_up(&mut self) {
        self.contact_due = None;
        self.silent_since = None;
    }
}

impl State {
    pub(super) fn heartbeat_of(&self, id: &ExecutionId) -> Option<Span> {
        self.task_spec(id.run, &id.task).and_then(|task| task.heartbeat)
    }

    pub(super) fn fold_heartbeat(&mut self, id: &AttemptId, at: At) -> Fit {
        let heartbeat = self.heartbeat_of(&id.execution);
        self.change_quietly(&id.execution, |execution| execution.hear(heartbeat, at))
    }

    pub(super) fn fold_contact_lost(&mut self, id: &AttemptId, at: At) -> Fit {
        self.change_quietly(&id.execution, |execution| {
            execution.contact_due = None;
            execution.silent_since = Some(at.time);
        })
    }

    /// While no daemon listened nothing could be heard: all have a whole heartbeat from now on.
    pub(super) fn listen_anew(&mut self, at: At) -> Fit {
        let waited_for: Vec<ExecutionId> = self
            .alive_attempts()
            .map(|(id, _)| id.execution)
            .filter(|id| self.execution(id).is_some_and(|e| e.contact_due.is_some()))
            .collect();
        for id in waited_for {
            let heartbeat = self.heartbeat_of(&id);
            self.change_quietly(&id, |execution| execution.hear(heartbeat, at))?;
        }
        Ok(())
    }
}
