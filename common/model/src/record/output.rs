//! What tasks say of their work for those that come after.
//!
//! Must never hold what a task wrote to its log.

use serde::{Deserialize, Serialize};

use crate::{AttemptId, JsonText, OutputName};

/// A running attempt said something of its work. The next attempt begins without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSet {
    /// Which attempt.
    pub id: AttemptId,
    /// By what name.
    pub name: OutputName,
    /// What.
    pub value: JsonText,
}
