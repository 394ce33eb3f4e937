//! Old segments of the log: compressed behind the snapshots, and dropped beyond what is to be kept.
//!
//! Works off the loop, after a snapshot was made. Must never drop what the loop has not decided to
//! drop and made durable, nor what a start from the oldest kept snapshot would read.

use aiflow_log::retention::{self, Limits, compress, droppable, segments};
use aiflow_log::{DiskStorage, snapshot};
use aiflow_model::record::TrimReason;
use aiflow_model::time::Span;
use aiflow_model::{Offset, Timestamp};

/// How many snapshots are kept: one more than is needed, in case it decays.
pub(crate) const SNAPSHOTS_KEPT: usize = 2;

/// The beginning of the log may go, or has gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trim {
    /// First offset that is kept.
    pub(crate) before: Offset,
    /// Why.
    pub(crate) reason: TrimReason,
}

/// What becomes of old segments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    /// Whether they are compressed.
    pub(crate) compresses: bool,
    /// Most bytes that all segments take; none: any.
    pub(crate) keep_bytes: Option<u64>,
    /// How old records get; none: any age.
    pub(crate) keep_for: Option<Span>,
}

impl Retention {
    /// Compresses what the snapshots have left behind; gives what may be dropped, if
    /// anything.
    pub(crate) fn tend(
        self,
        storage: &DiskStorage,
        now: Timestamp,
    ) -> anyhow::Result<Option<Trim>> {
        let offsets = snapshot::offsets(storage)?;
        let Some(oldest) = offsets.len().checked_sub(SNAPSHOTS_KEPT).map(|at| offsets[at]) else {
            // One that decays would leave nothing to start from.
            return Ok(None);
        };
        // The batch that ends at the snapshot stays: it proves whose snapshot that is.
        let safe = oldest.saturating_sub(1);
        if self.compresses {
            for segment in segments(storage)?.iter().filter(|segment| !segment.is_compressed) {
                if segment.end.is_none_or(|end| end > safe) {
                    break;
                }
                let (before, after) = compress(storage, segment.base)?;
                tracing::info!(segment = segment.name, before, after, "compressed a segment");
            }
        }
        let since_us = self.keep_for.map(|span| now.minus(span).0);
        let limits = Limits { bytes: self.keep_bytes, since_us };
        let before = droppable(&segments(storage)?, limits, safe);
        let trim = |before| Trim { before: Offset(before), reason: TrimReason::Retention };
        Ok(before.map(trim))
    }
}

/// Drops what lies before `before`, which is durably decided, in the background.
pub(crate) fn drop_log(storage: DiskStorage, before: u64) {
    if before == 0 {
        return;
    }
    tokio::task::spawn_blocking(move || match retention::drop_before(&storage, before) {
        Ok(first) => tracing::info!(first, "dropped the beginning of the log"),
        // The next start tries again.
        Err(error) => tracing::warn!(before, %error, "the beginning of the log stays"),
    });
}
