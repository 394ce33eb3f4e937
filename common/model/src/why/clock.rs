//! What a clock waits for: the time of the wall, or those of its sources that are behind.
//!
//! Must never look at the wall: the time of whoever asks is an argument.

use std::collections::BTreeMap;

use super::condition::{Told, Way};
use super::{Line, Need, Step};
use crate::EventKey;
use crate::firing::{ClockState, NodeState};
use crate::progress;
use crate::spec::{Clock, Condition};
use crate::time::{Span, Timestamp};

impl Way<'_> {
    /// It fires by itself.
    pub(super) fn until(&self, (line, due): (Line, Timestamp)) -> Told {
        let left = due.since(self.scene.now);
        let line = Line { text: format!("{} ({left} left)", line.text), ..line };
        Told { lines: vec![line], needs: Some(vec![Step::Time { until: due }.once()]) }
    }

    pub(super) fn cron(&self, own: &Condition, node: u32, depth: u32) -> Told {
        match self.known(node) {
            Some(NodeState::Cron { next: Some(next), due, .. }) => {
                let due = due.unwrap_or(*next);
                self.until((Line::new(depth, format!("{own}: next at {due}")), due))
            }
            _ => over(own, depth),
        }
    }

    pub(super) fn every(&self, own: &Condition, node: u32, depth: u32) -> Told {
        let (Condition::Every { period, clock, until, idle, .. }, Some(NodeState::Clock(state))) =
            (own, self.known(node))
        else {
            return over(own, depth);
        };
        let end = state.next_end(*period, *until);
        if state.is_over(*period, *until) {
            return over(own, depth);
        }
        match (clock, end) {
            (Clock::Wall, Some(end)) => {
                self.until((Line::new(depth, format!("{own}: next at {end}")), end))
            }
            (Clock::Wall, None) => over(own, depth),
            (Clock::Watermark(keys), end) => {
                self.watermarks((own, keys, idle), state, (end, *period), depth)
            }
        }
    }

    fn watermarks(
        &self,
        (own, keys, idle): (&Condition, &[EventKey], &BTreeMap<EventKey, Span>),
        state: &ClockState,
        (end, period): (Option<Timestamp>, Span),
        depth: u32,
    ) -> Told {
        let next = end.map_or_else(
            || "it is not armed yet".to_owned(),
            |end| format!("the next window ends {end}"),
        );
        let held = progress::of_sources(keys, state);
        let mut lines = vec![Line::new(depth, format!("{own}: {held}; {next}"))];
        let silences: BTreeMap<usize, Timestamp> = state.silences(keys, idle).collect();
        // A clock that is not armed begins at the boundary at or below the lowest.
        let lowest = state.marks.iter().flatten().map(|mark| mark.time).min();
        let target = end.or_else(|| Some(lowest?.floor_to(period).plus(period)));
        let mut needs = Vec::new();
        for (source, key) in keys.iter().enumerate() {
            let mark = state.marks.get(source).copied().flatten();
            let is_silent = state.silent.contains(&source);
            let mut text = match mark {
                Some(mark) => format!("{key}: at {}", mark.time),
                None => format!("{key}: has not spoken"),
            };
            if is_silent {
                text += ", passed since it is silent";
            } else if let Some(due) = silences.get(&source) {
                text += &format!(", passed at {due} if it stays silent");
            }
            let line = Line::new(depth + 1, text).at(mark.map(|mark| mark.event));
            lines.push(line);
            let is_behind = mark.is_none_or(|mark| target.is_none_or(|end| mark.time < end));
            if is_behind && !is_silent {
                needs.push(self.watermark(key, target));
            }
        }
        if needs.is_empty() {
            needs.extend(keys.first().map(|key| self.watermark(key, target)));
        }
        Told { lines, needs: Some(needs) }
    }

    fn watermark(&self, key: &EventKey, at_least: Option<Timestamp>) -> Need {
        let namespace = self.scene.run.namespace.clone();
        Step::Watermark { namespace, key: key.clone(), at_least }.once()
    }
}

fn over(own: &Condition, depth: u32) -> Told {
    let text = format!("{own}: the clock is over; it never ticks again");
    Told { lines: vec![Line::new(depth, text)], needs: None }
}
