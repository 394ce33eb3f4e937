//! What the rules of the definition have to have done, counted from the events alone.
//!
//! Must never ask the core what follows from an event.

use aiflow_model::record::{Event, Outcome};
use aiflow_model::state::ExecutionStatus;
use aiflow_model::time::{Span, Window};
use aiflow_model::{Offset, RunId, Timestamp};

use crate::history::{End, Execution, History, Run};

const HOUR: Span = Span::from_seconds(3600);
const MINUTE: Span = Span::from_seconds(60);
/// Attempts that one execution of `each` may have, and of a run's hook.
const EACH_ATTEMPTS: usize = 3;
/// And of `hang`, whose first runs until its timeout, and of `parts`.
const HANG_ATTEMPTS: usize = 2;
/// After so long a run is late.
const LATE_AFTER: Span = Span::from_seconds(60);

/// Each rule fired as often and for what its events say, in their order.
pub(crate) fn check(history: &History<'_>, now: Timestamp) -> Result<(), String> {
    let triggered = history.runs.values().filter(|run| run.is_triggered);
    let begun: Vec<Offset> = triggered.flat_map(|run| run.events).copied().collect();
    if begun != history.begins {
        let expected = &history.begins;
        return Err(format!("P2: the events at {expected:?} begin runs, those at {begun:?} did"));
    }
    history.runs.iter().try_for_each(|(id, run)| RunCheck { id: *id, run, history, now }.all())
}

struct RunCheck<'a> {
    id: RunId,
    run: &'a Run<'a>,
    history: &'a History<'a>,
    now: Timestamp,
}

impl RunCheck<'_> {
    fn all(&self) -> Result<(), String> {
        let seen = self.seen();
        let go = of_key(&seen, "go");
        let other = of_key(&seen, "other");
        self.same("each", &go, &self.fired("each").concat())?;
        let thirds: Vec<&[Offset]> = go.chunks_exact(3).collect();
        self.same("third", &thirds, &self.fired("third"))?;
        self.same("pair", &pairs(&seen), &self.fired("pair").len())?;
        let windows: Vec<Window> = self.run.of("hourly").iter().filter_map(|e| e.window).collect();
        self.same("hourly", &windows_of(&seen), &windows)?;
        self.same("after", &self.succeeded(self.run), &self.run.of("after").len())?;
        let in_all_runs = self.history.runs.values().map(|run| self.succeeded(run)).sum::<usize>();
        self.same("beyond", &in_all_runs, &self.run.of("beyond").len())?;
        self.same("hang", &self.starts_while_idle("hang", &other), &self.fired("hang").concat())?;
        self.fans(&seen)?;
        self.late()?;
        self.ticks()?;
        self.stream()?;
        for (task, executions) in &self.run.tasks {
            executions.iter().try_for_each(|execution| self.attempts(task, execution))?;
        }
        Ok(())
    }

    fn same<T: PartialEq + std::fmt::Debug>(
        &self,
        task: &str,
        expected: &T,
        found: &T,
    ) -> Result<(), String> {
        if expected == found {
            return Ok(());
        }
        self.fail(task, &format!("expected {expected:?}, found {found:?}"))
    }

    fn fail<T>(&self, task: &str, what: &str) -> Result<T, String> {
        Err(format!("P2: run {}, task {task}: {what}", self.id))
    }

    /// The events that reach its rules.
    fn seen(&self) -> Vec<(Offset, &Event)> {
        let reaches = |(offset, event): &&(Offset, &Event)| {
            self.run.reacts_at(*offset) && event.execution.is_none_or(|run| run == self.id)
        };
        self.history.events.iter().filter(reaches).copied().collect()
    }

    /// How many hours of a run have succeeded while this one reacted.
    fn succeeded(&self, run: &Run<'_>) -> usize {
        let succeeded = |execution: &&Execution<'_>| {
            let finished = execution.finished;
            let end = finished.filter(|(_, status)| *status == ExecutionStatus::Success);
            end.is_some_and(|(offset, _)| self.run.reacts_at(offset))
        };
        run.of("hourly").iter().filter(succeeded).count()
    }

    /// For each execution that a rule on events has started, those events.
    fn fired(&self, task: &str) -> Vec<&[Offset]> {
        let events = self.run.of(task).iter().map(|execution| execution.events);
        events.filter(|events| !events.is_empty()).collect()
    }

    /// Which of the events find nothing of the task alive: the others do nothing.
    fn starts_while_idle(&self, task: &str, events: &[Offset]) -> Vec<Offset> {
        let is_alive_at = |offset: Offset| {
            self.run.of(task).iter().any(|execution| {
                let ended = execution.finished.is_some_and(|(end, _)| end < offset);
                execution.offset < offset && !ended
            })
        };
        events.iter().copied().filter(|offset| !is_alive_at(*offset)).collect()
    }

    /// Each list has an execution for each of its items, or one that is skipped, and what follows
    /// comes once all of them have ended.
    fn fans(&self, seen: &[(Offset, &Event)]) -> Result<(), String> {
        let mut expected = Vec::new();
        for (offset, event) in seen.iter().filter(|(_, event)| event.key.as_str() == "parts") {
            let parts = event.value.to_value()["parts"].as_array().map_or(0, Vec::len);
            let items = 0..u32::try_from(parts).unwrap_or(u32::MAX);
            let none = (parts == 0).then_some((*offset, None));
            expected.extend(items.map(|index| (*offset, Some(index))).chain(none));
        }
        let executions = self.run.of("parts");
        let found: Vec<_> =
            executions.iter().map(|e| (e.events[0], e.item.map(|(_, index)| index))).collect();
        self.same("parts", &expected, &found)?;
        let (mut joined, mut broken) = (0, 0);
        for fan in executions.chunk_by(|a, b| a.events == b.events) {
            let ends: Option<Vec<_>> = fan.iter().map(|execution| execution.finished).collect();
            let Some(ends) = ends else { continue };
            let came_to = |status| ends.iter().any(|(_, end)| *end == status);
            let end = ends.iter().map(|(offset, _)| *offset).max();
            if !end.is_some_and(|end| self.run.reacts_at(end)) {
                continue;
            }
            let has_failed = came_to(ExecutionStatus::Failed);
            broken += usize::from(has_failed);
            joined += usize::from(!has_failed && !came_to(ExecutionStatus::Stopped));
        }
        self.same("joined", &joined, &self.run.of("joined").len())?;
        self.same("broken", &broken, &self.run.of("broken").len())
    }

    /// A run that takes too long runs its hook, once; it may have ended before, if it was stopped.
    fn late(&self) -> Result<(), String> {
        let is_due = self.run.time.plus(LATE_AFTER) <= self.now;
        match self.run.of("on_late").len() {
            0 if self.run.until.is_some() || !is_due => Ok(()),
            1 if is_due => Ok(()),
            count => self.fail("on_late", &format!("it ran {count} times")),
        }
    }

    /// Each minute has its tick, from the first to the last that has come.
    fn ticks(&self) -> Result<(), String> {
        let ticks: Vec<Window> = self.run.of("tick").iter().filter_map(|e| e.window).collect();
        if let Some(gap) = ticks.windows(2).find(|pair| pair[0].end != pair[1].start) {
            return self.fail("tick", &format!("there is a gap or a repeat in {gap:?}"));
        }
        let first = self.run.time.floor_to(MINUTE).plus(MINUTE);
        if ticks.first().is_some_and(|tick| tick.end != first) {
            return self.fail("tick", &format!("its first is {:?}, not {first}", ticks.first()));
        }
        let next = ticks.last().map_or(first, |tick| tick.end.plus(MINUTE));
        if self.run.until.is_none() && next <= self.now {
            return self.fail("tick", &format!("that of {next} has not come at {}", self.now));
        }
        Ok(())
    }

    /// A stream that nobody stopped goes on, whatever befell it.
    fn stream(&self) -> Result<(), String> {
        let streams = self.run.of("stream");
        let went_on = streams.iter().all(|execution| {
            execution.finished.is_none_or(|(_, status)| status == ExecutionStatus::Stopped)
        });
        if self.run.until.is_none() && (streams.len() != 1 || !went_on) {
            return self.fail("stream", "it is not kept alive");
        }
        Ok(())
    }

    /// The attempts of an execution, and what they come to.
    fn attempts(&self, task: &str, execution: &Execution<'_>) -> Result<(), String> {
        let Some((_, status)) = execution.finished else { return Ok(()) };
        let spent: Vec<&End<'_>> =
            execution.ends.iter().filter(|end| *end.outcome != Outcome::NeverStarted).collect();
        // A timeout is no success, however the task ends when it is told to.
        let is_success = |end: &&End<'_>| end.outcome.is_success() && !end.stop_asked;
        let succeeded = spent.last().is_some_and(is_success);
        let earlier = spent.len().saturating_sub(1);
        let failed_before = !spent[..earlier].iter().any(is_success);
        let most = match task {
            "each" | "on_late" => EACH_ATTEMPTS,
            "hang" | "parts" => HANG_ATTEMPTS,
            _ => 1,
        };
        let is_right = match (task, status) {
            // Somebody asked; between two attempts there is nothing else to see of it.
            (_, ExecutionStatus::Stopped) => true,
            ("stream", _) => false,
            // A list of nothing.
            ("parts", ExecutionStatus::Skipped) => spent.is_empty() && execution.item.is_none(),
            (_, ExecutionStatus::Success) => succeeded && failed_before && spent.len() <= most,
            (_, ExecutionStatus::Failed) => !succeeded && failed_before && spent.len() == most,
            _ => false,
        };
        if is_right {
            return Ok(());
        }
        self.fail(task, &format!("its attempts {:?} came to {status}", execution.ends))
    }
}

fn of_key(seen: &[(Offset, &Event)], key: &str) -> Vec<Offset> {
    seen.iter().filter(|(_, event)| event.key.as_str() == key).map(|(offset, _)| *offset).collect()
}

/// How often both have come since it was last so.
fn pairs(seen: &[(Offset, &Event)]) -> usize {
    let (mut has_go, mut has_other, mut pairs) = (false, false, 0);
    for (_, event) in seen {
        has_go |= event.key.as_str() == "go";
        has_other |= event.key.as_str() == "other";
        if has_go && has_other {
            (has_go, has_other, pairs) = (false, false, pairs + 1);
        }
    }
    pairs
}

/// The hours that both watermarks have passed, once both have spoken.
fn windows_of(seen: &[(Offset, &Event)]) -> Vec<Window> {
    let (mut marks, mut next, mut windows) = ([None::<Timestamp>; 2], None, Vec::new());
    for (_, event) in seen {
        let source = match event.key.as_str() {
            "f" => 0,
            "w" => 1,
            _ => continue,
        };
        let value = event.value.to_value();
        let time: Option<Timestamp> = value["watermark"].as_str().and_then(|t| t.parse().ok());
        marks[source] = marks[source].max(time);
        let [Some(f), Some(w)] = marks else { continue };
        let reached = f.min(w);
        let start: &mut Timestamp = next.get_or_insert(reached.floor_to(HOUR));
        while start.plus(HOUR) <= reached {
            windows.push(Window { start: *start, end: start.plus(HOUR) });
            *start = start.plus(HOUR);
        }
    }
    windows
}
