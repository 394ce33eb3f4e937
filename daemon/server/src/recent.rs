//! The latest events that led to something, so that a launch need not read them back from the log.
//!
//! Must never grow: the oldest leaves.

use std::collections::VecDeque;

use aiflow_model::wire::EventView;
use aiflow_model::{LoggedRecord, Offset, Record};

/// How many events are kept, and how long their values may be together, in bytes.
const EVENTS_MAX: usize = 1024;
const BYTES_MAX: usize = 1 << 20;

/// A ring of events, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RecentEvents {
    events: VecDeque<EventView>,
    bytes: usize,
}

impl RecentEvents {
    /// Keeps the events of a batch that caused more than themselves.
    pub(crate) fn note(&mut self, batch: &[LoggedRecord]) {
        if batch.len() < 2 {
            return;
        }
        for logged in batch {
            let Record::EventEmitted(event) = &logged.record else { continue };
            self.bytes += event.value.as_str().len();
            self.events.push_back(EventView::of(event, logged.offset, logged.time));
        }
        while self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.value.as_str().len();
        }
    }

    /// The events at these offsets, if all are still there.
    pub(crate) fn find(&self, offsets: &[Offset]) -> Option<Vec<EventView>> {
        let find = |offset: &Offset| {
            let at = self.events.binary_search_by_key(offset, |event| event.offset).ok()?;
            self.events.get(at).cloned()
        };
        offsets.iter().map(find).collect()
    }
}
