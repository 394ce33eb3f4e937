//! What the log holds: everything that happened, in the past tense, with what led to it.
//!
//! Old records must decode for ever: fields are only added, each with a default; variants are
//! never renamed or reused. Records are written as JSON, the variant's name outside.

mod attempt;
mod backfill;
mod control;
mod draft;
mod event;
mod fan;
mod output;
mod trigger;

pub use attempt::{Outcome, StopReason, Usage};
pub use backfill::BackfillRequested;
pub use control::{Mark, RunControl, RunControlled};
pub use draft::{DraftChange, DraftEnd, DraftStarted, Would};
pub use event::{Event, EventFacts, EventIdentity};
pub use fan::{FanStarted, Item};
pub use output::OutputSet;
pub use trigger::{MissedTicks, TriggerAdded, TriggerChange, TriggerOrigin};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::firing::{Firing, NodeState};
use crate::spec::WorkflowSpec;
use crate::status::{ExecutionStatus, RunStatus};
use crate::time::{Timestamp, Window};
use crate::{
    AttemptId, DraftId, ExecutionId, JsonText, Namespace, Offset, RuleIndex, RunId, Sequence,
    SnapshotNumber, TaskName, TriggerId, WorkflowName,
};

/// A record with its place in the log. `E` is what is kept of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedRecord<E = Event> {
    /// Its position.
    pub offset: Offset,
    /// When its batch was decided.
    pub time: Timestamp,
    /// The record that led to it; none when it came from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Offset>,
    /// What happened.
    pub record: Record<E>,
}

/// What the payload of one record in the log is; offset and time stand in the frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload<R = Record> {
    /// The record that led to it; none when it came from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Offset>,
    /// What happened.
    pub record: R,
}

/// Something that happened. `E` is what is kept of an event: all of it, or what the fold looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record<E = Event> {
    /// A daemon took over this log.
    DaemonStarted(DaemonStarted),
    /// A namespace came into being.
    NamespaceAdded {
        /// Its name.
        namespace: Namespace,
        /// What is said of it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        properties: BTreeMap<String, JsonText>,
    },
    /// Other things are said of a namespace.
    NamespaceChanged {
        /// Its name.
        namespace: Namespace,
        /// All that is said of it.
        properties: BTreeMap<String, JsonText>,
    },
    /// A definition was stored as a new snapshot; later runs use it.
    WorkflowUploaded(Box<WorkflowUploaded>),
    /// An event was accepted.
    EventEmitted(E),
    /// A run began.
    RunStarted(Box<RunStarted>),
    /// A run that waited for its turn begins.
    RunBegan {
        /// The run.
        run: RunId,
    },
    /// Somebody asked that a run end.
    RunStopRequested {
        /// The run.
        run: RunId,
    },
    /// Somebody took a hand in a run.
    RunControlled(Box<RunControlled>),
    /// A run ended.
    RunFinished {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
    },
    /// A run has not ended for as long as its workflow says that it may take.
    RunLate {
        /// The run.
        run: RunId,
    },
    /// A node of a rule's condition has a new state.
    ConditionAdvanced {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
        /// What it knows now.
        state: NodeState,
    },
    /// A filter could not be evaluated; it counts as no match.
    FilterFailed {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
        /// The event.
        event: Offset,
        /// Why.
        reason: String,
    },
    /// Ticks of the wall went by unused, as the rule wants it.
    TicksMissed {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
        /// Which.
        missed: MissedTicks,
    },
    /// A rule's condition was met.
    RuleFired {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// What was used up.
        firing: Firing,
    },
    /// A rule was to derive an event, and could not.
    EmissionFailed {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// Why.
        reason: String,
    },
    /// An execution of a task came into being; it waits for its turn.
    TaskExecutionCreated {
        /// Which.
        id: ExecutionId,
        /// Event offsets that fired it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        events: Vec<Offset>,
        /// The window it works on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<Window>,
        /// The execution that it does anew, where rules look at its end only if it differs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeats: Option<Sequence>,
        /// The backfill that it is part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backfill: Option<Offset>,
        /// The item that it does, of a list of which each is an execution.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<Box<Item>>,
    },
    /// A task is done for each item of a list; each is created as an execution of its own.
    FanStarted(Box<FanStarted>),
    /// A task was to be done for each item of a list, and there is no such list.
    FanFailed {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskName,
        /// Why.
        reason: String,
    },
    /// Windows of a task are to run that no clock fires, or that have run before; each is created
    /// as an execution of its own.
    BackfillRequested(Box<BackfillRequested>),
    /// A task is to start anew once what is alive of it has ended.
    TaskRestartRequested {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskName,
        /// Event offsets that fired it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        events: Vec<Offset>,
    },
    /// An execution is to end.
    TaskExecutionStopRequested {
        /// Which.
        id: ExecutionId,
        /// Why.
        reason: StopReason,
    },
    /// An attempt has its id and may be launched, once.
    AttemptQueued {
        /// Which.
        id: AttemptId,
    },
    /// The attempt's process runs.
    AttemptStarted {
        /// Which.
        id: AttemptId,
        /// Process id.
        pid: u32,
    },
    /// The attempt is ready, as its task's rule says.
    AttemptReady {
        /// Which.
        id: AttemptId,
    },
    /// The attempt was heard of. Not recorded each time: often enough to know that it was in time.
    HeartbeatReceived {
        /// Which.
        id: AttemptId,
    },
    /// The attempt has not been heard of for as long as its task says. It may well live.
    ContactLost {
        /// Which.
        id: AttemptId,
    },
    /// The attempt is over.
    AttemptEnded {
        /// Which.
        id: AttemptId,
        /// How.
        outcome: Outcome,
        /// What it used.
        #[serde(default)]
        usage: Usage,
    },
    /// The next attempt waits for its time.
    RetryScheduled {
        /// The execution.
        id: ExecutionId,
        /// When the next attempt is queued.
        due: Timestamp,
    },
    /// An execution ended.
    TaskExecutionFinished {
        /// Which.
        id: ExecutionId,
        /// How.
        status: ExecutionStatus,
    },
    /// An attempt said something of its work.
    OutputSet(Box<OutputSet>),
    /// A trigger was put on a workflow.
    TriggerAdded(Box<TriggerAdded>),
    /// Something happened to a trigger.
    TriggerChanged {
        /// Which.
        trigger: TriggerId,
        /// What.
        change: TriggerChange,
    },
    /// A workflow starts nothing new, or does again.
    WorkflowEnabled {
        /// Where it lives.
        namespace: Namespace,
        /// Which.
        workflow: WorkflowName,
        /// Whether it may start runs.
        enabled: bool,
    },
    /// A workflow is gone, with its snapshots, triggers and runs, all of which have ended.
    WorkflowDeleted {
        /// Where it lived.
        namespace: Namespace,
        /// Which.
        workflow: WorkflowName,
    },
    /// A run that has ended is gone.
    RunDeleted {
        /// Which.
        run: RunId,
    },
    /// A run that has ended long ago is no longer part of the state; the log and the history tell
    /// of it.
    RunArchived {
        /// Which.
        run: RunId,
    },
    /// A namespace that was empty is gone.
    NamespaceDeleted {
        /// Which.
        namespace: Namespace,
    },
    /// A definition is watched on what comes, and acts on nothing.
    DraftStarted(Box<DraftStarted>),
    /// Something happened to a draft.
    DraftChanged {
        /// Which.
        draft: DraftId,
        /// What.
        change: DraftChange,
    },
    /// The beginning of the log is no longer kept: what was below may be gone.
    LogTrimmed {
        /// First offset that is kept.
        before: Offset,
        /// Why.
        reason: TrimReason,
    },
}

impl Record {
    /// The run that it is about; none when it is about no run, or about all.
    #[must_use]
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::DaemonStarted(_)
            | Self::NamespaceAdded { .. }
            | Self::NamespaceChanged { .. }
            | Self::WorkflowUploaded(_)
            | Self::TriggerAdded(_)
            | Self::TriggerChanged { .. }
            | Self::WorkflowEnabled { .. }
            | Self::WorkflowDeleted { .. }
            | Self::NamespaceDeleted { .. }
            | Self::DraftStarted(_)
            | Self::DraftChanged { .. }
            | Self::LogTrimmed { .. } => None,
            Self::EventEmitted(event) => event.execution,
            Self::RunStarted(started) => Some(started.run),
            Self::RunControlled(controlled) => Some(controlled.run),
            Self::BackfillRequested(asked) => Some(asked.run),
            Self::FanStarted(started) => Some(started.run),
            Self::OutputSet(set) => Some(set.id.execution.run),
            Self::RunBegan { run }
            | Self::RunStopRequested { run }
            | Self::RunLate { run }
            | Self::RunFinished { run, .. }
            | Self::ConditionAdvanced { run, .. }
            | Self::FilterFailed { run, .. }
            | Self::RuleFired { run, .. }
            | Self::EmissionFailed { run, .. }
            | Self::TicksMissed { run, .. }
            | Self::FanFailed { run, .. }
            | Self::RunDeleted { run }
            | Self::RunArchived { run }
            | Self::TaskRestartRequested { run, .. } => Some(*run),
            Self::TaskExecutionCreated { id, .. }
            | Self::TaskExecutionStopRequested { id, .. }
            | Self::RetryScheduled { id, .. }
            | Self::TaskExecutionFinished { id, .. } => Some(id.run),
            Self::AttemptQueued { id }
            | Self::AttemptStarted { id, .. }
            | Self::AttemptReady { id }
            | Self::HeartbeatReceived { id }
            | Self::ContactLost { id }
            | Self::AttemptEnded { id, .. } => Some(id.execution.run),
        }
    }
}

/// Why the beginning of the log is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrimReason {
    /// It was older, or the log larger, than is to be kept.
    Retention,
    /// It was found missing at a start: taken away by `aiflowd log repair`, or by hand.
    Missing,
}

/// A daemon took over this log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStarted {
    /// Its version.
    pub version: String,
    /// Counts the daemons of this log, from 1; each frame carries it.
    pub epoch: u64,
    /// Identity of this boot of the host.
    pub boot_id: String,
    /// Its process id.
    pub pid: u32,
}

/// A definition was stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowUploaded {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its number among all snapshots.
    pub snapshot: SnapshotNumber,
    /// What it says, in normal form.
    pub spec: WorkflowSpec,
    /// The text that was uploaded.
    pub source: String,
    /// The files that came with it.
    #[serde(default)]
    pub files: Vec<FileEntry>,
}

/// One file of a snapshot: its place and its content by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Relative path with `/`, no `..`.
    pub path: String,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Whether its owner may execute it.
    #[serde(default)]
    pub executable: bool,
}

/// A run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Its id.
    pub run: RunId,
    /// Where it lives.
    pub namespace: Namespace,
    /// Which workflow.
    pub workflow: WorkflowName,
    /// Which version of it.
    pub snapshot: SnapshotNumber,
    /// Its parameters, defaults filled in.
    #[serde(default)]
    pub params: BTreeMap<String, JsonText>,
    /// Identity of the request, so that asking twice starts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The trigger that fired; none when somebody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<TriggerId>,
    /// Event offsets that fired it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Offset>,
    /// The window that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Whether it first waits for its turn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waiting: bool,
}
