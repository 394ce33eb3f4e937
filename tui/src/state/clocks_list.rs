//! What ticks and what listens: schedules and triggers of workflows, clocks of living runs.
//!
//! Must never hold more than the state says.

use aiflow_model::state::{Run, State, Trigger};
use aiflow_model::time::Timestamp;
use aiflow_model::{TaskName, spec::Condition};

use super::item::Item;
use super::model::Model;

/// Runs whose clocks are shown.
const RUNS_MAX: usize = 100;

/// A line of the list.
#[derive(Debug, Clone)]
pub(crate) enum Line<'a> {
    /// What starts runs.
    Trigger { trigger: &'a Trigger, is_active: bool, next: Option<Timestamp> },
    /// A clock in a run, which starts executions of a task.
    Clock { run: &'a Run, task: &'a TaskName, condition: &'a Condition, progress: Vec<String> },
}

/// Every line: what ticks next first, then what waits for events, then clocks of runs.
pub(crate) fn lines(state: &State) -> Vec<Line<'_>> {
    let mut triggers: Vec<(Option<Timestamp>, &Trigger)> = state
        .triggers
        .values()
        .map(|trigger| (trigger.next_tick().filter(|_| state.is_active(trigger)), trigger))
        .collect();
    triggers.sort_by_key(|(next, trigger)| (next.is_none(), *next, trigger.id));
    let of_trigger = |(next, trigger)| {
        let is_active = state.is_active(trigger);
        Line::Trigger { trigger, is_active, next }
    };
    let alive = state.runs.values().rev().filter(|run| run.status.is_alive()).take(RUNS_MAX);
    let clocks = alive.flat_map(|run| clocks_of(state, run));
    triggers.into_iter().map(of_trigger).chain(clocks).collect()
}

fn clocks_of<'a>(state: &'a State, run: &'a Run) -> Vec<Line<'a>> {
    let Some(snapshot) = state.snapshots.get(&run.snapshot) else { return Vec::new() };
    let rules = snapshot.spec.rules().zip(&run.conditions);
    let ticking = rules.filter(|((_, _, rule), _)| rule.condition.nodes().any(Condition::is_clock));
    let line = |((_, task, rule), nodes): (
        (_, &'a aiflow_model::TaskSpec, &'a aiflow_model::spec::Rule),
        _,
    )| {
        let progress = aiflow_model::progress::progress(&rule.condition, nodes);
        Line::Clock { run, task: &task.name, condition: &rule.condition, progress }
    };
    ticking.map(line).collect()
}

/// The same as items.
pub(crate) fn items(model: &Model) -> Vec<Item> {
    let item = |line: Line<'_>| match line {
        Line::Trigger { trigger, .. } => Item::Trigger(trigger.id),
        Line::Clock { run, task, .. } => Item::Task(run.id, task.clone()),
    };
    lines(model.state()).into_iter().map(item).collect()
}
