//! Everything that can make the core decide, and what it answers.
//!
//! Must never hold anything that is not data: no channels, no handles.

use std::collections::BTreeMap;

use aiflow_model::error::Diagnostic;
use aiflow_model::record::{DaemonStarted, FileEntry, Mark, Outcome, TrimReason, Usage};
use aiflow_model::wire::{
    AddTrigger, Backfill, DraftWorkflow, PromoteDraft, RerunTask, StartRun, TaskControl,
    TaskRequest,
};
use aiflow_model::{
    AttemptId, DraftId, EventKey, ExecutionId, JsonText, LoggedRecord, Namespace, Offset,
    OutputName, RunId, SnapshotNumber, TaskName, TriggerId, WorkflowName,
};

/// One input. The imperative ones are requests; the others tell what happened to a process.
#[derive(Debug, Clone)]
pub enum Input {
    /// A daemon takes over.
    StartDaemon(DaemonStarted),
    /// Add a namespace; one that exists is no fault.
    AddNamespace(Namespace, BTreeMap<String, JsonText>),
    /// Say other things of a namespace.
    UpdateNamespace(Namespace, BTreeMap<String, JsonText>),
    /// Store a definition whose files are in place.
    Upload {
        /// Where.
        namespace: Namespace,
        /// YAML text.
        source: String,
        /// Its files.
        files: Vec<FileEntry>,
    },
    /// Emit an event.
    Emit {
        /// Where.
        namespace: Namespace,
        /// What it is about.
        key: EventKey,
        /// What it says.
        value: JsonText,
        /// Who says it.
        source: String,
        /// Identity within its source.
        id: String,
        /// Only for this run.
        execution: Option<RunId>,
        /// The attempt that says it, when that is proven.
        speaker: Option<AttemptId>,
    },
    /// A task says that it lives.
    Heartbeat(AttemptId),
    /// A task says something of its work.
    SetOutput(AttemptId, OutputName, JsonText),
    /// Start a run.
    StartRun(StartRun),
    /// Stop a run.
    StopRun(RunId),
    /// Start a task of a run.
    StartTask(RunId, TaskName),
    /// Stop what is alive of a task of a run.
    StopTask(RunId, TaskName),
    /// Stop what is alive of a task, and start it anew.
    RestartTask(TaskRequest),
    /// End an execution by hand.
    MarkTask(TaskControl, Mark),
    /// Do an execution anew.
    RerunTask(RerunTask),
    /// Let nothing new start in a run.
    PauseRun(RunId),
    /// Let what waits in a run start.
    ResumeRun(RunId),
    /// Run windows of a task.
    Backfill(Backfill),
    /// Put a trigger on a workflow.
    AddTrigger(AddTrigger),
    /// Let a trigger look at nothing.
    PauseTrigger(TriggerId),
    /// Let a trigger look again.
    ResumeTrigger(TriggerId),
    /// Take a trigger away.
    DeleteTrigger(TriggerId),
    /// Watch a definition whose files are in place.
    StartDraft(Box<DraftWorkflow>),
    /// Make the text of a draft the workflow's definition.
    PromoteDraft(PromoteDraft),
    /// Throw a draft away.
    DiscardDraft(DraftId),
    /// Let a workflow start runs, or not.
    EnableWorkflow(Namespace, WorkflowName, bool),
    /// Delete a workflow and its runs, none of which is alive.
    DeleteWorkflow(Namespace, WorkflowName),
    /// Delete a run that has ended.
    DeleteRun(RunId),
    /// Delete a namespace without workflows.
    DeleteNamespace(Namespace),
    /// An attempt's process was seen running.
    AttemptStarted(AttemptId, u32),
    /// An attempt is over.
    AttemptEnded(AttemptId, Outcome, Usage),
    /// The records before this offset are to go, or have gone.
    TrimLog(Offset, TrimReason),
    /// Time has passed; something may be due.
    Tick,
}

impl Input {
    /// Whether it brings work that can be refused while the disk is short of room. What ends work,
    /// or tells of its end, is always taken.
    #[must_use]
    pub const fn is_new_work(&self) -> bool {
        match self {
            Self::AddNamespace(..)
            | Self::UpdateNamespace(..)
            | Self::Upload { .. }
            | Self::Emit { .. }
            | Self::StartRun(_)
            | Self::StartTask(..)
            | Self::RestartTask(_)
            | Self::RerunTask(_)
            | Self::Backfill(_)
            | Self::AddTrigger(_)
            | Self::StartDraft(_)
            | Self::PromoteDraft(_) => true,
            Self::StartDaemon(_)
            | Self::StopRun(_)
            | Self::StopTask(..)
            | Self::MarkTask(..)
            | Self::PauseRun(_)
            | Self::ResumeRun(_)
            | Self::PauseTrigger(_)
            | Self::ResumeTrigger(_)
            | Self::DeleteTrigger(_)
            | Self::DiscardDraft(_)
            | Self::EnableWorkflow(..)
            | Self::DeleteWorkflow(..)
            | Self::DeleteRun(_)
            | Self::DeleteNamespace(_)
            | Self::Heartbeat(_)
            | Self::SetOutput(..)
            | Self::AttemptStarted(..)
            | Self::AttemptEnded(..)
            | Self::TrimLog(..)
            | Self::Tick => false,
        }
    }
}

/// What the one who asked is told, once the records are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// The event stands at this offset; `duplicate`: it had been there.
    Emitted {
        /// Where.
        offset: Offset,
        /// It had been there.
        duplicate: bool,
    },
    /// The definition is this snapshot; `unchanged`: it had been there.
    Uploaded {
        /// Where it lives.
        namespace: Namespace,
        /// Its name.
        workflow: WorkflowName,
        /// Its number.
        snapshot: SnapshotNumber,
        /// It had been there.
        unchanged: bool,
        /// What it says and hardly means.
        warnings: Vec<Diagnostic>,
    },
    /// The run, new or started by the same request before.
    Run(RunId),
    /// So many windows will run.
    Backfilled(u32),
    /// The new trigger.
    Trigger(TriggerId),
    /// The draft, new or begun by the same request before.
    Draft {
        /// Its id.
        draft: DraftId,
        /// The run beside it.
        beside: Option<RunId>,
        /// What the definition says and hardly means.
        warnings: Vec<Diagnostic>,
    },
    /// The execution that was marked, or that does another one anew.
    Execution(ExecutionId),
    /// So many executions are being stopped.
    Stopping(u32),
}

/// The outcome of one input: what happened because of it, as one atomic batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The batch; empty when nothing changed. The state has taken it in already.
    pub records: Vec<LoggedRecord>,
    /// What to tell the one who asked.
    pub answer: Answer,
}
