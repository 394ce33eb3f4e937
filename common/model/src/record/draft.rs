//! What happens to drafts: definitions that are watched on live events before they count.
//!
//! Must never name an execution: a draft acts on nothing.

use serde::{Deserialize, Serialize};

use super::{FileEntry, MissedTicks};
use crate::firing::{Firing, NodeState};
use crate::spec::{Action, WorkflowSpec};
use crate::time::Timestamp;
use crate::{DraftId, EventKey, Namespace, Offset, RuleIndex, RunId, SnapshotNumber, TaskName};

/// A draft began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DraftStarted {
    /// Its id.
    pub draft: DraftId,
    /// Where it listens.
    pub namespace: Namespace,
    /// What it says, in normal form.
    pub spec: WorkflowSpec,
    /// The text as it came.
    pub source: String,
    /// The files that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
    /// The run whose tasks and parameters its rules look at; it ends with that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<RunId>,
    /// The version of the workflow that was current when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<SnapshotNumber>,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// Identity of the request, so that asking twice begins once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// What happened to a draft.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftChange {
    /// A node of a rule's condition has a new state.
    Advanced {
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
        /// What it knows now.
        state: NodeState,
    },
    /// A filter or script could not be evaluated; it counts as no match.
    FilterFailed {
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
        /// The event.
        event: Offset,
        /// Why.
        reason: String,
    },
    /// Ticks of the wall went by unused, as the rule wants it.
    TicksMissed {
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
        /// Which.
        missed: MissedTicks,
    },
    /// A rule's condition was met; nothing follows.
    Fired {
        /// The rule.
        rule: RuleIndex,
        /// What would have followed.
        would: Would,
        /// What was used up.
        firing: Firing,
    },
    /// It is over.
    Ended {
        /// Why.
        end: DraftEnd,
    },
}

/// What a rule of a draft would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Would {
    /// Something to a task.
    Task {
        /// Which.
        task: TaskName,
        /// What.
        action: Action,
    },
    /// Start a run.
    StartRun,
    /// Derive an event.
    Emit {
        /// Its key.
        key: EventKey,
    },
}

impl std::fmt::Display for Would {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Task { task, action } => write!(f, "{} {task}", action.word()),
            Self::StartRun => f.write_str("start a run"),
            Self::Emit { key } => write!(f, "emit {key}"),
        }
    }
}

/// Why a draft is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftEnd {
    /// Somebody threw it away.
    Discarded,
    /// Its time is over.
    Expired,
    /// Its text became the workflow's definition.
    Promoted,
    /// The run beside it ended.
    RunEnded,
}

impl DraftEnd {
    /// The words for it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Promoted => "promoted",
            Self::RunEnded => "the run beside it ended",
        }
    }
}
