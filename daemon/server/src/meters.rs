//! What the daemon counts about itself.
//!
//! Must never cost more than a few additions a commit.

use std::path::Path;
use std::time::Duration;

use aiflow_model::wire::{CommitTimes, DiskRoom};

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

/// The first time of the histogram, in microseconds; each is twice the one before.
const SHORTEST_US: u64 = 64;
/// Beyond nine hours a commit is as long as any.
const DOUBLINGS_MAX: usize = 29;

impl Meters {
    /// How long the latest commits took, by times that double.
    pub(crate) fn commit_times(&self) -> Vec<CommitTimes> {
        let mut times: Vec<CommitTimes> = Vec::new();
        for us in &self.latest_us {
            let doublings = (us / SHORTEST_US).checked_ilog2().map_or(0, |log| log as usize + 1);
            let doublings = doublings.min(DOUBLINGS_MAX);
            while times.len() <= doublings {
                let below_us = SHORTEST_US << times.len();
                times.push(CommitTimes { below_us, commits: 0 });
            }
            if let Some(bucket) = times.get_mut(doublings) {
                bucket.commits += 1;
            }
        }
        times
    }
}

/// Room on the disk of a directory; none where the system does not tell.
pub(crate) fn disk_room(directory: &Path) -> Option<DiskRoom> {
    let told = rustix::fs::statvfs(directory).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
    Some(DiskRoom { free_bytes: bytes(told.f_bavail), total_bytes: bytes(told.f_blocks) })
}

/// Resident memory of this process, in bytes; 0 where the kernel does not tell.
pub(crate) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_counted_by_times_that_double() {
        let mut meters = Meters::default();
        for us in [0, 63, 64, 127, 128, 5_000, 1_000_000] {
            meters.committed(&[], Duration::from_micros(us));
        }
        let times = meters.commit_times();
        assert!(times.windows(2).all(|pair| pair[1].below_us == 2 * pair[0].below_us));
        let counts: Vec<u64> = times.iter().map(|bucket| bucket.commits).collect();
        assert_eq!(counts[..4], [2, 2, 1, 0]);
        assert_eq!((counts.iter().sum::<u64>(), times[0].below_us), (7, 64));
        let last = times.last().unwrap();
        assert!(last.commits == 1 && last.below_us > 1_000_000 && last.below_us <= 2_000_000);
        // The slowest that can be counted.
        meters.committed(&[], Duration::MAX);
        assert_eq!(meters.commit_times().len(), DOUBLINGS_MAX + 1);
    }

    #[test]
    fn there_is_room_on_the_disk_of_a_directory_and_of_no_other() {
        let room = disk_room(Path::new(".")).unwrap();
        assert!(room.free_bytes <= room.total_bytes && room.total_bytes > 0);
        assert_eq!(disk_room(Path::new("there/is/no/such")), None);
    }
}
