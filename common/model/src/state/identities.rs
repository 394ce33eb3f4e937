//! Identities of the latest events, and of the latest requests that started a run, so that what is
//! given twice is taken once.
//!
//! Kept as 128-bit hashes, so two different ones share one with a chance below 1 in 10^28 in a
//! full window. The hash is `SipHash`-2-4 with a fixed key, so somebody may, with much work, make
//! two identities of one hash; the second event is answered as a duplicate then. It gains nothing:
//! who can emit can give another's source and id at once, with the same effect.
//! Must never depend on anything but the order of the records, nor keep more than its window.

mod table;

use std::fmt::Write;

use siphasher::sip128::{Hasher128, SipHasher24};

use table::{Entry, Table};

/// How many identities are kept.
pub const IDENTITIES_MAX: usize = 100_000;
/// Hexadecimal digits of an identity and its number.
const ENTRY_DIGITS: usize = 48;

/// A window of identities, each with a number: the offset of the event, the run of the request.
#[derive(Debug, Clone, Default)]
pub struct Identities {
    /// A ring once it is full.
    entries: Vec<Entry>,
    /// Where the oldest one stands.
    oldest: usize,
    table: Table,
}

/// What the window lost when it took in an identity.
#[derive(Debug, Clone, Copy)]
pub(super) enum Displaced {
    /// It had room.
    Nothing,
    /// Its oldest entry.
    Oldest(Entry),
    /// The number under which it knew the same identity, and where that stands.
    Number(usize, Entry),
}

/// What makes two of a kind the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(u128);

impl Identity {
    /// That of an event.
    #[must_use]
    pub fn of_event(namespace: &str, source: &str, id: &str) -> Self {
        Self::of(&[namespace, source, id])
    }

    /// That of a request that starts a run.
    #[must_use]
    pub fn of_request(request: &str) -> Self {
        Self::of(&[request])
    }

    /// Written to disk as a part of the state: a change is found by [`Identities::probe`].
    fn of(texts: &[&str]) -> Self {
        let mut hasher = SipHasher24::new();
        // Each text has its length before it, so that ("a", "bc") is not ("ab", "c").
        for text in texts {
            std::hash::Hasher::write(&mut hasher, &(text.len() as u64).to_le_bytes());
            std::hash::Hasher::write(&mut hasher, text.as_bytes());
        }
        Self(hasher.finish128().as_u128())
    }
}

impl Identities {
    /// The number that came with this identity, if it came lately.
    #[must_use]
    pub fn find(&self, identity: Identity) -> Option<u64> {
        let at = self.table.find(&self.entries, identity.0)?;
        Some(self.entries[at].number())
    }

    /// The identity of a fixed event. A program that computes another one cannot use what
    /// [`Self::to_text`] gave.
    pub(super) fn probe() -> String {
        format!("{:032x}", Identity::of_event("namespace", "source", "id").0)
    }

    /// Everything in order, 48 hexadecimal digits each.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.entries.len() * ENTRY_DIGITS);
        for entry in self.in_order() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{:032x}{:016x}", entry.identity(), entry.number());
        }
        text
    }

    /// Reads [`Self::to_text`].
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut ids = Self::default();
        let entries = text.as_bytes().chunks(ENTRY_DIGITS);
        for entry in entries.map(|entry| std::str::from_utf8(entry).ok()) {
            let (identity, number) = entry?.split_at_checked(32)?;
            let identity = u128::from_str_radix(identity, 16).ok()?;
            let number = (number.len() == 16).then(|| u64::from_str_radix(number, 16).ok())??;
            ids.remember(Identity(identity), number);
        }
        Some(ids)
    }

    pub(super) fn remember(&mut self, identity: Identity, number: u64) {
        let entry = Entry::new(identity.0, number);
        if let Some(at) = self.table.find(&self.entries, identity.0) {
            self.entries[at] = entry;
            return;
        }
        let at = if self.entries.len() < IDENTITIES_MAX {
            self.reserve();
            self.entries.push(entry);
            self.entries.len() - 1
        } else {
            let at = self.oldest;
            self.table.remove(&self.entries, at);
            self.entries[at] = entry;
            self.oldest = (at + 1) % IDENTITIES_MAX;
            at
        };
        self.table.insert(&self.entries, at);
    }

    /// What taking in an identity will displace: the way back, for [`Self::bring_back`].
    pub(super) fn displaced_by(&self, identity: Identity) -> Displaced {
        if let Some(at) = self.table.find(&self.entries, identity.0) {
            return Displaced::Number(at, self.entries[at]);
        }
        match self.entries.get(self.oldest).filter(|_| self.entries.len() == IDENTITIES_MAX) {
            Some(oldest) => Displaced::Oldest(*oldest),
            None => Displaced::Nothing,
        }
    }

    /// Forgets the identity that was taken in last.
    pub(super) fn bring_back(&mut self, displaced: Displaced) {
        match displaced {
            Displaced::Number(at, before) => self.entries[at] = before,
            Displaced::Oldest(before) => {
                let at = (self.oldest + IDENTITIES_MAX - 1) % IDENTITIES_MAX;
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
            let wanted = (length * 2).clamp(64, IDENTITIES_MAX);
            self.entries.reserve_exact(wanted - length);
        }
    }

    /// The oldest first.
    fn in_order(&self) -> impl Iterator<Item = &Entry> {
        let (newer, older) = self.entries.split_at(self.oldest);
        older.iter().chain(newer)
    }
}

impl PartialEq for Identities {
    /// Where in the ring an identity stands makes no difference.
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len() && self.in_order().eq(other.in_order())
    }
}

impl Eq for Identities {}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, VecDeque};

    use proptest::prelude::*;

    use super::*;

    fn of(id: usize) -> Identity {
        Identity::of_event("default", "s", &id.to_string())
    }

    fn ids(identities: impl IntoIterator<Item = usize>) -> Identities {
        let mut ids = Identities::default();
        for (number, id) in (0..).zip(identities) {
            ids.remember(of(id), number);
        }
        ids
    }

    #[test]
    fn the_window_keeps_the_latest_and_no_more() {
        let mut ids = ids(0..IDENTITIES_MAX + 10);
        assert_eq!(ids.find(of(9)), None);
        assert_eq!(ids.find(of(10)), Some(10));
        assert_eq!(ids.entries.capacity(), IDENTITIES_MAX);
        assert_eq!(ids.table.len(), IDENTITIES_MAX);
        let read = Identities::from_text(&ids.to_text()).unwrap();
        assert_eq!(read, ids);
        // Another place in the ring, the same window.
        ids.remember(Identity(7), 1);
        assert_ne!(read, ids);
    }

    #[test]
    fn parts_of_an_identity_do_not_run_together() {
        let identities = [("n", "a", "bc"), ("n", "ab", "c"), ("na", "", "bc"), ("n", "", "abc")];
        let hashes: std::collections::BTreeSet<u128> =
            identities.iter().map(|(n, s, i)| Identity::of_event(n, s, i).0).collect();
        assert_eq!(hashes.len(), identities.len());
    }

    #[test]
    fn identities_are_the_same_for_ever() {
        assert_eq!(Identities::probe(), FIXED);
    }

    /// From the first build that wrote it.
    const FIXED: &str = "db7573189e63cd338e84967df19519bd";

    #[test]
    fn what_was_taken_in_can_be_forgotten_again() {
        for (before, more) in [(0, 5), (IDENTITIES_MAX - 2, 5), (IDENTITIES_MAX + 70, 200)] {
            let mut ids = ids(0..before);
            let known = ids.clone();
            let mut way_back = Vec::new();
            // One of them is known already.
            for id in (before..before + more).chain(before.checked_sub(1)) {
                way_back.push(ids.displaced_by(of(id)));
                ids.remember(of(id), 1_000_000 + id as u64);
            }
            assert_ne!(ids, known);
            way_back.into_iter().rev().for_each(|displaced| ids.bring_back(displaced));
            assert_eq!(ids, known);
            assert_eq!(ids.find(of(before + 1)), None);
            assert_eq!(ids.table.len(), before.min(IDENTITIES_MAX));
        }
    }

    /// What the window is meant to be, as plainly as it can be said.
    #[derive(Default)]
    struct Plain {
        numbers: BTreeMap<u128, u64>,
        order: VecDeque<u128>,
    }

    impl Plain {
        fn insert(&mut self, identity: u128, number: u64) {
            if self.numbers.insert(identity, number).is_none() {
                self.order.push_back(identity);
            }
            if self.order.len() > IDENTITIES_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.numbers.remove(&oldest);
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
            let (mut ids, mut plain) = (Identities::default(), Plain::default());
            for (number, identity) in (0..).zip(crowded(seed)).take(3 * IDENTITIES_MAX) {
                ids.remember(Identity(identity), number);
                plain.insert(identity, number);
            }
            prop_assert!(plain.order.len() > IDENTITIES_MAX / 2);
            let order: Vec<u128> = ids.in_order().map(Entry::identity).collect();
            prop_assert!(plain.order.iter().eq(&order));
            for identity in crowded(seed).take(3 * IDENTITIES_MAX) {
                let number = ids.find(Identity(identity));
                prop_assert_eq!(number, plain.numbers.get(&identity).copied());
            }
        }
    }
}
