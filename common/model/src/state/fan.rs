//! A fan: the executions of a task that do one item each of a list, and count as one.
//!
//! Must never look at more than its own executions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Execution, TaskState};
use crate::record::{FanStarted, Item};
use crate::status::ExecutionStatus;
use crate::{Offset, Sequence};

/// The executions that do one item each of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Fan {
    /// How many items there are.
    pub items: u32,
    /// For each item its latest execution.
    pub members: Vec<Sequence>,
    /// How many of those have not ended.
    pub alive: u32,
    /// How many of those have ended, and how.
    pub ended: BTreeMap<ExecutionStatus, u32>,
    /// How many of those are ready.
    #[serde(skip_serializing_if = "is_none")]
    pub ready: u32,
    /// Whether one of them has run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub begun: bool,
    /// As what it counted before some were done anew, where rules look at it only if that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<ExecutionStatus>,
    /// The record that changed it last.
    pub offset: Offset,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
const fn is_none(count: &u32) -> bool {
    *count == 0
}

impl Fan {
    /// Where all of it stands: it has ended when each of its executions has; then it is as good as
    /// the worst of them.
    #[must_use]
    pub fn status(&self) -> ExecutionStatus {
        let has = |status| self.ended.get(&status).is_some_and(|count| *count > 0);
        let is_whole = self.members.len() >= self.items as usize && self.alive == 0;
        match (is_whole, self.begun) {
            (false, false) => ExecutionStatus::Waiting,
            (false, true) if self.alive > 0 && self.ready == self.alive => ExecutionStatus::Ready,
            (false, true) => ExecutionStatus::Running,
            _ if has(ExecutionStatus::Failed) => ExecutionStatus::Failed,
            _ if has(ExecutionStatus::Stopped) => ExecutionStatus::Stopped,
            _ if has(ExecutionStatus::Success) => ExecutionStatus::Success,
            _ => ExecutionStatus::Skipped,
        }
    }

    /// Whether rules look at it as it stands: not at what was known before.
    #[must_use]
    pub fn is_news(&self) -> bool {
        let status = self.status();
        let is_same =
            |told: ExecutionStatus| told == status || (told.is_done() && status.is_done());
        !status.is_alive() && !self.told.is_some_and(is_same)
    }
}

impl TaskState {
    /// The fan that an execution is part of.
    #[must_use]
    pub fn fan_of(&self, execution: &Execution) -> Option<&Fan> {
        self.fans.get(&execution.item.as_ref()?.fan)
    }

    /// Where an execution stands for those that wait for it, and since which record: one of a fan
    /// stands where all of that does.
    #[must_use]
    pub fn standing(&self, execution: &Execution) -> (ExecutionStatus, Offset) {
        match self.fan_of(execution) {
            Some(fan) => (fan.status(), fan.offset),
            None if execution.is_ready() => (ExecutionStatus::Ready, execution.offset),
            None => (execution.status, execution.offset),
        }
    }

    pub(super) fn fold_fan(&mut self, started: &FanStarted, offset: Offset) {
        let fan = Fan { items: started.items, offset, ..Fan::default() };
        self.fans.insert(offset, fan);
    }

    /// An execution takes its place in its fan, perhaps that of an earlier one.
    pub(super) fn fold_member(&mut self, item: &Item, sequence: Sequence, repeats: bool) {
        let index = item.index as usize;
        let before = self.fans.get(&item.fan).and_then(|fan| fan.members.get(index).copied());
        let before = before.and_then(|before| self.execution(before)).map(|e| e.status);
        let Some(fan) = self.fans.get_mut(&item.fan) else { return };
        if let Some(before) = before {
            if fan.alive == 0 {
                fan.told = Some(fan.status()).filter(|_| repeats);
            }
            fan.members[index] = sequence;
            if let Some(count) = fan.ended.get_mut(&before) {
                *count -= 1;
            }
        } else {
            fan.members.push(sequence);
        }
        fan.alive += 1;
    }

    /// An execution of a fan runs and is ready, or is not any more.
    pub(super) fn fold_member_ready(&mut self, sequence: Sequence, is_ready: bool) {
        let execution = self.execution(sequence).filter(|execution| {
            execution.ready_at.is_some()
                && execution.current_attempt().is_some_and(|a| a.pid.is_some())
        });
        let item = execution.and_then(|e| e.item.as_ref()).map(|item| item.fan);
        let Some(fan) = item.and_then(|fan| self.fans.get_mut(&fan)) else { return };
        fan.ready = if is_ready { fan.ready + 1 } else { fan.ready.saturating_sub(1) };
    }

    /// An execution of a fan runs, or has ended.
    pub(super) fn fold_member_change(&mut self, sequence: Sequence, offset: Offset) {
        let Some(execution) = self.execution(sequence) else { return };
        let (status, item) = (execution.status, execution.item.as_ref().map(|item| item.fan));
        let Some(fan) = item.and_then(|fan| self.fans.get_mut(&fan)) else { return };
        fan.begun = true;
        fan.offset = offset;
        if !status.is_alive() {
            fan.alive = fan.alive.saturating_sub(1);
            *fan.ended.entry(status).or_default() += 1;
        }
    }
}
