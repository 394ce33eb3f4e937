//! Why a task waits, or ran: the request. The answer is [`crate::why::Why`].
//!
//! Must never hold a form of its own of the answer.

use serde::{Deserialize, Serialize};

use crate::{RunId, TaskName};

/// Of what the answer is wanted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WhyRequest {
    /// Which run.
    pub run: RunId,
    /// Which task; none: all of its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskName>,
}
