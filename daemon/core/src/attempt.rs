//! Attempts: how they begin, how they end, and whether another one follows.

use aiflow_model::jitter::jitter;
use aiflow_model::record::{Outcome, StopReason, Usage};
use aiflow_model::spec::{RetryOn, RetryPolicy, TaskSpec};
use aiflow_model::state::{Attempt, Execution, ExecutionStatus};
use aiflow_model::{AttemptId, ExecutionId, Offset, Record};

use crate::input::Answer;
use crate::transaction::{Stimulus, Transaction};

/// What follows an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Nothing of the task ran: another attempt at once.
    Again,
    /// Another attempt after a wait.
    Retry,
    /// The execution is over.
    Finish(ExecutionStatus),
}

impl Transaction<'_> {
    pub(crate) fn attempt_started(&mut self, id: AttemptId, pid: u32) -> Answer {
        // Told twice, or after the end: a daemon that adopts cannot know what its predecessor
        // wrote.
        let is_news = self
            .state
            .attempt(&id)
            .is_some_and(|attempt| attempt.outcome.is_none() && attempt.pid.is_none());
        if is_news {
            let execution = id.execution.clone();
            // Of a fan only the first that runs is news.
            let task = self.state.task(execution.run, &execution.task);
            let fan = task.and_then(|t| t.fan_of(t.execution(execution.sequence)?));
            let has_begun = fan.is_some_and(|fan| fan.begun);
            let ExecutionId { run, task, sequence } = execution.clone();
            let offset = self.record(None, Record::AttemptStarted { id, pid });
            if !has_begun && self.is_news(&execution, ExecutionStatus::Running) {
                let (task, to) = (task.clone(), ExecutionStatus::Running);
                self.stimulate(Stimulus::TaskChanged { offset, run, task, sequence, to });
            }
            self.tell_ready(offset, execution);
        }
        Answer::Done
    }

    pub(crate) fn attempt_ended(
        &mut self,
        id: &AttemptId,
        outcome: &Outcome,
        usage: Usage,
    ) -> Answer {
        if self.state.attempt(id).is_none_or(|attempt| attempt.outcome.is_some()) {
            return Answer::Done;
        }
        let execution_id = id.execution.clone();
        let Some(task) = self.state.task_spec(execution_id.run, &execution_id.task).cloned() else {
            return Answer::Done;
        };
        let ended = Record::AttemptEnded { id: id.clone(), outcome: outcome.clone(), usage };
        let cause = self.record(None, ended);
        let Some(execution) = self.state.execution(&execution_id) else { return Answer::Done };
        match next_step(&task, execution, outcome) {
            Next::Again => self.queue_attempt(&execution_id, Some(cause)),
            Next::Retry => self.schedule_retry(&execution_id, &task, cause),
            Next::Finish(status) => {
                self.finish_execution(&execution_id, status, Some(cause));
                self.resume_after_end(execution_id.run, &task);
            }
        }
        Answer::Done
    }

    fn schedule_retry(&mut self, id: &ExecutionId, task: &TaskSpec, cause: Offset) {
        let (Some(policy), Some(execution)) = (&task.retry, self.state.execution(id)) else {
            return;
        };
        let failures = failures_in_a_row(&execution.attempts, policy);
        let mut due = self.now.plus(policy.backoff.after(failures));
        if let Some(longest) = policy.jitter {
            let next = id.attempt(execution.next_attempt());
            due = due.plus(jitter(&next.to_string(), longest));
        }
        self.record(Some(cause), Record::RetryScheduled { id: id.clone(), due });
    }

    /// The wait of a retry is over, or an attempt has reached its timeout.
    pub(crate) fn execution_due(&mut self, id: &ExecutionId) {
        let Some(execution) = self.state.execution(id) else { return };
        let cause = Some(execution.offset);
        if execution.status == ExecutionStatus::Retrying {
            self.queue_attempt(id, cause);
        } else {
            let (id, reason) = (id.clone(), StopReason::Timeout);
            self.record(cause, Record::TaskExecutionStopRequested { id, reason });
        }
    }
}

fn next_step(task: &TaskSpec, execution: &Execution, outcome: &Outcome) -> Next {
    let timed_out = execution.stop == Some(StopReason::Timeout);
    match execution.stop {
        None | Some(StopReason::Timeout) => {}
        Some(StopReason::Skip) => return Next::Finish(ExecutionStatus::Skipped),
        Some(StopReason::MarkSuccess) => return Next::Finish(ExecutionStatus::Success),
        Some(
            StopReason::Asked
            | StopReason::Rule
            | StopReason::Run
            | StopReason::Restart
            | StopReason::Replaced,
        ) => return Next::Finish(ExecutionStatus::Stopped),
    }
    if *outcome == Outcome::NeverStarted {
        return Next::Again;
    }
    let succeeded = outcome.is_success() && !timed_out;
    let retries = task.retry.as_ref().is_some_and(|policy| {
        let has_code = matches!(outcome, Outcome::Exited { code } if policy.codes.contains(code));
        let failed = !succeeded && (policy.codes.is_empty() || has_code);
        let wanted = failed || policy.on == RetryOn::Always;
        wanted && policy.attempts_max.is_none_or(|max| execution.spent_attempts() < max)
    });
    match (retries, succeeded) {
        (true, _) => Next::Retry,
        (false, true) => Next::Finish(ExecutionStatus::Success),
        (false, false) => Next::Finish(ExecutionStatus::Failed),
    }
}

/// How many of the latest attempts ended soon: one that lived longer than the longest wait was
/// sound, so that a stream which fails once a week does not wait as if it failed each minute.
fn failures_in_a_row(attempts: &[Attempt], policy: &RetryPolicy) -> u32 {
    let ended_soon = |attempt: &&Attempt| {
        let (Some(started), Some(ended)) = (attempt.started_at, attempt.ended_at) else {
            return true;
        };
        ended.since(started) < policy.backoff.max
    };
    let count = attempts.iter().rev().take_while(ended_soon).count().max(1);
    u32::try_from(count).unwrap_or(u32::MAX)
}
