//! What a node of a condition knows between two events.
//!
//! Must never interpret a condition: the core does, and records the result.

use serde::{Deserialize, Serialize};

use crate::Offset;
use crate::time::{Timestamp, Window};

/// A condition was met once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Firing {
    /// Records that led to it, oldest first.
    pub consumed: Vec<Offset>,
    /// The window, when a clock took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// State of one node; nodes without any are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        /// Newest records that led to it.
        consumed: Vec<Offset>,
    },
    /// Of `every`.
    Clock {
        /// Highest watermark of each source, in the order of the clock's keys; empty for the wall.
        #[serde(default)]
        watermarks: Vec<Option<Timestamp>>,
        /// Start of the window that fires next; none while the clock is not armed.
        #[serde(default)]
        next: Option<Timestamp>,
    },
}

impl NodeState {
    /// The time up to which a clock of watermarks has come: the lowest of its sources, once all spoke.
    #[must_use]
    pub fn watermark(&self) -> Option<Timestamp> {
        match self {
            Self::Clock { watermarks, .. } => watermarks.iter().copied().min().flatten(),
            Self::All { .. } | Self::Count { .. } => None,
        }
    }
}
