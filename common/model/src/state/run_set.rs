//! A set of runs that takes room for its gaps, not for its members.
//!
//! Must never hold a run twice: two equal sets have the same ranges.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::RunId;

/// Ids of runs. Most follow upon each other, so they are kept as ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunSet {
    /// First and last of each range; no two touch.
    ranges: BTreeMap<RunId, RunId>,
}

impl RunSet {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last.0 - first.0 + 1).sum()
    }

    /// Whether the run is one of them.
    #[must_use]
    pub fn contains(&self, run: RunId) -> bool {
        self.range_of(run).is_some()
    }

    /// Takes a run in or out.
    pub(super) fn set(&mut self, run: RunId, is_in: bool) {
        if is_in {
            self.insert(run);
        } else {
            self.remove(run);
        }
    }

    /// Takes a run in.
    pub(super) fn insert(&mut self, run: RunId) {
        if self.contains(run) {
            return;
        }
        let before = run.0.checked_sub(1).and_then(|before| self.range_of(RunId(before)));
        let first = before.map_or(run, |(first, _)| first);
        let after = run.0.checked_add(1).and_then(|after| self.ranges.remove(&RunId(after)));
        self.ranges.insert(first, after.unwrap_or(run));
    }

    /// Takes a run out; whether it was there.
    pub(super) fn remove(&mut self, run: RunId) -> bool {
        let Some((first, last)) = self.range_of(run) else { return false };
        self.ranges.remove(&first);
        if first < run {
            self.ranges.insert(first, RunId(run.0 - 1));
        }
        if run < last {
            self.ranges.insert(RunId(run.0 + 1), last);
        }
        true
    }

    fn range_of(&self, run: RunId) -> Option<(RunId, RunId)> {
        let (first, last) = self.ranges.range(..=run).next_back()?;
        (run <= *last).then_some((*first, *last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_plain_set_holds(
            steps in prop::collection::vec((any::<bool>(), 1_u64..24), 0..200)
        ) {
            let (mut runs, mut plain) = (RunSet::default(), BTreeSet::new());
            for (is_in, run) in steps {
                if is_in {
                    runs.insert(RunId(run));
                    plain.insert(run);
                } else {
                    prop_assert_eq!(runs.remove(RunId(run)), plain.remove(&run));
                }
                let held = (0..30).filter(|run| runs.contains(RunId(*run)));
                let held: BTreeSet<u64> = held.collect();
                prop_assert_eq!(&held, &plain);
                prop_assert_eq!(runs.len(), plain.len() as u64);
                let gaps = plain.iter().filter(|run| !plain.contains(&(*run + 1))).count();
                prop_assert_eq!(runs.ranges.len(), gaps, "as few ranges as can be");
            }
        }
    }
}
