//! Snapshots of the state: a new one now and then.
//!
//! It is folded from the one before and the log, beside the daemon and never by its loop. So it
//! depends on nothing but the log. Must never make one of what is not durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aiflow_log::{DiskStorage, Snapshot, snapshot};
use aiflow_model::Timestamp;
use tokio::sync::mpsc;

use crate::kept::{checksum_before, newest};
use crate::retention::{Retention, SNAPSHOTS_KEPT, Trim};
use crate::waypoints::Waypoints;

/// Makes snapshots in the background, one at a time, and tends what they leave behind.
#[derive(Debug)]
pub(crate) struct Snapshots {
    storage: DiskStorage,
    waypoints: Waypoints,
    /// Records from one to the next.
    every: u64,
    /// Where the newest one was made, or tried.
    latest: u64,
    retention: Retention,
    /// Tells before which offset the log may be dropped.
    trims: mpsc::UnboundedSender<Trim>,
    busy: Arc<AtomicBool>,
}

impl Snapshots {
    /// `latest` is the offset of the newest one, 0 for none. What may be dropped goes to `trims`.
    pub(crate) fn new(
        (storage, waypoints): (DiskStorage, Waypoints),
        every: u64,
        latest: u64,
        retention: Retention,
        trims: mpsc::UnboundedSender<Trim>,
    ) -> Self {
        Self { storage, waypoints, every, latest, retention, trims, busy: Arc::default() }
    }

    /// Makes one of the records below `end`, which is durable, if it is time.
    pub(crate) fn advance(&mut self, end: u64, now: Timestamp) {
        if end < self.latest.saturating_add(self.every) || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        self.latest = end;
        let (storage, busy) = (self.storage.clone(), Arc::clone(&self.busy));
        let waypoints = self.waypoints.clone();
        let (retention, trims) = (self.retention, self.trims.clone());
        tokio::task::spawn_blocking(move || {
            let begin = std::time::Instant::now();
            match make(&storage, &waypoints, end) {
                Ok(bytes) => {
                    tracing::info!(offset = end, bytes, took = ?begin.elapsed(), "made a snapshot");
                }
                Err(error) => tracing::warn!(offset = end, %error, "no snapshot was made"),
            }
            match retention.tend(&storage, now) {
                // A loop that has ended drops nothing.
                Ok(Some(trim)) => drop(trims.send(trim)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "old segments stay as they are"),
            }
            // A second state and its text were there for a moment.
            aiflow_supervise::return_free_memory();
            busy.store(false, Ordering::Release);
        });
    }
}

/// Folds and writes the snapshot at `end`; gives its size in bytes.
fn make(storage: &DiskStorage, waypoints: &Waypoints, end: u64) -> anyhow::Result<usize> {
    let known = newest(storage).map_err(|failure| anyhow::anyhow!(failure.message()))?;
    let engine = waypoints.fold(known.state, end)?;
    let content = engine.state().to_stored()?;
    let checksum = checksum_before(storage, end)
        .ok_or_else(|| anyhow::anyhow!("offset {end} is not the end of a batch"))?;
    let bytes = content.len();
    Snapshot { offset: end, checksum, content }.install(storage)?;
    snapshot::prune(storage, SNAPSHOTS_KEPT)?;
    Ok(bytes)
}
