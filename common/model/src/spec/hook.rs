//! Hooks: what is done when a run has ended, or is late.
//!
//! Must never be part of what a run waits for: a run ends without its hooks.

use serde::{Deserialize, Serialize};

use super::{TaskSpec, WorkflowSpec};
use crate::status::RunStatus;

/// When a hook is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// A run has failed.
    Failure,
    /// A run has succeeded.
    Success,
    /// A run has not ended for as long as it may take.
    Late,
}

impl Hook {
    /// Every hook.
    pub const ALL: [Self; 3] = [Self::Failure, Self::Success, Self::Late];

    /// Its name, in the definition and as a task.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failure => "on_failure",
            Self::Success => "on_success",
            Self::Late => "on_late",
        }
    }

    /// What it is told that the run has come to.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failure => "failed",
            Self::Success => "success",
            Self::Late => "late",
        }
    }

    /// The hook of a run that ends so.
    #[must_use]
    pub const fn of(status: RunStatus) -> Option<Self> {
        match status {
            RunStatus::Failed => Some(Self::Failure),
            RunStatus::Success => Some(Self::Success),
            RunStatus::Waiting | RunStatus::Running | RunStatus::Stopping | RunStatus::Stopped => {
                None
            }
        }
    }
}

impl WorkflowSpec {
    /// Its hooks, which stand behind its tasks.
    pub fn hooks(&self) -> impl Iterator<Item = (usize, &TaskSpec)> {
        let last_first = self.tasks.iter().enumerate().rev();
        last_first.take_while(|(_, task)| task.hook.is_some())
    }
}
