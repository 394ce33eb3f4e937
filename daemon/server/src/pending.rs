//! What waits for records to become durable: replies and effects, in the order of the log.
//!
//! Must never let anything go before its record is durable.

use std::collections::VecDeque;
use std::path::PathBuf;

use aiflow_core::Effect;

use crate::connection::Reply;
use crate::follow::Subscription;
use crate::question::Question;

/// Something that leaves the process.
#[derive(Debug)]
pub(crate) enum Departure {
    /// A reply: the result as JSON text.
    Reply(Reply, String),
    /// A reply that opens a subscription.
    Follow(Reply, Subscription),
    /// A question that takes a look at the log.
    Question(Question),
    /// Work outside.
    Effect(Effect),
    /// Directories to take away.
    ClearAway(Vec<PathBuf>),
}

/// Departures by the offset that has to be durable.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    queue: VecDeque<(u64, Departure)>,
}

impl Pending {
    /// Holds a departure back until everything below `end` is durable; `end` never decreases.
    pub(crate) fn hold(&mut self, end: u64, departure: Departure) {
        self.queue.push_back((end, departure));
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// The next departure that may leave.
    pub(crate) fn release(&mut self, durable: u64) -> Option<Departure> {
        let (end, _) = self.queue.front()?;
        if *end > durable {
            return None;
        }
        self.queue.pop_front().map(|(_, departure)| departure)
    }
}
