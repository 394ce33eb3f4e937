//! Answers that only look: lists and shows, from the state as it stands.
//!
//! Must never change anything. The loop holds the answer back until what it shows is durable.

use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::state::{Snapshot, State};
use aiflow_model::wire::{
    DraftRef, DraftView, ExecutionView, NamedWorkflow, NamespaceFilter, NamespaceView,
    OptionalWorkflow, OutputQuery, OutputView, RuleView, RunQuery, RunRef, RunView, TaskLine,
    TriggerRef, TriggerView, WorkflowView,
};
use aiflow_model::{RunId, spec::TaskKind};
use serde::Serialize;

/// A result as JSON text.
pub(crate) fn to_json(result: &impl Serialize) -> Result<String, Rejection> {
    serde_json::to_string(result)
        .map_err(|error| Rejection::new(ErrorCode::Internal, format!("cannot encode: {error}")))
}

pub(crate) fn namespaces(state: &State) -> Result<String, Rejection> {
    let view =
        |(name, namespace): (&aiflow_model::Namespace, &aiflow_model::state::NamespaceState)| {
            NamespaceView {
                namespace: name.clone(),
                workflows: namespace.workflows.len(),
                events: namespace.event_count,
                properties: namespace.properties.clone(),
            }
        };
    to_json(&state.namespaces.iter().map(view).collect::<Vec<_>>())
}

pub(crate) fn workflows(state: &State, filter: &NamespaceFilter) -> Result<String, Rejection> {
    let wanted = state
        .namespaces
        .iter()
        .filter(|(name, _)| filter.namespace.as_ref().is_none_or(|wanted| wanted == *name));
    let snapshots = wanted
        .flat_map(|(_, namespace)| namespace.workflows.values())
        .filter_map(|number| state.snapshots.get(number));
    to_json(&snapshots.map(|snapshot| workflow_view(state, snapshot)).collect::<Vec<_>>())
}

pub(crate) fn workflow(state: &State, named: &NamedWorkflow) -> Result<String, Rejection> {
    let (namespace, name) = (named.namespace.as_str(), named.workflow.as_str());
    let snapshot = state.current_snapshot(namespace, name).ok_or_else(|| {
        let message = format!("there is no workflow {name} in namespace {namespace}");
        Rejection::new(ErrorCode::UnknownWorkflow, message).hint("aiflow workflow list")
    })?;
    let mut view = workflow_view(state, snapshot);
    view.source = Some(snapshot.source.clone());
    to_json(&view)
}

fn workflow_view(state: &State, snapshot: &Snapshot) -> WorkflowView {
    let name = &snapshot.spec.name;
    let is_alive = |run: &&aiflow_model::state::Run| {
        run.status.is_alive() && run.workflow == *name && run.namespace == snapshot.namespace
    };
    let line = |task: &aiflow_model::TaskSpec| TaskLine {
        task: task.name.to_string(),
        kind: match task.kind {
            TaskKind::Batch => "batch".to_owned(),
            TaskKind::Stream => "stream".to_owned(),
        },
        rules: task
            .rules
            .iter()
            .map(|rule| format!("{} {}", rule.action.word(), rule.condition))
            .collect(),
    };
    let of_workflow = state.triggers_of(&snapshot.namespace, name);
    let triggers = of_workflow.iter().filter_map(|id| state.triggers.get(id));
    let space = state.namespaces.get(&snapshot.namespace);
    WorkflowView {
        namespace: snapshot.namespace.clone(),
        workflow: name.clone(),
        snapshot: snapshot.number,
        uploaded_at: snapshot.uploaded_at.to_string(),
        tasks: snapshot.spec.tasks.iter().map(line).collect(),
        triggers: triggers.map(|trigger| trigger.condition.to_string()).collect(),
        enabled: space.is_some_and(|space| !space.disabled.contains(name)),
        alive_runs: state.runs.values().filter(is_alive).count(),
        source: None,
    }
}

pub(crate) fn runs(state: &State, filter: &RunQuery) -> Result<String, Rejection> {
    let wanted = state.runs.values().filter(|run| {
        filter.namespace.as_ref().is_none_or(|namespace| *namespace == run.namespace)
            && filter.workflow.as_ref().is_none_or(|workflow| *workflow == run.workflow)
    });
    to_json(&wanted.map(RunView::of).collect::<Vec<_>>())
}

pub(crate) fn triggers(state: &State, filter: &OptionalWorkflow) -> Result<String, Rejection> {
    let wanted = state.triggers.values().filter(|trigger| {
        filter.namespace.as_ref().is_none_or(|namespace| *namespace == trigger.namespace)
            && filter.workflow.as_ref().is_none_or(|workflow| *workflow == trigger.workflow)
    });
    to_json(&wanted.map(|trigger| TriggerView::of(state, trigger)).collect::<Vec<_>>())
}

pub(crate) fn drafts(state: &State, filter: &OptionalWorkflow) -> Result<String, Rejection> {
    let wanted = state.drafts.values().filter(|draft| {
        filter.namespace.as_ref().is_none_or(|namespace| *namespace == draft.began.namespace)
            && filter.workflow.as_ref().is_none_or(|workflow| *workflow == draft.began.spec.name)
    });
    to_json(&wanted.map(DraftView::of).collect::<Vec<_>>())
}

pub(crate) fn draft(state: &State, DraftRef { draft }: DraftRef) -> Result<String, Rejection> {
    let found = state.drafts.get(&draft).ok_or_else(|| {
        Rejection::new(ErrorCode::UnknownDraft, format!("there is no draft {draft}"))
            .hint("aiflow workflow drafts")
    })?;
    to_json(&DraftView::whole(found))
}

pub(crate) fn trigger(
    state: &State,
    TriggerRef { trigger }: TriggerRef,
) -> Result<String, Rejection> {
    let found = state.triggers.get(&trigger).ok_or_else(|| {
        Rejection::new(ErrorCode::UnknownTrigger, format!("there is no trigger {trigger}"))
            .hint("aiflow workflow-trigger list; aiflow workflow-schedule list")
    })?;
    to_json(&TriggerView::of(state, found))
}

pub(crate) fn run(state: &State, RunRef { run }: RunRef) -> Result<String, Rejection> {
    let found = state.run(run).ok_or_else(|| unknown_run(run))?;
    to_json(&RunView::of(found))
}

pub(crate) fn rules(state: &State, RunRef { run }: RunRef) -> Result<String, Rejection> {
    let views = RuleView::all_of_run(state, run).ok_or_else(|| unknown_run(run))?;
    to_json(&views)
}

pub(crate) fn tasks(state: &State, RunRef { run }: RunRef) -> Result<String, Rejection> {
    let views = ExecutionView::all_of_run(state, run).ok_or_else(|| unknown_run(run))?;
    to_json(&views)
}

pub(crate) fn outputs(state: &State, query: &OutputQuery) -> Result<String, Rejection> {
    let run = state.run(query.run).ok_or_else(|| unknown_run(query.run))?;
    let spec = state.snapshot_of(query.run).map(|snapshot| &snapshot.spec);
    if let (Some(task), Some(spec)) = (&query.task, spec)
        && spec.task(task.as_str()).is_none()
    {
        let message = format!("run {} of {} has no task {task}", run.id, run.workflow);
        return Err(Rejection::new(ErrorCode::UnknownTask, message)
            .hint(format!("aiflow task-execution list {}", run.id)));
    }
    let views = OutputView::all(state, query).ok_or_else(|| unknown_run(query.run))?;
    to_json(&views)
}

pub(crate) fn unknown_run(run: RunId) -> Rejection {
    Rejection::new(ErrorCode::UnknownRun, format!("there is no run {run}"))
        .hint("aiflow workflow-execution list")
}
