//! The log of AIFlow with its group commit, without the daemon.
//!
//! Must never be opened otherwise than the daemon opens it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aiflow_log::{CommitOutcome, Committer, DiskStorage, Frame, FrameBuilder, LogOptions};
use anyhow::anyhow;

use super::group::{Ends, Session, Store, Waiters};
use crate::figures::progress;

/// The log under test.
#[derive(Debug)]
pub(super) struct Own {
    end: Mutex<End>,
    waiters: Arc<Waiters>,
    counts: Arc<Counts>,
}

/// Where the next record goes.
#[derive(Debug)]
struct End {
    committer: Committer,
    next: u64,
}

#[derive(Debug, Default)]
struct Counts {
    commits: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    busy_ns: AtomicU64,
}

/// What was committed so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Committed {
    pub(super) commits: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// Time that writing and syncing took, in nanoseconds.
    pub(super) busy_ns: u64,
}

impl Own {
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let storage = DiskStorage::open(directory)?;
        let (writer, recovered) = aiflow_log::open(storage, LogOptions::default())?;
        let (waiters, counts) = (Arc::new(Waiters::default()), Arc::new(Counts::default()));
        let (woken, counted) = (Arc::clone(&waiters), Arc::clone(&counts));
        let committer = Committer::spawn(writer, move |outcome| match outcome {
            CommitOutcome::Durable { end, frames, took, .. } => {
                counted.busy_ns.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
                counted.commits.fetch_add(1, Ordering::Relaxed);
                counted.records.fetch_add(frames.len() as u64, Ordering::Relaxed);
                let bytes = frames.iter().map(Frame::size).sum();
                counted.bytes.fetch_add(bytes, Ordering::Relaxed);
                woken.advance(end);
            }
            // Nobody is told, so the run hangs rather than count what is not durable.
            CommitOutcome::Failed(error) => progress(&format!("the log failed: {error}")),
        })?;
        let end = Mutex::new(End { committer, next: recovered.next_offset });
        Ok(Self { end, waiters, counts })
    }

    pub(super) fn committed(&self) -> Committed {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { commits, records, bytes, busy_ns } = &*self.counts;
        Committed {
            commits: of(commits),
            records: of(records),
            bytes: of(bytes),
            busy_ns: of(busy_ns),
        }
    }
}

/// What one thread appends through.
struct OwnSession<'a> {
    own: &'a Own,
    ends: Ends,
}

impl Session for OwnSession<'_> {
    fn submit(&mut self, record: &[u8]) -> anyhow::Result<()> {
        let mut end = self.own.end.lock().unwrap_or_else(PoisonError::into_inner);
        let mut builder = FrameBuilder::new(end.next, 0, 1);
        builder.record(|out| out.extend_from_slice(record));
        end.next += 1;
        end.committer.submit(builder.finish()?).map_err(|error| anyhow!(error))?;
        self.ends.push(end.next);
        Ok(())
    }

    fn wait(&mut self) -> anyhow::Result<usize> {
        Ok(self.ends.wait(&self.own.waiters))
    }
}

impl Store for Own {
    fn session(&self) -> anyhow::Result<Box<dyn Session + '_>> {
        Ok(Box::new(OwnSession { own: self, ends: Ends::default() }))
    }
}
