//! The windows of a clock as a grid: one column a window, one row a task, one mark a cell.
//!
//! Must never look at more executions than columns can show, however long the history is.

use std::collections::{BTreeMap, BTreeSet};

use aiflow_model::state::{Execution, ExecutionStatus, Run, TaskState};
use aiflow_model::time::{Span, Timestamp};
use aiflow_model::{Offset, State, TaskName};

use super::mark::Mark;
use super::streams::ClockView;
use super::text::outcome_words;

/// Windows that have not fired yet, at most this share of the columns.
const FUTURE_SHARE: usize = 3;
/// Before the first window that is under way, at least this share.
const PAST_SHARE: usize = 3;

/// Windows by tasks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Grid {
    /// Starts of the windows, ascending.
    pub(crate) columns: Vec<Timestamp>,
    pub(crate) rows: Vec<GridRow>,
    /// More windows wait than there are columns.
    pub(crate) is_cut: bool,
}

/// One task's windows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GridRow {
    pub(crate) task: TaskName,
    /// One for each column; none where the task has no execution for that window.
    pub(crate) cells: Vec<Option<Mark>>,
}

/// An execution on a window that has not ended, or failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowLine {
    pub(crate) task: TaskName,
    pub(crate) start: Timestamp,
    pub(crate) mark: Mark,
    pub(crate) since: Timestamp,
    pub(crate) attempt: usize,
    /// When its next attempt begins.
    pub(crate) retry_at: Option<Timestamp>,
    /// The newest of the events that fired it.
    pub(crate) event: Option<Offset>,
    /// How its latest attempt ended, when it was not well.
    pub(crate) outcome: Option<String>,
}

/// How many executions of a task are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) stopped: usize,
    pub(crate) running: usize,
    pub(crate) waiting: usize,
}

/// Counts the executions of a task.
pub(crate) fn counts(executions: &[Execution]) -> Counts {
    let mut counts = Counts::default();
    for execution in executions {
        match execution.status {
            ExecutionStatus::Success | ExecutionStatus::Skipped => counts.done += 1,
            ExecutionStatus::Failed => counts.failed += 1,
            ExecutionStatus::Stopped => counts.stopped += 1,
            ExecutionStatus::Waiting | ExecutionStatus::Retrying => counts.waiting += 1,
            ExecutionStatus::Queued
            | ExecutionStatus::Running
            | ExecutionStatus::Ready
            | ExecutionStatus::Stopping => {
                counts.running += 1;
            }
        }
    }
    counts
}

/// The grid of a clock's windows, at most `columns_max` wide: the newest that fired, after them
/// those that the fastest source has passed already or, without any, the next. A long queue does
/// not push what is under way out of sight.
pub(crate) fn grid(state: &State, run: &Run, clock: &ClockView, columns_max: usize) -> Grid {
    // A run that has ended fires no more.
    let most = if run.status.is_alive() { (columns_max / FUTURE_SHARE).max(1) } else { 0 };
    let future = future(clock, most);
    let rows = window_rows(state, run, clock.period, columns_max);
    let fired: BTreeSet<Timestamp> =
        rows.iter().flat_map(|(_, cells)| cells.keys().copied()).collect();
    let is_under_way = |start: &Timestamp| {
        rows.iter().any(|(_, cells)| cells.get(start).is_some_and(|mark| !mark.is_over()))
    };
    let first_alive = fired.iter().position(is_under_way).unwrap_or(fired.len());
    let all: Vec<Timestamp> = fired.into_iter().chain(future.iter().copied()).collect();
    let first = first_alive.saturating_sub(columns_max / PAST_SHARE);
    let first = first.min(all.len().saturating_sub(columns_max));
    let is_cut = all.len() > first + columns_max;
    let columns: Vec<Timestamp> = all.into_iter().skip(first).take(columns_max).collect();
    let row = |(task, mut cells): (TaskName, BTreeMap<Timestamp, Mark>)| {
        if task == clock.task {
            cells.extend(future.iter().map(|start| (*start, Mark::DUE)));
        }
        let cells = columns.iter().map(|start| cells.get(start).copied()).collect();
        GridRow { task, cells }
    };
    let rows = rows.into_iter().map(row).collect();
    Grid { columns, rows, is_cut }
}

/// Windows that have not fired: of those that the fastest source has passed, the first few.
fn future(clock: &ClockView, most: usize) -> Vec<Timestamp> {
    let Some(next) = clock.next else { return Vec::new() };
    let mut starts = Vec::new();
    let mut start = next;
    while starts.len() < most
        && (starts.is_empty() || clock.high.is_some_and(|high| start.plus(clock.period) <= high))
    {
        starts.push(start);
        start = start.plus(clock.period);
    }
    starts
}

type Row = (TaskName, BTreeMap<Timestamp, Mark>);

fn window_rows(state: &State, run: &Run, period: Span, columns_max: usize) -> Vec<Row> {
    let Some(snapshot) = state.snapshots.get(&run.snapshot) else { return Vec::new() };
    let tasks = snapshot.spec.tasks.iter().zip(&run.tasks);
    let rows = tasks.map(|(spec, task)| {
        let newest = around(task, columns_max).iter().rev();
        let of_period = newest.filter_map(|execution| {
            let window = execution.window?;
            let mark = Mark::of_execution(execution);
            (window.end.since(window.start) == period).then_some((window.start, mark))
        });
        // Of several executions on one window the newest counts: it comes first.
        let mut cells = BTreeMap::new();
        for (start, mark) in of_period {
            cells.entry(start).or_insert(mark);
        }
        let fires = spec.rules.iter().any(|rule| rule.condition.nodes().any(|n| n.is_clock()));
        (spec.name.clone(), cells, fires)
    });
    rows.filter(|(_, cells, fires)| *fires || !cells.is_empty())
        .map(|(name, cells, _)| (name, cells))
        .collect()
}

/// The executions around the first that has not ended, or the newest: never more than are seen.
fn around(task: &TaskState, columns_max: usize) -> &[Execution] {
    let count = task.executions.len();
    let alive = task.alive.first().map_or(count, |sequence| sequence.0 as usize);
    let from = alive.min(count).saturating_sub(columns_max + 1);
    let to = (from + 2 * columns_max + 2).min(count);
    task.executions.get(from..to).unwrap_or_default()
}

/// Executions on windows that are under way, oldest first, then those that failed, newest first.
pub(crate) fn lines(state: &State, run: &Run, most: usize) -> Vec<WindowLine> {
    let Some(snapshot) = state.snapshots.get(&run.snapshot) else { return Vec::new() };
    let mut under_way = Vec::new();
    let mut failed = Vec::new();
    for (spec, task) in snapshot.spec.tasks.iter().zip(&run.tasks) {
        let busy = task.alive_executions().filter(|e| e.status != ExecutionStatus::Waiting);
        under_way.extend(busy.take(most).filter_map(|e| line(&spec.name, e)));
        let is_failed = |e: &&Execution| e.status == ExecutionStatus::Failed;
        let newest = task.executions.iter().rev().take(200);
        failed.extend(newest.filter(is_failed).take(2).filter_map(|e| line(&spec.name, e)));
    }
    under_way.extend(failed);
    under_way.truncate(most);
    under_way
}

fn line(task: &TaskName, execution: &Execution) -> Option<WindowLine> {
    let window = execution.window?;
    let attempt = execution.attempts.last();
    let started = attempt.and_then(|attempt| attempt.started_at.or(Some(attempt.queued_at)));
    let is_retrying = execution.status == ExecutionStatus::Retrying;
    Some(WindowLine {
        task: task.clone(),
        start: window.start,
        mark: Mark::of_execution(execution),
        since: execution.ended_at.or(started).unwrap_or(execution.created_at),
        attempt: execution.attempts.len(),
        retry_at: execution.deadline.filter(|_| is_retrying),
        event: execution.events.last().copied(),
        outcome: attempt
            .and_then(|attempt| attempt.outcome.as_ref())
            .filter(|outcome| !outcome.is_success())
            .map(outcome_words),
    })
}
