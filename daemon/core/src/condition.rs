//! Conditions: what a stimulus does to each node, and what follows when the top one is met.
//!
//! Every change of a node's state is recorded; replay folds it and never evaluates again.

use std::collections::BTreeMap;

use aiflow_model::record::{Event, MissedTicks, StopReason, TriggerChange};
use aiflow_model::spec::{Action, Condition};
use aiflow_model::state::{ExecutionStatus, Firing, NodeState, TaskState};
use aiflow_model::time::Window;
use aiflow_model::{ExecutionId, JsonText, Offset, Record, RuleId, RuleIndex, RunId, TaskName};

use crate::clock;
use crate::gather::Gather;
use crate::task::Start;
use crate::transaction::{Stimulus, Transaction};

impl Transaction<'_> {
    /// Offers a stimulus to all that looks at it, run by run, in the order of the rules; then to
    /// triggers.
    pub(crate) fn offer_to_rules(&mut self, stimulus: &Stimulus) {
        for id in self.rules_that_look_at(stimulus) {
            match id {
                RuleId::Task { run, rule } => self.offer_to_rule(run, rule, stimulus),
                RuleId::Trigger(trigger) => self.offer_to_trigger(trigger, stimulus),
            }
        }
    }

    /// Sets the clocks of a condition to what comes from now on.
    pub(crate) fn arm(&mut self, at: RuleId, condition: &Condition, cause: Option<Offset>) {
        for (node, condition) in (0..).zip(condition.nodes()) {
            let state = match condition {
                Condition::Every { .. } => NodeState::Clock(clock::armed(condition, self.now)),
                Condition::Cron { .. } => {
                    self.arm_cron(at, node, condition, cause);
                    continue;
                }
                Condition::Absent { span, .. } => {
                    NodeState::Timer { due: Some(self.now.plus(*span)), gathered: None }
                }
                _ => continue,
            };
            self.advance(at, node, state, cause);
        }
    }

    fn rules_that_look_at(&self, stimulus: &Stimulus) -> Vec<RuleId> {
        match stimulus {
            Stimulus::Event { event, .. } => {
                let (namespace, key) = (event.namespace.as_str(), event.key.as_str());
                self.state.subscriptions.matching(namespace, key, event.execution)
            }
            Stimulus::TaskChanged { run, task, .. } | Stimulus::ContactLost { run, task, .. } => {
                let Some(snapshot) = self.state.snapshot_of(*run) else { return Vec::new() };
                let rules = snapshot.spec.rules();
                let looking =
                    rules.filter(|(_, _, r)| r.condition.upstream_tasks().any(|name| name == task));
                looking.map(|(rule, _, _)| RuleId::Task { run: *run, rule }).collect()
            }
            Stimulus::Due(rule) => vec![*rule],
        }
    }

    fn offer_to_rule(&mut self, run: RunId, index: RuleIndex, stimulus: &Stimulus) {
        let is_alive = self.state.run(run).is_some_and(|run| run.status.is_alive());
        let Some(snapshot) = self.snapshot(run).filter(|_| is_alive) else { return };
        let Some((task, rule)) = snapshot.spec.rule(index) else { return };
        let id = RuleId::Task { run, rule: index };
        for firing in self.offer(id, 0, &rule.condition, stimulus) {
            let depth = firing.depth;
            let (events, window, rerun) = (firing.events.clone(), firing.window, firing.rerun);
            let fired = Record::RuleFired { run, rule: index, firing };
            let cause = Some(self.record(stimulus.offset(), fired));
            let start = Start { cause, events, window, rerun };
            match rule.action {
                Action::Start => {
                    self.start_task(run, task, start);
                }
                Action::Stop => {
                    self.stop_task(run, &task.name, StopReason::Rule, cause);
                }
                Action::Restart => self.restart_task(run, task, start),
                Action::Emit => {
                    if let (Some(emission), Some(cause)) = (&rule.emission, cause) {
                        self.derive((run, index), emission, (cause, depth), stimulus);
                    }
                }
            }
        }
    }

    /// Offers a stimulus to a node; gives its firings, oldest first.
    pub(crate) fn offer(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        match condition {
            Condition::On { key, filter } => match stimulus {
                Stimulus::Event { offset, event, depth }
                    if key.matches(event.key.as_str())
                        && filter
                            .as_ref()
                            .is_none_or(|f| self.passes(at, node, f, *offset, event)) =>
                {
                    let (events, depth) = (vec![*offset], *depth);
                    vec![Firing { events, depth, ..self.firing_of_now() }]
                }
                _ => Vec::new(),
            },
            Condition::After { tasks } => self.offer_after(tasks, stimulus),
            Condition::Silent { task: wanted } => match stimulus {
                Stimulus::ContactLost { offset, run, task, sequence } if task == wanted => {
                    let id = ExecutionId { run: *run, task: task.clone(), sequence: *sequence };
                    let window = self.state.execution(&id).and_then(|execution| execution.window);
                    vec![Firing { ends: vec![*offset], window, ..self.firing_of_now() }]
                }
                _ => Vec::new(),
            },
            Condition::Any(_) => self.offer_below(at, node, condition, stimulus),
            Condition::All(_)
            | Condition::Sequence(_)
            | Condition::Count { .. }
            | Condition::Sum { .. }
            | Condition::Within { .. }
            | Condition::Reset { .. } => {
                self.offer_gatherer(at, node, condition, Gather::default(), stimulus)
            }
            Condition::State { script, .. } => {
                self.offer_script(at, node, condition, script, stimulus)
            }
            Condition::Custom { host, .. } => {
                self.offer_custom(at, node, condition, host, stimulus)
            }
            Condition::Absent { span, .. } => {
                self.offer_absent(at, node, condition, *span, stimulus)
            }
            Condition::Debounce { span, .. } => {
                self.offer_debounce(at, node, condition, *span, stimulus)
            }
            Condition::Throttle { span, .. } => {
                self.offer_throttle(at, node, condition, *span, stimulus)
            }
            Condition::Every { .. } => self.offer_clock(at, node, condition, stimulus),
            Condition::Cron { .. } => self.offer_cron(at, node, condition, stimulus),
        }
    }

    /// Offers a stimulus to the parts of a node; gives the firings of all.
    pub(crate) fn offer_below(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let children = condition.numbered_children(node);
        children.flat_map(|(number, child)| self.offer(at, number, child, stimulus)).collect()
    }

    /// A firing that used up nothing yet.
    pub(crate) fn firing_of_now(&self) -> Firing {
        Firing { began: Some(self.now), ..Firing::default() }
    }

    fn offer_after(
        &self,
        tasks: &BTreeMap<TaskName, ExecutionStatus>,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Stimulus::TaskChanged { offset, run, task, sequence } = stimulus else {
            return Vec::new();
        };
        let id = ExecutionId { run: *run, task: task.clone(), sequence: *sequence };
        let Some(changed) = self.state.execution(&id) else { return Vec::new() };
        let mut ends = vec![*offset];
        for (name, wanted) in tasks {
            if name == task {
                if !changed.status.meets(*wanted) {
                    return Vec::new();
                }
                continue;
            }
            let end = self.state.task(*run, name).and_then(|t| end_of(t, changed.window, *wanted));
            let Some(end) = end else { return Vec::new() };
            ends.push(end);
        }
        ends.sort_unstable();
        vec![Firing { ends, window: changed.window, ..self.firing_of_now() }]
    }

    fn offer_script(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        script: &str,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let met = self.offer_below(at, node, condition, stimulus);
        let (Stimulus::Event { offset, event, .. }, false) = (stimulus, met.is_empty()) else {
            return Vec::new();
        };
        let kept = match self.state.node_state(at, node) {
            Some(NodeState::Script { state }) => state.clone(),
            _ => JsonText::null(),
        };
        match self.expressions.run(script, &kept, event, self.now) {
            Ok((fires, state)) => {
                if state != kept {
                    self.advance(at, node, NodeState::Script { state }, stimulus.offset());
                }
                if fires { met } else { Vec::new() }
            }
            Err(reason) => {
                self.filter_failed(at, node, *offset, reason);
                Vec::new()
            }
        }
    }

    /// What a node knows, in the part that is looked at.
    pub(crate) fn known(&self, at: RuleId, node: u32) -> Option<&NodeState> {
        let state = self.state.node_state(at, node)?;
        match (&self.part, state) {
            (None, whole) => Some(whole),
            (Some(part), NodeState::Parts(parts)) => parts.get(part),
            (Some(_), _) => None,
        }
    }

    pub(crate) fn advance(
        &mut self,
        at: RuleId,
        node: u32,
        state: NodeState,
        cause: Option<Offset>,
    ) {
        let state = match &self.part {
            None => state,
            Some(part) => {
                let state = Some(state).filter(|state| !state.is_blank()).map(Box::new);
                NodeState::Part { part: part.clone(), state }
            }
        };
        let advanced = match at {
            RuleId::Task { run, rule } => Record::ConditionAdvanced { run, rule, node, state },
            RuleId::Trigger(trigger) => {
                let change = TriggerChange::Advanced { node, state };
                Record::TriggerChanged { trigger, change }
            }
        };
        self.record(cause, advanced);
    }

    fn passes(
        &mut self,
        at: RuleId,
        node: u32,
        filter: &str,
        offset: Offset,
        event: &Event,
    ) -> bool {
        match self.expressions.passes(filter, event, self.now) {
            Ok(passes) => passes,
            Err(reason) => {
                self.filter_failed(at, node, offset, reason);
                false
            }
        }
    }

    pub(crate) fn filter_failed(&mut self, at: RuleId, node: u32, event: Offset, reason: String) {
        let failed = match at {
            RuleId::Task { run, rule } => Record::FilterFailed { run, rule, node, event, reason },
            RuleId::Trigger(trigger) => {
                let change = TriggerChange::FilterFailed { node, event, reason };
                Record::TriggerChanged { trigger, change }
            }
        };
        self.record(Some(event), failed);
    }

    pub(crate) fn ticks_missed(&mut self, at: RuleId, node: u32, missed: MissedTicks) {
        let record = match at {
            RuleId::Task { run, rule } => Record::TicksMissed { run, rule, node, missed },
            RuleId::Trigger(trigger) => {
                let change = TriggerChange::TicksMissed { node, missed };
                Record::TriggerChanged { trigger, change }
            }
        };
        self.record(None, record);
    }
}

/// The record of the change that counts: of the execution with the same window, or of the latest.
fn end_of(task: &TaskState, window: Option<Window>, wanted: ExecutionStatus) -> Option<Offset> {
    let same_window =
        window.and_then(|_| task.executions.iter().rev().find(|e| e.window == window));
    let execution = same_window.or_else(|| task.latest())?;
    execution.status.meets(wanted).then_some(execution.offset)
}
