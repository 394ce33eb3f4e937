//! What happens to triggers.
//!
//! Must never say what a trigger is: that is the state's.

use serde::{Deserialize, Serialize};

use crate::firing::{Firing, NodeState};
use crate::spec::Condition;
use crate::time::Timestamp;
use crate::{Namespace, Offset, TriggerId, WorkflowName};

/// A trigger was put on a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerAdded {
    /// Its id.
    pub trigger: TriggerId,
    /// Where it listens.
    pub namespace: Namespace,
    /// What it starts.
    pub workflow: WorkflowName,
    /// When.
    pub condition: Condition,
    /// Where it comes from.
    pub origin: TriggerOrigin,
    /// Identity of the request, so that asking twice adds once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// Where a trigger comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerOrigin {
    /// The workflow's definition: the next upload replaces it.
    Definition,
    /// A request: it stays until it is deleted.
    Request,
}

/// What happened to a trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerChange {
    /// A node of its condition has a new state.
    Advanced {
        /// The node's number.
        node: u32,
        /// What it knows now.
        state: NodeState,
    },
    /// A filter or script could not be evaluated; it counts as no match.
    FilterFailed {
        /// The node's number.
        node: u32,
        /// The event.
        event: Offset,
        /// Why.
        reason: String,
    },
    /// Ticks of the wall went by unused, as the trigger wants it.
    TicksMissed {
        /// The node's number.
        node: u32,
        /// Which.
        missed: MissedTicks,
    },
    /// Its condition was met; a run starts.
    Fired {
        /// What was used up.
        firing: Firing,
    },
    /// No run could start of a firing: what it brings does not fit the workflow's parameters.
    StartRefused {
        /// Why.
        reason: String,
    },
    /// It looks at nothing until it is resumed.
    Paused,
    /// It looks at what comes from now on.
    Resumed,
    /// It is gone.
    Deleted,
}

/// Ticks that went by unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissedTicks {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
}
