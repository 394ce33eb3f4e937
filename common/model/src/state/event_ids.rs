//! Identities of the latest events, so that the same event given twice is one event.
//!
//! Kept as 128-bit hashes (SipHash-1-3, twice): two different events share one with a chance below
//! 1 in 10^28 in a full window. Bounded: the oldest identity leaves when a new one comes and the
//! window is full. Must never depend on anything but the order of the records.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::Offset;
use crate::record::Event;

/// How many identities are kept.
pub const EVENT_IDS_MAX: usize = 100_000;
/// Hexadecimal digits of an identity and an offset.
const ENTRY_DIGITS: usize = 48;

/// A window of event identities.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventIds {
    offsets: BTreeMap<u128, Offset>,
    order: VecDeque<u128>,
}

/// The same in every process, since [`DefaultHasher::new`] has a fixed key.
fn identity(namespace: &str, source: &str, id: &str) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        // Each text is hashed with an end mark, so that ("a", "bc") is not ("ab", "c").
        (salt, namespace, source, id).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

impl EventIds {
    /// The offset of the event with this identity, if it came lately.
    #[must_use]
    pub fn find(&self, namespace: &str, source: &str, id: &str) -> Option<Offset> {
        self.offsets.get(&identity(namespace, source, id)).copied()
    }

    /// The identity of a fixed event. A program that computes another one cannot use what
    /// [`Self::to_text`] gave: the hash is the standard library's, which may change.
    pub(super) fn probe() -> String {
        format!("{:032x}", identity("namespace", "source", "id"))
    }

    /// Everything in order, 48 hexadecimal digits each.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.order.len() * ENTRY_DIGITS);
        for identity in &self.order {
            let offset = self.offsets.get(identity).map_or(0, |offset| offset.0);
            // Writing to a string cannot fail.
            let _ = write!(text, "{identity:032x}{offset:016x}");
        }
        text
    }

    /// Reads [`Self::to_text`].
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut ids = Self::default();
        let entries = text.as_bytes().chunks(ENTRY_DIGITS);
        for entry in entries.map(|entry| std::str::from_utf8(entry).ok()) {
            let (identity, offset) = entry?.split_at_checked(32)?;
            let identity = u128::from_str_radix(identity, 16).ok()?;
            let offset = (offset.len() == 16).then(|| u64::from_str_radix(offset, 16).ok())??;
            ids.offsets.insert(identity, Offset(offset));
            ids.order.push_back(identity);
        }
        Some(ids)
    }

    pub(super) fn remember(&mut self, event: &Event, offset: Offset) {
        let identity = identity(event.namespace.as_str(), &event.source, &event.id);
        if self.offsets.insert(identity, offset).is_none() {
            self.order.push_back(identity);
        }
        if self.order.len() > EVENT_IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.offsets.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventKey, JsonText, Namespace};

    fn event(id: usize) -> Event {
        Event {
            namespace: Namespace::default_namespace(),
            key: EventKey::new("k").unwrap(),
            value: JsonText::null(),
            source: "s".to_owned(),
            id: id.to_string(),
            execution: None,
        }
    }

    #[test]
    fn the_window_keeps_the_latest_and_no_more() {
        let mut ids = EventIds::default();
        for id in 0..EVENT_IDS_MAX + 10 {
            ids.remember(&event(id), Offset(id as u64));
        }
        assert_eq!(ids.find("default", "s", "9"), None);
        assert_eq!(ids.find("default", "s", "10"), Some(Offset(10)));
        assert_eq!(ids.order.len(), EVENT_IDS_MAX);
        assert_eq!(ids.offsets.len(), EVENT_IDS_MAX);
    }

    #[test]
    fn parts_of_an_identity_do_not_run_together() {
        let identities = [("n", "a", "bc"), ("n", "ab", "c"), ("na", "", "bc"), ("n", "", "abc")];
        let hashes: std::collections::BTreeSet<u128> =
            identities.iter().map(|(n, s, i)| identity(n, s, i)).collect();
        assert_eq!(hashes.len(), identities.len());
    }
}
