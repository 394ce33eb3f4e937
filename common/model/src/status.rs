//! Where executions and runs stand: the words that specs, records and the state share.
//!
//! Must never know how one status becomes another: the core decides, the fold follows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionStatus {
    /// It waits for its turn: as many executions of the task are alive as may be.
    Waiting,
    /// An attempt is being launched.
    Queued,
    /// The process runs.
    Running,
    /// The process runs, and the task's rule has said that it is ready. What conditions see; an
    /// execution itself is `Running` then.
    Ready,
    /// It waits for the time of the next attempt.
    Retrying,
    /// It is being stopped.
    Stopping,
    /// It ended as it should.
    Success,
    /// It ended otherwise, and no attempt is left.
    Failed,
    /// It was stopped.
    Stopped,
    /// Somebody said that it was not needed.
    Skipped,
}

impl ExecutionStatus {
    /// Whether it has not ended.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        !matches!(self, Self::Success | Self::Failed | Self::Stopped | Self::Skipped)
    }

    /// Whether what waits for a success may go on.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Success | Self::Skipped)
    }

    /// Whether somebody who waits for `wanted` is served: one that was skipped is as good as one
    /// that succeeded, and one that is ready runs.
    #[must_use]
    pub fn meets(self, wanted: Self) -> bool {
        self == wanted
            || (wanted == Self::Success && self.is_done())
            || (wanted == Self::Running && self == Self::Ready)
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Retrying => "retrying",
            Self::Stopping => "stopping",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It waits for its turn: as many runs of the workflow are active as may be.
    Waiting,
    /// It lives: something runs, or waits for events.
    Running,
    /// It is being stopped.
    Stopping,
    /// The latest execution of every task succeeded or was skipped.
    Success,
    /// Nothing is alive and some task failed.
    Failed,
    /// It was stopped.
    Stopped,
}

impl RunStatus {
    /// Whether it has not ended.
    #[must_use]
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Waiting | Self::Running | Self::Stopping)
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
