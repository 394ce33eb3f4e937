//! Hooks: each end of a run, and each run that is late, runs the hook that is meant, once.
//!
//! A hook is an execution as those of tasks: launched at most once an attempt, tried again, kept
//! with its output. Must never hold up a run, nor be seen by its rules.

use aiflow_model::spec::Hook;
use aiflow_model::{ErrorCode, ExecutionId, Offset, Record, Rejection, RunId, TaskName};

use crate::task::Start;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// Runs a hook of a run, if its workflow has it.
    pub(crate) fn run_hook(&mut self, run: RunId, hook: Hook, cause: Offset) {
        let Some(snapshot) = self.snapshot(run) else { return };
        let Some((_, task)) = snapshot.spec.hooks().find(|(_, task)| task.hook == Some(hook))
        else {
            return;
        };
        let Some(state) = self.task_state(run, &task.name) else { return };
        let sequence = state.next_sequence();
        let id = ExecutionId { run, task: task.name.clone(), sequence };
        let start = Start { cause: Some(cause), ..Start::default() };
        self.create_execution(run, &task.name, start, (None, None));
        let cause = self.state.execution(&id).map(|execution| execution.offset);
        self.queue_attempt(&id, cause);
    }

    /// A run has not ended for as long as it may take.
    pub(crate) fn run_late(&mut self, run: RunId) {
        let cause = self.record(None, Record::RunLate { run });
        self.run_hook(run, Hook::Late, cause);
    }

    /// What is done to tasks by hand is not done to hooks.
    pub(crate) fn check_no_hook(&self, run: RunId, task: &TaskName) -> Result<(), Rejection> {
        if self.state.task_spec(run, task).is_none_or(|task| task.hook.is_none()) {
            return Ok(());
        }
        let message = format!("{task} is a hook of run {run}: it is run when the run comes to it");
        Err(Rejection::new(ErrorCode::InvalidParams, message)
            .hint(format!("aiflow logs {run} {task} shows what it wrote")))
    }

    /// A run is there until its hooks have ended.
    pub(crate) fn check_hooks_ended(&self, run: RunId) -> Result<(), Rejection> {
        let Some(task) = self.state.hook_alive(run) else { return Ok(()) };
        let message = format!("run {run} cannot be deleted: its hook {task} has not ended");
        Err(Rejection::new(ErrorCode::StillAlive, message)
            .hint(format!("aiflow task-execution stop {run} {task}")))
    }
}
