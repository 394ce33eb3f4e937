//! Waiting for conditions.

use std::time::{Duration, Instant};

/// Longest wait: far beyond what anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `condition` gives something.
///
/// # Panics
/// When it does not within a minute, naming `what`.
#[track_caller]
pub fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "gave up waiting until {what}");
        std::thread::park_timeout(PAUSE);
    }
}

/// Lets a time pass, for what is to happen at a chosen moment. Never to let something else happen.
pub fn pause(time: Duration) {
    let begin = Instant::now();
    while let Some(left) = time.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}
