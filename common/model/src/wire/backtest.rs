//! What a definition would have done with the events that came: the request, and what came of it.
//!
//! Must never be stored: it is found in the log when it is asked for.

use serde::{Deserialize, Serialize};

use crate::time::{Timestamp, Window};
use crate::{Namespace, Offset, RunId, TaskName, WorkflowName};

/// A definition to try on the past.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BacktestRequest {
    /// Where.
    #[serde(default = "Namespace::default_namespace")]
    pub namespace: Namespace,
    /// YAML text.
    pub source: String,
    /// What fired before this is not told; without a run to compare with, the past begins here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The run to compare with; else the oldest of the workflow that is alive, or its latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// What the definition would have done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BacktestReply {
    /// Its name.
    pub workflow: WorkflowName,
    /// The run that it was compared with.
    pub run: Option<RunId>,
    /// Events that were given to it.
    pub events: u64,
    /// Firings that are the same in both.
    pub same: u64,
    /// Firings of this definition alone.
    pub only_new: Vec<WouldFire>,
    /// Firings of the run that this definition would not have had.
    pub only_recorded: Vec<WouldFire>,
}

/// A firing of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WouldFire {
    /// When.
    pub time: Timestamp,
    /// Of which task.
    pub task: TaskName,
    /// `start`, `stop`, `restart` or `emit`.
    pub action: String,
    /// For which window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// By which events, as the log has them; those that rules derived are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Offset>,
}
