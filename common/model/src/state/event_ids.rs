//! Identities of the latest events, so that the same event given twice is one event.
//!
//! Kept as 128-bit hashes, so two different events share one with a chance below 1 in 10^28 in a
//! full window. The hash is `SipHash`-2-4 with a fixed key, so somebody may, with much work, make
//! two identities of one hash; the second event is answered as a duplicate then. It gains nothing:
//! who can emit can give another's source and id at once, with the same effect.
//! Must never depend on anything but the order of the records, nor keep more than its window.

mod table;

use std::fmt::Write;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::Offset;
use crate::record::EventFacts;

use table::{Entry, Table};

/// How many identities are kept.
pub const EVENT_IDS_MAX: usize = 100_000;
/// Hexadecimal digits of an identity and an offset.
const ENTRY_DIGITS: usize = 48;

/// A window of event identities.
#[derive(Debug, Clone, Default)]
pub struct EventIds {
    /// A ring once it is full.
    entries: Vec<Entry>,
    /// Where the oldest one stands.
    oldest: usize,
    table: Table,
}

/// What the window lost when it took in an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Displaced {
    /// It had room.
    Nothing,
    /// Its oldest entry.
    Oldest(Entry),
    /// The offset under which it knew the same identity, and where that stands.
    Offset(usize, Entry),
}

/// Written to disk as a part of the state: a change is found by [`EventIds::probe`].
fn identity(namespace: &str, source: &str, id: &str) -> u128 {
    let mut hasher = SipHasher24::new();
    // Each text has its length before it, so that ("a", "bc") is not ("ab", "c").
    for text in [namespace, source, id] {
        std::hash::Hasher::write(&mut hasher, &(text.len() as u64).to_le_bytes());
        std::hash::Hasher::write(&mut hasher, text.as_bytes());
    }
    hasher.finish128().as_u128()
}

impl EventIds {
    /// The offset of the event with this identity, if it came lately.
    #[must_use]
    pub fn find(&self, namespace: &str, source: &str, id: &str) -> Option<Offset> {
        let at = self.table.find(&self.entries, identity(namespace, source, id))?;
        Some(self.entries[at].offset())
    }

    /// The identity of a fixed event. A program that computes another one cannot use what
    /// [`Self::to_text`] gave.
    pub(super) fn probe() -> String {
        format!("{:032x}", identity("namespace", "source", "id"))
    }

    /// Everything in order, 48 hexadecimal digits each.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.entries.len() * ENTRY_DIGITS);
        for entry in self.in_order() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{:032x}{:016x}", entry.identity(), entry.offset().0);
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
            ids.insert(identity, Offset(offset));
        }
        Some(ids)
    }

    pub(super) fn remember(&mut self, event: &impl EventFacts, offset: Offset) {
        self.insert(identity(event.namespace(), event.source(), event.id()), offset);
    }

    fn insert(&mut self, identity: u128, offset: Offset) {
        let entry = Entry::new(identity, offset);
        if let Some(at) = self.table.find(&self.entries, identity) {
            self.entries[at] = entry;
            return;
        }
        let at = if self.entries.len() < EVENT_IDS_MAX {
            self.reserve();
            self.entries.push(entry);
            self.entries.len() - 1
        } else {
            let at = self.oldest;
            self.table.remove(&self.entries, at);
            self.entries[at] = entry;
            self.oldest = (at + 1) % EVENT_IDS_MAX;
            at
        };
        self.table.insert(&self.entries, at);
    }

    /// What taking in an event will displace: the way back, for [`Self::bring_back`].
    pub(super) fn displaced_by(&self, event: &impl EventFacts) -> Displaced {
        let identity = identity(event.namespace(), event.source(), event.id());
        if let Some(at) = self.table.find(&self.entries, identity) {
            return Displaced::Offset(at, self.entries[at]);
        }
        match self.entries.get(self.oldest).filter(|_| self.entries.len() == EVENT_IDS_MAX) {
            Some(oldest) => Displaced::Oldest(*oldest),
            None => Displaced::Nothing,
        }
    }

    /// Forgets the event that was taken in last.
    pub(super) fn bring_back(&mut self, displaced: Displaced) {
        match displaced {
            Displaced::Offset(at, before) => self.entries[at] = before,
            Displaced::Oldest(before) => {
                let at = (self.oldest + EVENT_IDS_MAX - 1) % EVENT_IDS_MAX;
                self.table.remove(&self.entries, at);
                self.entries[at] = before;
                self.table.insert(&self.entries, at);
                self.oldest = at;
            }
            Displaced::Nothing => {
                if let Some(last) = self.entries.len().checked_sub(1) {
                    self.table.remove(&self.entries, last);
                    self.entries.pop();
                }
            }
        }
    }

    /// Room for one more, and never for more than the window.
    fn reserve(&mut self) {
        let length = self.entries.len();
        if length == self.entries.capacity() {
            let wanted = (length * 2).clamp(64, EVENT_IDS_MAX);
            self.entries.reserve_exact(wanted - length);
        }
    }

    /// The oldest first.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let (newer, older) = self.entries.split_at(self.oldest);
        older.iter().chain(newer)
    }
}

impl PartialEq for EventIds {
    /// Where in the ring an identity stands makes no difference.
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len() && self.in_order().eq(other.in_order())
    }
}

impl Eq for EventIds {}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;

    fn ids(identities: impl IntoIterator<Item = usize>) -> EventIds {
        let mut ids = EventIds::default();
        for (offset, id) in (0..).zip(identities) {
            ids.insert(identity("default", "s", &id.to_string()), Offset(offset));
        }
        ids
    }

    #[test]
    fn the_window_keeps_the_latest_and_no_more() {
        let mut ids = ids(0..EVENT_IDS_MAX + 10);
        assert_eq!(ids.find("default", "s", "9"), None);
        assert_eq!(ids.find("default", "s", "10"), Some(Offset(10)));
        assert_eq!(ids.entries.capacity(), EVENT_IDS_MAX);
        assert_eq!(ids.table.len(), EVENT_IDS_MAX);
        let read = EventIds::from_text(&ids.to_text()).unwrap();
        assert_eq!(read, ids);
        // Another place in the ring, the same window.
        ids.insert(7, Offset(1));
        assert_ne!(read, ids);
    }

    #[test]
    fn parts_of_an_identity_do_not_run_together() {
        let identities = [("n", "a", "bc"), ("n", "ab", "c"), ("na", "", "bc"), ("n", "", "abc")];
        let hashes: std::collections::BTreeSet<u128> =
            identities.iter().map(|(n, s, i)| identity(n, s, i)).collect();
        assert_eq!(hashes.len(), identities.len());
    }

    #[test]
    fn identities_are_the_same_for_ever() {
        assert_eq!(EventIds::probe(), FIXED);
    }

    /// From the first build that wrote it.
    const FIXED: &str = "db7573189e63cd338e84967df19519bd";

    #[test]
    fn what_was_taken_in_can_be_forgotten_again() {
        for (before, more) in [(0, 5), (EVENT_IDS_MAX - 2, 5), (EVENT_IDS_MAX + 70, 200)] {
            let mut ids = ids(0..before);
            let known = ids.clone();
            let mut way_back = Vec::new();
            // One of them is known already.
            for id in (before..before + more).chain(before.checked_sub(1)) {
                let event = crate::record::Event {
                    namespace: crate::Namespace::default_namespace(),
                    key: "k".parse().unwrap(),
                    value: crate::JsonText::null(),
                    source: "s".into(),
                    id: id.to_string(),
                    execution: None,
                };
                way_back.push(ids.displaced_by(&event));
                ids.remember(&event, Offset(1_000_000 + id as u64));
            }
            assert_ne!(ids, known);
            way_back.into_iter().rev().for_each(|displaced| ids.bring_back(displaced));
            assert_eq!(ids, known);
            assert_eq!(ids.find("default", "s", &(before + 1).to_string()), None);
            assert_eq!(ids.table.len(), before.min(EVENT_IDS_MAX));
        }
    }

    /// What the window is meant to be, as plainly as it can be said.
    #[derive(Default)]
    struct Plain {
        offsets: BTreeMap<u128, Offset>,
        order: VecDeque<u128>,
    }

    impl Plain {
        fn insert(&mut self, identity: u128, offset: Offset) {
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

    /// Identities that share their best slots, around the end of a full table too, so that they get
    /// in each other's way.
    fn crowded(seed: u64) -> impl Iterator<Item = u128> {
        let mut state = seed;
        std::iter::from_fn(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (slot, rest) = ((state >> 40) % 50_000, (state >> 25) % 8);
            Some(u128::from(rest) << 64 | u128::from(slot * 5 + 12_200))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4))]
        #[test]
        fn the_window_is_that_of_a_tree_and_a_queue(seed: u64) {
            let (mut ids, mut plain) = (EventIds::default(), Plain::default());
            for (offset, identity) in (0..).zip(crowded(seed)).take(3 * EVENT_IDS_MAX) {
                ids.insert(identity, Offset(offset));
                plain.insert(identity, Offset(offset));
            }
            prop_assert!(plain.order.len() > EVENT_IDS_MAX / 2);
            let order: Vec<u128> = ids.in_order().map(Entry::identity).collect();
            prop_assert!(plain.order.iter().eq(&order));
            for identity in crowded(seed).take(3 * EVENT_IDS_MAX) {
                let found = ids.table.find(&ids.entries, identity);
                let offset = found.map(|at| ids.entries[at].offset());
                prop_assert_eq!(offset, plain.offsets.get(&identity).copied());
            }
        }
    }
}
