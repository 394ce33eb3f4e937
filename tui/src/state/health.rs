//! How the daemon was each time that it was asked: what it said last, and how much it wrote in
//! between.
//!
//! Must never ask: the connection does, while somebody looks.

use std::collections::VecDeque;

use aiflow_model::time::Timestamp;
use aiflow_model::wire::Status;

/// Answers of which the records are kept.
const SAMPLES_MAX: usize = 61;

/// What the daemon said.
#[derive(Debug, Default)]
pub(crate) struct Health {
    status: Option<Status>,
    /// When it was asked, and the records that it had committed by then.
    samples: VecDeque<(Timestamp, u64)>,
}

impl Health {
    /// What it said last.
    pub(crate) const fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    /// Takes in what it says now.
    pub(crate) fn take(&mut self, status: Status, now: Timestamp) {
        let is_same = |known: &Status| (known.epoch, known.pid) == (status.epoch, status.pid);
        if !self.status.as_ref().is_some_and(is_same) {
            // Another daemon counts from its own beginning.
            self.samples.clear();
        }
        self.samples.push_back((now, status.committed_records));
        if self.samples.len() > SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.status = Some(status);
    }

    /// Records a second between the answers, the oldest first.
    pub(crate) fn records_per_second(&self) -> Vec<f64> {
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        let rate = |((from, before), (to, after)): (&(Timestamp, u64), &(Timestamp, u64))| {
            let us = to.since(*from).0.max(1);
            after.saturating_sub(*before) as f64 * 1e6 / us as f64
        };
        pairs.map(rate).collect()
    }
}
