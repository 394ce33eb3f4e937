//! What falls due when: retries, timeouts and ticks of clocks, in one order.
//!
//! Derived from runs; must never be stored. The server sleeps until [`Deadlines::next`].

use std::collections::BTreeSet;

use crate::spec::{Clock, Condition, WorkflowSpec};
use crate::state::{Execution, NodeState, Run};
use crate::time::Timestamp;
use crate::{ExecutionId, RuleIndex, RunId};

/// Something that falls due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// The execution waits for its next attempt, or its attempt reaches its timeout.
    Execution(ExecutionId),
    /// A clock has a window to fire.
    Clock {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
    },
}

/// All that falls due, earliest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Deadlines {
    ordered: BTreeSet<(Timestamp, Deadline)>,
}

impl Deadlines {
    /// When the first falls due.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.ordered.first().map(|(time, _)| *time)
    }

    /// The first that is due at `now`.
    #[must_use]
    pub fn first_due(&self, now: Timestamp) -> Option<&Deadline> {
        self.ordered.first().filter(|(time, _)| *time <= now).map(|(_, deadline)| deadline)
    }

    pub(super) fn set_execution(&mut self, id: ExecutionId, execution: &Execution) {
        if let Some(time) = execution.deadline {
            self.ordered.insert((time, Deadline::Execution(id)));
        }
    }

    pub(super) fn clear_execution(&mut self, id: ExecutionId, execution: &Execution) {
        if let Some(time) = execution.deadline {
            self.ordered.remove(&(time, Deadline::Execution(id)));
        }
    }

    pub(super) fn set_clock(&mut self, deadline: Deadline, due: Option<Timestamp>) {
        if let Some(time) = due {
            self.ordered.insert((time, deadline));
        }
    }

    pub(super) fn clear_clock(&mut self, deadline: Deadline, due: Option<Timestamp>) {
        if let Some(time) = due {
            self.ordered.remove(&(time, deadline));
        }
    }

    pub(super) fn add_run(&mut self, run: &Run, spec: &WorkflowSpec) {
        self.each_clock(run, spec, Self::set_clock);
        for (task, state) in spec.tasks.iter().zip(&run.tasks) {
            for execution in state.alive_executions() {
                let sequence = execution.sequence;
                let id = ExecutionId { run: run.id, task: task.name.clone(), sequence };
                self.set_execution(id, execution);
            }
        }
    }

    pub(super) fn remove_run(&mut self, run: &Run, spec: &WorkflowSpec) {
        self.each_clock(run, spec, Self::clear_clock);
    }

    fn each_clock(
        &mut self,
        run: &Run,
        spec: &WorkflowSpec,
        act: fn(&mut Self, Deadline, Option<Timestamp>),
    ) {
        for (rule_index, _, rule) in spec.rules() {
            for (node, condition) in (0..).zip(rule.condition.nodes()) {
                let due = run.node_state(rule_index, node).and_then(|s| clock_due(condition, s));
                act(self, Deadline::Clock { run: run.id, rule: rule_index, node }, due);
            }
        }
    }
}

/// When a clock node has a window to fire: its end on the wall; at once when the watermark is past
/// it.
#[must_use]
pub(super) fn clock_due(condition: &Condition, state: &NodeState) -> Option<Timestamp> {
    let (Condition::Every { period, clock, .. }, NodeState::Clock { next: Some(next), .. }) =
        (condition, state)
    else {
        return None;
    };
    let end = next.plus(*period);
    match clock {
        Clock::Wall => Some(end),
        Clock::Watermark(_) => {
            state.watermark().filter(|watermark| watermark.time >= end).map(|_| Timestamp(i64::MIN))
        }
    }
}
