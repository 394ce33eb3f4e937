//! One run: its place, its parameters, its tasks and the state of its rules.
//!
//! Must never hold a copy of its definition: that is the snapshot's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{NodeState, TaskState};
use crate::record::{RunControl, RunStarted};
use crate::spec::WorkflowSpec;
use crate::status::RunStatus;
use crate::time::{Timestamp, Window};
use crate::{
    ExecutionId, JsonText, Namespace, Offset, RuleIndex, RunId, SnapshotNumber, TriggerId,
    WorkflowName,
};

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Where it lives.
    pub namespace: Namespace,
    /// Which workflow.
    pub workflow: WorkflowName,
    /// The version it is pinned to.
    pub snapshot: SnapshotNumber,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether nothing new starts in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, JsonText>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it is late, if it has not ended by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The trigger that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerId>,
    /// Event offsets that fired it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Offset>,
    /// The window that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// What was asked of it in its course, by the identity of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, RunControl>,
    /// The record that began it.
    pub offset: Offset,
    /// Its tasks, in the order of the snapshot.
    pub tasks: Vec<TaskState>,
    /// For each rule the state of its nodes that have any.
    pub conditions: Vec<BTreeMap<u32, NodeState>>,
}

impl Run {
    /// Its executions that have not ended.
    pub(super) fn alive_ids(&self, spec: &WorkflowSpec) -> Vec<ExecutionId> {
        let tasks = spec.tasks.iter().zip(&self.tasks);
        let ids = tasks.flat_map(|(task, state)| {
            state.alive_executions().map(|execution| {
                let sequence = execution.sequence;
                ExecutionId { run: self.id, task: task.name.clone(), sequence }
            })
        });
        ids.collect()
    }

    pub(super) fn new(
        started: &RunStarted,
        spec: &WorkflowSpec,
        offset: Offset,
        time: Timestamp,
    ) -> Self {
        Self {
            id: started.run,
            namespace: started.namespace.clone(),
            workflow: started.workflow.clone(),
            snapshot: started.snapshot,
            status: if started.waiting { RunStatus::Waiting } else { RunStatus::Running },
            paused: false,
            params: started.params.clone(),
            started_at: time,
            late_at: spec.late_after.map(|span| time.plus(span)),
            ended_at: None,
            trigger: started.trigger,
            events: started.events.clone(),
            window: started.window,
            requests: BTreeMap::new(),
            offset,
            tasks: vec![TaskState::default(); spec.tasks.len()],
            conditions: vec![BTreeMap::new(); spec.rules().count()],
        }
    }

    /// What a node of a rule's condition knows.
    #[must_use]
    pub fn node_state(&self, rule: RuleIndex, node: u32) -> Option<&NodeState> {
        self.conditions.get(rule.0 as usize)?.get(&node)
    }

    /// The oldest event that an execution was or will be fired by, or that a condition remembers.
    #[must_use]
    pub fn oldest_needed(&self) -> Option<Offset> {
        let fired = self.tasks.iter().flat_map(|task| {
            let alive = task.alive_executions().flat_map(|execution| &execution.events);
            alive.chain(task.restart.iter().flat_map(|restart| &restart.events)).copied()
        });
        let remembered = self.conditions.iter().flat_map(BTreeMap::values);
        fired.chain(remembered.flat_map(NodeState::events)).chain(self.events.iter().copied()).min()
    }

    /// Its tasks without its hooks.
    pub fn own_tasks<'a>(&'a self, spec: &'a WorkflowSpec) -> impl Iterator<Item = &'a TaskState> {
        let tasks = spec.tasks.iter().zip(&self.tasks);
        tasks.filter(|(task, _)| task.hook.is_none()).map(|(_, state)| state)
    }

    /// Whether nothing of any task is alive or about to start.
    #[must_use]
    pub fn is_idle(&self, spec: &WorkflowSpec) -> bool {
        self.own_tasks(spec).all(|task| task.alive_count() == 0 && task.restart.is_none())
    }
}
