//! All that is known of workflows and runs: a fold of records.
//!
//! The daemon folds what it decides; clients fold what they follow; both with [`State::apply`].
//! Must never contain anything that is not in the records, and never decide.

mod apply;
mod apply_control;
mod apply_workflow;
mod contact;
mod deadline;
mod draft;
mod execution;
mod fan;
mod identities;
mod pool;
mod run;
mod run_set;
mod stored;
mod subscription;
mod trigger;
mod undo;

pub use apply::ApplyError;
pub use deadline::{Deadline, Deadlines};
pub use draft::{DRAFT_FIRINGS_KEPT, Draft, DraftFiring};
pub use execution::{Attempt, Backfill, Execution, Lane, PendingRestart, TaskState};
pub use fan::Fan;
pub use identities::{IDENTITIES_MAX, Identities, Identity};
pub use pool::{Pools, Waiter};
pub use run::Run;
pub use run_set::RunSet;
pub use stored::{STATE_VERSION, StoredStateError};
pub use subscription::Subscriptions;
pub use trigger::Trigger;
pub use undo::Undo;

pub use crate::firing::{CONSUMED_MAX, ClockState, Firing, NodeState, Watermark};
pub use crate::status::{ExecutionStatus, RunStatus};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::record::FileEntry;
use crate::spec::{TaskSpec, WorkflowSpec};
use crate::time::Timestamp;
use crate::{
    AttemptId, DraftId, ExecutionId, JsonText, Namespace, Offset, RuleId, RunId, SnapshotNumber,
    TaskName, TriggerId, WorkflowName,
};

/// The fold of all records before [`State::next_offset`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Position that the next record will have.
    pub next_offset: Offset,
    /// First record that is kept; those before it may be gone from the log.
    pub first_offset: Offset,
    /// Count of daemons so far; the present one has this number.
    pub epoch: u64,
    /// Boot of the host under the present daemon.
    pub boot_id: String,
    /// Namespaces by name.
    pub namespaces: BTreeMap<Namespace, NamespaceState>,
    /// Snapshots by number.
    pub snapshots: BTreeMap<SnapshotNumber, Arc<Snapshot>>,
    /// Runs by id: those that are alive, and those that have ended lately.
    pub runs: BTreeMap<RunId, Run>,
    /// Runs that have ended long ago: the log and the history tell of them.
    #[serde(skip_serializing_if = "RunSet::is_empty")]
    pub archived: RunSet,
    /// Highest id that a run has had; those of runs that were deleted are not given again.
    pub last_run: RunId,
    /// Highest number that a snapshot has had.
    pub last_snapshot: SnapshotNumber,
    /// Triggers by id.
    pub triggers: BTreeMap<TriggerId, Trigger>,
    /// Highest id that a trigger has had.
    pub last_trigger: TriggerId,
    /// Drafts by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub drafts: BTreeMap<DraftId, Draft>,
    /// Highest id that a draft has had.
    #[serde(skip_serializing_if = "is_none_yet")]
    pub last_draft: DraftId,
    /// Which request started which run, as builds before 0.2 stored it: read, and taken into
    /// [`Self::run_requests`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) requests: BTreeMap<String, RunId>,
    /// Which of the latest requests started which run, whatever became of it: a request that is
    /// repeated must not start another. Not sent to clients, which decide nothing.
    #[serde(skip)]
    pub run_requests: Identities,
    /// The offsets of the latest events. Not sent to clients either.
    #[serde(skip)]
    pub event_ids: Identities,
    /// Which rules of living runs look at which keys. Derived.
    #[serde(skip)]
    pub subscriptions: Subscriptions,
    /// What falls due when. Derived.
    #[serde(skip)]
    pub deadlines: Deadlines,
    /// Who is active, who waits and who has ended. Derived.
    #[serde(skip)]
    pub pools: Pools,
}

const fn is_none_yet(id: &DraftId) -> bool {
    id.0 == 0
}

/// One namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NamespaceState {
    /// Current snapshot of each workflow.
    pub workflows: BTreeMap<WorkflowName, SnapshotNumber>,
    /// Those that start no run.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub disabled: BTreeSet<WorkflowName>,
    /// Events accepted so far.
    pub event_count: u64,
    /// What is said of it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, JsonText>,
}

/// One uploaded version of a workflow; never changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its number.
    pub number: SnapshotNumber,
    /// Where it lives.
    pub namespace: Namespace,
    /// What it says.
    pub spec: WorkflowSpec,
    /// The text as uploaded.
    pub source: String,
    /// The files that came with it.
    pub files: Vec<FileEntry>,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// Where in the log.
    pub offset: Offset,
}

impl State {
    /// The state before the first record.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// What of a state is sent: all but the identities, which only a daemon needs.
    #[must_use]
    pub fn without_identities(self) -> Self {
        Self { run_requests: Identities::default(), event_ids: Identities::default(), ..self }
    }

    /// Makes a state that came as JSON whole again: derived parts are not sent.
    #[must_use]
    pub fn with_derived(mut self) -> Self {
        self.subscriptions = Subscriptions::default();
        self.deadlines = Deadlines::default();
        let runs = std::mem::take(&mut self.runs);
        let looking = |run: &&Run| run.status.is_alive() && run.status != RunStatus::Waiting;
        for run in runs.values().filter(looking) {
            if let Some(snapshot) = self.snapshots.get(&run.snapshot) {
                self.subscriptions.add_run(run, &snapshot.spec);
                self.deadlines.add_run(run, &snapshot.spec);
            }
        }
        self.runs = runs;
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        runs.into_iter().for_each(|run| self.set_hook_deadlines(run));
        self.place_all();
        let triggers: Vec<TriggerId> = self.triggers.keys().copied().collect();
        triggers.into_iter().for_each(|id| self.look(id));
        let drafts: Vec<DraftId> = self.drafts.keys().copied().collect();
        drafts.into_iter().for_each(|id| self.watch(id));
        self
    }

    /// When a run is late; when the hooks of one that has ended fall due.
    fn set_hook_deadlines(&mut self, id: RunId) {
        let Some(run) = self.runs.get(&id) else { return };
        self.deadlines.set(Deadline::Late(id), run.late_at);
        let Some(snapshot) = self.snapshots.get(&run.snapshot) else { return };
        if !run.status.is_alive() {
            self.deadlines.add_executions(run, &snapshot.spec);
        }
    }

    /// Whether a trigger looks at what comes: neither it is paused nor its workflow disabled.
    #[must_use]
    pub fn is_active(&self, trigger: &Trigger) -> bool {
        let namespace = self.namespaces.get(&trigger.namespace);
        let is_disabled = namespace.is_some_and(|n| n.disabled.contains(&trigger.workflow));
        !trigger.paused && !is_disabled
    }

    /// What a node of a condition knows.
    #[must_use]
    pub fn node_state(&self, rule: RuleId, node: u32) -> Option<&NodeState> {
        match rule {
            RuleId::Task { run, rule } => self.runs.get(&run)?.node_state(rule, node),
            RuleId::Trigger(trigger) => self.triggers.get(&trigger)?.nodes.get(&node),
            RuleId::Draft { draft, rule } => {
                self.drafts.get(&draft)?.conditions.get(rule.0 as usize)?.get(&node)
            }
        }
    }

    /// The run, if there ever was one of that id.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// The snapshot that a run is pinned to.
    #[must_use]
    pub fn snapshot_of(&self, run: RunId) -> Option<&Arc<Snapshot>> {
        self.snapshots.get(&self.runs.get(&run)?.snapshot)
    }

    /// The snapshot that new runs of a workflow use.
    #[must_use]
    pub fn current_snapshot(&self, namespace: &str, workflow: &str) -> Option<&Arc<Snapshot>> {
        let number = self.namespaces.get(namespace)?.workflows.get(workflow)?;
        self.snapshots.get(number)
    }

    /// What is known of a task in a run.
    #[must_use]
    pub fn task(&self, run: RunId, task: &TaskName) -> Option<&TaskState> {
        let index = self.snapshot_of(run)?.spec.task_index(task.as_str())?;
        self.runs.get(&run)?.tasks.get(index)
    }

    /// The definition of a task in a run.
    #[must_use]
    pub fn task_spec(&self, run: RunId, task: &TaskName) -> Option<&TaskSpec> {
        self.snapshot_of(run)?.spec.task(task.as_str())
    }

    /// One execution.
    #[must_use]
    pub fn execution(&self, id: &ExecutionId) -> Option<&Execution> {
        self.task(id.run, &id.task)?.execution(id.sequence)
    }

    /// One attempt.
    #[must_use]
    pub fn attempt(&self, id: &AttemptId) -> Option<&Attempt> {
        self.execution(&id.execution)?.attempt(id.number)
    }

    /// Every attempt that has no end yet, in the order of runs and tasks.
    pub fn alive_attempts(&self) -> impl Iterator<Item = (AttemptId, &Attempt)> {
        let is_alive = |run: &&Run| run.status.is_alive() || self.hook_alive(run.id).is_some();
        self.runs.values().filter(is_alive).flat_map(move |run| {
            let spec = self.snapshots.get(&run.snapshot).map(|snapshot| &snapshot.spec);
            let names = spec.into_iter().flat_map(|spec| &spec.tasks).map(|task| &task.name);
            names.zip(&run.tasks).flat_map(move |(name, task)| {
                task.alive_executions().filter_map(move |execution| {
                    let attempt = execution.current_attempt()?;
                    let sequence = execution.sequence;
                    let id = ExecutionId { run: run.id, task: name.clone(), sequence };
                    Some((id.attempt(attempt.number), attempt))
                })
            })
        })
    }

    /// A hook of a run that has not ended.
    #[must_use]
    pub fn hook_alive(&self, run: RunId) -> Option<&TaskName> {
        let spec = &self.snapshot_of(run)?.spec;
        let run = self.runs.get(&run)?;
        let mut hooks = spec.hooks();
        let alive = hooks.find(|(at, _)| run.tasks.get(*at).is_some_and(|t| !t.alive.is_empty()));
        alive.map(|(_, task)| &task.name)
    }

    /// The oldest record that something alive may still ask for, and of what: an event that an
    /// execution was fired by, or that a condition remembers.
    #[must_use]
    pub fn oldest_needed(&self) -> Option<(Offset, Needed)> {
        let alive = self.runs.values().filter(|run| run.status.is_alive());
        let of_runs = alive.filter_map(|run| Some((run.oldest_needed()?, Needed::Run(run.id))));
        let of_triggers = self.triggers.values().filter_map(|trigger| {
            let remembered = trigger.nodes.values().flat_map(NodeState::events).min()?;
            Some((remembered, Needed::Trigger(trigger.id)))
        });
        of_runs.chain(of_triggers).min()
    }

    /// The id of the next run.
    #[must_use]
    pub fn next_run_id(&self) -> RunId {
        // A state that was stored before ids were counted knows its runs only.
        let newest = self.runs.last_key_value().map_or(RunId(0), |(id, _)| *id);
        self.last_run.max(newest).next()
    }

    /// The number of the next snapshot.
    #[must_use]
    pub fn next_snapshot_number(&self) -> SnapshotNumber {
        let newest = self.snapshots.last_key_value().map_or(SnapshotNumber(0), |(n, _)| *n);
        self.last_snapshot.max(newest).next()
    }

    /// The id of the next trigger.
    #[must_use]
    pub fn next_trigger_id(&self) -> TriggerId {
        self.last_trigger.next()
    }
}

/// What may still ask for an old record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needed {
    /// A run that is alive.
    Run(RunId),
    /// A trigger.
    Trigger(TriggerId),
}

impl std::fmt::Display for Needed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Run(id) => write!(f, "run {id}"),
            Self::Trigger(id) => write!(f, "trigger {id}"),
        }
    }
}
