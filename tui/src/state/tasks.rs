//! The tasks of a run as rows: where each stands, how often it ran, what it waits for.
//!
//! Must never hold anything that the state does not say.

use aiflow_model::spec::{Action, TaskKind, TaskSpec};
use aiflow_model::state::{Execution, ExecutionStatus, Run, TaskState};
use aiflow_model::time::Timestamp;
use aiflow_model::{State, TaskName};

use super::about;
use super::mark::Mark;
use super::text;
use super::text::outcome_words;
use super::windows::{Counts, counts};

/// One task of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskRow {
    pub(crate) task: TaskName,
    pub(crate) kind: &'static str,
    pub(crate) mark: Mark,
    pub(crate) counts: Counts,
    /// The window it works on, how it ended, or what it waits for.
    pub(crate) note: String,
    /// Attempts beyond the first, over all executions.
    pub(crate) restarts: usize,
    pub(crate) pid: Option<u32>,
    /// Since when it stands where it stands.
    pub(crate) since: Option<Timestamp>,
    /// Its time still runs.
    pub(crate) is_running: bool,
}

/// Every task of a run, in the order of its definition.
pub(crate) fn rows(state: &State, run: &Run) -> Vec<TaskRow> {
    let Some(snapshot) = state.snapshots.get(&run.snapshot) else { return Vec::new() };
    let is_alive = run.status.is_alive();
    let pairs = snapshot.spec.tasks.iter().zip(&run.tasks);
    pairs.map(|(spec, task)| row(spec, task, is_alive)).collect()
}

fn row(spec: &TaskSpec, task: &TaskState, run_is_alive: bool) -> TaskRow {
    let shown = shown(task);
    let attempt = shown.and_then(|execution| execution.attempts.last());
    let unstarted = if run_is_alive { Mark::DUE } else { Mark::IDLE };
    // The executions of a fan count as one.
    let fan = about::fan_of(task, shown);
    let mark = match fan {
        Some(fan) => Mark::of_status(fan.status(), false),
        None => shown.map_or(unstarted, Mark::of_execution),
    };
    let is_running = match fan {
        Some(fan) => fan.status().is_alive(),
        None => shown.is_some_and(|execution| execution.status.is_alive()),
    };
    let since = shown.and_then(|execution| {
        let started = attempt.and_then(|attempt| attempt.started_at);
        execution.ended_at.or(started).or(Some(execution.created_at))
    });
    TaskRow {
        task: spec.name.clone(),
        kind: match spec.kind {
            _ if spec.hook.is_some() => "hook",
            TaskKind::Batch => "batch",
            TaskKind::Stream => "stream",
        },
        mark,
        counts: counts(&task.executions),
        note: match fan {
            Some(fan) => about::fan(fan),
            None => note(spec, shown, run_is_alive),
        },
        restarts: task.executions.iter().map(|e| e.attempts.len().saturating_sub(1)).sum(),
        pid: attempt.filter(|attempt| attempt.outcome.is_none()).and_then(|attempt| attempt.pid),
        since,
        is_running,
    }
}

/// The execution that says most of a task: what is busy, else what waits, else what ended last.
pub(crate) fn shown(task: &TaskState) -> Option<&Execution> {
    let busy = task.alive_executions().find(|e| e.status != ExecutionStatus::Waiting);
    busy.or_else(|| task.first_waiting()).or_else(|| task.latest())
}

fn note(spec: &TaskSpec, shown: Option<&Execution>, run_is_alive: bool) -> String {
    let Some(execution) = shown else {
        return if run_is_alive { waits_for(spec) } else { String::new() };
    };
    let window = execution
        .window
        .map(|window| text::window_name(window.start, window.end.since(window.start)));
    let ended = execution.attempts.last().and_then(|attempt| attempt.outcome.as_ref());
    let is_news = matches!(execution.status, ExecutionStatus::Failed | ExecutionStatus::Retrying);
    let outcome = ended.filter(|_| is_news).map(outcome_words);
    [window, outcome].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The conditions that start a task, in words.
fn waits_for(spec: &TaskSpec) -> String {
    let starts = spec.rules.iter().filter(|rule| rule.action == Action::Start);
    let words: Vec<String> = starts.map(|rule| rule.condition.to_string()).collect();
    words.join(" or ")
}
