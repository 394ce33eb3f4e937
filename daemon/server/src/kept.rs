//! Snapshots that are kept beside the log: which of them can be used, and what they tell.
//!
//! Must never trust one that does not fit to the log, nor make one.

use aiflow_core::Engine;
use aiflow_log::{DiskStorage, LogReader, Snapshot, SnapshotError, snapshot};
use aiflow_model::State;
use aiflow_model::state::StoredStateError;

use crate::failure::Failure;
use crate::records;

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

/// Folds what follows `state` up to `end`.
pub(crate) fn fold(storage: &DiskStorage, state: State, end: u64) -> anyhow::Result<Engine> {
    let mut reader = LogReader::new(storage.clone());
    Ok(records::replay(&mut reader, state, end)?)
}
