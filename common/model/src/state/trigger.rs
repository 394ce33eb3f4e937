//! Triggers: conditions on a workflow, each firing of which starts a run.
//!
//! A trigger that ticks on the wall is what users call a schedule. Must never hold a run: a run
//! names its trigger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::NodeState;
use crate::record::{TriggerAdded, TriggerOrigin};
use crate::spec::{Clock, Condition, Emission};
use crate::time::Timestamp;
use crate::{Namespace, Offset, TriggerId, WorkflowName};

/// One trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its id.
    pub id: TriggerId,
    /// Where it listens, and where its workflow lives.
    pub namespace: Namespace,
    /// What it starts.
    pub workflow: WorkflowName,
    /// When.
    pub condition: Condition,
    /// What it emits, in place of starting a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emission: Option<Box<Emission>>,
    /// Where it comes from.
    pub origin: TriggerOrigin,
    /// The request that added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Whether it looks at nothing until it is resumed.
    #[serde(default)]
    pub paused: bool,
    /// The state of the condition's nodes that have any.
    #[serde(default)]
    pub nodes: BTreeMap<u32, NodeState>,
    /// How often it fired.
    #[serde(default)]
    pub firings: u64,
    /// When it fired last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fired_at: Option<Timestamp>,
    /// The record that added it.
    pub offset: Offset,
}

impl Trigger {
    pub(super) fn new(added: &TriggerAdded, offset: Offset) -> Self {
        Self {
            id: added.trigger,
            namespace: added.namespace.clone(),
            workflow: added.workflow.clone(),
            condition: added.condition.clone(),
            emission: added.emission.clone(),
            origin: added.origin,
            request: added.request.clone(),
            paused: false,
            nodes: BTreeMap::new(),
            firings: 0,
            fired_at: None,
            offset,
        }
    }

    /// Whether it ticks on the wall and looks at nothing else.
    #[must_use]
    pub fn is_schedule(&self) -> bool {
        matches!(
            self.condition,
            Condition::Cron { .. } | Condition::Every { clock: Clock::Wall, .. }
        )
    }

    /// When a schedule ticks next; none of other triggers.
    #[must_use]
    pub fn next_tick(&self) -> Option<Timestamp> {
        let state = self.nodes.get(&0).filter(|_| self.is_schedule())?;
        super::deadline::due_at(&self.condition, state)
    }
}
