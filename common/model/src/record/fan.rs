//! One execution for each item of a list.
//!
//! Must never hold the items: each is its execution's.

use serde::{Deserialize, Serialize};

use crate::time::Window;
use crate::{JsonText, Offset, RunId, TaskName};

/// A task is to be done for each item of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanStarted {
    /// The run.
    pub run: RunId,
    /// The task.
    pub task: TaskName,
    /// How many items there are.
    pub items: u32,
    /// The window that all of them work on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// What one execution of a fan works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The fan, by the record that began it.
    pub fan: Offset,
    /// Which of its items, from 0.
    pub index: u32,
    /// The item.
    pub value: JsonText,
}
