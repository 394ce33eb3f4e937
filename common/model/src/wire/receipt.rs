//! What became of an event, rule by rule.
//!
//! Made from the log on demand. Must never be stored.

use serde::{Deserialize, Serialize};

use super::EventView;
use crate::{DraftId, Offset, RuleIndex, RunId, TaskName, TriggerId};

/// An event by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    /// Where it stands in the log.
    pub offset: Offset,
    /// Only what had become of it by the batch that holds the record before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Offset>,
}

/// What became of an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// The event.
    pub event: EventView,
    /// The record that led to it, of an event that a rule derived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Offset>,
    /// Each rule and trigger that looked at its key.
    pub rules: Vec<RuleReceipt>,
    /// Everything before this offset was looked at to find out.
    pub looked_until: Offset,
}

/// What one rule or trigger made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReceipt {
    /// The run whose rule it is; none: a trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Which of the run's rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleIndex>,
    /// The task that holds the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskName>,
    /// The trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerId>,
    /// The draft, which acts on nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<DraftId>,
    /// Its condition in words.
    pub condition: String,
    /// What it made of the event.
    pub fate: EventFate,
    /// The record that says so, and what came of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<Offset>,
    /// The fate in words.
    pub text: String,
}

impl RuleReceipt {
    /// Whose rule it is, in words.
    #[must_use]
    pub fn of(&self) -> String {
        if let Some(draft) = self.draft {
            let task = self.task.as_ref().map(|task| format!("{task} of ")).unwrap_or_default();
            return format!("{task}draft {draft}");
        }
        match (self.run, &self.task, self.trigger) {
            (Some(run), Some(task), _) => format!("{task} of run {run}"),
            (_, _, Some(trigger)) => format!("trigger {trigger}"),
            _ => "-".to_owned(),
        }
    }
}

/// What a rule made of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventFate {
    /// The rule fired with it.
    Consumed,
    /// It counts, and the rule waits for more.
    Held,
    /// It counted, and does no longer: it became too old, or a later one took its place.
    Expired,
    /// It counted, and the run or the trigger ended before the rule fired.
    Ended,
    /// The filter was not true of it.
    Filtered,
    /// The filter could not be evaluated.
    Failed,
    /// It was looked at, and changed nothing.
    Unmoved,
}

impl EventFate {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Consumed => "consumed",
            Self::Held => "held",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::Filtered => "filtered",
            Self::Failed => "failed",
            Self::Unmoved => "unmoved",
        }
    }
}
