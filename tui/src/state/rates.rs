//! How many events of each key came in each of the last sixty seconds.
//!
//! Counted by the times in the records. Must never hold more than a minute, nor silent keys.

use std::collections::{BTreeMap, VecDeque};

use aiflow_model::time::Timestamp;
use aiflow_model::{EventKey, Namespace};

/// Seconds that are kept.
pub(crate) const SECONDS: usize = 60;
/// Seconds over which the present rate is averaged.
const PRESENT: usize = 10;
/// Keys beyond this are pruned of those that fell silent.
const KEYS_MAX: usize = 1_000;

type Counts = VecDeque<(i64, u32)>;

/// Counts by namespace and key.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rates {
    keys: BTreeMap<(Namespace, EventKey), Counts>,
}

const fn second(time: Timestamp) -> i64 {
    time.0.div_euclid(1_000_000)
}

impl Rates {
    /// Counts an event.
    pub(crate) fn count(&mut self, namespace: &Namespace, key: &EventKey, time: Timestamp) {
        let now = second(time);
        let is_old = |at: i64| at <= now - SECONDS.cast_signed() as i64;
        if self.keys.len() > KEYS_MAX {
            self.keys.retain(|_, counts| counts.back().is_some_and(|(at, _)| !is_old(*at)));
        }
        let counts = self.keys.entry((namespace.clone(), key.clone())).or_default();
        while counts.front().is_some_and(|(at, _)| is_old(*at)) {
            counts.pop_front();
        }
        match counts.back_mut() {
            Some((at, count)) if *at >= now => *count += 1,
            _ => counts.push_back((now, 1)),
        }
    }

    /// The last minute up to `now`, oldest second first.
    pub(crate) fn minute(
        &self,
        namespace: &Namespace,
        key: &EventKey,
        now: Timestamp,
    ) -> [u32; 60] {
        let mut minute = [0; SECONDS];
        let first = second(now) - (SECONDS as i64 - 1);
        let counts = self.keys.get(&(namespace.clone(), key.clone()));
        for (at, count) in counts.into_iter().flatten() {
            // The record's clock may be a little ahead of ours.
            let place = (*at - first).min(SECONDS as i64 - 1);
            if let Some(slot) = usize::try_from(place).ok().and_then(|place| minute.get_mut(place))
            {
                *slot += count;
            }
        }
        minute
    }

    /// The last minute of all keys together.
    pub(crate) fn all(&self, now: Timestamp) -> [u32; SECONDS] {
        let mut all = [0; SECONDS];
        for (namespace, key) in self.keys.keys() {
            for (sum, count) in all.iter_mut().zip(self.minute(namespace, key, now)) {
                *sum += count;
            }
        }
        all
    }

    /// Whether anything of the last minute can still be seen at `now`.
    pub(crate) fn is_moving(&self, now: Timestamp) -> bool {
        let since = second(now) - SECONDS as i64;
        self.keys.values().any(|counts| counts.back().is_some_and(|(at, _)| *at >= since))
    }
}

/// Events a second, at present.
pub(crate) fn per_second(minute: &[u32; SECONDS]) -> f64 {
    let sum: u32 = minute.iter().rev().take(PRESENT).sum();
    f64::from(sum) / PRESENT as f64
}

/// The minute as `cells` bars, each from 0 (nothing) to 8 (the most).
pub(crate) fn bars(minute: &[u32; SECONDS], cells: usize) -> Vec<u8> {
    let cells = cells.clamp(1, SECONDS);
    let size = SECONDS.div_ceil(cells);
    let sums: Vec<u32> = minute.chunks(size).map(|chunk| chunk.iter().sum()).collect();
    let most = sums.iter().copied().max().unwrap_or(0).max(1);
    sums.iter().map(|sum| u8::try_from((sum * 8).div_ceil(most)).unwrap_or(8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_kept_by_second() {
        let (namespace, key) = (Namespace::default_namespace(), EventKey::new("k").unwrap());
        let mut rates = Rates::default();
        let at = |seconds: i64| Timestamp(seconds * 1_000_000);
        for seconds in [0, 50, 100, 100, 101] {
            rates.count(&namespace, &key, at(seconds));
        }
        let minute = rates.minute(&namespace, &key, at(101));
        assert_eq!((minute[59], minute[58], minute[8], minute.iter().sum::<u32>()), (1, 2, 1, 4));
        assert!((per_second(&minute) - 0.3).abs() < 1e-9);
        assert_eq!(bars(&minute, 6), [3, 0, 0, 0, 0, 8]);
        assert!(rates.is_moving(at(161)) && !rates.is_moving(at(162)));
    }
}
