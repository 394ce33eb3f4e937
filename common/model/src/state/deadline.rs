//! What falls due when: retries, timeouts, ticks of clocks and timers of conditions, in order.
//!
//! Derived from runs and triggers; must never be stored. The server sleeps until
//! [`Deadlines::next`].

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::{Clock, Condition, WorkflowSpec};
use crate::state::{Draft, Execution, NodeState, Run, Trigger};
use crate::time::Timestamp;
use crate::{DraftId, ExecutionId, RuleId, RunId};

/// Something that falls due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// The execution waits for its next attempt, or its attempt reaches its timeout.
    Execution(ExecutionId),
    /// The execution was not heard of for as long as it may be.
    Contact(ExecutionId),
    /// A run has not ended for as long as it may take.
    Late(RunId),
    /// A node of a condition has come to its time.
    Condition {
        /// Whose condition.
        rule: RuleId,
        /// The node's number.
        node: u32,
    },
    /// The time of a draft is over.
    Draft(DraftId),
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
        self.set(Deadline::Contact(id.clone()), execution.contact_due);
        self.set(Deadline::Execution(id), execution.deadline);
    }

    pub(super) fn clear_execution(&mut self, id: ExecutionId, execution: &Execution) {
        self.clear(Deadline::Contact(id.clone()), execution.contact_due);
        self.clear(Deadline::Execution(id), execution.deadline);
    }

    pub(super) fn set(&mut self, deadline: Deadline, due: Option<Timestamp>) {
        if let Some(time) = due {
            self.ordered.insert((time, deadline));
        }
    }

    pub(super) fn clear(&mut self, deadline: Deadline, due: Option<Timestamp>) {
        if let Some(time) = due {
            self.ordered.remove(&(time, deadline));
        }
    }

    pub(super) fn add_trigger(&mut self, trigger: &Trigger) {
        self.each_node(RuleId::Trigger(trigger.id), &trigger.condition, &trigger.nodes, Self::set);
    }

    pub(super) fn remove_trigger(&mut self, trigger: &Trigger) {
        let rule = RuleId::Trigger(trigger.id);
        self.each_node(rule, &trigger.condition, &trigger.nodes, Self::clear);
    }

    pub(super) fn add_draft(&mut self, draft: &Draft) {
        self.each_of_draft(draft, Self::set);
    }

    pub(super) fn remove_draft(&mut self, draft: &Draft) {
        self.each_of_draft(draft, Self::clear);
    }

    fn each_of_draft(&mut self, draft: &Draft, act: Act) {
        for ((rule, condition), nodes) in draft.rules().zip(&draft.conditions) {
            self.each_node(rule, condition, nodes, act);
        }
        act(self, Deadline::Draft(draft.id()), Some(draft.began.expires));
    }

    pub(super) fn add_run(&mut self, run: &Run, spec: &WorkflowSpec) {
        self.each_rule(run, spec, Self::set);
        self.add_executions(run, spec);
    }

    pub(super) fn add_executions(&mut self, run: &Run, spec: &WorkflowSpec) {
        for (task, state) in spec.tasks.iter().zip(&run.tasks) {
            for execution in state.alive_executions().filter(|e| e.may_fall_due(run.paused)) {
                let sequence = execution.sequence;
                let id = ExecutionId { run: run.id, task: task.name.clone(), sequence };
                self.set_execution(id, execution);
            }
        }
    }

    pub(super) fn remove_run(&mut self, run: &Run, spec: &WorkflowSpec) {
        self.each_rule(run, spec, Self::clear);
    }

    pub(super) fn remove_executions(&mut self, run: &Run, spec: &WorkflowSpec) {
        for (task, state) in spec.tasks.iter().zip(&run.tasks) {
            for execution in state.alive_executions() {
                let sequence = execution.sequence;
                let id = ExecutionId { run: run.id, task: task.name.clone(), sequence };
                self.clear_execution(id, execution);
            }
        }
    }

    fn each_rule(&mut self, run: &Run, spec: &WorkflowSpec, act: Act) {
        for ((rule, _, definition), nodes) in spec.rules().zip(&run.conditions) {
            let rule = RuleId::Task { run: run.id, rule };
            self.each_node(rule, &definition.condition, nodes, act);
        }
    }

    fn each_node(
        &mut self,
        rule: RuleId,
        condition: &Condition,
        states: &BTreeMap<u32, NodeState>,
        act: Act,
    ) {
        if states.is_empty() {
            return;
        }
        for (node, condition) in (0..).zip(condition.nodes()) {
            let due = states.get(&node).and_then(|state| due_at(condition, state));
            act(self, Deadline::Condition { rule, node }, due);
        }
    }
}

type Act = fn(&mut Deadlines, Deadline, Option<Timestamp>);

/// When a node comes to its time: on the wall the end of a window, a time of the calendar, or what
/// a timer waits for; with a watermark at once when it is past the end of a window, else when a
/// source has been silent for too long.
#[must_use]
pub(super) fn due_at(condition: &Condition, state: &NodeState) -> Option<Timestamp> {
    match (condition, state) {
        (Condition::Every { period, clock, until, idle, .. }, NodeState::Clock(state)) => {
            let end = state.next_end(*period, *until);
            match clock {
                Clock::Wall => end.map(|end| state.due.unwrap_or(end)),
                Clock::Watermark(_) if state.is_over(*period, *until) => None,
                Clock::Watermark(keys) => {
                    let passed = end.zip(state.lowest()).filter(|(end, low)| low.time >= *end);
                    let silences = || state.silences(keys, idle).map(|(_, due)| due).min();
                    passed.map(|_| Timestamp(i64::MIN)).or_else(silences)
                }
            }
        }
        (Condition::Cron { .. }, NodeState::Cron { next, due, .. }) => due.or(*next),
        (Condition::Throttle { .. }, NodeState::Timer { due, gathered }) => {
            gathered.as_ref().and(*due)
        }
        (_, NodeState::Timer { due, .. }) => *due,
        _ => None,
    }
}
