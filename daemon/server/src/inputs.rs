//! Which requests ask for a decision, and how the core's answer reads on the wire.
//!
//! Must never decide anything, nor look at the state.

use aiflow_core::{Answer, Effect, Input, Preview};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::record::Mark;
use aiflow_model::wire::{
    BackfillReply, Call, DraftReply, DryRunReply, EffectView, Emit, EmitReply, ExecutionReply,
    NamedWorkflow, RunReply, StopReply, TriggerReply, UploadReply,
};

use serde_json::value::RawValue;

use crate::queries::to_json;
use crate::token::TokenKey;

/// What a request asks for.
pub(crate) enum Asked {
    /// A decision.
    Decide(Input),
    /// A look at what is there, or something that leaves no record.
    Look(Call),
}

/// Sorts a request. `is_inside`: the daemon itself asks, for what lay in the spool.
///
/// # Errors
/// When a token is not what it should be.
pub(crate) fn asked(call: Call, tokens: &TokenKey, is_inside: bool) -> Result<Asked, Rejection> {
    let input = match call {
        Call::Emit(emit) => emitted(emit, tokens, is_inside)?,
        Call::Heartbeat(it) => Input::Heartbeat(tokens.check(&it.token)?),
        Call::OutputSet(set) => Input::SetOutput(tokens.check(&set.token)?, set.name, set.value),
        Call::NamespaceAdd(it) => Input::AddNamespace(it.namespace, it.properties),
        Call::NamespaceUpdate(it) => Input::UpdateNamespace(it.namespace, it.properties),
        Call::NamespaceDelete(name) => Input::DeleteNamespace(name.namespace),
        Call::WorkflowUpload(upload) => Input::Upload {
            namespace: upload.namespace,
            source: upload.source,
            files: upload.files,
        },
        Call::WorkflowEnable(NamedWorkflow { namespace, workflow }) => {
            Input::EnableWorkflow(namespace, workflow, true)
        }
        Call::WorkflowDisable(NamedWorkflow { namespace, workflow }) => {
            Input::EnableWorkflow(namespace, workflow, false)
        }
        Call::WorkflowDelete(NamedWorkflow { namespace, workflow }) => {
            Input::DeleteWorkflow(namespace, workflow)
        }
        Call::DraftStart(ask) => Input::StartDraft(ask),
        Call::DraftPromote(ask) => Input::PromoteDraft(ask),
        Call::DraftDiscard(it) => Input::DiscardDraft(it.draft),
        Call::TriggerAdd(add) => Input::AddTrigger(add),
        Call::TriggerPause(it) => Input::PauseTrigger(it.trigger),
        Call::TriggerResume(it) => Input::ResumeTrigger(it.trigger),
        Call::TriggerDelete(it) => Input::DeleteTrigger(it.trigger),
        Call::RunStart(start) => Input::StartRun(start),
        Call::RunStop(it) => Input::StopRun(it.run),
        Call::RunPause(it) => Input::PauseRun(it.run),
        Call::RunResume(it) => Input::ResumeRun(it.run),
        Call::RunDelete(it) => Input::DeleteRun(it.run),
        Call::TaskStart(it) => Input::StartTask(it.run, it.task),
        Call::TaskStop(it) => Input::StopTask(it.run, it.task),
        Call::TaskRestart(asked) => Input::RestartTask(asked),
        Call::TaskSkip(asked) => Input::MarkTask(asked, Mark::Skipped),
        Call::TaskMarkSuccess(asked) => Input::MarkTask(asked, Mark::Success),
        Call::TaskRerun(asked) => Input::RerunTask(asked),
        Call::TaskBackfill(asked) => Input::Backfill(asked),
        look @ (Call::Hello(_)
        | Call::NamespaceList(_)
        | Call::FilePut(_)
        | Call::WorkflowList(_)
        | Call::WorkflowShow(_)
        | Call::DraftList(_)
        | Call::DraftShow(_)
        | Call::TriggerList(_)
        | Call::TriggerShow(_)
        | Call::RunList(_)
        | Call::RunShow(_)
        | Call::TaskList(_)
        | Call::RuleList(_)
        | Call::Why(_)
        | Call::EventShow(_)
        | Call::StateAt(_)
        | Call::Backtest(_)
        | Call::Since(_)
        | Call::LogRead(_)
        | Call::OutputList(_)
        | Call::LogSlice(_)
        | Call::EventList(_)
        | Call::EventCount(_)
        | Call::Follow(_)
        | Call::DryRun(_)
        | Call::DaemonStatus(_)
        | Call::RunDiff(_)
        | Call::DaemonStop(_)) => return Ok(Asked::Look(look)),
    };
    Ok(Asked::Decide(input))
}

fn emitted(emit: Emit, tokens: &TokenKey, is_inside: bool) -> Result<Input, Rejection> {
    let speaker = emit.token.as_deref().map(|token| tokens.check(token)).transpose()?;
    let own_run = speaker.as_ref().map(|id| id.execution.run);
    Ok(Input::Emit {
        namespace: emit.namespace,
        key: emit.key,
        value: emit.value,
        source: emit.source.unwrap_or_else(|| "unnamed".to_owned()),
        id: emit.id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
        execution: emit.execution.or(own_run),
        // What lay in the spool may come when the task is long over, and is no sign of life.
        speaker: speaker.filter(|_| !is_inside),
    })
}

/// An effect as the wire tells it.
fn effect_view(effect: Effect) -> EffectView {
    match effect {
        Effect::Launch(id) => EffectView::Launch(id),
        Effect::Stop(id) => EffectView::Stop(id),
        Effect::DropLog(before) => EffectView::DropLog(before),
        Effect::ClearAway => EffectView::ClearAway,
    }
}

/// What a request would cause, as JSON text.
pub(crate) fn foretold(preview: Preview) -> Result<String, Rejection> {
    let result = reply(preview.answer)?;
    let unwritten =
        |error: serde_json::Error| Rejection::new(ErrorCode::Internal, format!("dry_run: {error}"));
    to_json(&DryRunReply {
        result: RawValue::from_string(result).map_err(unwritten)?,
        records: preview.records,
        effects: preview.effects.into_iter().map(effect_view).collect(),
        more: preview.more,
    })
}

/// The result of a request that was decided, as JSON text.
pub(crate) fn reply(answer: Answer) -> Result<String, Rejection> {
    match answer {
        Answer::Done => Ok("{}".to_owned()),
        Answer::Emitted { offset, duplicate } => to_json(&EmitReply { offset, duplicate }),
        Answer::Uploaded { namespace, workflow, snapshot, unchanged, warnings } => {
            to_json(&UploadReply { workflow, namespace, snapshot, unchanged, warnings })
        }
        Answer::Draft { draft, beside, warnings } => {
            to_json(&DraftReply { draft, beside, warnings })
        }
        Answer::Backfilled(windows) => to_json(&BackfillReply { windows }),
        Answer::Run(run) => to_json(&RunReply { run }),
        Answer::Trigger(trigger) => to_json(&TriggerReply { trigger }),
        Answer::Execution(id) => {
            to_json(&ExecutionReply { run: id.run, task: id.task, sequence: id.sequence })
        }
        Answer::Stopping(stopping) => to_json(&StopReply { stopping }),
    }
}
