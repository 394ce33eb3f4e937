//! One task: what it runs, when it starts and stops, what happens when it fails.
//!
//! Must never know where it runs: that is the executor's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Condition, Confinement, Plugin};
use crate::time::Span;
use crate::{EventKey, PoolName, TaskName};

/// One task of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Its name.
    pub name: TaskName,
    /// Whether it is expected to end.
    pub kind: TaskKind,
    /// What runs.
    pub command: Command,
    /// The plugin that runs the command elsewhere; none: it runs on this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<Plugin>,
    /// Variables added to its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What acts on it. With no rule that starts it, it starts with the run.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Expression that gives a list: each start is one execution for each item of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// What a firing does while as many executions are alive as may be.
    pub overlap: Overlap,
    /// How many executions may be alive at once, at least 1.
    pub parallel: u32,
    /// What happens when an attempt fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Longest time that one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Time between the request to end and the kill.
    pub grace: Span,
    /// Of several executions that wait for a pool, those of the highest priority go first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i32,
    /// How many slots of which pools an execution takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<PoolName, u32>,
    /// How often it is to be heard of while it runs; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Span>,
    /// What it may use and who it is.
    #[serde(default, skip_serializing_if = "Confinement::is_none")]
    pub confinement: Confinement,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
const fn is_zero(priority: &i32) -> bool {
    *priority == 0
}

impl TaskSpec {
    /// Whether it starts with the run, since nothing else starts it.
    #[must_use]
    pub fn starts_with_run(&self) -> bool {
        !self.rules.iter().any(|rule| rule.action == Action::Start)
    }
}

/// Whether a task is expected to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Runs to its end.
    Batch,
    /// Runs until it is stopped.
    Stream,
}

/// What a task runs: the operator and its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A script for `bash -c`.
    Bash(String),
    /// A program and its arguments, without a shell.
    Exec(Vec<String>),
    /// A plugin does the work.
    Operator(Plugin),
}

/// A condition and what it does to the task that holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// What is done.
    pub action: Action,
    /// When.
    pub condition: Condition,
    /// What is emitted, when that is the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emission: Option<Box<Emission>>,
}

/// An event that a rule derives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emission {
    /// What it is about.
    pub key: EventKey,
    /// Expression over the event that met the condition; without it that event's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Whether all runs of the namespace see it, or only the rule's own.
    #[serde(default)]
    pub to_namespace: bool,
}

/// What a rule does to its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Starts an execution.
    Start,
    /// Stops those that are alive.
    Stop,
    /// Stops those that are alive, then starts one.
    Restart,
    /// Derives an event.
    Emit,
    /// What runs of it is ready.
    Ready,
}

impl Action {
    /// Whether it brings about an execution.
    #[must_use]
    pub const fn starts(self) -> bool {
        matches!(self, Self::Start | Self::Restart)
    }

    /// The word of the definition.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Emit => "emit",
            Self::Ready => "ready",
        }
    }
}

/// What a firing does while the task is busy. A firing that carries a window always queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Nothing.
    Ignore,
    /// An execution that waits its turn.
    Queue,
    /// An execution that waits its turn, in place of those that wait already.
    Latest,
}

/// What happens when an attempt ends without success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Which ends are followed by a new attempt.
    pub on: RetryOn,
    /// Most attempts of one execution; none: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_max: Option<u32>,
    /// How long to wait before the next.
    pub backoff: Backoff,
    /// Of failures only those with one of these exit codes; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<i32>,
    /// Longest time that is added to each wait, drawn from the attempt's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Span>,
}

/// Which ends of an attempt are followed by a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// Any end but success.
    Failure,
    /// Any end.
    Always,
}

/// A wait that doubles from `min` up to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Wait before the second attempt.
    pub min: Span,
    /// Longest wait.
    pub max: Span,
}

impl Backoff {
    /// The wait after `failures` failures in a row (at least 1).
    #[must_use]
    pub fn after(&self, failures: u32) -> Span {
        let factor = 1u64 << failures.saturating_sub(1).min(40);
        Span(self.min.0.saturating_mul(factor).min(self.max.0))
    }
}
