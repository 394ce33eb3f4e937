//! Which runs a list is to show.
//!
//! Must never be able to say how they are found: that is the daemon's.

use serde::{Deserialize, Serialize};

use crate::state::RunStatus;
use crate::time::Timestamp;
use crate::{Namespace, RunId, TaskName, WorkflowName};

/// Which runs; none of it: all.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunQuery {
    /// Only in this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Only of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<WorkflowName>,
    /// Only those that stand so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    /// Only those that began then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only those in which this task had an execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskName>,
    /// Only those with a lower id: the next page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<RunId>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// In which order they are cut off.
    pub order: RunOrder,
}

/// In which order runs are listed: what is last is what a limit keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOrder {
    /// By their ids, which is when they were asked for.
    #[default]
    Id,
    /// By when they ended; those that have not, last.
    Ended,
    /// By how long they took; those that have not ended, first.
    Duration,
}

impl RunQuery {
    /// Whether it asks for no more than namespace and workflow.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.status.is_none()
            && self.since.is_none()
            && self.task.is_none()
            && self.before.is_none()
            && self.limit.is_none()
            && matches!(self.order, RunOrder::Id)
    }
}
