//! Conditions: predicates over events, ends of tasks and clocks, composed to any depth.
//!
//! The nodes of a condition are numbered in the order of a walk from the top (a parent before its
//! children, children in order); the state of a rule is kept by that number. Must never hold state.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::status::ExecutionStatus;
use crate::time::{Span, Timestamp};
use crate::{EventKey, TaskName};

/// When something happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// An event of this key came, and the filter (an expression, if any) was true of it.
    On {
        /// The key, matched whole.
        key: EventKey,
        /// Expression over `value`, `key`, `source`, `time`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<String>,
    },
    /// The latest execution of each named task has ended in the wanted status.
    After {
        /// Task and the status that is wanted of it.
        tasks: BTreeMap<TaskName, ExecutionStatus>,
    },
    /// Each child has been met since the last time all were.
    All(Vec<Self>),
    /// Some child is met.
    Any(Vec<Self>),
    /// The child has been met `n` times since the last time it was `n`.
    Count {
        /// What is counted.
        of: Box<Self>,
        /// How many, at least 1.
        n: u64,
    },
    /// A clock has passed the end of a window.
    Every {
        /// Length of a window.
        period: Span,
        /// What ticks.
        clock: Clock,
        /// Start of the first window; without it the clock arms itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Timestamp>,
    },
}

/// What a schedule ticks on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The time of the wall.
    Wall,
    /// The lowest of the watermarks that these event keys report.
    Watermark(Vec<EventKey>),
}

impl Condition {
    /// The direct parts.
    #[must_use]
    pub fn children(&self) -> &[Self] {
        match self {
            Self::On { .. } | Self::After { .. } | Self::Every { .. } => &[],
            Self::All(children) | Self::Any(children) => children,
            Self::Count { of, .. } => std::slice::from_ref(of),
        }
    }

    /// This node and all below it, in the order of their numbers.
    pub fn nodes(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        Box::new(std::iter::once(self).chain(self.children().iter().flat_map(Self::nodes)))
    }

    /// How many nodes there are, this one included.
    #[must_use]
    pub fn node_count(&self) -> u32 {
        1 + self.children().iter().map(Self::node_count).sum::<u32>()
    }

    /// The children with their node numbers, given the number of this node.
    pub fn numbered_children(&self, node: u32) -> impl Iterator<Item = (u32, &Self)> {
        self.children().iter().scan(node + 1, |next, child| {
            let number = *next;
            *next += child.node_count();
            Some((number, child))
        })
    }

    /// The keys whose events can change this node or one below it.
    pub fn event_keys(&self) -> impl Iterator<Item = &EventKey> {
        self.nodes().flat_map(|node| -> Box<dyn Iterator<Item = &EventKey>> {
            match node {
                Self::On { key, .. } => Box::new(std::iter::once(key)),
                Self::Every { clock: Clock::Watermark(keys), .. } => Box::new(keys.iter()),
                Self::After { .. }
                | Self::All(_)
                | Self::Any(_)
                | Self::Count { .. }
                | Self::Every { clock: Clock::Wall, .. } => Box::new(std::iter::empty()),
            }
        })
    }

    /// The tasks whose ends can change this node or one below it.
    pub fn upstream_tasks(&self) -> impl Iterator<Item = &TaskName> {
        self.nodes().flat_map(|node| -> Box<dyn Iterator<Item = &TaskName>> {
            if let Self::After { tasks } = node {
                Box::new(tasks.keys())
            } else {
                Box::new(std::iter::empty())
            }
        })
    }

    /// Whether this node ticks on a clock.
    #[must_use]
    pub fn is_clock(&self) -> bool {
        matches!(self, Self::Every { .. })
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Condition], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        let lead = if index == 0 { "" } else { word };
        if part.children().is_empty() {
            write!(f, "{lead}{part}")?;
        } else {
            write!(f, "{lead}({part})")?;
        }
    }
    Ok(())
}

impl fmt::Display for Condition {
    /// The condition in words, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On { key, filter: None } => write!(f, "on {key}"),
            Self::On { key, filter: Some(filter) } => write!(f, "on {key} if {filter}"),
            Self::After { tasks } => {
                f.write_str("after ")?;
                for (index, (task, status)) in tasks.iter().enumerate() {
                    let lead = if index == 0 { "" } else { " and " };
                    match status {
                        ExecutionStatus::Success => write!(f, "{lead}{task}")?,
                        other => write!(f, "{lead}{task} {other}")?,
                    }
                }
                Ok(())
            }
            Self::All(children) => join(f, children, " and "),
            Self::Any(children) => join(f, children, " or "),
            Self::Count { of, n } => write!(f, "{n} times ({of})"),
            Self::Every { period, clock: Clock::Wall, .. } => write!(f, "every {period}"),
            Self::Every { period, clock: Clock::Watermark(keys), .. } => {
                let keys: Vec<&str> = keys.iter().map(EventKey::as_str).collect();
                match keys.as_slice() {
                    [key] => write!(f, "every {period} of {key}"),
                    keys => write!(f, "every {period} of min({})", keys.join(", ")),
                }
            }
        }
    }
}
