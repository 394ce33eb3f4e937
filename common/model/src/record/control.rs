//! What somebody asked of a run in its course: pause, resume, mark, rerun, restart.
//!
//! The record is the cause of all that follows from it, and remembers the request, so that asking
//! twice does it once. Must never say what follows: that is in records of its own.

use serde::{Deserialize, Serialize};

use crate::status::ExecutionStatus;
use crate::{RunId, Sequence, TaskName};

use super::StopReason;

/// Somebody took a hand in a run. One that had ended goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunControlled {
    /// The run.
    pub run: RunId,
    /// What was asked.
    pub control: RunControl,
    /// Identity of the request within the run, so that asking twice does it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// What was asked of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunControl {
    /// Nothing new starts in it; what would start waits.
    Paused,
    /// What waits may start.
    Resumed,
    /// An execution counts as over.
    TaskMarked {
        /// Of which task.
        task: TaskName,
        /// Which execution: one that was alive, or a new one in the place of one that had ended.
        sequence: Sequence,
        /// As what.
        mark: Mark,
    },
    /// An execution that had ended is done anew.
    TaskRerun {
        /// Of which task.
        task: TaskName,
        /// Which one had ended.
        of: Sequence,
        /// Which one does it anew.
        sequence: Sequence,
        /// Whether what follows by `after` does too, however this one ends.
        #[serde(default)]
        from_here: bool,
    },
    /// What is alive of a task is stopped, and it starts anew.
    TaskRestarted {
        /// Which task.
        task: TaskName,
    },
}

/// As what an execution counts that somebody ended by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It was not needed.
    Skipped,
    /// What it should do has been done.
    Success,
}

impl Mark {
    /// The status of an execution that was marked so.
    #[must_use]
    pub const fn status(self) -> ExecutionStatus {
        match self {
            Self::Skipped => ExecutionStatus::Skipped,
            Self::Success => ExecutionStatus::Success,
        }
    }

    /// Why the process of an execution that is marked so is to end.
    #[must_use]
    pub const fn stop_reason(self) -> StopReason {
        match self {
            Self::Skipped => StopReason::Skip,
            Self::Success => StopReason::MarkSuccess,
        }
    }
}
