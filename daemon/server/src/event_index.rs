//! Events by namespace and key: what is asked of the log's key index.
//!
//! Works off the loop, behind a lock that the loop never takes. Must never show what is not
//! durable, nor an event that was not asked for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aiflow_log::{DiskStorage, LabelIndex, Labeller, ReadError};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::record::Record;
use aiflow_model::wire::EventView;
use aiflow_model::{EventKey, LoggedRecord, Namespace, RunId, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::records;
use crate::subject::{self, Subject};

/// The index is brought up to date after so many records, so that a question finds little to do.
pub(crate) const STEP: u64 = 16_384;

/// Which events.
#[derive(Debug, Clone)]
pub(crate) struct EventFilter {
    pub(crate) namespace: Namespace,
    pub(crate) key: Option<EventKey>,
    /// Who says it. The index knows nothing of it: each event of the key is read. Streams have
    /// none.
    pub(crate) source: Option<String>,
}

impl EventFilter {
    /// Whether a record is an event that is wanted.
    pub(crate) fn wants(&self, payload: &[u8]) -> bool {
        let event = subject::of(payload).and_then(|subject| subject.event);
        event.is_some_and(|(namespace, key)| {
            namespace == self.namespace.as_str()
                && self.key.as_ref().is_none_or(|wanted| key == wanted.as_str())
        })
    }

    /// The event of a record, if it is wanted.
    fn event(
        &self,
        record: &aiflow_log::Record<'_>,
    ) -> Option<Result<EventView, serde_json::Error>> {
        if !self.wants(record.payload) {
            return None;
        }
        let logged = match records::decode(record) {
            Ok(logged) => logged,
            Err(error) => return Some(Err(error)),
        };
        let Record::EventEmitted(event) = &logged.record else { return None };
        let is_meant = self.source.as_ref().is_none_or(|source| *source == event.source);
        is_meant.then(|| Ok(EventView::of(event, logged.offset, logged.time)))
    }

    fn label(&self) -> u64 {
        label(self.namespace.as_str(), self.key.as_ref().map(EventKey::as_str))
    }
}

/// Which part of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// First offset.
    pub(crate) from: u64,
    /// Nothing earlier than this.
    pub(crate) since: Option<Timestamp>,
    /// Everything below is durable, and nothing else is looked at.
    pub(crate) end: u64,
}

/// A stream of records: a part of the log that can be followed by itself.
#[derive(Debug, Clone)]
pub(crate) enum Stream {
    /// Events.
    Events(EventFilter),
    /// All that is about a run.
    Run(RunId),
}

impl Stream {
    /// Whether a record is part of it.
    pub(crate) fn holds(&self, payload: &[u8]) -> bool {
        match self {
            Self::Events(filter) => filter.wants(payload),
            Self::Run(run) => subject::of(payload).is_some_and(|s| s.run == Some(*run)),
        }
    }

    fn label(&self) -> u64 {
        match self {
            Self::Events(filter) => filter.label(),
            Self::Run(run) => run_label(*run),
        }
    }
}

/// Labels events by their namespace, and by namespace and key; and whatever is about a run by it.
#[derive(Debug)]
struct EventLabels;

impl Labeller for EventLabels {
    const VERSION: u32 = 2;

    fn labels(&mut self, payload: &[u8], out: &mut Vec<u64>) {
        let Some(Subject { event, run }) = subject::of(payload) else { return };
        if let Some((namespace, key)) = event {
            out.extend([label(&namespace, None), label(&namespace, Some(&key))]);
        }
        out.extend(run.map(run_label));
    }
}

/// FNV-1a over the names with an end mark each, then the final mix of `SplitMix64`, since the index
/// wants the high bits to be even. Written to disk: a change needs another `VERSION`.
fn label(namespace: &str, key: Option<&str>) -> u64 {
    let parts = [Some(namespace), key];
    let bytes = parts.iter().flatten().flat_map(|part| part.bytes().chain([0xFF]));
    let hash = bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// No namespace is empty, so this is the label of no event.
fn run_label(run: RunId) -> u64 {
    label("", Some(&run.to_string()))
}

type Index = LabelIndex<DiskStorage, EventLabels>;

/// Most questions looked into at once. The index has one lock: more would only hold memory, and
/// keep the threads that launches and adoptions need.
const QUESTIONS_MAX: usize = 1;

/// The index, shared by whoever asks. Cloning shares it.
#[derive(Debug, Clone)]
pub(crate) struct EventIndex {
    index: Arc<Mutex<Index>>,
    turns: Arc<Semaphore>,
}

impl EventIndex {
    /// An index over a log that is open.
    pub(crate) fn new(storage: DiskStorage) -> Result<Self, ReadError> {
        let index = LabelIndex::new(storage, EventLabels)?;
        let turns = Arc::new(Semaphore::new(QUESTIONS_MAX));
        Ok(Self { index: Arc::new(Mutex::new(index)), turns })
    }

    /// Waits for the turn of a question, which lasts until its answer has been made.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }

    /// Brings the index up to date in the background; `end` is durable.
    pub(crate) fn catch_up(&self, end: u64) {
        let index = self.clone();
        tokio::task::spawn_blocking(move || {
            let mut index = index.lock();
            let before = index.next_offset();
            if let Err(error) = index.catch_up(end) {
                tracing::error!(%error, "the index cannot read the log");
            }
            if index.next_offset() - before > 2 * STEP {
                // The labels of whole segments were there for a moment.
                aiflow_supervise::return_free_memory();
            }
        });
    }

    /// The newest `keep` events, oldest first.
    pub(crate) fn list(
        &self,
        filter: &EventFilter,
        range: Range,
        keep: usize,
    ) -> Result<Vec<EventView>, Rejection> {
        let mut index = self.lock();
        let from = start(&mut index, range)?;
        let read = |record: aiflow_log::Record<'_>| filter.event(&record);
        let found = index.newest(filter.label(), from, range.end, keep, read);
        found.map_err(unreadable)?.into_iter().map(|event| event.map_err(unreadable)).collect()
    }

    /// The newest record about a run.
    pub(crate) fn newest_of_run(
        &self,
        run: RunId,
        end: u64,
    ) -> Result<Option<LoggedRecord>, Rejection> {
        let read = |record: aiflow_log::Record<'_>| Some(records::decode(&record));
        let found = self.lock().newest(run_label(run), 0, end, 1, read).map_err(unreadable)?;
        found.into_iter().next().transpose().map_err(unreadable)
    }

    /// The offset of the first record of a stream from `from` on, or `end`, which is durable.
    pub(crate) fn skip(&self, stream: &Stream, from: u64, end: u64) -> Result<u64, ReadError> {
        Ok(self.lock().first(stream.label(), from, end)?.unwrap_or(end))
    }

    /// Shows the newest `keep` records about a run below `end`, which is durable, oldest first.
    pub(crate) fn each_of_run(
        &self,
        run: RunId,
        end: u64,
        keep: usize,
        mut visit: impl FnMut(&LoggedRecord),
    ) -> Result<(), Rejection> {
        let read = |record: aiflow_log::Record<'_>| match records::decode(&record) {
            Ok(logged) => {
                if logged.record.run() == Some(run) {
                    visit(&logged);
                }
                None
            }
            Err(error) => Some(error),
        };
        let faults = self.lock().newest(run_label(run), 0, end, keep, read);
        faults.map_err(unreadable)?.into_iter().next().map_or(Ok(()), |e| Err(unreadable(e)))
    }

    /// The first record that was decided after `time`, or `end`, which is durable.
    pub(crate) fn after(&self, time: Timestamp, end: u64) -> Result<u64, Rejection> {
        self.lock().offset_at(time.0.saturating_add(1), end).map_err(unreadable)
    }

    /// How many events there are.
    pub(crate) fn count(&self, filter: &EventFilter, range: Range) -> Result<u64, Rejection> {
        let mut index = self.lock();
        let from = start(&mut index, range)?;
        if filter.source.is_none() {
            return index.count(filter.label(), from, range.end).map_err(unreadable);
        }
        let read = |record: aiflow_log::Record<'_>| filter.event(&record).map(drop);
        let found = index.newest(filter.label(), from, range.end, usize::MAX, read);
        found.map(|found| found.len() as u64).map_err(unreadable)
    }

    /// A panic leaves nothing half-done that a question could show, so a poisoned lock is taken.
    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start(index: &mut Index, range: Range) -> Result<u64, Rejection> {
    let Some(since) = range.since else { return Ok(range.from) };
    Ok(index.offset_at(since.0, range.end).map_err(unreadable)?.max(range.from))
}

fn unreadable(error: impl std::fmt::Display) -> Rejection {
    Rejection::new(ErrorCode::Internal, format!("the log: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_same_for_ever() {
        assert_eq!(label("default", None), label("default", None));
        assert_eq!(label("default", Some("k")), FIXED);
        assert_ne!(label("a", Some("b")), label("ab", None));
    }

    /// From the first build that wrote it.
    const FIXED: u64 = 0xCAFE2226943CB3E7;
}
