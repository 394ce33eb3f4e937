//! One task in a run: its executions, and the attempts of each.
//!
//! Must never hold more than the records said.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Fan;
use crate::record::{Item, Outcome, StopReason, Usage};
use crate::status::ExecutionStatus;
use crate::time::{Timestamp, Window};
use crate::{AttemptNumber, JsonText, Offset, OutputName, Sequence};

/// Where an execution waits: with those that rules started, or in its backfill.
pub type Lane = Option<Offset>;

/// One task in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskState {
    /// All executions, in the order of their sequence numbers, which count from 1.
    pub executions: Vec<Execution>,
    /// Those that have not ended, but for those of backfills.
    pub alive: BTreeSet<Sequence>,
    /// Windows that somebody asked for, by the record that says so.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub backfills: BTreeMap<Offset, Backfill>,
    /// Lists of which each item is an execution, by the record that began it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fans: BTreeMap<Offset, Fan>,
    /// A start that waits until nothing is alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<PendingRestart>,
}

/// Windows that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// How many of its executions are active at once.
    pub parallel: u32,
    /// The request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// How many windows it has.
    pub windows: u32,
    /// Executions that have not ended.
    #[serde(default)]
    pub alive: BTreeSet<Sequence>,
}

/// A start that waits until nothing of the task is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRestart {
    /// Event offsets that asked for it.
    pub events: Vec<Offset>,
    /// Where it was asked for.
    pub offset: Offset,
}

/// One execution of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Which one of its task.
    pub sequence: Sequence,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// The window it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Event offsets that fired it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Offset>,
    /// The backfill that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Offset>,
    /// The item that it does, of a list of which each is an execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Box<Item>>,
    /// Its attempts so far.
    pub attempts: Vec<Attempt>,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When the next attempt is queued, or the present one reaches its timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Until when it has to be heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_due: Option<Timestamp>,
    /// When contact with it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<Timestamp>,
    /// Since when its present attempt is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<Timestamp>,
    /// Why it is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopReason>,
    /// The execution that it does anew, where rules look at its end only if it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Sequence>,
    /// What its latest attempt said of its work.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<OutputName, JsonText>,
    /// The record that brought it into being; 0 where an earlier build did not keep it.
    #[serde(default)]
    pub created: Offset,
    /// The record that made its status what it is.
    pub offset: Offset,
}

/// One try of an execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one.
    pub number: AttemptNumber,
    /// When it got its id.
    pub queued_at: Timestamp,
    /// When its process was seen running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its end was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// The host was booted anew since it was queued.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub before_reboot: bool,
}

impl TaskState {
    /// One execution.
    #[must_use]
    pub fn execution(&self, sequence: Sequence) -> Option<&Execution> {
        self.executions.get(usize::try_from(sequence.0.checked_sub(1)?).ok()?)
    }

    pub(super) fn execution_mut(&mut self, sequence: Sequence) -> Option<&mut Execution> {
        self.executions.get_mut(usize::try_from(sequence.0.checked_sub(1)?).ok()?)
    }

    /// The execution with the same window, or the newest: the one that counts for what comes after.
    #[must_use]
    pub fn counting(&self, window: Option<Window>) -> Option<&Execution> {
        let same = window.and_then(|_| self.executions.iter().rev().find(|e| e.window == window));
        same.or_else(|| self.latest())
    }

    /// The newest execution.
    #[must_use]
    pub fn latest(&self) -> Option<&Execution> {
        self.executions.last()
    }

    /// Executions that have not ended, oldest first; then those of backfills.
    pub fn alive_executions(&self) -> impl Iterator<Item = &Execution> {
        let backfilled = self.backfills.values().flat_map(|backfill| &backfill.alive);
        self.alive.iter().chain(backfilled).filter_map(|sequence| self.execution(*sequence))
    }

    /// How many executions have not ended.
    #[must_use]
    pub fn alive_count(&self) -> usize {
        let backfilled: usize = self.backfills.values().map(|backfill| backfill.alive.len()).sum();
        self.alive.len() + backfilled
    }

    /// The lanes in which executions wait for each other: that of the rules, and one for each
    /// backfill.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> {
        std::iter::once(None).chain(self.backfills.keys().copied().map(Some))
    }

    /// Executions of a lane that have not ended, oldest first.
    pub fn lane(&self, lane: Lane) -> impl Iterator<Item = &Execution> {
        let alive = match lane {
            None => Some(&self.alive),
            Some(backfill) => self.backfills.get(&backfill).map(|backfill| &backfill.alive),
        };
        alive.into_iter().flatten().filter_map(|sequence| self.execution(*sequence))
    }

    /// How many executions of a lane may be active at once, when it is `parallel` in that of the
    /// rules.
    #[must_use]
    pub fn places(&self, lane: Lane, parallel: u32) -> usize {
        let backfill = lane.and_then(|backfill| self.backfills.get(&backfill));
        backfill.map_or(parallel, |backfill| backfill.parallel) as usize
    }

    pub(super) fn lane_mut(&mut self, lane: Lane) -> Option<&mut BTreeSet<Sequence>> {
        match lane {
            None => Some(&mut self.alive),
            Some(backfill) => self.backfills.get_mut(&backfill).map(|backfill| &mut backfill.alive),
        }
    }

    /// How many executions of a lane hold a place: alive and past waiting.
    #[must_use]
    pub fn busy_in(&self, lane: Lane) -> usize {
        self.lane(lane).filter(|e| e.status != ExecutionStatus::Waiting).count()
    }

    /// How many executions that rules started hold a place.
    #[must_use]
    pub fn busy_count(&self) -> usize {
        self.busy_in(None)
    }

    /// The oldest execution of a lane that waits for a place.
    #[must_use]
    pub fn first_waiting_in(&self, lane: Lane) -> Option<&Execution> {
        self.lane(lane).find(|e| e.status == ExecutionStatus::Waiting)
    }

    /// The oldest execution that rules started and that waits for a place.
    #[must_use]
    pub fn first_waiting(&self) -> Option<&Execution> {
        self.first_waiting_in(None)
    }

    /// The sequence number of the next execution.
    #[must_use]
    pub fn next_sequence(&self) -> Sequence {
        self.executions.last().map_or(Sequence(1), |execution| execution.sequence.next())
    }
}

impl Execution {
    /// One attempt.
    #[must_use]
    pub fn attempt(&self, number: AttemptNumber) -> Option<&Attempt> {
        self.attempts.get(usize::try_from(number.0.checked_sub(1)?).ok()?)
    }

    /// Whether its process runs, and is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready_at.is_some() && self.status == ExecutionStatus::Running
    }

    /// The attempt that has no end yet.
    #[must_use]
    pub fn current_attempt(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| attempt.outcome.is_none())
    }

    /// The number of the next attempt.
    #[must_use]
    pub fn next_attempt(&self) -> AttemptNumber {
        self.attempts.last().map_or(AttemptNumber(1), |attempt| attempt.number.next())
    }

    /// How many attempts ran code of the task and are over.
    #[must_use]
    pub fn spent_attempts(&self) -> u32 {
        let spent = |a: &&Attempt| {
            a.outcome.as_ref().is_some_and(|outcome| *outcome != Outcome::NeverStarted)
        };
        u32::try_from(self.attempts.iter().filter(spent).count()).unwrap_or(u32::MAX)
    }
}
