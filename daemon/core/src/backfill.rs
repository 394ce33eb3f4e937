//! Backfill: windows of a task that somebody asks for, in a lane and with a limit of their own.
//!
//! The windows are those that the task's clock has, before its first one too. Those that the clock
//! has yet to come to are left to it, so that none runs twice by mistake. Must never move a clock.

use std::collections::BTreeSet;

use aiflow_model::record::BackfillRequested;
use aiflow_model::spec::{Action, Condition, TaskSpec, WorkflowSpec};
use aiflow_model::state::{NodeState, Run};
use aiflow_model::time::{Span, Timestamp, Window};
use aiflow_model::wire::Backfill;
use aiflow_model::{ErrorCode, Record, Rejection};

use crate::input::Answer;
use crate::schedule::Calendar;
use crate::task::Start;
use crate::transaction::Transaction;

/// Most windows of one backfill.
const WINDOWS_MAX: usize = 10_000;
/// Most that run at once.
const PARALLEL_MAX: u32 = 10_000;

/// The clock that gives a task its windows, and where it stands.
struct TaskClock<'a> {
    condition: &'a Condition,
    state: Option<&'a NodeState>,
}

impl Transaction<'_> {
    pub(crate) fn backfill(&mut self, ask: Backfill) -> Result<Answer, Rejection> {
        let Backfill { run, task, from, to, parallel, request } = ask;
        self.find_living_run(run)?;
        let spec = self.find_task(run, &task)?;
        let known = self.task_state(run, &task).map(|state| state.backfills.values());
        let same = known.into_iter().flatten().find(|b| request.is_some() && b.request == request);
        if let Some(same) = same {
            return Ok(Answer::Backfilled(same.windows));
        }
        let parallel = parallel.unwrap_or(1);
        if !(1..=PARALLEL_MAX).contains(&parallel) {
            let message = format!("parallel has to be a whole number from 1 to {PARALLEL_MAX}");
            return Err(Rejection::new(ErrorCode::InvalidParams, message));
        }
        let windows = self.windows_to_fill(run, &spec, from, to)?;
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            let until = to.map_or(String::new(), |to| format!(" and {to}"));
            let message = format!(
                "there is no window of task {task} to run between {from}{until} that its clock has passed"
            );
            return Err(Rejection::new(ErrorCode::InvalidParams, message)
                .hint("windows that the clock has yet to come to run by themselves"));
        };
        let (from, to) = (first.start, last.end);
        let asked = BackfillRequested { run, task: task.clone(), from, to, parallel, request };
        let asked = self.record(None, Record::BackfillRequested(Box::new(asked)));
        for window in &windows {
            let (cause, window) = (Some(asked), Some(*window));
            let start = Start { cause, window, ..Start::default() };
            self.create(run, &spec, start, Some(asked));
        }
        self.advance_queue(run, &spec);
        Ok(Answer::Backfilled(u32::try_from(windows.len()).unwrap_or(u32::MAX)))
    }

    fn windows_to_fill(
        &self,
        run: aiflow_model::RunId,
        task: &TaskSpec,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<Vec<Window>, Rejection> {
        let (Some(known), Some(snapshot)) = (self.state.run(run), self.state.snapshot_of(run))
        else {
            return Ok(Vec::new());
        };
        let clock = clock_of(known, &snapshot.spec, task, &mut BTreeSet::new());
        let clock = clock.ok_or_else(|| {
            let message = format!("task {} has no windows: no clock starts it", task.name);
            Rejection::new(ErrorCode::InvalidParams, message).hint(format!(
                "give it a clock, such as `start: {{every: 1h}}`, or: aiflow task-execution start {run} {}",
                task.name
            ))
        })?;
        let windows = clock.windows(from, to);
        let windows: Vec<Window> = windows.take(WINDOWS_MAX + 1).collect();
        if windows.len() > WINDOWS_MAX {
            let message = format!("the backfill has more than {WINDOWS_MAX} windows");
            return Err(Rejection::new(ErrorCode::InvalidParams, message)
                .hint("ask for a part of them, then for the next"));
        }
        Ok(windows)
    }
}

/// The clock in a rule that starts the task, or that starts a task before it.
fn clock_of<'a>(
    run: &'a Run,
    spec: &'a WorkflowSpec,
    task: &TaskSpec,
    seen: &mut BTreeSet<String>,
) -> Option<TaskClock<'a>> {
    if !seen.insert(task.name.to_string()) {
        return None;
    }
    let starts = |rule: &aiflow_model::spec::Rule| rule.action == Action::Start;
    let rules: Vec<_> =
        spec.rules().filter(|(_, of, rule)| of.name == task.name && starts(rule)).collect();
    let own = rules.iter().find_map(|(index, _, rule)| {
        let mut nodes = (0..).zip(rule.condition.nodes());
        let (node, condition) = nodes.find(|(_, condition)| condition.is_clock())?;
        Some(TaskClock { condition, state: run.node_state(*index, node) })
    });
    own.or_else(|| {
        let upstream = rules.iter().flat_map(|(_, _, rule)| rule.condition.upstream_tasks());
        let mut upstream = upstream.filter_map(|name| spec.task(name.as_str()));
        upstream.find_map(|before| clock_of(run, spec, before, seen))
    })
}

impl TaskClock<'_> {
    /// The windows that begin from `from` and before `to`, and that the clock has passed; without
    /// `to` the one that holds `from`.
    fn windows(&self, from: Timestamp, to: Option<Timestamp>) -> Box<dyn Iterator<Item = Window>> {
        let windows: Box<dyn Iterator<Item = Window>> = match self.condition {
            Condition::Every { period, from: first, .. } => {
                every(*period, first.unwrap_or(Timestamp(0)), from, to.is_none())
            }
            Condition::Cron { .. } => match Calendar::of(self.condition) {
                Ok(calendar) => cron(calendar, from, to.is_none()),
                Err(_) => Box::new(std::iter::empty()),
            },
            _ => Box::new(std::iter::empty()),
        };
        let next = match self.state {
            Some(NodeState::Clock(clock)) => clock.next,
            Some(NodeState::Cron { previous, .. }) => Some(*previous),
            _ => None,
        };
        let windows = windows.take_while(move |window| next.is_none_or(|next| window.start < next));
        match to {
            Some(to) => Box::new(windows.take_while(move |window| window.start < to)),
            None => Box::new(windows.take(1)),
        }
    }
}

fn every(
    period: Span,
    first: Timestamp,
    from: Timestamp,
    holds: bool,
) -> Box<dyn Iterator<Item = Window>> {
    let length = i64::try_from(period.0).unwrap_or(i64::MAX).max(1);
    let past = from.0.saturating_sub(first.0).rem_euclid(length);
    let start = match past {
        0 => from.0,
        _ if holds => from.0.saturating_sub(past),
        _ => from.0.saturating_sub(past).saturating_add(length),
    };
    let starts = std::iter::successors(Some(Timestamp(start)), move |s| Some(s.plus(period)));
    Box::new(starts.map(move |start| Window { start, end: start.plus(period) }))
}

fn cron(calendar: Calendar, from: Timestamp, holds: bool) -> Box<dyn Iterator<Item = Window>> {
    let before = from.minus(Span(1));
    let start = if holds { calendar.previous(from) } else { calendar.next(before) };
    let mut start = start;
    Box::new(std::iter::from_fn(move || {
        let window = Window { start: start?, end: calendar.next(start?)? };
        start = Some(window.end);
        Some(window)
    }))
}
