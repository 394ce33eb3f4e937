//! What a client may ask.
//!
//! Every parameter that can be absent has a default. Must never hold a file descriptor or a path
//! that the daemon would open for the client.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{ErrorCode, Rejection};
use crate::record::FileEntry;
use crate::wire::{
    Backfill, BacktestRequest, DiffRequest, DraftRef, DraftWorkflow, DryRun, EventRef, Moment,
    OutputQuery, PromoteDraft, RerunTask, RunQuery, SetOutput, SliceQuery, TaskControl,
    TaskRequest, WhyRequest,
};
use crate::{
    AttemptNumber, EventKey, JsonText, Namespace, Offset, RunId, Sequence, TaskName, Timestamp,
    TriggerId, WorkflowName,
};

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident($params:ty) = $method:literal;)*) => {
        /// A request, read.
        #[derive(Debug, Clone)]
        pub enum Call {
            $($(#[$doc])* $name($params),)*
        }

        impl Call {
            /// Every method there is.
            pub const METHODS: &'static [&'static str] = &[$($method,)*];

            /// Reads a request.
            ///
            /// # Errors
            /// [`ErrorCode::UnknownMethod`] or [`ErrorCode::InvalidParams`].
            pub fn read(method: &str, params: Option<&RawValue>) -> Result<Self, Rejection> {
                let text = params.map_or("{}", RawValue::get);
                match method {
                    $($method => serde_json::from_str(text)
                        .map(Self::$name)
                        .map_err(|error| invalid_params(method, &error)),)*
                    _ => Err(Rejection::new(
                        ErrorCode::UnknownMethod,
                        format!("there is no method {:?}", shorten(method)),
                    ).hint(format!("methods: {}", Self::METHODS.join(", ")))),
                }
            }

            /// The method's name.
            #[must_use]
            pub const fn method(&self) -> &'static str {
                match self { $(Self::$name(_) => $method,)* }
            }

            /// The parameters as JSON.
            ///
            /// # Errors
            /// None for the types here; the signature is serde's.
            pub fn params(&self) -> Result<Box<RawValue>, serde_json::Error> {
                match self { $(Self::$name(params) => serde_json::value::to_raw_value(params),)* }
            }
        }
    };
}

calls! {
    /// Says who calls and asks who answers.
    Hello(HelloRequest) = "hello";
    /// Emits an event.
    Emit(Emit) = "emit";
    /// Says that a task lives.
    Heartbeat(Heartbeat) = "task.heartbeat";
    /// Adds a namespace.
    NamespaceAdd(NamespaceProperties) = "namespace.add";
    /// Says other things of a namespace.
    NamespaceUpdate(NamespaceProperties) = "namespace.update";
    /// Deletes a namespace without workflows.
    NamespaceDelete(NamespaceName) = "namespace.delete";
    /// Lists namespaces.
    NamespaceList(Empty) = "namespace.list";
    /// Brings a piece of a file that an upload will name.
    FilePut(FilePiece) = "file.put";
    /// Stores a definition.
    WorkflowUpload(Box<Upload>) = "workflow.upload";
    /// Lists workflows.
    WorkflowList(NamespaceFilter) = "workflow.list";
    /// Shows a workflow.
    WorkflowShow(NamedWorkflow) = "workflow.show";
    /// Lets a workflow start runs again.
    WorkflowEnable(NamedWorkflow) = "workflow.enable";
    /// Lets a workflow start nothing new.
    WorkflowDisable(NamedWorkflow) = "workflow.disable";
    /// Deletes a workflow with all of its runs, which have ended.
    WorkflowDelete(NamedWorkflow) = "workflow.delete";
    /// Watches a definition on what comes; it acts on nothing.
    DraftStart(Box<DraftWorkflow>) = "draft.start";
    /// Lists drafts.
    DraftList(OptionalWorkflow) = "draft.list";
    /// Shows a draft: its rules and what they would have done.
    DraftShow(DraftRef) = "draft.show";
    /// Makes the text of a draft the workflow's definition.
    DraftPromote(PromoteDraft) = "draft.promote";
    /// Throws a draft away.
    DraftDiscard(DraftRef) = "draft.discard";
    /// Puts a trigger or schedule on a workflow.
    TriggerAdd(AddTrigger) = "trigger.add";
    /// Lists triggers and schedules.
    TriggerList(OptionalWorkflow) = "trigger.list";
    /// Shows a trigger.
    TriggerShow(TriggerRef) = "trigger.show";
    /// Lets a trigger look at nothing.
    TriggerPause(TriggerRef) = "trigger.pause";
    /// Lets a trigger look at what comes from now on.
    TriggerResume(TriggerRef) = "trigger.resume";
    /// Deletes a trigger.
    TriggerDelete(TriggerRef) = "trigger.delete";
    /// Starts a run.
    RunStart(StartRun) = "execution.start";
    /// Lists runs.
    RunList(RunQuery) = "execution.list";
    /// Shows a run.
    RunShow(RunRef) = "execution.show";
    /// Stops a run.
    RunStop(RunRef) = "execution.stop";
    /// Lets nothing new start in a run.
    RunPause(RunRef) = "execution.pause";
    /// Lets what waits in a run start.
    RunResume(RunRef) = "execution.resume";
    /// Deletes a run that has ended.
    RunDelete(RunRef) = "execution.delete";
    /// Tells how a run differs from another.
    RunDiff(DiffRequest) = "execution.diff";
    /// Lists the rules of a run, each with how far it has come.
    RuleList(RunRef) = "rule.list";
    /// Tells why tasks of a run wait, or ran.
    Why(WhyRequest) = "why";
    /// Lists task executions of a run.
    TaskList(RunRef) = "task.list";
    /// Starts a task of a run.
    TaskStart(TaskRef) = "task.start";
    /// Stops a task of a run.
    TaskStop(TaskRef) = "task.stop";
    /// Stops what is alive of a task and starts it anew.
    TaskRestart(TaskRequest) = "task.restart";
    /// Goes on without an execution of a task.
    TaskSkip(TaskControl) = "task.skip";
    /// Goes on as if an execution of a task had succeeded.
    TaskMarkSuccess(TaskControl) = "task.mark_success";
    /// Does an execution of a task anew.
    TaskRerun(RerunTask) = "task.rerun";
    /// Runs windows of a task that no clock fires, or that have run before.
    TaskBackfill(Backfill) = "task.backfill";
    /// Says something of a task's work, from inside of it.
    OutputSet(SetOutput) = "output.set";
    /// Lists what tasks of a run said of their work.
    OutputList(OutputQuery) = "output.list";
    /// Reads a piece of an attempt's output.
    LogRead(LogRead) = "log.read";
    /// Lists events.
    EventList(EventQuery) = "event.list";
    /// Counts events.
    EventCount(EventQuery) = "event.count";
    /// Tells what became of an event, rule by rule.
    EventShow(EventRef) = "event.show";
    /// Tells how things stood.
    StateAt(Moment) = "state.at";
    /// Tells what a definition would have done with the events that came.
    Backtest(Box<BacktestRequest>) = "backtest";
    /// Tells what has happened since.
    Since(Moment) = "since";
    /// Brings records of the past, and the state before them.
    LogSlice(SliceQuery) = "log.slice";
    /// Follows records, from a state or from an offset.
    Follow(Follow) = "follow";
    /// Tells what a request would cause, without doing it.
    DryRun(DryRun) = "dry_run";
    /// How the daemon is.
    DaemonStatus(Empty) = "daemon.status";
    /// Asks the daemon to go down; tasks go on.
    DaemonStop(Empty) = "daemon.stop";
}

/// No parameters.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Empty {}

/// All namespaces or one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NamespaceFilter {
    /// Only this one.
    #[serde(default)]
    pub namespace: Option<Namespace>,
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

fn invalid_params(method: &str, error: &serde_json::Error) -> Rejection {
    Rejection::new(ErrorCode::InvalidParams, format!("{method}: params do not fit: {error}"))
        .hint("docs/protocol.md lists the parameters of each method")
}

/// Who calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HelloRequest {
    /// Version of the protocol that the client speaks.
    pub protocol: u32,
    /// Name and version of the client.
    #[serde(default)]
    pub client: String,
}

/// An event to emit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Emit {
    /// Where.
    #[serde(default = "Namespace::default_namespace")]
    pub namespace: Namespace,
    /// What it is about.
    pub key: EventKey,
    /// What it says.
    #[serde(default)]
    pub value: JsonText,
    /// Who says it.
    #[serde(default)]
    pub source: Option<String>,
    /// Identity within its source; without one the daemon gives one, and a repeat is a new event.
    #[serde(default)]
    pub id: Option<String>,
    /// Only for the rules of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<RunId>,
    /// Proof of which attempt says it: the `AIFLOW_TOKEN` of its task. Only for its own run, while
    /// the attempt lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A sign of life.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The task's `AIFLOW_TOKEN`.
    pub token: String,
}

/// A namespace by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NamespaceName {
    /// Its name.
    pub namespace: Namespace,
}

/// A namespace and what is said of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NamespaceProperties {
    /// Its name.
    pub namespace: Namespace,
    /// What is said of it, by name; `null` takes away what was.
    #[serde(default)]
    pub properties: BTreeMap<String, JsonText>,
}

/// A piece of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FilePiece {
    /// SHA-256 of the whole file, in hex.
    pub sha256: String,
    /// Length of the whole file.
    pub bytes: u64,
    /// Where this piece begins.
    pub position: u64,
    /// The piece in base64.
    pub data: String,
}

/// A definition to store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    /// Where.
    #[serde(default = "Namespace::default_namespace")]
    pub namespace: Namespace,
    /// YAML text.
    pub source: String,
    /// Its files, each brought before by `file.put`.
    #[serde(default)]
    pub files: Vec<FileEntry>,
}

/// A workflow by name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NamedWorkflow {
    /// Where.
    #[serde(default = "Namespace::default_namespace")]
    pub namespace: Namespace,
    /// Which.
    pub workflow: WorkflowName,
}

/// All workflows of a namespace or one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct OptionalWorkflow {
    /// Only in this one.
    #[serde(default)]
    pub namespace: Option<Namespace>,
    /// Only of this one.
    #[serde(default)]
    pub workflow: Option<WorkflowName>,
}

/// A run to start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StartRun {
    /// Where.
    #[serde(default = "Namespace::default_namespace")]
    pub namespace: Namespace,
    /// Which workflow.
    pub workflow: WorkflowName,
    /// Parameters; those left out have their defaults.
    #[serde(default)]
    pub params: BTreeMap<String, JsonText>,
    /// Identity of the request: asking again with it gives the same run.
    #[serde(default)]
    pub request: Option<String>,
}

/// A trigger to put on a workflow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddTrigger {
    /// Where.
    #[serde(default = "Namespace::default_namespace")]
    pub namespace: Namespace,
    /// On which workflow.
    pub workflow: WorkflowName,
    /// The condition as in a definition: YAML or JSON text.
    pub condition: String,
    /// Identity of the request: asking again with it gives the same trigger.
    #[serde(default)]
    pub request: Option<String>,
}

/// A trigger by id.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct TriggerRef {
    /// Which.
    pub trigger: TriggerId,
}

/// A run by id.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RunRef {
    /// Which.
    pub run: RunId,
}

/// A task of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskRef {
    /// Which run.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
}

/// A piece of an attempt's output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogRead {
    /// Which run.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
    /// Which execution; the latest.
    #[serde(default)]
    pub sequence: Option<Sequence>,
    /// Which attempt; the latest.
    #[serde(default)]
    pub attempt: Option<AttemptNumber>,
    /// Where to begin: 0 for the beginning, negative for so many bytes before the end, else the
    /// `next` of an earlier piece, which is opaque.
    #[serde(default)]
    pub position: i64,
    /// Most bytes to return.
    #[serde(default)]
    pub bytes_max: Option<u64>,
}

/// Which events.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EventQuery {
    /// Where.
    #[serde(default)]
    pub namespace: Option<Namespace>,
    /// Only of this key.
    #[serde(default)]
    pub key: Option<EventKey>,
    /// Only of those who call themselves so.
    #[serde(default)]
    pub source: Option<String>,
    /// From this offset.
    #[serde(default)]
    pub from: Option<Offset>,
    /// Nothing that was taken in before this time.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// At most the newest so many.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// What to follow.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Follow {
    /// First record to send; none: the next one.
    #[serde(default)]
    pub from: Option<Offset>,
    /// Send the state first; records then begin where it ends.
    #[serde(default)]
    pub with_state: bool,
    /// Only events, and of those only in this namespace.
    #[serde(default)]
    pub events_in: Option<Namespace>,
    /// With `events_in`: only of this key.
    #[serde(default)]
    pub key: Option<EventKey>,
    /// Only records about this run; not together with `events_in`.
    #[serde(default)]
    pub run: Option<RunId>,
}
