//! Clocks: each window fires once, in order, when the wall or the lowest watermark passes its end.
//!
//! A watermark that repeats or goes back changes nothing. A jump fires every window in between;
//! what is more than one batch may hold falls due at once, in the next. A source that is silent for
//! too long is passed; what it says later of windows that have fired is late.

use aiflow_model::record::MissedTicks;
use aiflow_model::spec::{Clock, Condition, Missed};
use aiflow_model::state::{ClockState, Firing, NodeState, Watermark};
use aiflow_model::time::{Span, Timestamp, Window};
use aiflow_model::{EventKey, JsonText, Offset, RuleId};

use crate::schedule::due_of;
use crate::transaction::{Stimulus, Transaction, WINDOWS_PER_BATCH_MAX};

/// A tick of the wall that comes later than this was missed, for a clock that skips such ticks.
const LATE: Span = Span::from_seconds(60);

/// A clock that begins now.
pub(crate) fn armed(condition: &Condition, now: Timestamp) -> ClockState {
    let Condition::Every { period, clock, from, idle, late, .. } = condition else {
        return ClockState::default();
    };
    let mut state = ClockState { next: *from, ..ClockState::default() };
    match clock {
        Clock::Wall => state.next = Some(from.unwrap_or_else(|| now.floor_to(*period))),
        Clock::Watermark(keys) => {
            state.marks = vec![None; keys.len()];
            state.heard = if idle.is_empty() { Vec::new() } else { vec![now; keys.len()] };
            state.first = from.filter(|_| !late.is_ignore());
        }
    }
    state
}

impl Transaction<'_> {
    pub(crate) fn offer_clock(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Condition::Every { period, clock, missed, until, jitter, .. } = condition else {
            return Vec::new();
        };
        let Some(NodeState::Clock(before)) = self.state.node_state(at, node).cloned() else {
            return Vec::new();
        };
        let mut after = before.clone();
        let firings = match clock {
            Clock::Wall => {
                let now = self.now;
                let is_due = |end: Timestamp| due_of(at, node, end, *jitter) <= now;
                let mut windows = passed_windows(&mut after, is_due, *period, *until);
                let more = after.next_end(*period, *until).is_some_and(is_due);
                after.due = put_off((at, node), condition, &after);
                let longest = jitter.unwrap_or_default();
                self.drop_missed(at, node, &mut windows, (*missed, longest), more);
                self.firings_of(windows, None)
            }
            Clock::Watermark(keys) => {
                self.offer_watermark(at, node, (condition, keys), &mut after, stimulus)
            }
        };
        if after != before {
            self.advance(at, node, NodeState::Clock(after), stimulus.offset());
        }
        firings
    }

    fn offer_watermark(
        &mut self,
        at: RuleId,
        node: u32,
        (condition, keys): (&Condition, &[EventKey]),
        state: &mut ClockState,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Condition::Every { period, until, idle, late, .. } = condition else {
            return Vec::new();
        };
        if state.is_over(*period, *until) && late.is_ignore() {
            return Vec::new();
        }
        // A silence that has lasted long enough came before what comes now.
        let silent: Vec<usize> = state
            .silences(keys, idle)
            .filter(|(_, due)| *due <= self.now)
            .map(|(source, _)| source)
            .collect();
        state.silent.extend(silent);
        let mut firings = self.fire_passed(state, (*period, *until), !late.is_ignore());
        if let Stimulus::Event { offset, event, .. } = stimulus
            && let Some(source) = keys.iter().position(|key| *key == event.key)
        {
            match read_watermark(&event.value) {
                Ok(time) => {
                    let mark = Watermark { time, event: *offset };
                    let late = self.note(state, source, mark, *period);
                    let late = if state.first.is_some() { late } else { Vec::new() };
                    let rerun = |firing| Firing { rerun: true, ..firing };
                    firings.extend(self.firings_of(late, Some(*offset)).into_iter().map(rerun));
                }
                Err(reason) => self.filter_failed(at, node, *offset, reason),
            }
            firings.extend(self.fire_passed(state, (*period, *until), !late.is_ignore()));
        }
        firings
    }

    /// Fires what the lowest watermark has passed; the first one arms the clock.
    fn fire_passed(
        &self,
        state: &mut ClockState,
        (period, until): (Span, Option<Timestamp>),
        keeps_first: bool,
    ) -> Vec<Firing> {
        let Some(lowest) = state.lowest() else { return Vec::new() };
        if state.next.is_none() {
            state.next = Some(lowest.time.floor_to(period));
            state.first = state.next.filter(|_| keeps_first);
        }
        let windows = passed_windows(state, |end| end <= lowest.time, period, until);
        self.firings_of(windows, Some(lowest.event))
    }

    /// Takes in what a source says; gives the windows which have fired that it makes late: the one
    /// in which it goes back, or those that it passes only now, having been passed itself.
    fn note(
        &self,
        state: &mut ClockState,
        source: usize,
        mark: Watermark,
        period: Span,
    ) -> Vec<Window> {
        if let Some(heard) = state.heard.get_mut(source) {
            *heard = self.now;
        }
        state.silent.remove(&source);
        let before = state.marks[source];
        let is_news = before.is_none_or(|before| before.time < mark.time);
        let late = fired_windows(state, before, mark.time, period);
        if is_news {
            // What is more than a batch of late windows stays late until the source speaks again.
            let reached = late.get(WINDOWS_PER_BATCH_MAX).map_or(mark.time, |more| more.start);
            state.marks[source] = Some(Watermark { time: reached, ..mark });
        }
        late.into_iter().take(WINDOWS_PER_BATCH_MAX).collect()
    }

    fn firings_of(&self, windows: Vec<Window>, event: Option<Offset>) -> Vec<Firing> {
        let events: Vec<Offset> = event.into_iter().collect();
        let firing = |window| Firing {
            events: events.clone(),
            window: Some(window),
            ..self.firing_of_now()
        };
        windows.into_iter().map(firing).collect()
    }

    /// Takes out of the windows that passed, oldest first, what the rule does not want late, and
    /// records that. `more`: others have passed that do not fit in this batch; `put_off`: longest
    /// time by which they are put off.
    pub(crate) fn drop_missed(
        &mut self,
        at: RuleId,
        node: u32,
        windows: &mut Vec<Window>,
        (missed, put_off): (Missed, Span),
        more: bool,
    ) {
        let kept = match missed {
            Missed::All => windows.len(),
            Missed::Latest => usize::from(!more).min(windows.len()),
            Missed::Skip => {
                let in_time = |w: &&Window| w.end.plus(put_off).plus(LATE) >= self.now;
                windows.iter().filter(in_time).count()
            }
        };
        let dropped: Vec<Window> = windows.drain(..windows.len() - kept).collect();
        if let (Some(first), Some(last)) = (dropped.first(), dropped.last()) {
            let (first, last) = (first.end, last.end);
            let count = dropped.len() as u64;
            self.ticks_missed(at, node, MissedTicks { count, first, last });
        }
    }
}

/// The windows whose ends are reached, at most a batch of them; moves the clock behind them.
fn passed_windows(
    state: &mut ClockState,
    is_reached: impl Fn(Timestamp) -> bool,
    period: Span,
    until: Option<Timestamp>,
) -> Vec<Window> {
    let mut windows = Vec::new();
    while let (Some(start), Some(end)) = (state.next, state.next_end(period, until))
        && is_reached(end)
        && windows.len() < WINDOWS_PER_BATCH_MAX
    {
        windows.push(Window { start, end });
        state.next = Some(end);
    }
    windows
}

/// When the next window fires, if its clock puts it off.
pub(crate) fn put_off(
    (at, node): (RuleId, u32),
    condition: &Condition,
    state: &ClockState,
) -> Option<Timestamp> {
    let Condition::Every { period, until, jitter: Some(jitter), .. } = condition else {
        return None;
    };
    let end = state.next_end(*period, *until)?;
    Some(due_of(at, node, end, Some(*jitter)))
}

/// Windows which have fired: when the source goes back to `time`, the one that holds it; when it
/// was behind the clock, those that it passes from there on; at most one more than a batch.
fn fired_windows(
    state: &ClockState,
    before: Option<Watermark>,
    time: Timestamp,
    period: Span,
) -> Vec<Window> {
    let (Some(first), Some(next)) = (state.first, state.next) else { return Vec::new() };
    let window = |start: Timestamp| Window { start, end: start.plus(period) };
    let holding = |time: Timestamp| first.plus(Span(time.since(first).0 / period.0 * period.0));
    if before.is_some_and(|before| time < before.time) {
        let start = holding(time);
        return if time >= first && start < next { vec![window(start)] } else { Vec::new() };
    }
    let from = before.map_or(first, |before| holding(before.time.max(first)));
    let starts = std::iter::successors(Some(from), |start| Some(start.plus(period)));
    let passed = starts.take_while(|start| *start < next && start.plus(period) <= time);
    passed.take(WINDOWS_PER_BATCH_MAX + 1).map(window).collect()
}

/// A watermark: RFC 3339 text, or an object with such a text in `watermark`.
fn read_watermark(value: &JsonText) -> Result<Timestamp, String> {
    let tree = value.to_value();
    let text = tree.get("watermark").unwrap_or(&tree).as_str();
    let text = text.ok_or_else(|| {
        "the value is not a watermark: expected a time such as \"2013-01-03T05:00:00Z\", \
         or an object with one in `watermark`"
            .to_owned()
    })?;
    text.parse().map_err(|error| format!("the value is not a watermark: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watermarks_are_read_from_text_and_objects() {
        let read = |text: &str| read_watermark(&JsonText::parse(text).unwrap());
        let time: Timestamp = "2013-01-03T05:00:00Z".parse().unwrap();
        assert_eq!(read(r#""2013-01-03T05:00:00Z""#), Ok(time));
        assert_eq!(read(r#"{"watermark":"2013-01-03T06:00:00+01:00"}"#), Ok(time));
        for bad in ["1", "null", r#""yesterday""#, r#"{"watermark":1}"#, "[]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_jump_passes_every_window_once_and_in_order() {
        let hour = Span::from_seconds(3600);
        let mut state = ClockState { next: Some(Timestamp(0)), ..ClockState::default() };
        let reached = Timestamp(0).plus(Span(hour.0 * 3));
        let windows = passed_windows(&mut state, |end| end <= reached, hour, None);
        assert_eq!(windows.len(), 3);
        assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert!(passed_windows(&mut state, |end| end <= Timestamp(0), hour, None).is_empty());
    }
}
