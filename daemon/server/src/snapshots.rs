//! Snapshots of the state: the newest good one at a start, and a new one now and then.
//!
//! A new one is folded from the one before and the log, beside the daemon and never by its loop. So
//! it depends on nothing but the log. Must never trust one that does not fit to the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aiflow_core::Engine;
use aiflow_log::{DiskStorage, LogReader, Snapshot, SnapshotError, snapshot};
use aiflow_model::state::StoredStateError;
use aiflow_model::{State, Timestamp};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::records;
use crate::retention::{Retention, SNAPSHOTS_KEPT, Trim};
use crate::waypoints::Waypoints;

/// Why a snapshot is passed over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error(transparent)]
    File(#[from] SnapshotError),
    #[error(transparent)]
    State(#[from] StoredStateError),
    #[error("the state in it is that of offset {0}")]
    Offset(u64),
    #[error("it was not made from this log")]
    Foreign,
    #[error("the log holds no batch that ends there")]
    Ahead,
}

/// What the snapshots tell before the log is opened.
#[derive(Debug)]
pub(crate) struct Known {
    /// The state of the newest one that is good and fits to the log; empty if there is none.
    pub(crate) state: State,
    /// Everything below was durable when one was made.
    pub(crate) durable: u64,
}

/// Looks for the newest snapshot that can be used.
pub(crate) fn newest(storage: &DiskStorage) -> Result<Known, Failure> {
    let refused = |error: aiflow_log::StorageError| {
        Failure::new(aiflow_model::exit_code::OPERATING, "cannot look for snapshots").because(error)
    };
    let mut durable = 0;
    for offset in snapshot::offsets(storage).map_err(refused)?.into_iter().rev() {
        match load(storage, offset) {
            Ok(state) => return Ok(Known { state, durable: durable.max(offset) }),
            Err(error) => {
                tracing::warn!(offset, %error, "a snapshot is passed over");
                if matches!(error, Unusable::Ahead | Unusable::State(_)) {
                    durable = durable.max(offset);
                }
            }
        }
    }
    Ok(Known { state: State::empty(), durable })
}

/// The state of the snapshot at `offset`.
pub(crate) fn load(storage: &DiskStorage, offset: u64) -> Result<State, Unusable> {
    let snapshot = Snapshot::load(storage, offset)?;
    match checksum_before(storage, offset) {
        None => return Err(Unusable::Ahead),
        Some(checksum) if checksum != snapshot.checksum => return Err(Unusable::Foreign),
        Some(_) => {}
    }
    let state = State::from_stored(&snapshot.content)?;
    if state.next_offset.0 != offset {
        return Err(Unusable::Offset(state.next_offset.0));
    }
    Ok(state)
}

/// Checksum of the batch that ends at `offset`. A log that lacks it is told about when it is
/// opened: what the snapshot was made of had been acknowledged.
pub(crate) fn checksum_before(storage: &DiskStorage, offset: u64) -> Option<u32> {
    let mut reader = LogReader::new(storage.clone());
    let mut batches = reader.read(offset.checked_sub(1)?, offset).ok()?;
    let batch = batches.next_batch().ok()??;
    (batch.end() == offset).then(|| batch.checksum())
}

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

/// Folds what follows `state` up to `end`.
pub(crate) fn fold(storage: &DiskStorage, state: State, end: u64) -> anyhow::Result<Engine> {
    let mut reader = LogReader::new(storage.clone());
    Ok(records::replay(&mut reader, state, end)?)
}
