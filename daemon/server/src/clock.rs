//! The only place that reads the time.
//!
//! Must never go back, nor stand still: when the wall clock is set back, time goes on from where it
//! was at the pace of the monotonic clock, so that retries and timeouts keep their length.

use std::cell::Cell;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aiflow_model::Timestamp;

/// The wall clock, never going back.
#[derive(Debug)]
pub(crate) struct Clock {
    latest: Cell<(Timestamp, Instant)>,
}

impl Clock {
    /// A clock that starts no earlier than the last time in the log.
    pub(crate) fn new(last: Timestamp) -> Self {
        Self { latest: Cell::new((last, Instant::now())) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Instant::now();
        let time = self.advance(now, microseconds(since_epoch));
        self.latest.set((time, now));
        time
    }

    /// The later of the wall and of the time that has passed since the last look.
    fn advance(&self, now: Instant, wall: i64) -> Timestamp {
        let (latest, seen) = self.latest.get();
        let passed = microseconds(now.saturating_duration_since(seen));
        Timestamp(wall.max(latest.0.saturating_add(passed)))
    }
}

fn microseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn time_goes_on_when_the_wall_is_set_back() {
        let clock = Clock::new(Timestamp(1_000_000));
        let (_, seen) = clock.latest.get();
        let later = seen + Duration::from_micros(7);
        assert_eq!(clock.advance(later, 5), Timestamp(1_000_007));
        assert_eq!(clock.advance(later, 2_000_000), Timestamp(2_000_000));
    }
}
