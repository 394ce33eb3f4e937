//! What a condition was met by, and what its nodes know between two events.
//!
//! Must never interpret a condition: the core does, and records the result.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp, Window};
use crate::{EventKey, JsonText, Offset};

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
    /// Whether the window had fired before: something of it came late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rerun: bool,
    /// Through how many derived events it came: none, for what came from outside.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
const fn is_zero(depth: &u32) -> bool {
    *depth == 0
}

impl Firing {
    /// Takes in what another firing used up.
    pub fn absorb(&mut self, other: Self) {
        union(&mut self.events, other.events);
        union(&mut self.ends, other.ends);
        self.window = other.window.or(self.window);
        self.rerun |= other.rerun;
        self.depth = self.depth.max(other.depth);
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
        /// When it does, if it is put off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        due: Option<Timestamp>,
    },
    /// Of `every`.
    Clock(ClockState),
    /// Of what gathers for each key or window by itself.
    Parts(BTreeMap<String, Self>),
    /// In a record: what one of these parts knows now.
    Part {
        /// The key, or the window.
        part: String,
        /// None: nothing any more.
        #[serde(default)]
        state: Option<Box<Self>>,
    },
}

/// What a clock knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClockState {
    /// Highest watermark of each source, in the order of the clock's keys; empty for the wall.
    pub marks: Vec<Option<Watermark>>,
    /// Start of the window that fires next; none while the clock is not armed.
    pub next: Option<Timestamp>,
    /// When it fires, if the wall puts it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Start of the first window, when windows may fire anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// When each source spoke last, at first when the clock began; empty when none may be passed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<Timestamp>,
    /// Sources that are passed, since they were silent for so long; by their place.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub silent: BTreeSet<usize>,
}

impl ClockState {
    /// The lowest watermark of the sources that are not passed, once each of them has spoken.
    #[must_use]
    pub fn lowest(&self) -> Option<Watermark> {
        let marks = self.marks.iter().enumerate();
        let heeded = marks.filter(|(source, _)| !self.silent.contains(source));
        heeded.map(|(_, mark)| *mark).min().flatten()
    }

    /// End of the window that fires next; none while the clock is not armed, and when it is over.
    #[must_use]
    pub fn next_end(&self, period: Span, until: Option<Timestamp>) -> Option<Timestamp> {
        let end = self.next?.plus(period);
        Some(end).filter(|end| until.is_none_or(|until| *end <= until))
    }

    /// Whether no window is left.
    #[must_use]
    pub fn is_over(&self, period: Span, until: Option<Timestamp>) -> bool {
        self.next.is_some() && self.next_end(period, until).is_none()
    }

    /// When each source that is not passed yet has been silent for too long.
    pub fn silences<'a>(
        &'a self,
        keys: &'a [EventKey],
        idle: &'a BTreeMap<EventKey, Span>,
    ) -> impl Iterator<Item = (usize, Timestamp)> + 'a {
        let sources = keys.iter().zip(&self.heard).enumerate();
        let heeded = sources.filter(|(source, _)| !self.silent.contains(source));
        heeded.filter_map(|(source, (key, heard))| Some((source, heard.plus(*idle.get(key)?))))
    }
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
    #[must_use]
    pub fn events(&self) -> Box<dyn Iterator<Item = Offset> + '_> {
        let firings: Vec<&Firing> = match self {
            Self::All { met } => met.iter().flatten().collect(),
            Self::Recent { met } => met.iter().collect(),
            Self::Sequence { reached } => reached.iter().flatten().collect(),
            Self::Count { so_far, .. } | Self::Sum { so_far, .. } => vec![so_far],
            Self::Timer { gathered, .. } => gathered.iter().collect(),
            Self::Clock(clock) => {
                return Box::new(clock.marks.iter().flatten().map(|mark| mark.event));
            }
            Self::Parts(parts) => return Box::new(parts.values().flat_map(Self::events)),
            Self::Part { state, .. } => {
                return Box::new(state.iter().flat_map(|state| state.events()));
            }
            Self::Script { .. } | Self::Cron { .. } => Vec::new(),
        };
        Box::new(firings.into_iter().flat_map(|firing| firing.events.iter().copied()))
    }

    /// Whether it says no more than that nothing came yet.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::All { met } => met.iter().all(Vec::is_empty),
            Self::Recent { met } => met.is_empty(),
            Self::Sequence { reached } => reached.iter().all(Option::is_none),
            Self::Count { met, .. } => *met == 0,
            Self::Sum { total, .. } => *total == 0.0,
            Self::Timer { due, gathered } => due.is_none() && gathered.is_none(),
            Self::Parts(parts) => parts.is_empty(),
            Self::Part { .. } | Self::Script { .. } | Self::Cron { .. } | Self::Clock(_) => false,
        }
    }

    /// Becomes what is known of a node: all of it, or one part of it.
    pub(crate) fn fold_into(&self, nodes: &mut BTreeMap<u32, Self>, node: u32) {
        let Self::Part { part, state } = self else {
            nodes.insert(node, self.clone());
            return;
        };
        let known = nodes.entry(node).or_insert_with(|| Self::Parts(BTreeMap::new()));
        let Self::Parts(parts) = known else { return };
        match state {
            Some(state) => drop(parts.insert(part.clone(), (**state).clone())),
            None => drop(parts.remove(part)),
        }
        if parts.is_empty() {
            nodes.remove(&node);
        }
    }

    /// How far a clock of watermarks has come: the lowest of its sources, once each has spoken.
    #[must_use]
    pub fn watermark(&self) -> Option<Watermark> {
        let Self::Clock(clock) = self else { return None };
        clock.lowest()
    }
}
