//! What may be asked of a run in its course, and the answer.
//!
//! Every request that would do more when it is repeated carries an identity.

use serde::{Deserialize, Serialize};

use crate::{RunId, Sequence, TaskName};

/// A task of a run, asked for once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskRequest {
    /// Which run.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
    /// Identity of the request within the run: asking again with it does nothing more.
    #[serde(default)]
    pub request: Option<String>,
}

/// An execution of a task, asked for once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskControl {
    /// Which run.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
    /// Which execution; the oldest that is alive, else the latest.
    #[serde(default)]
    pub sequence: Option<Sequence>,
    /// Identity of the request within the run: asking again with it does nothing more.
    #[serde(default)]
    pub request: Option<String>,
}

/// An execution to do anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RerunTask {
    /// Which run.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
    /// Which execution; the latest.
    #[serde(default)]
    pub sequence: Option<Sequence>,
    /// Whether what follows by `after` does too, however this one ends.
    #[serde(default)]
    pub from_here: bool,
    /// Identity of the request within the run: asking again with it does nothing more.
    #[serde(default)]
    pub request: Option<String>,
}

/// The execution that was marked, or that does another one anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExecutionReply {
    /// Of which run.
    pub run: RunId,
    /// Of which task.
    pub task: TaskName,
    /// Which one.
    pub sequence: Sequence,
}
