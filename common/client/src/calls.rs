//! Every method with the types of its parameters and its answer.
//!
//! Must never hold a default that the daemon does not know: defaults are the wire's.

use aiflow_model::compare::RunDiff;
use aiflow_model::why::Why;
use aiflow_model::wire::{
    AddTrigger, Backfill, BackfillReply, BacktestReply, BacktestRequest, Call, DiffRequest,
    DraftRef, DraftReply, DraftView, DraftWorkflow, Emit, EmitReply, Empty, EventCount, EventPage,
    EventQuery, EventRef, ExecutionReply, ExecutionView, FilePiece, Heartbeat, LogPiece, LogRead,
    LogSlice, Moment, NamedWorkflow, NamespaceFilter, NamespaceName, NamespaceProperties,
    NamespaceView, OptionalWorkflow, OutputQuery, OutputView, PromoteDraft, Receipt, RerunTask,
    RuleView, RunQuery, RunRef, RunReply, RunView, SetOutput, SinceReply, SliceQuery, StartRun,
    StateReply, Status, StopReply, TaskControl, TaskRef, TaskRequest, TriggerRef, TriggerReply,
    TriggerView, Upload, UploadReply, WhyRequest, WorkflowView,
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
    /// Watches a definition on what comes; it acts on nothing.
    start_draft(Box<DraftWorkflow>) -> DraftReply = Call::DraftStart;
    /// Lists drafts.
    list_drafts(OptionalWorkflow) -> Vec<DraftView> = Call::DraftList;
    /// Shows a draft: its rules and what they would have done.
    show_draft(DraftRef) -> DraftView = Call::DraftShow;
    /// Makes the text of a draft the workflow's definition.
    promote_draft(PromoteDraft) -> UploadReply = Call::DraftPromote;
    /// Puts a trigger or schedule on a workflow.
    add_trigger(AddTrigger) -> TriggerReply = Call::TriggerAdd;
    /// Lists triggers and schedules.
    list_triggers(OptionalWorkflow) -> Vec<TriggerView> = Call::TriggerList;
    /// Shows a trigger.
    show_trigger(TriggerRef) -> TriggerView = Call::TriggerShow;
    /// Starts a run.
    start_run(StartRun) -> RunReply = Call::RunStart;
    /// Lists runs.
    list_runs(RunQuery) -> Vec<RunView> = Call::RunList;
    /// Shows a run.
    show_run(RunRef) -> RunView = Call::RunShow;
    /// Stops a run; it has ended when its record says so.
    stop_run(RunRef) -> StopReply = Call::RunStop;
    /// Tells how a run differs from another.
    diff_runs(DiffRequest) -> RunDiff = Call::RunDiff;
    /// Lists the rules of a run, each with how far it has come.
    list_rules(RunRef) -> Vec<RuleView> = Call::RuleList;
    /// Tells why tasks of a run wait, or ran.
    why(WhyRequest) -> Why = Call::Why;
    /// Lists task executions of a run.
    list_task_executions(RunRef) -> Vec<ExecutionView> = Call::TaskList;
    /// Goes on without an execution of a task.
    skip_task(TaskControl) -> ExecutionReply = Call::TaskSkip;
    /// Goes on as if an execution of a task had succeeded.
    mark_task_success(TaskControl) -> ExecutionReply = Call::TaskMarkSuccess;
    /// Does an execution of a task anew.
    rerun_task(RerunTask) -> ExecutionReply = Call::TaskRerun;
    /// Stops what is alive of a task.
    stop_task(TaskRef) -> StopReply = Call::TaskStop;
    /// Runs windows of a task.
    backfill_task(Backfill) -> BackfillReply = Call::TaskBackfill;
    /// Lists what tasks of a run said of their work.
    list_outputs(OutputQuery) -> Vec<OutputView> = Call::OutputList;
    /// Reads a piece of an attempt's output.
    read_log(LogRead) -> LogPiece = Call::LogRead;
    /// Lists events.
    list_events(EventQuery) -> EventPage = Call::EventList;
    /// Tells what became of an event.
    show_event(EventRef) -> Receipt = Call::EventShow;
    /// Tells how things stood.
    state_at(Moment) -> StateReply = Call::StateAt;
    /// Tells what a definition would have done with the events that came.
    backtest(Box<BacktestRequest>) -> BacktestReply = Call::Backtest;
    /// Tells what has happened since.
    since(Moment) -> SinceReply = Call::Since;
    /// Counts events.
    count_events(EventQuery) -> EventCount = Call::EventCount;
    /// Brings records of the past, and the state before them.
    log_slice(SliceQuery) -> LogSlice = Call::LogSlice;
    /// How the daemon is.
    status(Empty) -> Status = Call::DaemonStatus;
}

macro_rules! acknowledged {
    ($($(#[$doc:meta])* $name:ident($params:ty) = $call:expr;)*) => {
        /// Calls of which only the success counts. All fail with [`CallError`].
        impl Client {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`CallError`].
                pub async fn $name(&self, params: $params) -> Result<(), CallError> {
                    self.call($call(params)).await.map(|IgnoredAny| ())
                }
            )*
        }
    };
}

acknowledged! {
    /// Throws a draft away.
    discard_draft(DraftRef) = Call::DraftDiscard;
    /// Says that a task lives.
    heartbeat(Heartbeat) = Call::Heartbeat;
    /// Says something of a task's work, from inside of it.
    set_output(SetOutput) = Call::OutputSet;
    /// Adds a namespace.
    add_namespace(NamespaceProperties) = Call::NamespaceAdd;
    /// Says other things of a namespace.
    update_namespace(NamespaceProperties) = Call::NamespaceUpdate;
    /// Deletes a namespace without workflows.
    delete_namespace(NamespaceName) = Call::NamespaceDelete;
    /// Brings a piece of a file.
    put_file(FilePiece) = Call::FilePut;
    /// Lets a workflow start runs again.
    enable_workflow(NamedWorkflow) = Call::WorkflowEnable;
    /// Lets a workflow start nothing new.
    disable_workflow(NamedWorkflow) = Call::WorkflowDisable;
    /// Deletes a workflow with all of its runs, which have ended.
    delete_workflow(NamedWorkflow) = Call::WorkflowDelete;
    /// Lets a trigger look at nothing.
    pause_trigger(TriggerRef) = Call::TriggerPause;
    /// Lets a trigger look at what comes from now on.
    resume_trigger(TriggerRef) = Call::TriggerResume;
    /// Deletes a trigger.
    delete_trigger(TriggerRef) = Call::TriggerDelete;
    /// Deletes a run that has ended.
    delete_run(RunRef) = Call::RunDelete;
    /// Lets nothing new start in a run.
    pause_run(RunRef) = Call::RunPause;
    /// Lets what waits in a run start.
    resume_run(RunRef) = Call::RunResume;
    /// Stops what is alive of a task and starts it anew.
    restart_task(TaskRequest) = Call::TaskRestart;
    /// Starts a task of a run.
    start_task(TaskRef) = Call::TaskStart;
    /// Asks the daemon to go down; tasks go on.
    stop_daemon(Empty) = Call::DaemonStop;
}
