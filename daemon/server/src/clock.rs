//! The only place that reads the time.
//!
//! Must never go back: a wall clock that is set back stands still here until it has caught up.

use std::cell::Cell;
use std::time::{SystemTime, UNIX_EPOCH};

use aiflow_model::Timestamp;

/// The wall clock, never going back.
#[derive(Debug)]
pub(crate) struct Clock {
    latest: Cell<Timestamp>,
}

impl Clock {
    /// A clock that starts no earlier than the last time in the log.
    pub(crate) fn new(last: Timestamp) -> Self {
        Self { latest: Cell::new(last) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        self.latest.set(self.latest.get().max(wall));
        self.latest.get()
    }
}
