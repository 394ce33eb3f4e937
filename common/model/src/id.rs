//! Newtypes for every identity, so that one cannot stand where another is meant.
//!
//! Must never invent an identity: ids come from the state (counted) or from the edge (given).

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name that breaks the rule of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name:?} is not a valid name: {rule}")]
pub struct InvalidName {
    /// Which kind of name it was meant to be.
    pub kind: &'static str,
    /// The name as given, cut to 80 characters.
    pub name: String,
    /// What is allowed.
    pub rule: &'static str,
}

/// Longest name of any kind, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

const WORD_RULE: &str = "1 to 128 of a-z A-Z 0-9 _ -, beginning with a letter, digit or _";
const PATTERN_RULE: &str =
    "1 to 128 of a-z A-Z 0-9 _ - . : / and * for any text, beginning with a letter, digit, _ or *";
const KEY_RULE: &str = "1 to 128 of a-z A-Z 0-9 _ - . : /, beginning with a letter, digit or _";

fn follows_rule(name: &str, extra: &str) -> bool {
    let mut chars = name.chars();
    let is_first =
        |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == '*' && extra.contains(c));
    let first_is_good = chars.next().is_some_and(is_first);
    let rest_is_good =
        chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-' || extra.contains(c));
    first_is_good && rest_is_good && name.len() <= NAME_BYTES_MAX
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $extra:literal, $rule:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks the rule of this kind of name.
            ///
            /// # Errors
            /// [`InvalidName`] when the name breaks it.
            pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidName> {
                let name = name.as_ref();
                if follows_rule(name, $extra) {
                    return Ok(Self(name.into()));
                }
                let name = name.chars().take(80).collect();
                Err(InvalidName { kind: $kind, name, rule: $rule })
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;
            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // Checked where it stands, so that a name costs one copy.
                struct Name;
                impl Visitor<'_> for Name {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($kind)
                    }
                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$type, E> {
                        $type::new(name).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Name)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name_type!(
    /// A space of workflows and events that does not see the others.
    Namespace, "namespace", "", WORD_RULE
);
name_type!(
    /// A workflow's name, unique in its namespace.
    WorkflowName, "workflow", "", WORD_RULE
);
name_type!(
    /// A task's name, unique in its workflow. Has no dot, so that an [`AttemptId`] can be read
    /// back.
    TaskName, "task", "", WORD_RULE
);
name_type!(
    /// Slots that tasks of a namespace share.
    PoolName, "pool", "", WORD_RULE
);
name_type!(
    /// What an execution says of its work, by a name that expressions and variables use.
    OutputName, "output", "", WORD_RULE
);
name_type!(
    /// A program that does the work of tasks, or runs them elsewhere.
    PluginName, "plugin", "", WORD_RULE
);
name_type!(
    /// What an event is about, such as `flights.watermark`.
    EventKey, "event key", ".:/", KEY_RULE
);
name_type!(
    /// Event keys that a condition looks at: a key, in which each `*` stands for any text, also
    /// none.
    KeyPattern, "event key", ".:/*", PATTERN_RULE
);

impl KeyPattern {
    /// Whether the key is one of those meant.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        let mut parts = self.as_str().split('*');
        // `split` gives at least one part.
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = key.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    /// What every key that is meant begins with: all of it when there is no `*`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.as_str().split('*').next().unwrap_or_default()
    }

    /// Whether it means one key only.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.as_str().contains('*')
    }
}

impl From<&EventKey> for KeyPattern {
    fn from(key: &EventKey) -> Self {
        Self(Arc::clone(&key.0))
    }
}

impl Namespace {
    /// The namespace that exists from the start.
    #[must_use]
    pub fn default_namespace() -> Self {
        Self("default".into())
    }
}

macro_rules! number_type {
    ($(#[$doc:meta])* $type:ident, $repr:ty) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $type(pub $repr);

        impl $type {
            /// The number after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $type {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number_type!(
    /// Position of a record in the log: from 0, gapless, never reused.
    Offset, u64
);
number_type!(
    /// One run (workflow execution): from 1, never reused.
    RunId, u64
);
number_type!(
    /// One uploaded version of any workflow: from 1, never reused.
    SnapshotNumber, u64
);
number_type!(
    /// Which execution of a task within its run: from 1.
    Sequence, u32
);
number_type!(
    /// Which try of a task execution: from 1.
    AttemptNumber, u32
);
number_type!(
    /// One trigger of a workflow: from 1, never reused.
    TriggerId, u64
);
number_type!(
    /// One definition that is watched before it counts: from 1, never reused.
    DraftId, u64
);
number_type!(
    /// Which rule of a snapshot, counted over its tasks in the order of the file: from 0.
    RuleIndex, u32
);

/// One condition that is looked at: a rule of a run's task, a trigger, or a condition of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleId {
    /// A rule on a task of a run.
    Task {
        /// The run.
        run: RunId,
        /// Which rule of its snapshot.
        rule: RuleIndex,
    },
    /// A trigger of a workflow.
    Trigger(TriggerId),
    /// A condition of a draft.
    Draft {
        /// The draft.
        draft: DraftId,
        /// Which of its conditions: see `WorkflowSpec::watched`.
        rule: RuleIndex,
    },
}

/// One instance of a task in a run. Reads `run.task.sequence`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExecutionId {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskName,
    /// Which execution of the task.
    pub sequence: Sequence,
}

impl ExecutionId {
    /// The id of one of its attempts.
    #[must_use]
    pub fn attempt(&self, number: AttemptNumber) -> AttemptId {
        AttemptId { execution: self.clone(), number }
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.run, self.task, self.sequence)
    }
}

impl FromStr for ExecutionId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parse = || {
            let mut parts = text.split('.');
            let run = parts.next()?.parse().ok()?;
            let task = TaskName::new(parts.next()?).ok()?;
            let sequence = parts.next()?.parse().ok()?;
            parts.next().is_none().then_some(Self { run, task, sequence })
        };
        parse().ok_or_else(|| InvalidName {
            kind: "task execution id",
            name: text.chars().take(80).collect(),
            rule: "RUN.TASK.SEQUENCE",
        })
    }
}

/// A task of a workflow, whichever run it is in. Reads `workflow/task`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskOf {
    /// The workflow.
    pub workflow: WorkflowName,
    /// The task.
    pub task: TaskName,
}

impl fmt::Display for TaskOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.workflow, self.task)
    }
}

impl FromStr for TaskOf {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parse = || {
            let (workflow, task) = text.split_once('/')?;
            Some(Self { workflow: workflow.parse().ok()?, task: task.parse().ok()? })
        };
        parse().ok_or_else(|| InvalidName {
            kind: "task of a workflow",
            name: text.chars().take(80).collect(),
            rule: "WORKFLOW/TASK",
        })
    }
}

/// One try of a task execution: the unit that is launched at most once. Reads
/// `run.task.sequence.attempt`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AttemptId {
    /// The execution that is tried.
    pub execution: ExecutionId,
    /// Which try.
    pub number: AttemptNumber,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.execution, self.number)
    }
}

impl From<AttemptId> for String {
    fn from(id: AttemptId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for AttemptId {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl FromStr for AttemptId {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let parse = || {
            let (execution, number) = text.rsplit_once('.')?;
            let (execution, number) = (execution.parse().ok()?, number.parse().ok()?);
            Some(Self { execution, number })
        };
        parse().ok_or_else(|| InvalidName {
            kind: "attempt id",
            name: text.chars().take(80).collect(),
            rule: "RUN.TASK.SEQUENCE.ATTEMPT",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        for good in ["a", "flights", "A-1_b", "_x", "9"] {
            assert!(TaskName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a.b", "a b", "ä", "a/b", &"x".repeat(129)] {
            assert!(TaskName::new(bad).is_err(), "{bad}");
        }
        assert!(EventKey::new("flights.watermark").is_ok());
        assert!(EventKey::new("../x").is_err());
        assert!(EventKey::new("a.*").is_err() && KeyPattern::new(".*").is_err());
    }

    #[test]
    fn a_star_stands_for_any_text() {
        let matches = |pattern: &str, key: &str| KeyPattern::new(pattern).unwrap().matches(key);
        for (pattern, key) in [
            ("a.b", "a.b"),
            ("a.*", "a."),
            ("a.*", "a.b.c"),
            ("*", "x"),
            ("*.done", "eu.done"),
            ("a*c*e", "abcde"),
            ("a**b", "ab"),
            ("*.b.*", "a.b.b.c"),
        ] {
            assert!(matches(pattern, key), "{pattern} {key}");
        }
        for (pattern, key) in [
            ("a.b", "a.b.c"),
            ("a.b", "a"),
            ("a.*", "a"),
            ("ab*ba", "aba"),
            ("*.done", "eu.done.not"),
            ("a*c*e", "aec"),
        ] {
            assert!(!matches(pattern, key), "{pattern} {key}");
        }
    }

    #[test]
    fn an_attempt_id_reads_back() {
        let id: AttemptId = "7.train.12.3".parse().unwrap();
        assert_eq!(id.execution.run, RunId(7));
        assert_eq!(id.execution.sequence, Sequence(12));
        assert_eq!(id.number, AttemptNumber(3));
        assert_eq!(id.to_string(), "7.train.12.3");
        for bad in ["", "7.train.12", "7.train.12.3.4", "x.train.1.1", "7..1.1"] {
            assert!(bad.parse::<AttemptId>().is_err(), "{bad}");
        }
    }
}
