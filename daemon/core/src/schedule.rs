//! Cron: the times of a calendar in a time zone, each once.
//!
//! What daylight saving does is `croner`'s: a time that the clocks skip fires right after the gap,
//! a time that comes twice fires once, and what steps through the day (`*/30 * * * *`) steps
//! through both hours. Zones are those that were built in, so that every host decides the same.
//! The next time is recorded; replay never computes one.

use std::collections::BTreeSet;

use aiflow_model::jitter::jitter;
use aiflow_model::spec::Condition;
use aiflow_model::state::{Firing, NodeState};
use aiflow_model::time::{Span, Window};
use aiflow_model::{Offset, RuleId, Timestamp};
use croner::Cron;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::transaction::{Stimulus, Transaction, WINDOWS_PER_BATCH_MAX};

/// A calendar's times in a zone, but for the days that it leaves out.
pub(crate) struct Calendar {
    cron: Cron,
    zone: TimeZone,
    dates: BTreeSet<Date>,
    weekdays: Vec<Weekday>,
}

/// Most days that are left out.
pub(crate) const EXCEPT_MAX: usize = 1_000;
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("MON", Weekday::Monday),
    ("TUE", Weekday::Tuesday),
    ("WED", Weekday::Wednesday),
    ("THU", Weekday::Thursday),
    ("FRI", Weekday::Friday),
    ("SAT", Weekday::Saturday),
    ("SUN", Weekday::Sunday),
];

/// A day that no calendar has.
pub(crate) struct NoDay;

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
        Ok(Self { cron, zone, dates: BTreeSet::new(), weekdays: Vec::new() })
    }

    /// The calendar of a condition; none of others.
    pub(crate) fn of(condition: &Condition) -> Result<Self, String> {
        let Condition::Cron { expression, zone, except, .. } = condition else {
            return Err("this is no calendar".to_owned());
        };
        let mut calendar = Self::new(expression, zone)?;
        for day in except {
            // The reader has refused what is no day.
            let _ = calendar.leave_out(day);
        }
        Ok(calendar)
    }

    /// Leaves out a date or a day of the week.
    ///
    /// # Errors
    /// When it is neither.
    pub(crate) fn leave_out(&mut self, day: &str) -> Result<(), NoDay> {
        if let Some((_, weekday)) = WEEKDAYS.iter().find(|(name, _)| *name == day) {
            self.weekdays.push(*weekday);
            return Ok(());
        }
        self.dates.insert(day.parse().map_err(|_| NoDay)?);
        Ok(())
    }

    /// The first time after `after`; none when there is no other.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let start = self.zoned(after)?;
        let mut found = self.cron.find_next_occurrence(&start, false).ok()?;
        // A day that is left out is passed as a whole, however often it ticks.
        for _ in 0..DAYS_MAX {
            if !self.leaves_out(&found) {
                return Some(timestamp(&found));
            }
            let morrow = found.date().tomorrow().ok()?.to_zoned(self.zone.clone()).ok()?;
            found = self.cron.find_next_occurrence(&morrow, true).ok()?;
        }
        None
    }

    /// The last time at or before `until`.
    pub(crate) fn previous(&self, until: Timestamp) -> Option<Timestamp> {
        let start = self.zoned(until)?;
        let mut found = self.cron.find_previous_occurrence(&start, true).ok()?;
        for _ in 0..DAYS_MAX {
            if !self.leaves_out(&found) {
                return Some(timestamp(&found));
            }
            let midnight = found.date().to_zoned(self.zone.clone()).ok()?;
            found = self.cron.find_previous_occurrence(&midnight, false).ok()?;
        }
        None
    }

    fn leaves_out(&self, time: &jiff::Zoned) -> bool {
        self.weekdays.contains(&time.weekday()) || self.dates.contains(&time.date())
    }

    fn zoned(&self, time: Timestamp) -> Option<jiff::Zoned> {
        let time = jiff::Timestamp::from_microsecond(time.0).ok()?;
        Some(time.to_zoned(self.zone.clone()))
    }
}

/// Most days in a row that are looked at for a time: what names none in so many never comes.
const DAYS_MAX: usize = 10_000;

fn timestamp(time: &jiff::Zoned) -> Timestamp {
    Timestamp(time.timestamp().as_microsecond())
}

/// When a tick fires that may be put off: always the same for the same rule and tick.
pub(crate) fn due_of(at: RuleId, node: u32, tick: Timestamp, longest: Option<Span>) -> Timestamp {
    let Some(longest) = longest else { return tick };
    let rule = match at {
        RuleId::Task { run, rule } => format!("{run}.{rule}"),
        RuleId::Trigger(trigger) => format!("trigger {trigger}"),
        RuleId::Draft { draft, rule } => format!("draft {draft}.{rule}"),
    };
    tick.plus(jitter(&format!("{rule}.{node}.{tick}"), longest))
}

impl Transaction<'_> {
    /// Sets a calendar to the first time after now.
    pub(crate) fn arm_cron(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        cause: Option<Offset>,
    ) {
        // The reader has refused what is no calendar.
        let Ok(calendar) = Calendar::of(condition) else { return };
        let previous = calendar.previous(self.now).unwrap_or(self.now);
        let next = calendar.next(self.now);
        self.set_cron(at, node, condition, (previous, next), cause);
    }

    fn set_cron(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        (previous, next): (Timestamp, Option<Timestamp>),
        cause: Option<Offset>,
    ) {
        let Condition::Cron { jitter, .. } = condition else { return };
        let due = next.filter(|_| jitter.is_some()).map(|tick| due_of(at, node, tick, *jitter));
        self.advance(at, node, NodeState::Cron { previous, next, due }, cause);
    }

    pub(crate) fn offer_cron(
        &mut self,
        at: RuleId,
        node: u32,
        condition: &Condition,
        stimulus: &Stimulus,
    ) -> Vec<Firing> {
        let (Condition::Cron { missed, jitter, .. }, Some(NodeState::Cron { previous, next, .. })) =
            (condition, self.state.node_state(at, node))
        else {
            return Vec::new();
        };
        let (mut previous, mut next) = (*previous, *next);
        let now = self.now;
        let is_due = |tick: &Timestamp| due_of(at, node, *tick, *jitter) <= now;
        if !next.as_ref().is_some_and(is_due) {
            return Vec::new();
        }
        let Ok(calendar) = Calendar::of(condition) else { return Vec::new() };
        let mut windows = Vec::new();
        while let Some(tick) = next.filter(is_due)
            && windows.len() < WINDOWS_PER_BATCH_MAX
        {
            windows.push(Window { start: previous, end: tick });
            (previous, next) = (tick, calendar.next(tick));
        }
        let more = next.as_ref().is_some_and(is_due);
        let put_off = jitter.unwrap_or_default();
        self.drop_missed(at, node, &mut windows, (*missed, put_off), more);
        self.set_cron(at, node, condition, (previous, next), stimulus.offset());
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
    #[test]
    fn days_that_are_left_out_are_passed_as_a_whole() {
        let mut calendar = Calendar::new("* * * * * *", "Europe/Berlin").unwrap();
        for day in ["SAT", "SUN", "2026-03-30"] {
            assert!(calendar.leave_out(day).is_ok());
        }
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        // Friday's last second in Berlin, then over a weekend with a shift to Tuesday.
        let friday = time("2026-03-27T22:59:59Z");
        assert_eq!(calendar.next(friday), Some(time("2026-03-30T22:00:00Z")));
        assert_eq!(calendar.previous(time("2026-03-29T12:00:00Z")), Some(friday));
        for bad in ["2026-02-30", "sat", "Saturday", "12-25", ""] {
            assert!(calendar.leave_out(bad).is_err(), "{bad}");
        }
        for (day, _) in WEEKDAYS {
            assert!(calendar.leave_out(day).is_ok());
        }
        assert_eq!(calendar.next(friday), None);
    }
}
