//! The streams of a run: how far each source of a clock has come, and which one holds the clock.
//!
//! Computed from the run's conditions and the recent events. Must never guess a task: a source is
//! called what its events call themselves.

use aiflow_model::spec::{Clock, Condition};
use aiflow_model::state::{NodeState, Run, Watermark};
use aiflow_model::time::{Span, Timestamp};
use aiflow_model::{EventKey, Namespace, Offset, State, TaskName};

use super::rates::{Rates, SECONDS, per_second};
use super::recent::{Recent, Seen};

/// Pace is measured over this much time.
const PACE_OVER: Span = Span::from_seconds(30);

/// A clock of watermarks: a rule of a task that fires window by window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ClockView {
    pub(crate) task: TaskName,
    /// The rule in words.
    pub(crate) words: String,
    pub(crate) period: Span,
    pub(crate) sources: Vec<SourceView>,
    /// Start of the window that fires next.
    pub(crate) next: Option<Timestamp>,
    /// How far all sources have come, once each has spoken.
    pub(crate) low: Option<Timestamp>,
    /// How far the fastest has come.
    pub(crate) high: Option<Timestamp>,
}

/// One source of a clock.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SourceView {
    pub(crate) key: EventKey,
    /// Who emits it, as far as is known.
    pub(crate) emitter: Option<String>,
    pub(crate) watermark: Option<Timestamp>,
    /// The event that said so.
    pub(crate) event: Option<Offset>,
    /// When that was.
    pub(crate) moved_at: Option<Timestamp>,
    /// How far behind the fastest source it is.
    pub(crate) behind: Span,
    /// It is the one that the clock waits for.
    pub(crate) holds_clock: bool,
    /// Events in each of the last sixty seconds.
    pub(crate) minute: [u32; SECONDS],
    pub(crate) per_second: f64,
    /// What else its last event says, such as `waiting for UA 1545`.
    pub(crate) remark: Option<String>,
    /// Event time per second on the wall.
    pub(crate) pace: Option<f64>,
}

/// What a view is computed from.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    pub(crate) state: &'a State,
    pub(crate) recent: &'a Recent,
    pub(crate) rates: &'a Rates,
    pub(crate) now: Timestamp,
}

/// Every clock of watermarks in a run.
pub(crate) fn clocks(sight: Sight<'_>, run: &Run) -> Vec<ClockView> {
    let Some(snapshot) = sight.state.snapshots.get(&run.snapshot) else { return Vec::new() };
    let mut views = Vec::new();
    for (rule_index, task, rule) in snapshot.spec.rules() {
        for (node, condition) in (0..).zip(rule.condition.nodes()) {
            let Condition::Every { period, clock: Clock::Watermark(keys), .. } = condition else {
                continue;
            };
            let known = run.node_state(rule_index, node);
            let (marks, next) = match known {
                Some(NodeState::Clock(clock)) => (clock.marks.as_slice(), clock.next),
                _ => (&[][..], None),
            };
            let low = known.and_then(NodeState::watermark).map(|mark| mark.time);
            let high = marks.iter().flatten().map(|mark| mark.time).max();
            let sources = sources(sight, run, keys, marks);
            let (task, words) = (task.name.clone(), words(*period, keys));
            views.push(ClockView { task, words, period: *period, sources, next, low, high });
        }
    }
    views
}

/// The rule in words; where keys differ only in their beginnings, only those are told.
fn words(period: Span, keys: &[EventKey]) -> String {
    let split = |key: &'_ EventKey| {
        key.as_str().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    let parts: Option<Vec<(String, String)>> = keys.iter().map(split).collect();
    let names: Vec<String> = match parts {
        Some(parts) if keys.len() > 1 && parts.iter().all(|part| part.1 == parts[0].1) => {
            parts.into_iter().map(|(name, _)| name).collect()
        }
        _ => keys.iter().map(EventKey::to_string).collect(),
    };
    match names.as_slice() {
        [name] => format!("every {period} of {name}"),
        names => format!("every {period} of min({})", names.join(", ")),
    }
}

fn sources(
    sight: Sight<'_>,
    run: &Run,
    keys: &[EventKey],
    marks: &[Option<Watermark>],
) -> Vec<SourceView> {
    let lowest = marks.iter().copied().min().flatten();
    let high = marks.iter().flatten().map(|mark| mark.time).max();
    let mark_of = |index: usize| marks.get(index).copied().flatten();
    let is_silent = |index: usize| mark_of(index).is_none();
    let some_silent = (0..keys.len()).any(is_silent);
    let view = |(index, key): (usize, &EventKey)| {
        let mark = mark_of(index);
        let last = last_event(sight.recent, run, key);
        let behind = match (mark, high) {
            (Some(mark), Some(high)) => high.since(mark.time),
            _ => Span(0),
        };
        let holds_clock = match lowest {
            Some(lowest) => keys.len() > 1 && mark.is_some_and(|m| m.time == lowest.time),
            None => some_silent && mark.is_none(),
        };
        let minute = sight.rates.minute(&run.namespace, key, sight.now);
        SourceView {
            key: key.clone(),
            emitter: last.map(|seen| seen.source.clone()),
            watermark: mark.map(|mark| mark.time),
            event: mark.map(|mark| mark.event),
            moved_at: mark.and_then(|mark| sight.recent.get(mark.event)).map(|seen| seen.time),
            behind,
            holds_clock,
            minute,
            per_second: per_second(&minute),
            remark: last.and_then(remark),
            pace: pace(sight, run, key),
        }
    };
    let mut views: Vec<SourceView> = keys.iter().enumerate().map(view).collect();
    // Where all stand at the same instant, nobody holds the others.
    if views.iter().all(|view| view.holds_clock) && views.len() > 1 && lowest.is_some() {
        views.iter_mut().for_each(|view| view.holds_clock = false);
    }
    views
}

fn of_run<'a>(
    recent: &'a Recent,
    run: &'a Run,
    key: &'a EventKey,
) -> impl Iterator<Item = &'a Seen> {
    let namespace: &Namespace = &run.namespace;
    recent.iter().rev().filter(move |seen| {
        seen.key == *key && seen.namespace == *namespace && seen.run.is_none_or(|of| of == run.id)
    })
}

fn last_event<'a>(recent: &'a Recent, run: &'a Run, key: &'a EventKey) -> Option<&'a Seen> {
    of_run(recent, run, key).next()
}

/// What a watermark's event says beside the watermark.
fn remark(seen: &Seen) -> Option<String> {
    let tree = seen.brief_tree()?;
    let fields = tree.as_object()?.iter().filter(|(name, _)| *name != "watermark");
    let words: Vec<String> = fields
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{} {value}", name.replace('_', " "))
        })
        .collect();
    (!words.is_empty()).then(|| words.join(" · "))
}

/// The watermark that an event reports: text, or an object with such a text in `watermark`.
pub(crate) fn reported(seen: &Seen) -> Option<Timestamp> {
    let tree = seen.brief_tree()?;
    tree.as_str().or_else(|| tree.get("watermark")?.as_str())?.parse().ok()
}

fn pace(sight: Sight<'_>, run: &Run, key: &EventKey) -> Option<f64> {
    let mut within =
        of_run(sight.recent, run, key).take_while(|seen| sight.now.since(seen.time) <= PACE_OVER);
    let newest = within.next()?;
    let oldest = within.last()?;
    let passed = newest.time.since(oldest.time).0;
    let moved = reported(newest)?.since(reported(oldest)?).0;
    (passed > 1_000_000 && moved > 0).then(|| moved as f64 / passed as f64)
}

impl ClockView {
    /// What the next window waits for: each source that has not passed its end, with what is left.
    pub(crate) fn waits(&self) -> Vec<(&SourceView, Option<Span>)> {
        let Some(end) = self.next.map(|next| next.plus(self.period)) else {
            return self
                .sources
                .iter()
                .filter(|s| s.watermark.is_none())
                .map(|s| (s, None))
                .collect();
        };
        let not_there = |source: &&SourceView| source.watermark.is_none_or(|mark| mark < end);
        let left = |source: &SourceView| source.watermark.map(|mark| end.since(mark));
        self.sources.iter().filter(not_there).map(|source| (source, left(source))).collect()
    }
}
