//! What a condition was met by, and what its nodes know between two events.
//!
//! Must never interpret a condition: the core does, and records the result.

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, Window};
use crate::{JsonText, Offset};

/// Most offsets of one kind that a firing keeps: the newest.
pub const CONSUMED_MAX: usize = 1_000;

/// A condition was met once: what it used up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Firing {
    /// Events, oldest first, at most [`CONSUMED_MAX`] of the newest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Offset>,
    /// Ends of task executions, likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<Offset>,
    /// The window, when a clock took part; of several the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// When the first of it came; none in logs before 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
}

impl Firing {
    /// Takes in what another firing used up.
    pub fn absorb(&mut self, other: Self) {
        union(&mut self.events, other.events);
        union(&mut self.ends, other.ends);
        self.window = other.window.or(self.window);
        self.began = match (self.began, other.began) {
            (Some(own), Some(others)) => Some(own.min(others)),
            (own, others) => own.or(others),
        };
    }
}

fn union(offsets: &mut Vec<Offset>, others: Vec<Offset>) {
    offsets.extend(others);
    offsets.sort_unstable();
    offsets.dedup();
    let surplus = offsets.len().saturating_sub(CONSUMED_MAX);
    offsets.drain(..surplus);
}

/// State of one node; nodes without any are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Of `all`: for each child what it has been met by and is not used up.
    /// Firings with a window queue; of those without, the latest counts.
    All {
        /// In the order of the children.
        met: Vec<Vec<Firing>>,
    },
    /// Of `count`: how often the child was met since the last firing.
    Count {
        /// Less than `n`.
        met: u64,
        /// What led to it.
        so_far: Firing,
    },
    /// Of `count` within a time: what it was met by and is not used up.
    Recent {
        /// Oldest first, fewer than `n`.
        met: Vec<Firing>,
    },
    /// Of `sequence`: for each child but the last the latest way to have come so far.
    Sequence {
        /// In the order of the children.
        reached: Vec<Option<Firing>>,
    },
    /// Of `sum`.
    Sum {
        /// The sum since the last firing, with what was carried over.
        total: f64,
        /// What led to it.
        so_far: Firing,
    },
    /// Of `absent`, `debounce` and `throttle`.
    Timer {
        /// When something fires, or may fire again; none while nothing is waited for.
        #[serde(default)]
        due: Option<Timestamp>,
        /// What was gathered.
        #[serde(default)]
        gathered: Option<Firing>,
    },
    /// Of `state`.
    Script {
        /// What the script keeps.
        state: JsonText,
    },
    /// Of `cron`.
    Cron {
        /// The time before: where the window begins.
        previous: Timestamp,
        /// The time that fires next; none when there is no other.
        next: Option<Timestamp>,
    },
    /// Of `every`.
    Clock {
        /// Highest watermark of each source, in the order of the clock's keys; empty for the wall.
        #[serde(default)]
        marks: Vec<Option<Watermark>>,
        /// Start of the window that fires next; none while the clock is not armed.
        #[serde(default)]
        next: Option<Timestamp>,
    },
}

/// How far a source has come in event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Watermark {
    /// All that happened before this instant is known.
    pub time: Timestamp,
    /// The event that said so.
    pub event: Offset,
}

impl NodeState {
    /// Events that it remembers.
    pub fn events(&self) -> impl Iterator<Item = Offset> + '_ {
        let (firings, marks): (Vec<&Firing>, &[Option<Watermark>]) = match self {
            Self::All { met } => (met.iter().flatten().collect(), &[]),
            Self::Recent { met } => (met.iter().collect(), &[]),
            Self::Sequence { reached } => (reached.iter().flatten().collect(), &[]),
            Self::Count { so_far, .. } | Self::Sum { so_far, .. } => (vec![so_far], &[]),
            Self::Timer { gathered, .. } => (gathered.iter().collect(), &[]),
            Self::Clock { marks, .. } => (Vec::new(), marks),
            Self::Script { .. } | Self::Cron { .. } => (Vec::new(), &[]),
        };
        let consumed = firings.into_iter().flat_map(|firing| firing.events.iter().copied());
        consumed.chain(marks.iter().flatten().map(|mark| mark.event))
    }

    /// How far a clock of watermarks has come: the lowest of its sources, once each has spoken.
    #[must_use]
    pub fn watermark(&self) -> Option<Watermark> {
        let Self::Clock { marks, .. } = self else { return None };
        marks.iter().copied().min().flatten()
    }
}
