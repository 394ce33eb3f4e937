//! How a run differs from another: the request. The answer is [`crate::compare::RunDiff`].
//!
//! Must never hold a form of its own of the answer.

use serde::{Deserialize, Serialize};

use crate::RunId;

/// Which runs are compared.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct DiffRequest {
    /// The run that is looked at.
    pub run: RunId,
    /// The one that it is compared with; none: the latest of the same workflow before it that
    /// succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<RunId>,
}
