//! A workflow as its author means it: tasks, their rules, their policies.
//!
//! This is the checked, normal form. Text (YAML, with positions and hints) is read by the core;
//! must never hold a reference to a task that does not exist: the reader refuses it.

mod condition;
mod confinement;
mod hook;
mod index;
mod param;
mod plugin;
mod pool;
mod task;
mod watched;

pub use condition::{Clock, Condition, Host, Late, Missed, Reset};
pub use confinement::{Confinement, Limits};
pub use hook::Hook;
pub use index::SpecIndex;
pub use param::ParamType;
pub use plugin::Plugin;
pub use pool::{Demand, PoolId};
pub use task::{
    Action, Backoff, Command, Emission, Overlap, RetryOn, RetryPolicy, Rule, TaskKind, TaskSpec,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::{JsonText, PoolName, RuleIndex, TaskName, WorkflowName};

/// Most tasks in one workflow.
pub const TASKS_MAX: usize = 10_000;
/// Longest definition, in bytes.
pub const DEFINITION_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of conditions.
pub const CONDITION_DEPTH_MAX: usize = 16;
/// Most that a condition which is code may keep, in bytes of JSON.
pub const HOST_STATE_BYTES_MAX: usize = 256 << 10;
/// Most items of a list of which each is an execution.
pub const FAN_ITEMS_MAX: usize = 10_000;
/// Longest of these items, in bytes of JSON.
pub const FAN_ITEM_BYTES_MAX: usize = 64 << 10;
/// Longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 4096;

/// One workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSpec {
    /// Its name.
    pub name: WorkflowName,
    /// Parameters and their defaults; tasks get each as `AIFLOW_PARAM_<NAME>`.
    #[serde(default)]
    pub params: BTreeMap<String, JsonText>,
    /// Of what kind parameters are. One that is here and has no default has to be given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub param_types: BTreeMap<String, ParamType>,
    /// Files and folders beside the definition that its tasks need, relative, as written.
    #[serde(default)]
    pub files: Vec<String>,
    /// Its tasks, in the order of the file, then its hooks.
    pub tasks: Vec<TaskSpec>,
    /// What starts runs of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Condition>,
    /// Events that it derives without a run, as long as it is enabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emits: Vec<Rule>,
    /// Slots of the pools that its tasks use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<PoolName, u32>,
    /// Most runs that are active at once; later ones wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_active_runs: Option<u32>,
    /// Most task executions that are active at once, over all of its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_active_tasks: Option<u32>,
    /// How long a run may take before it is late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_after: Option<Span>,
    /// Where its tasks and rules stand. Derived.
    #[serde(skip)]
    pub index: SpecIndex,
}

impl WorkflowSpec {
    /// The place of a task in [`Self::tasks`].
    #[must_use]
    pub fn task_index(&self, name: &str) -> Option<usize> {
        self.places().tasks.get(name).copied()
    }

    /// The task of that name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&TaskSpec> {
        self.tasks.get(self.task_index(name)?)
    }

    /// Whether runs have a parameter of that name.
    #[must_use]
    pub fn has_param(&self, name: &str) -> bool {
        self.params.contains_key(name) || self.param_types.contains_key(name)
    }

    /// The rules that look at a task, in order.
    #[must_use]
    pub fn rules_that_look_at(&self, task: &TaskName) -> &[RuleIndex] {
        self.places().lookers.get(task).map_or(&[], Vec::as_slice)
    }

    /// Every rule with its index and the task it acts on.
    pub fn rules(&self) -> impl Iterator<Item = (RuleIndex, &TaskSpec, &Rule)> {
        let pairs = self.tasks.iter().flat_map(|task| task.rules.iter().map(move |r| (task, r)));
        (0..).map(RuleIndex).zip(pairs).map(|(index, (task, rule))| (index, task, rule))
    }

    /// The rule at `index` and the task it acts on.
    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<(&TaskSpec, &Rule)> {
        let (task, own) = *self.places().rules.get(index.0 as usize)?;
        let task = self.tasks.get(task)?;
        Some((task, task.rules.get(own)?))
    }

    /// Whether some rule ticks on a clock, so that a run never ends by itself.
    #[must_use]
    pub fn has_clock(&self) -> bool {
        self.rules().any(|(_, _, rule)| rule.condition.nodes().any(Condition::is_clock))
    }

    /// Names of the tasks that a condition of this workflow looks at.
    #[must_use]
    pub fn names(&self) -> Vec<&TaskName> {
        self.tasks.iter().map(|task| &task.name).collect()
    }
}
