//! The way into the core: the state, and decisions upon it.
//!
//! Must never do anything but decide and apply: what a decision asks of the world is an
//! [`crate::Effect`].

use std::collections::BTreeMap;

use aiflow_model::record::{DraftEnd, EventFacts, TrimReason};
use aiflow_model::state::ApplyError;
use aiflow_model::{
    LoggedRecord, Namespace, Offset, Record, Rejection, RuleId, State, TaskName, Timestamp,
};

use crate::expression::Expressions;
use crate::input::{Answer, Decision, Input};
use crate::run::ENDED_RUNS_KEPT;
use crate::transaction::{Stimulus, Transaction};

/// Most deadlines handled in one batch.
const DEADLINES_PER_BATCH_MAX: usize = 1_000;

/// The state and what is compiled for it.
#[derive(Debug)]
pub struct Engine {
    pub(crate) state: State,
    expressions: Expressions,
    /// See [`Transaction::missing`].
    missing: BTreeMap<(RuleId, u32), TaskName>,
    keep_runs: usize,
}

impl Engine {
    /// An engine over a state that was folded from a log.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self {
            state,
            expressions: Expressions::default(),
            missing: BTreeMap::new(),
            keep_runs: ENDED_RUNS_KEPT,
        }
    }

    /// Says how many runs that have ended stay in the state, at least 1. Those that ended first
    /// leave; the log and the history tell of them. A hook that runs keeps its run.
    pub fn keep_runs(&mut self, count: usize) {
        self.keep_runs = count.max(1);
    }

    /// The state, the latest decisions included.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Decides one input at `now`. The state has the batch taken in when this returns. Hosts are
    /// not asked: a condition that needs one counts as not met, and the log says so.
    ///
    /// # Errors
    /// A [`Rejection`] when the input is not allowed; then nothing has changed.
    pub fn decide(&mut self, input: Input, now: Timestamp) -> Result<Decision, Rejection> {
        let mut transaction = self.transaction(now);
        let answer = transaction.take(input)?;
        Ok(Decision { records: transaction.finish(), answer })
    }

    pub(crate) fn transaction<'a>(&'a mut self, now: Timestamp) -> Transaction<'a> {
        Transaction::new(
            &mut self.state,
            &mut self.expressions,
            &mut self.missing,
            (now, self.keep_runs),
        )
    }

    /// The state alone.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    /// The state, and what expressions are evaluated with.
    pub(crate) const fn parts(&mut self) -> (&State, &mut Expressions) {
        (&self.state, &mut self.expressions)
    }

    /// When to call with [`Input::Tick`] next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.state.deadlines.next()
    }

    /// Takes in a record of the log, without deciding.
    ///
    /// # Errors
    /// When it does not fit: the log is damaged.
    pub fn replay<E: EventFacts>(&mut self, record: &LoggedRecord<E>) -> Result<(), ApplyError> {
        self.state.apply(record)
    }
}

impl Transaction<'_> {
    pub(crate) fn take(&mut self, input: Input) -> Result<Answer, Rejection> {
        match input {
            Input::StartDaemon(started) => {
                self.record(None, Record::DaemonStarted(started));
                self.add_namespace(Namespace::default_namespace(), BTreeMap::new())
            }
            Input::AddNamespace(name, properties) => self.add_namespace(name, properties),
            Input::UpdateNamespace(name, properties) => self.update_namespace(name, properties),
            Input::Upload { namespace, source, files } => self.upload(namespace, source, files),
            Input::Emit { namespace, key, value, source, id, execution, speaker } => {
                let event =
                    aiflow_model::record::Event { namespace, key, value, source, id, execution };
                self.emit(event, speaker.as_ref())
            }
            Input::Heartbeat(id) => self.heartbeat(&id),
            Input::SetOutput(id, name, value) => self.set_output(&id, name, value),
            Input::StartRun(start) => self.start_run(start),
            Input::StopRun(run) => self.stop_run(run),
            Input::StartTask(run, task) => self.start_task_on_request(run, &task),
            Input::StopTask(run, task) => self.stop_task_on_request(run, &task),
            Input::RestartTask(asked) => self.restart_task_on_request(asked),
            Input::MarkTask(asked, mark) => self.mark_task(asked, mark),
            Input::RerunTask(asked) => self.rerun_task(asked),
            Input::PauseRun(run) => self.pause_run(run),
            Input::ResumeRun(run) => self.resume_run(run),
            Input::Backfill(ask) => self.backfill(ask),
            Input::AddTrigger(add) => self.add_trigger(add),
            Input::PauseTrigger(id) => self.pause_trigger(id),
            Input::ResumeTrigger(id) => self.resume_trigger(id),
            Input::DeleteTrigger(id) => self.delete_trigger(id),
            Input::StartDraft(ask) => self.start_draft(*ask),
            Input::PromoteDraft(ask) => self.promote_draft(ask),
            Input::DiscardDraft(id) => self.discard_draft(id),
            Input::EnableWorkflow(namespace, workflow, enabled) => {
                self.enable_workflow(namespace, workflow, enabled)
            }
            Input::DeleteWorkflow(namespace, workflow) => self.delete_workflow(namespace, workflow),
            Input::DeleteRun(id) => self.delete_run(id),
            Input::DeleteNamespace(namespace) => self.delete_namespace(namespace),
            Input::AttemptStarted(id, pid) => Ok(self.attempt_started(id, pid)),
            Input::AttemptEnded(id, outcome, usage) => Ok(self.attempt_ended(&id, &outcome, usage)),
            Input::TrimLog(before, reason) => Ok(self.trim_log(before, reason)),
            Input::Tick => Ok(self.tick()),
        }
    }

    /// What is already gone is recorded in any case. What is only to go stays while something alive
    /// may ask for it: a task that waits is given the event that it was fired by, however old.
    fn trim_log(&mut self, before: Offset, reason: TrimReason) -> Answer {
        let is_needed = || self.state.oldest_needed().is_some_and(|(oldest, _)| oldest < before);
        let is_kept = reason == TrimReason::Retention && is_needed();
        if before > self.state.first_offset && before <= self.state.next_offset && !is_kept {
            self.record(None, Record::LogTrimmed { before, reason });
        }
        Answer::Done
    }

    fn tick(&mut self) -> Answer {
        for _ in 0..DEADLINES_PER_BATCH_MAX {
            let Some(deadline) = self.state.deadlines.first_due(self.now).cloned() else { break };
            match deadline {
                aiflow_model::state::Deadline::Execution(id) => self.execution_due(&id),
                aiflow_model::state::Deadline::Late(run) => self.run_late(run),
                aiflow_model::state::Deadline::Contact(id) => self.contact_due(&id),
                aiflow_model::state::Deadline::Draft(id) => {
                    self.end_draft(id, DraftEnd::Expired, None);
                }
                aiflow_model::state::Deadline::Condition { rule, .. } => {
                    self.stimulate(Stimulus::Due(rule));
                    // One condition a batch: its windows may be many.
                    break;
                }
            }
        }
        Answer::Done
    }
}
