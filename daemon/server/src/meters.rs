//! What the daemon counts about itself.
//!
//! Must never cost more than a few additions a commit.

use std::time::Duration;

/// How many commits the percentiles look back.
const WINDOW: usize = 1024;

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) commits: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    latest_us: Vec<u64>,
}

impl Meters {
    pub(crate) fn committed(&mut self, frames: &[aiflow_log::Frame], took: Duration) {
        let at = usize::try_from(self.commits).unwrap_or(0) % WINDOW;
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match self.latest_us.get_mut(at) {
            Some(slot) => *slot = us,
            None => self.latest_us.push(us),
        }
        self.commits += 1;
        for frame in frames {
            self.records += u64::from(frame.count());
            self.bytes += frame.size();
        }
    }

    /// A percentile of the latest commits, in microseconds.
    pub(crate) fn commit_us(&self, percent: usize) -> u64 {
        let mut sorted = self.latest_us.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get(last * percent / 100).copied().unwrap_or(0)
    }
}

/// Resident memory of this process, in bytes; 0 where the kernel does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}
