//! Conditions: what a stimulus does to each node, and what follows when the top one is met.
//!
//! Every change of a node's state is recorded; replay folds it and never evaluates again.

use std::collections::BTreeMap;
use std::sync::Arc;

use aiflow_model::record::{DraftChange, Event, MissedTicks, StopReason, TriggerChange};
use aiflow_model::spec::{Action, Condition};
use aiflow_model::state::{ExecutionStatus, Firing, NodeState, TaskState};
use aiflow_model::time::Window;
use aiflow_model::{
    ExecutionId, JsonText, Offset, Record, RuleId, RuleIndex, RunId, TaskName, TaskOf,
};

use crate::clock;
use crate::gather::Gather;
use crate::scene::Scene;
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
                RuleId::Draft { draft, rule } => self.offer_to_draft(draft, rule, stimulus),
            }
        }
    }

    /// Sets the clocks of a condition to what comes from now on.
    pub(crate) fn arm(&mut self, at: RuleId, condition: &Condition, cause: Option<Offset>) {
        for (node, condition) in (0..).zip(condition.nodes()) {
            let state = match condition {
                Condition::Every { .. } => {
                    let mut state = clock::armed(condition, self.now);
                    state.due = clock::put_off((at, node), condition, &state);
                    NodeState::Clock(state)
                }
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

    pub(crate) fn rules_that_look_at(&self, stimulus: &Stimulus) -> Vec<RuleId> {
        match stimulus {
            Stimulus::Event { event, .. } => {
                let (namespace, key) = (event.namespace.as_str(), event.key.as_str());
                self.in_turn(self.state.rules_reached(namespace, key, event.execution))
            }
            Stimulus::TaskChanged { run, task, .. } | Stimulus::ContactLost { run, task, .. } => {
                let Some(snapshot) = self.state.snapshot_of(*run) else { return Vec::new() };
                let looking = snapshot.spec.rules_that_look_at(task).iter();
                let own = looking.map(|rule| RuleId::Task { run: *run, rule: *rule });
                let own: Vec<RuleId> = own.collect();
                let drafts = self.state.subscriptions.drafts_beside(*run);
                let drafts = drafts.filter_map(|draft| self.state.drafts.get(&draft));
                let of_drafts = drafts.flat_map(|draft| {
                    let looking = draft.began.spec.rules_that_look_at(task).iter();
                    looking.map(|rule| RuleId::Draft { draft: draft.id(), rule: *rule })
                });
                let mut outside = self.rules_that_look_from_outside(*run, task);
                outside.retain(|rule| !own.contains(rule));
                self.in_turn(own.into_iter().chain(of_drafts).chain(outside).collect())
            }
            Stimulus::Due(rule) => vec![*rule],
        }
    }

    /// Rules and triggers that look at a task of a workflow, whichever run it is in.
    fn rules_that_look_from_outside(&self, run: RunId, task: &TaskName) -> Vec<RuleId> {
        let Some(run) = self.state.run(run) else { return Vec::new() };
        let subscriptions = &self.state.subscriptions;
        if !subscriptions.look_elsewhere(&run.namespace) {
            return Vec::new();
        }
        let of = TaskOf { workflow: run.workflow.clone(), task: task.clone() };
        subscriptions.looking_at(&run.namespace, &of).collect()
    }

    /// A rule of a draft looks just before the rule of that number of the run beside it acts: it
    /// finds what that one finds.
    fn in_turn(&self, mut found: Vec<RuleId>) -> Vec<RuleId> {
        if found.iter().any(|id| matches!(id, RuleId::Draft { .. })) {
            found.sort_by_key(|id| match id {
                RuleId::Task { run, rule } => (0, *run, *rule, 1),
                RuleId::Draft { rule, .. } => match self.state.run_looked_at(*id) {
                    Some(run) => (0, run, *rule, 0),
                    None => (2, RunId(0), *rule, 0),
                },
                RuleId::Trigger(_) => (1, RunId(0), RuleIndex(0), 0),
            });
        }
        found
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
            let event = match stimulus {
                Stimulus::Event { event, .. } => Some(Arc::clone(event)),
                _ => None,
            };
            let start = Start { cause, events, window, rerun, event };
            match rule.action {
                Action::Start => {
                    self.start_task(run, task, start);
                }
                Action::Stop => {
                    self.stop_task(run, &task.name, StopReason::Rule, cause);
                }
                Action::Restart => self.restart_task(run, task, start),
                Action::Ready => self.make_ready(run, task, &start),
                Action::Emit => {
                    if let (Some(emission), Some(cause)) = (&rule.emission, cause) {
                        self.derive(id, emission, (cause, depth, window), stimulus);
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
            Condition::After { tasks, filter } => {
                let met = self.offer_after((at, node), tasks, stimulus);
                met.into_iter().filter(|met| self.passes_after(at, node, filter, met)).collect()
            }
            Condition::Elsewhere { of, status } => self.offer_elsewhere(of, *status, stimulus),
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

    /// Whether what a task has come to passes the filter beside `after`.
    fn passes_after(
        &mut self,
        at: RuleId,
        node: u32,
        filter: &Option<String>,
        met: &Firing,
    ) -> bool {
        let Some(filter) = filter else { return true };
        let scene = Scene::of_rule(self.state, at, None, self.now).within(met.window);
        match self.expressions.passes(filter, &scene) {
            Ok(passes) => passes,
            Err(reason) => {
                if let Some(end) = met.ends.last() {
                    self.filter_failed(at, node, *end, reason);
                }
                false
            }
        }
    }

    fn offer_after(
        &mut self,
        place: (RuleId, u32),
        tasks: &BTreeMap<TaskName, ExecutionStatus>,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Stimulus::TaskChanged { offset, run, task, sequence, to } = stimulus else {
            return Vec::new();
        };
        // Another node of the rule may look at tasks of other runs.
        if self.state.run_looked_at(place.0) != Some(*run) {
            return Vec::new();
        }
        let id = ExecutionId { run: *run, task: task.clone(), sequence: *sequence };
        let Some(changed) = self.state.execution(&id) else { return Vec::new() };
        if !tasks.get(task).is_some_and(|wanted| comes_to(*to, *wanted)) {
            return Vec::new();
        }
        let window = changed.window;
        let end = |name: &TaskName, wanted: ExecutionStatus| {
            self.state.task(*run, name).and_then(|task| end_of(task, window, wanted))
        };
        // Whoever was missing the last time is mostly still missing.
        let missing = self.missing.get(&place).and_then(|name| Some((name, tasks.get(name)?)));
        if missing.is_some_and(|(name, wanted)| name != task && end(name, *wanted).is_none()) {
            return Vec::new();
        }
        let mut ends = vec![*offset];
        for (name, wanted) in tasks.iter().filter(|(name, _)| *name != task) {
            let Some(end) = end(name, *wanted) else {
                self.missing.insert(place, name.clone());
                return Vec::new();
            };
            ends.push(end);
        }
        self.missing.remove(&place);
        ends.sort_unstable();
        vec![Firing { ends, window, ..self.firing_of_now() }]
    }

    fn offer_elsewhere(
        &self,
        of: &TaskOf,
        status: ExecutionStatus,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Stimulus::TaskChanged { offset, run, task, sequence, to } = stimulus else {
            return Vec::new();
        };
        let is_of = self.state.run(*run).is_some_and(|run| run.workflow == of.workflow);
        if !is_of || *task != of.task || !comes_to(*to, status) {
            return Vec::new();
        }
        let id = ExecutionId { run: *run, task: task.clone(), sequence: *sequence };
        let window = self.state.execution(&id).and_then(|execution| execution.window);
        vec![Firing { ends: vec![*offset], window, ..self.firing_of_now() }]
    }

    /// Nothing of a run that has ended is looked for.
    pub(crate) fn forget_missing(&mut self, run: RunId) {
        self.forget_missing_of(|rule| RuleId::Task { run, rule });
    }

    pub(crate) fn forget_missing_of(&mut self, rule: impl Fn(RuleIndex) -> RuleId) {
        let place = |number| (rule(RuleIndex(number)), 0);
        let own = self.missing.range(place(0)..place(u32::MAX)).map(|(place, _)| *place);
        let own: Vec<(RuleId, u32)> = own.collect();
        own.iter().for_each(|place| drop(self.missing.remove(place)));
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
        let scene = Scene::of_rule(self.state, at, Some(event), self.now);
        match self.expressions.run(script, &kept, &scene) {
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
            RuleId::Draft { draft, rule } => {
                let change = DraftChange::Advanced { rule, node, state };
                Record::DraftChanged { draft, change }
            }
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
        let scene = Scene::of_rule(self.state, at, Some(event), self.now);
        match self.expressions.passes(filter, &scene) {
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
            RuleId::Draft { draft, rule } => {
                let change = DraftChange::FilterFailed { rule, node, event, reason };
                Record::DraftChanged { draft, change }
            }
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
            RuleId::Draft { draft, rule } => {
                let change = DraftChange::TicksMissed { rule, node, missed };
                Record::DraftChanged { draft, change }
            }
            RuleId::Trigger(trigger) => {
                let change = TriggerChange::TicksMissed { node, missed };
                Record::TriggerChanged { trigger, change }
            }
        };
        self.record(None, record);
    }
}

/// Whether a change is to what is wanted. That it is ready is no second beginning.
fn comes_to(to: ExecutionStatus, wanted: ExecutionStatus) -> bool {
    match to {
        ExecutionStatus::Ready => wanted == ExecutionStatus::Ready,
        _ => to.meets(wanted),
    }
}

/// The record of the change that counts: of the execution with the same window, or of the latest.
fn end_of(task: &TaskState, window: Option<Window>, wanted: ExecutionStatus) -> Option<Offset> {
    let execution = task.counting(window)?;
    let (status, offset) = task.standing(execution);
    status.meets(wanted).then_some(offset)
}
