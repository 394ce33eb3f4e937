//! The overview: workflows, and below each its runs, newest first.
//!
//! Must never grow with history: of each workflow a bounded number of runs is shown.

use std::collections::BTreeMap;

use aiflow_model::state::{Run, RunStatus};
use aiflow_model::{Namespace, RunId, State, WorkflowName};

use super::Model;
use super::mark::Mark;
use super::windows::{Counts, counts};

/// Runs shown of each workflow, beside those that live.
pub(crate) const ENDED_RUNS_MAX: usize = 200;

/// A line of the overview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Row {
    Workflow(WorkflowRow),
    Run(RunId),
}

/// A workflow of the overview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkflowRow {
    pub(crate) namespace: Namespace,
    pub(crate) workflow: WorkflowName,
    /// Number of its current snapshot.
    pub(crate) snapshot: u64,
    pub(crate) tasks: usize,
    pub(crate) alive: usize,
    pub(crate) ended: usize,
}

/// Every line of the overview.
pub(crate) fn rows(state: &State) -> Vec<Row> {
    let mut by_workflow: BTreeMap<(&Namespace, &WorkflowName), Vec<&Run>> = BTreeMap::new();
    for run in state.runs.values().rev() {
        by_workflow.entry((&run.namespace, &run.workflow)).or_default().push(run);
    }
    let mut rows = Vec::new();
    for (namespace, known) in &state.namespaces {
        for (workflow, number) in &known.workflows {
            let runs = by_workflow.remove(&(namespace, workflow)).unwrap_or_default();
            let alive = runs.iter().filter(|run| run.status.is_alive()).count();
            let snapshot = state.snapshots.get(number);
            rows.push(Row::Workflow(WorkflowRow {
                namespace: namespace.clone(),
                workflow: workflow.clone(),
                snapshot: number.0,
                tasks: snapshot.map_or(0, |snapshot| snapshot.spec.tasks.len()),
                alive,
                ended: runs.len() - alive,
            }));
            let (living, ended): (Vec<&Run>, Vec<&Run>) =
                runs.into_iter().partition(|run| run.status.is_alive());
            let shown = living.into_iter().chain(ended.into_iter().take(ENDED_RUNS_MAX));
            rows.extend(shown.map(|run| Row::Run(run.id)));
        }
    }
    rows
}

/// The lines that are shown: without those that are folded away, or lack the words of the filter.
pub(crate) fn shown(model: &Model) -> Vec<Row> {
    let filter = model.filter.to_lowercase();
    let words: Vec<&str> = filter.split_whitespace().collect();
    let state = model.state();
    let mut is_folded = false;
    let mut is_shown = |row: &Row| {
        let text = match row {
            Row::Workflow(row) => {
                is_folded = model.folded.contains(&(row.namespace.clone(), row.workflow.clone()));
                format!("{} {}", row.namespace, row.workflow)
            }
            Row::Run(_) if is_folded => return false,
            Row::Run(run) => match state.run(*run) {
                Some(run) => format!("run {} {} {}", run.id, run.workflow, run.status),
                None => return false,
            },
        };
        words.iter().all(|word| text.to_lowercase().contains(word))
    };
    rows(state).into_iter().filter(|row| is_shown(row)).collect()
}

/// How the executions of all tasks of a run stand.
pub(crate) fn run_counts(run: &Run) -> Counts {
    let mut sum = Counts::default();
    for task in &run.tasks {
        let one = counts(&task.executions);
        sum.done += one.done;
        sum.failed += one.failed;
        sum.stopped += one.stopped;
        sum.running += one.running;
        sum.waiting += one.waiting;
    }
    sum
}

/// Marks of a run's latest executions, oldest first: of its windows where it has any, else of its
/// batch tasks.
pub(crate) fn chips(run: &Run, most: usize) -> Vec<Mark> {
    let mut latest: Vec<_> = run
        .tasks
        .iter()
        .flat_map(|task| task.executions.iter().rev().take(most))
        .filter(|execution| !execution.attempts.is_empty() || execution.window.is_some())
        .collect();
    if latest.iter().any(|execution| execution.window.is_some()) {
        latest.retain(|execution| execution.window.is_some());
    }
    latest.sort_by_key(|execution| (execution.created_at, execution.sequence));
    let skipped = latest.len().saturating_sub(most);
    let mark = |e: &&aiflow_model::state::Execution| Mark::of_execution(e);
    latest.iter().skip(skipped).map(mark).collect()
}

/// The run to open first: the newest that lives, else the newest.
pub(crate) fn first_run(state: &State) -> Option<RunId> {
    let alive = state.runs.values().rev().find(|run| run.status == RunStatus::Running);
    alive.or_else(|| state.runs.values().next_back()).map(|run| run.id)
}
