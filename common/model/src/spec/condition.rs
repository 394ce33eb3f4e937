//! Conditions: predicates over events, ends of tasks and clocks, composed to any depth.
//!
//! The nodes of a condition are numbered in the order of a walk from the top (a parent before its
//! children, children in order); the state of a rule is kept by that number. Must never hold state.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::firing::NodeState;
use crate::status::ExecutionStatus;
use crate::time::{Span, Timestamp};
use crate::{EventKey, JsonText, KeyPattern, TaskName, TaskOf};

/// When something happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// An event of this key came, and the filter (an expression, if any) was true of it.
    On {
        /// Which keys.
        key: KeyPattern,
        /// Expression over `value`, `key`, `source`, `time`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<String>,
    },
    /// The latest execution of each named task is in the wanted status.
    After {
        /// Task and the status that is wanted of it.
        tasks: BTreeMap<TaskName, ExecutionStatus>,
        /// Expression over `tasks` and `params`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filter: Option<String>,
    },
    /// An execution of a task of a workflow, in whichever of its runs, has come to the status.
    Elsewhere {
        /// Which task of which workflow of the namespace.
        of: TaskOf,
        /// What is wanted of it.
        status: ExecutionStatus,
    },
    /// An execution of the task runs and has not been heard of for as long as its `heartbeat` says.
    Silent {
        /// Which task.
        task: TaskName,
    },
    /// Each child has been met since the last time all were.
    All(Vec<Self>),
    /// Some child is met.
    Any(Vec<Self>),
    /// The children have been met one after the other.
    Sequence(Vec<Self>),
    /// The child, which gathers over time (`all`, `sequence` or `count`), gathers only what is not
    /// older than this.
    Within {
        /// What gathers.
        of: Box<Self>,
        /// Longest time between the first and the last of what a firing uses up.
        span: Span,
    },
    /// The child, which gathers, does not simply begin anew when it fires.
    Reset {
        /// What gathers, perhaps within a time.
        of: Box<Self>,
        /// What it does instead.
        mode: Reset,
    },
    /// The child has been met `n` times since the last time it was `n`.
    Count {
        /// What is counted.
        of: Box<Self>,
        /// How many, at least 1.
        n: u64,
    },
    /// What the expression gives of the child's events has come to `reaches`.
    Sum {
        /// What is summed up: events.
        of: Box<Self>,
        /// A number, from the event.
        expr: String,
        /// More than 0.
        reaches: f64,
        /// Whether the surplus counts towards the next firing.
        carry: bool,
    },
    /// The child was not met for so long, counted from the start and each time it was met. Fires
    /// once, then waits until the child is met again.
    Absent {
        /// What does not come.
        of: Box<Self>,
        /// How long.
        span: Span,
    },
    /// The child was met, and then not again for so long.
    Debounce {
        /// What calms down.
        of: Box<Self>,
        /// How long.
        span: Span,
    },
    /// The child was met, at most once in so long: what comes sooner is gathered, and fires once
    /// when the time is over.
    Throttle {
        /// What comes too often.
        of: Box<Self>,
        /// How long.
        span: Span,
    },
    /// A script says so, which is run each time that the child is met by an event and keeps a
    /// state of its own.
    State {
        /// What the script looks at: events.
        of: Box<Self>,
        /// Sees `state` besides what a filter sees; may change it; gives whether to fire.
        script: String,
    },
    /// A host process says so, which is asked each time that the child is met by an event. What it
    /// keeps from one question to the next is kept here.
    Custom {
        /// What the host is asked about: events.
        of: Box<Self>,
        /// Who is asked.
        host: Box<Host>,
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
        /// What becomes of windows that the wall passed while nobody looked.
        #[serde(default, skip_serializing_if = "Missed::is_all")]
        missed: Missed,
        /// No window ends after this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// Sources of a watermark that are passed when they were silent for so long.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        idle: BTreeMap<EventKey, Span>,
        /// What a watermark does that lies in windows which have fired.
        #[serde(default, skip_serializing_if = "Late::is_ignore")]
        late: Late,
        /// Longest time by which the wall puts each off, drawn from its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jitter: Option<Span>,
    },
    /// The wall has reached a time of a calendar.
    Cron {
        /// Minute, hour, day of the month, month, day of the week; seconds may stand before.
        expression: String,
        /// IANA name of the time zone.
        zone: String,
        /// What becomes of times that passed while nobody looked.
        #[serde(default, skip_serializing_if = "Missed::is_all")]
        missed: Missed,
        /// Longest time by which each is put off, drawn from its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jitter: Option<Span>,
        /// Dates (`2026-12-25`) and days of the week (`SAT`) at which nothing fires.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<String>,
    },
}

/// A process that answers questions about events: a line of JSON each way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Host {
    /// The program and its arguments, run beside the workflow's files.
    pub exec: Vec<String>,
    /// Told with each question, as it is.
    #[serde(default, skip_serializing_if = "JsonText::is_null")]
    pub config: JsonText,
    /// Whether it is told where the tasks of the run stand.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tasks: bool,
    /// Longest time for an answer.
    pub timeout: Span,
}

/// How something that gathers forgets, other than by using up what it fires with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// Each key gathers by itself.
    PerKey,
    /// Each window gathers by itself.
    PerWindow,
    /// Nothing is used up.
    Never,
}

/// What ticks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// The time of the wall.
    Wall,
    /// The lowest of the watermarks that these event keys report.
    Watermark(Vec<EventKey>),
}

/// What becomes of ticks of the wall that were due while no daemon ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Each fires, late.
    #[default]
    All,
    /// The latest fires; the others are recorded as missed.
    Latest,
    /// None fires; they are recorded as missed.
    Skip,
}

/// What becomes of windows that have fired when a source says that it had not come so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// Nothing.
    #[default]
    Ignore,
    /// Each fires anew.
    Rerun,
}

impl Late {
    /// Whether nothing becomes of them.
    #[must_use]
    pub const fn is_ignore(&self) -> bool {
        matches!(self, Self::Ignore)
    }
}

impl Missed {
    /// Whether each fires.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// The word of the definition.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Latest => "latest",
            Self::Skip => "skip",
        }
    }
}

impl Condition {
    /// The direct parts.
    #[must_use]
    pub fn children(&self) -> &[Self] {
        match self {
            Self::On { .. }
            | Self::After { .. }
            | Self::Elsewhere { .. }
            | Self::Silent { .. }
            | Self::Every { .. }
            | Self::Cron { .. } => &[],
            Self::All(children) | Self::Any(children) | Self::Sequence(children) => children,
            Self::Within { of, .. }
            | Self::Reset { of, .. }
            | Self::Count { of, .. }
            | Self::Sum { of, .. }
            | Self::Absent { of, .. }
            | Self::Debounce { of, .. }
            | Self::Throttle { of, .. }
            | Self::State { of, .. }
            | Self::Custom { of, .. } => std::slice::from_ref(of),
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
    pub fn event_keys(&self) -> impl Iterator<Item = KeyPattern> {
        self.nodes().flat_map(|node| match node {
            Self::On { key, .. } => vec![key.clone()],
            Self::Every { clock: Clock::Watermark(keys), .. } => {
                keys.iter().map(KeyPattern::from).collect()
            }
            _ => Vec::new(),
        })
    }

    /// The tasks of other workflows that can change this node or one below it.
    pub fn tasks_elsewhere(&self) -> impl Iterator<Item = &TaskOf> {
        self.nodes().filter_map(|node| match node {
            Self::Elsewhere { of, .. } => Some(of),
            _ => None,
        })
    }

    /// The tasks of its own run that can change this node or one below it.
    pub fn upstream_tasks(&self) -> impl Iterator<Item = &TaskName> {
        self.nodes().flat_map(|node| -> Box<dyn Iterator<Item = &TaskName>> {
            match node {
                Self::After { tasks, .. } => Box::new(tasks.keys()),
                Self::Silent { task } => Box::new(std::iter::once(task)),
                _ => Box::new(std::iter::empty()),
            }
        })
    }

    /// Whether this node ticks on a clock.
    #[must_use]
    pub fn is_clock(&self) -> bool {
        matches!(self, Self::Every { .. } | Self::Cron { .. })
    }

    /// Whether it is a clock that will never tick again, as what it knows says.
    #[must_use]
    pub fn is_over(&self, state: Option<&NodeState>) -> bool {
        match (self, state) {
            (Self::Every { period, until, .. }, Some(NodeState::Clock(clock))) => {
                clock.is_over(*period, *until)
            }
            (Self::Cron { .. }, Some(NodeState::Cron { next, .. })) => next.is_none(),
            _ => false,
        }
    }

    /// Whether a host is asked by this node or one below it.
    #[must_use]
    pub fn asks_host(&self) -> bool {
        matches!(self, Self::Custom { .. }) || self.children().iter().any(Self::asks_host)
    }

    /// Whether all that meets it is an event, one at a time.
    #[must_use]
    pub fn is_of_events(&self) -> bool {
        match self {
            Self::On { .. } => true,
            Self::Any(children) => children.iter().all(Self::is_of_events),
            Self::State { of, .. } | Self::Custom { of, .. } => of.is_of_events(),
            _ => false,
        }
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
            Self::After { tasks, filter } => {
                f.write_str("after ")?;
                for (index, (task, status)) in tasks.iter().enumerate() {
                    let lead = if index == 0 { "" } else { " and " };
                    match status {
                        ExecutionStatus::Success => write!(f, "{lead}{task}")?,
                        other => write!(f, "{lead}{task} {other}")?,
                    }
                }
                filter.iter().try_for_each(|filter| write!(f, " if {filter}"))
            }
            Self::Elsewhere { of, status: ExecutionStatus::Success } => write!(f, "after {of}"),
            Self::Elsewhere { of, status } => write!(f, "after {of} {status}"),
            Self::Silent { task } => write!(f, "nothing is heard of {task}"),
            Self::All(children) => join(f, children, " and "),
            Self::Any(children) => join(f, children, " or "),
            Self::Sequence(children) => join(f, children, ", then "),
            Self::Within { of, span } => write!(f, "within {span}: {of}"),
            Self::Reset { of, mode: Reset::PerKey } => write!(f, "for each key: {of}"),
            Self::Reset { of, mode: Reset::PerWindow } => write!(f, "for each window: {of}"),
            Self::Reset { of, mode: Reset::Never } => write!(f, "from then on: {of}"),
            Self::Count { of, n } => write!(f, "{n} times ({of})"),
            Self::Sum { of, expr, reaches, .. } => {
                write!(f, "sum of {expr} reaches {reaches} ({of})")
            }
            Self::Absent { of, span } => write!(f, "nothing for {span} ({of})"),
            Self::Debounce { of, span } => write!(f, "calm for {span} after ({of})"),
            Self::Throttle { of, span } => write!(f, "at most once in {span} ({of})"),
            Self::State { of, .. } => write!(f, "a script says so ({of})"),
            Self::Custom { of, host } => {
                write!(f, "{} says so ({of})", host.exec.join(" "))
            }
            Self::Every { period, clock: Clock::Wall, .. } => write!(f, "every {period}"),
            Self::Every { period, clock: Clock::Watermark(keys), .. } => {
                let keys: Vec<&str> = keys.iter().map(EventKey::as_str).collect();
                match keys.as_slice() {
                    [key] => write!(f, "every {period} of {key}"),
                    keys => write!(f, "every {period} of min({})", keys.join(", ")),
                }
            }
            Self::Cron { expression, zone, .. } => write!(f, "cron {expression} ({zone})"),
        }
    }
}
