//! Windows that somebody asks for.
//!
//! Must never hold the windows themselves: each is an execution's.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::{RunId, TaskName};

/// Windows of a task are to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillRequested {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskName,
    /// Start of the first window.
    pub from: Timestamp,
    /// End of the last window.
    pub to: Timestamp,
    /// How many of its executions are active at once, besides those that the rules start.
    pub parallel: u32,
    /// Identity of the request, so that asking twice asks once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}
