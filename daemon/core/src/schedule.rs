//! Cron: the times of a calendar in a time zone, each once.
//!
//! What daylight saving does is `croner`'s: a time that the clocks skip fires right after the gap,
//! a time that comes twice fires once, and what steps through the day (`*/30 * * * *`) steps
//! through both hours. Zones are those that were built in, so that every host decides the same.
//! The next time is recorded; replay never computes one.

use aiflow_model::spec::Missed;
use aiflow_model::state::{Firing, NodeState};
use aiflow_model::time::Window;
use aiflow_model::{Offset, RuleId, Timestamp};
use croner::Cron;
use jiff::tz::TimeZone;

use crate::engine::WINDOWS_PER_BATCH_MAX;
use crate::transaction::{Stimulus, Transaction};

/// A calendar's times in a zone.
pub(crate) struct Calendar {
    cron: Cron,
    zone: TimeZone,
}

impl Calendar {
    /// Reads an expression of five fields, six with seconds, or a name such as `@daily`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(expression: &str, zone: &str) -> Result<Self, String> {
        let zone = TimeZone::get(zone).map_err(|_| {
            format!("there is no time zone {zone:?}: write a name such as Europe/Berlin or UTC")
        })?;
        let cron: Cron = expression
            .parse()
            .map_err(|error| format!("{expression:?} is no cron expression: {error}"))?;
        Ok(Self { cron, zone })
    }

    /// The first time after `after`; none when there is no other.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.find(after, |start| self.cron.find_next_occurrence(start, false))
    }

    /// The last time at or before `until`.
    pub(crate) fn previous(&self, until: Timestamp) -> Option<Timestamp> {
        self.find(until, |start| self.cron.find_previous_occurrence(start, true))
    }

    fn find<E>(
        &self,
        start: Timestamp,
        find: impl Fn(&jiff::Zoned) -> Result<jiff::Zoned, E>,
    ) -> Option<Timestamp> {
        let start = jiff::Timestamp::from_microsecond(start.0).ok()?;
        let found = find(&start.to_zoned(self.zone.clone())).ok()?;
        Some(Timestamp(found.timestamp().as_microsecond()))
    }
}

impl Transaction<'_> {
    /// Sets a calendar to the first time after now.
    pub(crate) fn arm_cron(
        &mut self,
        at: RuleId,
        node: u32,
        expression: &str,
        zone: &str,
        cause: Option<Offset>,
    ) {
        // The reader has refused what is no calendar.
        let Ok(calendar) = Calendar::new(expression, zone) else { return };
        let previous = calendar.previous(self.now).unwrap_or(self.now);
        let state = NodeState::Cron { previous, next: calendar.next(self.now) };
        self.advance(at, node, state, cause);
    }

    pub(crate) fn offer_cron(
        &mut self,
        at: RuleId,
        node: u32,
        (expression, zone, missed): (&str, &str, Missed),
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let Some(NodeState::Cron { previous, next }) = self.state.node_state(at, node) else {
            return Vec::new();
        };
        let (mut previous, mut next) = (*previous, *next);
        if next.is_none_or(|next| next > self.now) {
            return Vec::new();
        }
        let Ok(calendar) = Calendar::new(expression, zone) else { return Vec::new() };
        let mut windows = Vec::new();
        while let Some(tick) = next.filter(|tick| *tick <= self.now)
            && windows.len() < WINDOWS_PER_BATCH_MAX
        {
            windows.push(Window { start: previous, end: tick });
            (previous, next) = (tick, calendar.next(tick));
        }
        let more = next.is_some_and(|next| next <= self.now);
        self.drop_missed(at, node, &mut windows, missed, more);
        self.advance(at, node, NodeState::Cron { previous, next }, stimulus.offset());
        let firing = |window| Firing { window: Some(window), ..self.firing_of_now() };
        windows.into_iter().map(firing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let calendar = Calendar::new(expression, zone).unwrap();
        let next = |time: &Timestamp| calendar.next(*time);
        let from: Timestamp = from.parse().unwrap();
        std::iter::successors(calendar.next(from), next)
            .take(count)
            .map(|t| t.to_string())
            .collect()
    }

    #[test]
    fn a_time_in_the_gap_fires_once_right_after_it() {
        let found = times("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2);
        assert_eq!(found, ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    }

    #[test]
    fn a_time_that_comes_twice_fires_once() {
        let found = times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(found, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    }

    #[test]
    fn what_is_no_calendar_is_refused_with_its_reason() {
        for (expression, zone, reason) in [
            ("* * *", "UTC", "is no cron expression"),
            ("61 * * * *", "UTC", "is no cron expression"),
            ("* * * * *", "Mars/Olympus", "there is no time zone"),
        ] {
            let error = Calendar::new(expression, zone).err().unwrap();
            assert!(error.contains(reason), "{error}");
        }
    }

    /// Twenty zones with and without daylight saving, northern and southern, whole and half hours.
    const ZONES: [&str; 20] = [
        "UTC",
        "Europe/Berlin",
        "Europe/London",
        "Europe/Dublin",
        "Europe/Lisbon",
        "America/New_York",
        "America/Los_Angeles",
        "America/St_Johns",
        "America/Sao_Paulo",
        "America/Santiago",
        "Africa/Casablanca",
        "Africa/Cairo",
        "Asia/Kolkata",
        "Asia/Tokyo",
        "Asia/Tehran",
        "Asia/Gaza",
        "Australia/Sydney",
        "Australia/Lord_Howe",
        "Pacific/Auckland",
        "Pacific/Chatham",
    ];

    #[test]
    fn every_day_of_twenty_years_has_its_time_once_in_every_zone() {
        for zone in ZONES {
            let calendar = Calendar::new("30 2 * * *", zone).unwrap();
            let zone = TimeZone::get(zone).unwrap();
            let day = |time: Timestamp| {
                let time = jiff::Timestamp::from_microsecond(time.0).unwrap();
                time.to_zoned(zone.clone()).date()
            };
            let mut time: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
            let end: Timestamp = "2041-01-01T00:00:00Z".parse().unwrap();
            time = calendar.next(time).unwrap();
            while time < end {
                let next = calendar.next(time).unwrap();
                assert!(next > time);
                assert_eq!(day(next), day(time).tomorrow().unwrap(), "{zone:?} after {time}");
                // Wherever a restart comes in between, the same time is next.
                let between = Timestamp(time.0 + (next.0 - time.0) / 2);
                assert_eq!(calendar.next(between), Some(next));
                time = next;
            }
        }
    }
}
