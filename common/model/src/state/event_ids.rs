//! Identities of the latest events, so that the same event given twice is one event.
//!
//! Bounded: the oldest identity leaves when a new one comes and the window is full.
//! Must never depend on anything but the order of the records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::Offset;
use crate::record::Event;

/// How many identities are kept.
pub const EVENT_IDS_MAX: usize = 100_000;

/// A window of event identities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventIds {
    offsets: BTreeMap<Arc<str>, Offset>,
    order: VecDeque<Arc<str>>,
}

fn identity(namespace: &str, source: &str, id: &str) -> String {
    // The length before the two free texts keeps ("a", "bc") and ("ab", "c") apart.
    format!("{namespace}\0{}\0{source}{id}", source.len())
}

impl EventIds {
    /// The offset of the event with this identity, if it came lately.
    #[must_use]
    pub fn find(&self, namespace: &str, source: &str, id: &str) -> Option<Offset> {
        self.offsets.get(identity(namespace, source, id).as_str()).copied()
    }

    pub(super) fn remember(&mut self, event: &Event, offset: Offset) {
        let key: Arc<str> = identity(event.namespace.as_str(), &event.source, &event.id).into();
        if self.offsets.insert(Arc::clone(&key), offset).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > EVENT_IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.offsets.remove(&oldest);
        }
    }
}
