//! Conditions: what a stimulus does to each node, and what follows when the top one is met.
//!
//! Every change of a node's state is recorded; replay folds it and never evaluates again.

use std::sync::Arc;

use aiflow_model::record::StopReason;
use aiflow_model::spec::{Action, Condition};
use aiflow_model::state::{ExecutionStatus, Firing, NodeState, Snapshot, TaskState};
use aiflow_model::time::Window;
use aiflow_model::{ExecutionId, Offset, Record, RuleIndex, RunId, TaskName};

use crate::task::Start;
use crate::transaction::{Stimulus, Transaction};

/// The rule that is looked at.
#[derive(Clone)]
pub(crate) struct RuleAt {
    pub(crate) run: RunId,
    pub(crate) rule: RuleIndex,
    pub(crate) snapshot: Arc<Snapshot>,
}

impl Transaction<'_> {
    /// Offers a stimulus to every rule that looks at it, run by run, in the order of the rules.
    pub(crate) fn offer_to_rules(&mut self, stimulus: &Stimulus) {
        for (run, rule) in self.rules_that_look_at(stimulus) {
            let is_alive = self.state.run(run).is_some_and(|run| run.status.is_alive());
            let Some(snapshot) = self.snapshot(run).filter(|_| is_alive) else { continue };
            let at = RuleAt { run, rule, snapshot: Arc::clone(&snapshot) };
            let Some((_, rule)) = snapshot.spec.rule(rule) else { continue };
            for firing in self.offer(&at, 0, &rule.condition, stimulus) {
                self.fire(&at, firing, stimulus.offset());
            }
        }
    }

    fn rules_that_look_at(&self, stimulus: &Stimulus) -> Vec<(RunId, RuleIndex)> {
        let subscriptions = &self.state.subscriptions;
        match stimulus {
            Stimulus::Event { event, .. } => {
                let (namespace, key) = (event.namespace.as_str(), event.key.as_str());
                match event.execution {
                    Some(run) => subscriptions.matching_run(namespace, key, run).collect(),
                    None => subscriptions.matching(namespace, key).collect(),
                }
            }
            Stimulus::TaskEnded { run, task, .. } => {
                let Some(snapshot) = self.state.snapshot_of(*run) else { return Vec::new() };
                let rules = snapshot.spec.rules();
                let looking =
                    rules.filter(|(_, _, r)| r.condition.upstream_tasks().any(|name| name == task));
                looking.map(|(index, _, _)| (*run, index)).collect()
            }
            Stimulus::ClockDue { run, rule } => vec![(*run, *rule)],
        }
    }

    fn fire(&mut self, at: &RuleAt, firing: Firing, cause: Option<Offset>) {
        let (events, window) = (firing.events.clone(), firing.window);
        let fired = Record::RuleFired { run: at.run, rule: at.rule, firing };
        let cause = Some(self.record(cause, fired));
        let Some((task, rule)) = at.snapshot.spec.rule(at.rule) else { return };
        let start = Start { cause, events, window };
        match rule.action {
            Action::Start => {
                self.start_task(at.run, task, start);
            }
            Action::Stop => {
                self.stop_task(at.run, &task.name, StopReason::Rule, cause);
            }
            Action::Restart => self.restart_task(at.run, task, start),
        }
    }

    /// Offers a stimulus to a node; gives its firings, oldest first.
    pub(crate) fn offer(
        &mut self,
        at: &RuleAt,
        node: u32,
        condition: &Condition,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        match condition {
            Condition::On { key, filter } => match stimulus {
                Stimulus::Event { offset, event } if event.key == *key => {
                    let passes =
                        filter.as_ref().is_none_or(|f| self.passes(at, node, f, *offset, event));
                    if passes {
                        vec![Firing { events: vec![*offset], ..Firing::default() }]
                    } else {
                        Vec::new()
                    }
                }
                Stimulus::Event { .. } | Stimulus::TaskEnded { .. } | Stimulus::ClockDue { .. } => {
                    Vec::new()
                }
            },
            Condition::After { tasks } => self.offer_after(tasks, stimulus),
            Condition::All(_) => self.offer_all(at, node, condition, stimulus),
            Condition::Any(_) => {
                let children = condition.numbered_children(node);
                children.flat_map(|(n, child)| self.offer(at, n, child, stimulus)).collect()
            }
            Condition::Count { n, .. } => self.offer_count(at, node, condition, *n, stimulus),
            Condition::Every { period, clock, .. } => {
                self.offer_clock(at, node, *period, clock, stimulus)
            }
        }
    }

    fn offer_after(
        &self,
        tasks: &std::collections::BTreeMap<TaskName, ExecutionStatus>,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Stimulus::TaskEnded { offset, run, task, sequence } = stimulus else {
            return Vec::new();
        };
        let id = ExecutionId { run: *run, task: task.clone(), sequence: *sequence };
        let Some(ended) = self.state.execution(&id) else { return Vec::new() };
        let mut ends = vec![*offset];
        for (name, wanted) in tasks {
            if name == task {
                if ended.status != *wanted {
                    return Vec::new();
                }
                continue;
            }
            let end = self.state.task(*run, name).and_then(|t| end_of(t, ended.window, *wanted));
            let Some(end) = end else { return Vec::new() };
            ends.push(end);
        }
        ends.sort_unstable();
        vec![Firing { ends, window: ended.window, ..Firing::default() }]
    }

    fn offer_all(
        &mut self,
        at: &RuleAt,
        node: u32,
        condition: &Condition,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let mut met = match self.node_state(at, node) {
            Some(NodeState::All { met }) => met.clone(),
            Some(NodeState::Count { .. } | NodeState::Clock { .. }) | None => {
                vec![Vec::new(); condition.children().len()]
            }
        };
        let mut changed = false;
        for ((child_node, child), queue) in condition.numbered_children(node).zip(&mut met) {
            for firing in self.offer(at, child_node, child, stimulus) {
                // Without a window the latest says all; with one, each has to be answered.
                queue.retain(|earlier| earlier.window.is_some());
                queue.push(firing);
                changed = true;
            }
        }
        let mut firings = Vec::new();
        while changed && met.iter().all(|queue| !queue.is_empty()) {
            firings.push(met.iter_mut().fold(Firing::default(), |mut all, queue| {
                all.absorb(queue.remove(0));
                all
            }));
        }
        if changed {
            self.advance(at, node, NodeState::All { met }, stimulus);
        }
        firings
    }

    fn offer_count(
        &mut self,
        at: &RuleAt,
        node: u32,
        condition: &Condition,
        n: u64,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let children = condition.numbered_children(node);
        let met: Vec<Firing> =
            children.flat_map(|(number, child)| self.offer(at, number, child, stimulus)).collect();
        if met.is_empty() {
            return met;
        }
        let (mut count, mut so_far) = match self.node_state(at, node) {
            Some(NodeState::Count { met, so_far }) => (*met, so_far.clone()),
            Some(NodeState::All { .. } | NodeState::Clock { .. }) | None => (0, Firing::default()),
        };
        let mut firings = Vec::new();
        for firing in met {
            count += 1;
            so_far.absorb(firing);
            if count >= n {
                count = 0;
                firings.push(std::mem::take(&mut so_far));
            }
        }
        self.advance(at, node, NodeState::Count { met: count, so_far }, stimulus);
        firings
    }

    pub(crate) fn node_state(&self, at: &RuleAt, node: u32) -> Option<&NodeState> {
        self.state.run(at.run)?.node_state(at.rule, node)
    }

    pub(crate) fn advance(
        &mut self,
        at: &RuleAt,
        node: u32,
        state: NodeState,
        stimulus: &Stimulus,
    ) {
        let (run, rule) = (at.run, at.rule);
        self.record(stimulus.offset(), Record::ConditionAdvanced { run, rule, node, state });
    }

    fn passes(
        &mut self,
        at: &RuleAt,
        node: u32,
        filter: &str,
        offset: Offset,
        event: &aiflow_model::record::Event,
    ) -> bool {
        match self.filters.passes(filter, event, self.now) {
            Ok(passes) => passes,
            Err(reason) => {
                self.filter_failed(at, node, offset, reason);
                false
            }
        }
    }

    pub(crate) fn filter_failed(&mut self, at: &RuleAt, node: u32, event: Offset, reason: String) {
        let (run, rule) = (at.run, at.rule);
        let failed = Record::FilterFailed { run, rule, node, event, reason };
        self.record(Some(event), failed);
    }
}

/// The record of the end that counts: of the execution with the same window, or of the latest one.
fn end_of(task: &TaskState, window: Option<Window>, wanted: ExecutionStatus) -> Option<Offset> {
    let same_window =
        window.and_then(|_| task.executions.iter().rev().find(|e| e.window == window));
    let execution = same_window.or_else(|| task.latest())?;
    (execution.status == wanted).then_some(execution.offset)
}
