//! Clocks: each window fires once, in order, when the wall or the lowest watermark passes its end.
//!
//! A watermark that repeats or goes back changes nothing. A jump fires every window in between;
//! what is more than one batch may hold falls due at once, in the next.

use aiflow_model::record::MissedTicks;
use aiflow_model::spec::{Clock, Missed};
use aiflow_model::state::{Firing, NodeState, Watermark};
use aiflow_model::time::{Span, Timestamp, Window};
use aiflow_model::{JsonText, RuleId};

use crate::engine::WINDOWS_PER_BATCH_MAX;
use crate::transaction::{Stimulus, Transaction};

/// A tick of the wall that comes later than this was missed, for a clock that skips such ticks.
const LATE: Span = Span::from_seconds(60);

impl Transaction<'_> {
    pub(crate) fn offer_clock(
        &mut self,
        at: RuleId,
        node: u32,
        (period, clock, missed): (Span, &Clock, Missed),
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Some(NodeState::Clock { marks, next }) = self.state.node_state(at, node).cloned()
        else {
            return Vec::new();
        };
        let (mut new_marks, mut new_next) = (marks.clone(), next);
        let reached = match clock {
            Clock::Wall => Some(self.now),
            Clock::Watermark(keys) => {
                self.note_watermark(at, node, keys, &mut new_marks, stimulus);
                let lowest = new_marks.iter().copied().min().flatten();
                lowest.map(|mark| mark.time)
            }
        };
        if let (None, Some(reached)) = (new_next, reached) {
            new_next = Some(reached.floor_to(period));
        }
        let lowest = new_marks.iter().copied().min().flatten();
        let mut windows = passed_windows(&mut new_next, reached, period);
        if *clock == Clock::Wall {
            let more = new_next.is_some_and(|next| next.plus(period) <= self.now);
            self.drop_missed(at, node, &mut windows, missed, more);
        }
        if (&new_marks, new_next) != (&marks, next) {
            let state = NodeState::Clock { marks: new_marks, next: new_next };
            self.advance(at, node, state, stimulus.offset());
        }
        let events: Vec<_> = lowest.into_iter().map(|mark| mark.event).collect();
        let firing = |window| Firing {
            events: events.clone(),
            window: Some(window),
            ..self.firing_of_now()
        };
        windows.into_iter().map(firing).collect()
    }

    /// Takes out of the windows that passed, oldest first, what the rule does not want late, and
    /// records that. `more`: others have passed that do not fit in this batch.
    pub(crate) fn drop_missed(
        &mut self,
        at: RuleId,
        node: u32,
        windows: &mut Vec<Window>,
        missed: Missed,
        more: bool,
    ) {
        let kept = match missed {
            Missed::All => windows.len(),
            Missed::Latest => usize::from(!more).min(windows.len()),
            Missed::Skip => windows.iter().filter(|w| w.end.plus(LATE) >= self.now).count(),
        };
        let dropped: Vec<Window> = windows.drain(..windows.len() - kept).collect();
        if let (Some(first), Some(last)) = (dropped.first(), dropped.last()) {
            let (first, last) = (first.end, last.end);
            let count = dropped.len() as u64;
            self.ticks_missed(at, node, MissedTicks { count, first, last });
        }
    }

    fn note_watermark(
        &mut self,
        at: RuleId,
        node: u32,
        keys: &[aiflow_model::EventKey],
        marks: &mut [Option<Watermark>],
        stimulus: &Stimulus,
    ) {
        let Stimulus::Event { offset, event } = stimulus else { return };
        let Some(source) = keys.iter().position(|key| *key == event.key) else { return };
        match read_watermark(&event.value) {
            Ok(time) => {
                let is_news = marks[source].is_none_or(|mark| mark.time < time);
                if is_news {
                    marks[source] = Some(Watermark { time, event: *offset });
                }
            }
            Err(reason) => self.filter_failed(at, node, *offset, reason),
        }
    }
}

/// The windows that end at or before `reached`, at most a batch of them; moves `next` behind them.
fn passed_windows(
    next: &mut Option<Timestamp>,
    reached: Option<Timestamp>,
    period: Span,
) -> Vec<Window> {
    let (Some(start), Some(reached)) = (next.as_mut(), reached) else { return Vec::new() };
    let mut windows = Vec::new();
    while start.plus(period) <= reached && windows.len() < WINDOWS_PER_BATCH_MAX {
        let end = start.plus(period);
        windows.push(Window { start: *start, end });
        *start = end;
    }
    windows
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
        let mut next = Some(Timestamp(0));
        let windows = passed_windows(&mut next, Some(Timestamp(0).plus(Span(hour.0 * 3))), hour);
        assert_eq!(windows.len(), 3);
        assert!(windows.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert!(passed_windows(&mut next, Some(Timestamp(0)), hour).is_empty());
    }
}
