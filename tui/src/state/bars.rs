//! The tasks of a run over time: for each cell of a bar what the task did in that stretch.
//!
//! Must never look at executions that lie outside of what is shown, but for a bounded few.

use aiflow_model::spec::{TaskKind, TaskSpec};
use aiflow_model::state::{Execution, ExecutionStatus, Run, TaskState};
use aiflow_model::time::{Span, Timestamp};

/// What a task does; of several in one cell the last of these is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doing {
    /// There is no such time: before the run, or after its end.
    Nothing,
    /// It waits for its rules.
    Waits,
    /// It has ended, and nothing more is expected of it.
    Over,
    /// An execution waits for its turn or for a pool.
    Queued,
    /// An attempt is being launched.
    Starts,
    /// The next attempt waits for its time.
    Retries,
    /// A process runs.
    Runs,
    /// A stream runs.
    Streams,
    /// It ended here.
    Stopped,
    Succeeded,
    Failed,
}

/// The stretch of time that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// How much is shown, from the whole run on.
pub(crate) const SPANS: [Option<Span>; 5] = [
    None,
    Some(Span::from_seconds(21_600)),
    Some(Span::from_seconds(3_600)),
    Some(Span::from_seconds(600)),
    Some(Span::from_seconds(60)),
];

/// Executions of a task that are looked at.
const EXECUTIONS_MAX: usize = 5_000;

impl Stretch {
    /// The stretch of a run, at most `span` of it up to its end or to now.
    pub(crate) fn of(run: &Run, span: Option<Span>, now: Timestamp) -> Self {
        let end = run.ended_at.unwrap_or(now).max(run.started_at.plus(Span::from_seconds(1)));
        let from = span.map_or(run.started_at, |span| end.minus(span).max(run.started_at));
        // A little of what is to come, so that now is seen as such.
        let ahead = if run.status.is_alive() { Span(end.since(from).0 / 20) } else { Span(0) };
        Self { from, to: end.plus(ahead) }
    }

    /// The cell in which a time lies.
    pub(crate) fn cell(self, time: Timestamp, cells: usize) -> usize {
        let whole = u128::from(self.to.since(self.from).0.max(1));
        let part = u128::from(time.since(self.from).0);
        usize::try_from(part * cells as u128 / whole).unwrap_or(cells)
    }
}

/// What a task did in each of `cells` equal parts of a stretch.
pub(crate) fn of_task(
    run: &Run,
    spec: &TaskSpec,
    task: &TaskState,
    stretch: Stretch,
    cells: usize,
    now: Timestamp,
) -> Vec<Doing> {
    let end = run.ended_at.unwrap_or(now);
    let mut bar = Bar { doing: vec![Doing::Nothing; cells], stretch };
    let idle =
        if run.status.is_alive() && !spec.starts_with_run() { Doing::Waits } else { Doing::Over };
    bar.fill(run.started_at, end, idle);
    let newest = task.executions.iter().rev().take(EXECUTIONS_MAX);
    for execution in newest {
        if execution.ended_at.is_some_and(|ended| ended < stretch.from) {
            // Older ones ended before, but for those that took longer: a bounded search.
            continue;
        }
        bar.add(execution, spec.kind, end);
    }
    // Before its first execution it waited, whatever became of it.
    if let Some(first) = task.executions.first() {
        bar.raise(run.started_at, first.created_at, Doing::Waits, Doing::Over);
    }
    bar.doing
}

struct Bar {
    doing: Vec<Doing>,
    stretch: Stretch,
}

impl Bar {
    fn fill(&mut self, from: Timestamp, to: Timestamp, what: Doing) {
        if to < self.stretch.from || to < from {
            return;
        }
        let cells = self.doing.len();
        let last = self.stretch.cell(to, cells);
        let first = if from <= self.stretch.from { 0 } else { self.stretch.cell(from, cells) };
        for cell in self.doing.iter_mut().take(last + 1).skip(first) {
            *cell = (*cell).max(what);
        }
    }

    /// Puts `what` where there is only `over`.
    fn raise(&mut self, from: Timestamp, to: Timestamp, what: Doing, over: Doing) {
        let cells = self.doing.len();
        if to < self.stretch.from {
            return;
        }
        let last = self.stretch.cell(to, cells);
        let first = if from <= self.stretch.from { 0 } else { self.stretch.cell(from, cells) };
        for cell in self.doing.iter_mut().take(last).skip(first) {
            if *cell == over {
                *cell = what;
            }
        }
    }

    fn add(&mut self, execution: &Execution, kind: TaskKind, end: Timestamp) {
        let mut since = execution.created_at;
        let mut between = Doing::Queued;
        for attempt in &execution.attempts {
            self.fill(since, attempt.queued_at, between);
            let over = attempt.ended_at.or(execution.ended_at).unwrap_or(end);
            match attempt.started_at {
                Some(started) => {
                    self.fill(attempt.queued_at, started, Doing::Starts);
                    let runs = if kind == TaskKind::Stream { Doing::Streams } else { Doing::Runs };
                    self.fill(started, over, runs);
                }
                None => self.fill(attempt.queued_at, over, Doing::Starts),
            }
            let failed = attempt.outcome.as_ref().is_some_and(|outcome| !outcome.is_success());
            if let (Some(ended), true) = (attempt.ended_at, failed) {
                self.fill(
                    ended,
                    ended,
                    if execution.stop.is_some() { Doing::Stopped } else { Doing::Failed },
                );
            }
            since = over;
            between = Doing::Retries;
        }
        match (execution.status, execution.ended_at) {
            (ExecutionStatus::Waiting, _) => self.fill(since, end, Doing::Queued),
            (ExecutionStatus::Retrying, _) => self.fill(since, end, Doing::Retries),
            (ExecutionStatus::Success, Some(at)) => self.fill(at, at, Doing::Succeeded),
            (ExecutionStatus::Failed, Some(at)) => self.fill(at, at, Doing::Failed),
            (_, Some(at)) => self.fill(at, at, Doing::Stopped),
            _ => {}
        }
    }
}
