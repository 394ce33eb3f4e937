//! One run as its records tell it: what is compared, and no more.
//!
//! A fold of the run's own records alone, so that it needs neither the state nor that the run is
//! still alive. Must never decide.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{Outcome, RunControl, RunStarted};
use crate::state::{ExecutionStatus, RunStatus};
use crate::time::{Span, Timestamp};
use crate::{AttemptId, ExecutionId, LoggedRecord, Offset, Record, Sequence, TaskName};

/// A run from its beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// How it began.
    pub started: RunStarted,
    /// The record that says so.
    pub offset: Offset,
    /// When.
    pub started_at: Timestamp,
    /// Where it stands.
    pub status: RunStatus,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    events: BTreeSet<Offset>,
    pub(super) tasks: BTreeMap<TaskName, BTreeMap<Sequence, Told>>,
}

/// One execution, as it is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) status: ExecutionStatus,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
    /// When the process of its present attempt began.
    running_since: Option<Timestamp>,
    /// How long its processes ran.
    pub(super) ran: Span,
    pub(super) attempts: u64,
    pub(super) latest: Option<AttemptId>,
    pub(super) outcome: Option<Outcome>,
}

impl Told {
    const fn new(created_at: Timestamp) -> Self {
        Self {
            status: ExecutionStatus::Waiting,
            created_at,
            ended_at: None,
            running_since: None,
            ran: Span(0),
            attempts: 0,
            latest: None,
            outcome: None,
        }
    }

    /// From its creation to its end.
    pub(super) fn took(&self) -> Option<Span> {
        self.ended_at.map(|end| between(self.created_at, end))
    }
}

pub(super) fn between(start: Timestamp, end: Timestamp) -> Span {
    Span(u64::try_from(end.0.saturating_sub(start.0)).unwrap_or(0))
}

impl Story {
    /// Begins with the record that begins a run; none for another record.
    #[must_use]
    pub fn begin(logged: &LoggedRecord) -> Option<Self> {
        let Record::RunStarted(started) = &logged.record else { return None };
        Some(Self {
            started: started.as_ref().clone(),
            offset: logged.offset,
            started_at: logged.time,
            status: if started.waiting { RunStatus::Waiting } else { RunStatus::Running },
            ended_at: None,
            events: started.events.iter().copied().collect(),
            tasks: BTreeMap::new(),
        })
    }

    /// The events that were used up by its trigger and its rules.
    #[must_use]
    pub const fn events(&self) -> &BTreeSet<Offset> {
        &self.events
    }

    /// Takes in the next record of the run.
    pub fn note(&mut self, logged: &LoggedRecord) {
        let time = logged.time;
        match &logged.record {
            Record::RunBegan { .. } => self.status = RunStatus::Running,
            Record::RunStopRequested { .. } => self.status = RunStatus::Stopping,
            Record::RunFinished { status, .. } => {
                (self.status, self.ended_at) = (*status, Some(time));
            }
            Record::RunControlled(controlled) => {
                let goes_on =
                    !matches!(controlled.control, RunControl::Paused | RunControl::Resumed);
                if goes_on && !self.status.is_alive() {
                    (self.status, self.ended_at) = (RunStatus::Running, None);
                }
            }
            Record::RuleFired { firing, .. } => self.events.extend(&firing.events),
            Record::TaskExecutionCreated { id, events, .. } => {
                self.events.extend(events);
                let task = self.tasks.entry(id.task.clone()).or_default();
                task.insert(id.sequence, Told::new(time));
            }
            Record::TaskExecutionStopRequested { id, .. } => {
                self.change(id, |told| told.status = ExecutionStatus::Stopping);
            }
            Record::RetryScheduled { id, .. } => {
                self.change(id, |told| told.status = ExecutionStatus::Retrying);
            }
            Record::TaskExecutionFinished { id, status } => self.change(id, |told| {
                (told.status, told.ended_at) = (*status, Some(time));
            }),
            Record::AttemptQueued { id } => self.change(&id.execution, |told| {
                told.status = ExecutionStatus::Queued;
                told.attempts += 1;
                (told.latest, told.outcome, told.running_since) = (Some(id.clone()), None, None);
            }),
            Record::AttemptStarted { id, .. } => self.change(&id.execution, |told| {
                told.status = ExecutionStatus::Running;
                told.running_since = Some(time);
            }),
            Record::AttemptEnded { id, outcome, .. } => self.change(&id.execution, |told| {
                told.outcome = Some(outcome.clone());
                let since = told.running_since.take();
                told.ran.0 += since.map_or(0, |since| between(since, time).0);
            }),
            _ => {}
        }
    }

    fn change(&mut self, id: &ExecutionId, change: impl FnOnce(&mut Told)) {
        let task = self.tasks.get_mut(&id.task);
        if let Some(told) = task.and_then(|task| task.get_mut(&id.sequence)) {
            change(told);
        }
    }
}
