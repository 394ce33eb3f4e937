//! Every method with the types of its parameters and its answer.
//!
//! Must never hold a default that the daemon does not know: defaults are the wire's.

use aiflow_model::wire::{
    Call, Emit, EmitReply, Empty, EventCount, EventPage, EventQuery, ExecutionView, FilePiece,
    LogPiece, LogRead, NamedWorkflow, NamespaceFilter, NamespaceName, NamespaceView,
    OptionalWorkflow, RunRef, RunReply, RunView, StartRun, Status, StopReply, TaskRef, Upload,
    UploadReply, WorkflowView,
};
use serde::de::IgnoredAny;

use crate::{CallError, Client};

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident($params:ty) -> $answer:ty = $call:expr;)*) => {
        /// Typed calls. All fail with [`CallError`].
        impl Client {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`CallError`].
                pub async fn $name(&self, params: $params) -> Result<$answer, CallError> {
                    self.call($call(params)).await
                }
            )*
        }
    };
}

typed! {
    /// Emits an event; when this returns it is durable.
    emit(Emit) -> EmitReply = Call::Emit;
    /// Lists namespaces.
    list_namespaces(Empty) -> Vec<NamespaceView> = Call::NamespaceList;
    /// Stores a definition whose files were brought before.
    upload_workflow(Box<Upload>) -> UploadReply = Call::WorkflowUpload;
    /// Lists workflows.
    list_workflows(NamespaceFilter) -> Vec<WorkflowView> = Call::WorkflowList;
    /// Shows a workflow with its text.
    show_workflow(NamedWorkflow) -> WorkflowView = Call::WorkflowShow;
    /// Starts a run.
    start_run(StartRun) -> RunReply = Call::RunStart;
    /// Lists runs.
    list_runs(OptionalWorkflow) -> Vec<RunView> = Call::RunList;
    /// Shows a run.
    show_run(RunRef) -> RunView = Call::RunShow;
    /// Stops a run; it has ended when its record says so.
    stop_run(RunRef) -> StopReply = Call::RunStop;
    /// Lists task executions of a run.
    list_task_executions(RunRef) -> Vec<ExecutionView> = Call::TaskList;
    /// Stops what is alive of a task.
    stop_task(TaskRef) -> StopReply = Call::TaskStop;
    /// Reads a piece of an attempt's output.
    read_log(LogRead) -> LogPiece = Call::LogRead;
    /// Lists events.
    list_events(EventQuery) -> EventPage = Call::EventList;
    /// Counts events.
    count_events(EventQuery) -> EventCount = Call::EventCount;
    /// How the daemon is.
    status(Empty) -> Status = Call::DaemonStatus;
}

/// Calls of which only the success counts. All fail with [`CallError`].
impl Client {
    /// Adds a namespace.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn add_namespace(&self, name: NamespaceName) -> Result<(), CallError> {
        self.call(Call::NamespaceAdd(name)).await.map(|IgnoredAny| ())
    }

    /// Brings a piece of a file.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn put_file(&self, piece: FilePiece) -> Result<(), CallError> {
        self.call(Call::FilePut(piece)).await.map(|IgnoredAny| ())
    }

    /// Starts a task of a run.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn start_task(&self, task: TaskRef) -> Result<(), CallError> {
        self.call(Call::TaskStart(task)).await.map(|IgnoredAny| ())
    }

    /// Asks the daemon to go down; tasks go on.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn stop_daemon(&self) -> Result<(), CallError> {
        self.call(Call::DaemonStop(Empty {})).await.map(|IgnoredAny| ())
    }
}
