//! Where in the window an identity stands: open addressing, a slot of four bytes each.
//!
//! Must never be looked at in the order of its slots, nor compute another hash: identities are
//! hashes already.

/// An identity and its number, in 24 bytes: a `u128` would be padded to 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::state) struct Entry {
    high: u64,
    low: u64,
    number: u64,
}

impl Entry {
    pub(super) fn new(identity: u128, number: u64) -> Self {
        Self { high: (identity >> 64) as u64, low: identity as u64, number }
    }

    pub(super) fn identity(&self) -> u128 {
        u128::from(self.high) << 64 | u128::from(self.low)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// Places in a list of entries, by identity. The list is the caller's.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// A place plus one, or 0 for none; always a power of two, at most three quarters of them in
    /// use.
    slots: Vec<u32>,
    used: usize,
}

impl Table {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Where `identity` stands.
    pub(super) fn find(&self, entries: &[Entry], identity: u128) -> Option<usize> {
        let mut slot = self.home(identity as u64)?;
        loop {
            let at = self.place(slot)?;
            if entries[at].identity() == identity {
                return Some(at);
            }
            slot = self.after(slot);
        }
    }

    /// Takes in the entry at `at`, whose identity is not in here.
    pub(super) fn insert(&mut self, entries: &[Entry], at: usize) {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow(entries);
        }
        self.put(entries, at);
        self.used += 1;
    }

    /// Takes out the entry at `at`, which is still in the list.
    pub(super) fn remove(&mut self, entries: &[Entry], at: usize) {
        let Some(mut slot) = self.home(entries[at].low) else { return };
        loop {
            match self.place(slot) {
                None => return,
                Some(found) if found == at => break,
                Some(_) => slot = self.after(slot),
            }
        }
        self.used -= 1;
        // Those behind it close the gap, unless that would put one before its home.
        let mut gap = slot;
        loop {
            slot = self.after(slot);
            let Some(home) = self.place(slot).and_then(|at| self.home(entries[at].low)) else {
                break;
            };
            if self.distance(home, slot) >= self.distance(gap, slot) {
                self.slots[gap] = self.slots[slot];
                gap = slot;
            }
        }
        self.slots[gap] = 0;
    }

    fn put(&mut self, entries: &[Entry], at: usize) {
        let Some(mut slot) = self.home(entries[at].low) else { return };
        while self.slots[slot] != 0 {
            slot = self.after(slot);
        }
        // The window is far smaller than what four bytes can count.
        self.slots[slot] = at as u32 + 1;
    }

    fn grow(&mut self, entries: &[Entry]) {
        let slots = (self.slots.len() * 2).max(128);
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        for slot in old.into_iter().filter(|slot| *slot != 0) {
            self.put(entries, slot as usize - 1);
        }
    }

    fn place(&self, slot: usize) -> Option<usize> {
        (self.slots[slot] as usize).checked_sub(1)
    }

    /// Where an identity would best stand; none in a table without slots.
    fn home(&self, low: u64) -> Option<usize> {
        Some(low as usize & self.slots.len().checked_sub(1)?)
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }

    fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.slots.len() - 1)
    }
}
