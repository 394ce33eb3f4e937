//! Readiness: a task that runs is ready once the rule says so that it has for it.
//!
//! Must never take an attempt for ready that another one has followed: each begins unready.

use aiflow_model::spec::TaskSpec;
use aiflow_model::state::{Execution, ExecutionStatus};
use aiflow_model::{AttemptId, ExecutionId, Offset, Record, RunId};

use crate::task::Start;
use crate::transaction::{Stimulus, Transaction};

impl Transaction<'_> {
    /// Whatever runs of a task is ready; of a firing with a window, what works on it. A task may
    /// say so itself before its process has been seen running.
    pub(crate) fn make_ready(&mut self, run: RunId, task: &TaskSpec, start: &Start) {
        let Some(state) = self.task_state(run, &task.name) else { return };
        let is_meant = |e: &&Execution| {
            let runs = matches!(e.status, ExecutionStatus::Queued | ExecutionStatus::Running);
            runs && e.ready_at.is_none() && (start.window.is_none() || e.window == start.window)
        };
        let ready = state.alive_executions().filter(is_meant).filter_map(|execution| {
            let attempt = execution.current_attempt()?.number;
            let sequence = execution.sequence;
            Some(ExecutionId { run, task: task.name.clone(), sequence }.attempt(attempt))
        });
        let ready: Vec<AttemptId> = ready.collect();
        ready.into_iter().for_each(|id| self.ready(id, start.cause));
    }

    fn ready(&mut self, id: AttemptId, cause: Option<Offset>) {
        let execution = id.execution.clone();
        let offset = self.record(cause, Record::AttemptReady { id });
        self.tell_ready(offset, execution);
    }

    /// Lets rules know of an execution that runs and is ready, and all of its fan with it.
    pub(crate) fn tell_ready(&mut self, offset: Offset, id: ExecutionId) {
        let ExecutionId { run, task, sequence } = id;
        let state = self.task_state(run, &task);
        let execution = state.and_then(|state| Some((state, state.execution(sequence)?)));
        let is_ready = execution.is_some_and(|(state, execution)| {
            execution.ready_at.is_some() && state.standing(execution).0 == ExecutionStatus::Ready
        });
        if is_ready {
            let to = ExecutionStatus::Ready;
            self.stimulate(Stimulus::TaskChanged { offset, run, task, sequence, to });
        }
    }
}
