//! What the tests of the log share: seeded workloads and reading everything back.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

use std::sync::atomic::{AtomicU64, Ordering};

use aiflow_log::testing::{CrashMode, Rng};
use aiflow_log::{Frame, FrameBuilder, LogOptions, LogReader, ReadError, Storage};

pub(crate) type Payload = Vec<u8>;

pub(crate) fn options(segment_bytes: u64) -> LogOptions {
    LogOptions { segment_bytes, ..LogOptions::default() }
}

/// One frame of the given payloads.
pub(crate) fn frame(base: u64, payloads: &[Payload]) -> Frame {
    let mut builder = FrameBuilder::new(base, base as i64 * 10, base / 7);
    for payload in payloads {
        builder.record(|out| out.extend_from_slice(payload));
    }
    builder.finish().unwrap()
}

/// Payloads of one commit: some frames of some records, some of them empty, none alike.
pub(crate) fn commit(rng: &mut Rng) -> Vec<Vec<Payload>> {
    let payload = |rng: &mut Rng| {
        let length = if rng.one_in(6) { 0 } else { rng.below(120) };
        (0..length).map(|_| rng.next_u64() as u8).collect()
    };
    let batch = |rng: &mut Rng| (0..1 + rng.below(3)).map(|_| payload(rng)).collect();
    (0..1 + rng.below(3)).map(|_| batch(rng)).collect()
}

/// The frames of a commit that starts at `base`.
pub(crate) fn frames(base: u64, commit: &[Vec<Payload>]) -> Vec<Frame> {
    let mut next = base;
    let build = |batch: &Vec<Payload>| {
        let frame = frame(next, batch);
        next = frame.end();
        frame
    };
    commit.iter().map(build).collect()
}

pub(crate) fn try_read<S: Storage>(
    storage: S,
    from: u64,
    until: u64,
) -> Result<Vec<Payload>, ReadError> {
    let mut reader = LogReader::new(storage);
    let mut out = Vec::new();
    let mut next = from;
    reader.read(from, until)?.for_each(|record| {
        assert_eq!(record.offset, next);
        next += 1;
        out.push(record.payload.to_vec());
        Ok::<(), ReadError>(())
    })?;
    Ok(out)
}

pub(crate) fn read<S: Storage>(storage: S, from: u64, until: u64) -> Vec<Payload> {
    try_read(storage, from, until).unwrap()
}

/// Every way to crash that makes a difference with so much unsynced.
pub(crate) fn crash_modes((bytes, changes): (usize, usize), rng: &mut Rng) -> Vec<CrashMode> {
    let mut modes = vec![CrashMode::LoseUnsynced];
    if changes == 0 {
        return modes;
    }
    modes.push(CrashMode::KeepAll);
    modes.extend((1..changes).map(CrashMode::KeepChanges));
    modes.extend((1..bytes).step_by(512).map(CrashMode::TornAt));
    for _ in 0..4 {
        modes.push(CrashMode::TornAt(rng.below(bytes as u64 + 1) as usize));
        modes.push(CrashMode::Subset(rng.next_u64()));
        modes.push(CrashMode::Scrambled(rng.next_u64()));
    }
    modes
}

/// Runs a check for each seed, on all processors; gives the sum of what the checks counted.
pub(crate) fn each_seed(seeds: u64, check: impl Fn(u64) -> u64 + Sync) -> u64 {
    let next = AtomicU64::new(0);
    let work = || {
        let _stop = StopOnPanic(&next, seeds);
        let mut count = 0;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return count;
            }
            count += check(seed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// Keeps the other threads from going through all seeds that are left when one has failed.
struct StopOnPanic<'a>(&'a AtomicU64, u64);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(self.1, Ordering::Relaxed);
        }
    }
}

/// How many times more seeds than usual, from `AIFLOW_LOG_TEST_SCALE`.
pub(crate) fn scale() -> u64 {
    std::env::var("AIFLOW_LOG_TEST_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}
