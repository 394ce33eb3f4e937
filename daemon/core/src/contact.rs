//! Heartbeats: what is heard of a task that runs, and what it means when nothing is.
//!
//! Silence is told to the rules, which decide. Must never end anything by itself: what is not heard
//! of may well live.

use aiflow_model::{AttemptId, ErrorCode, ExecutionId, Record, Rejection, RunId};

use crate::input::Answer;
use crate::transaction::{Stimulus, Transaction};

impl Transaction<'_> {
    /// A task says that it lives.
    pub(crate) fn heartbeat(&mut self, id: &AttemptId) -> Result<Answer, Rejection> {
        self.check_speaks(id, id.execution.run)?;
        self.hear_of(id);
        Ok(Answer::Done)
    }

    /// Whether the attempt may speak for the run: its own, while it lives.
    pub(crate) fn check_speaks(&self, id: &AttemptId, run: RunId) -> Result<(), Rejection> {
        if id.execution.run != run {
            let message = format!("attempt {id} speaks for its own run only, not for run {run}");
            return Err(Rejection::new(ErrorCode::NotItsRun, message)
                .hint("aiflow emit --global KEY, or without AIFLOW_TOKEN"));
        }
        if self.state.attempt(id).is_some_and(|attempt| attempt.outcome.is_none()) {
            return Ok(());
        }
        let message = format!("attempt {id} is over; nothing speaks for it any more");
        Err(Rejection::new(ErrorCode::NotAlive, message)
            .hint(format!("aiflow task-execution list {run}")))
    }

    /// Notes that something came from the attempt. Only when it changes something: contact had been
    /// lost, or a quarter of the time for the next sign has passed.
    pub(crate) fn hear_of(&mut self, id: &AttemptId) {
        let ExecutionId { run, task, .. } = &id.execution;
        let heartbeat = self.state.task_spec(*run, task).and_then(|task| task.heartbeat);
        let (Some(heartbeat), Some(execution)) = (heartbeat, self.state.execution(&id.execution))
        else {
            return;
        };
        let is_news = match execution.contact_due {
            Some(due) => due.since(self.now).0 <= heartbeat.0 / 4 * 3,
            None => execution.silent_since.is_some(),
        };
        if is_news {
            self.record(None, Record::HeartbeatReceived { id: id.clone() });
        }
    }

    /// Nothing was heard of an execution for as long as may be.
    pub(crate) fn contact_due(&mut self, id: &ExecutionId) {
        let Some(attempt) = self.state.execution(id).and_then(|e| e.current_attempt()) else {
            return;
        };
        let lost = Record::ContactLost { id: id.attempt(attempt.number) };
        let offset = self.record(None, lost);
        let (run, task, sequence) = (id.run, id.task.clone(), id.sequence);
        self.stimulate(Stimulus::ContactLost { offset, run, task, sequence });
    }
}
