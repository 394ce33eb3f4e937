//! Starting and stopping of runs and tasks: always a question first, with what will happen.
//!
//! Must never ask the daemon itself: a yes does.

use aiflow_model::state::TaskState;
use aiflow_model::{RunId, State};

use crate::conn::Request;
use crate::state::runs::{self, Row};
use crate::state::{Confirm, Dialog, Model, Screen};

fn ask(model: &mut Model, question: String, consequences: Vec<String>, request: Request) {
    model.dialog = Some(Dialog::Confirm(Confirm { question, consequences, request }));
}

fn selected_row(model: &Model) -> Option<Row> {
    let rows = runs::rows(&model.state);
    let at = model.runs_cursor.min(rows.len().checked_sub(1)?);
    rows.into_iter().nth(at)
}

/// The run that is meant: the selected one of the overview, else the open one.
fn meant_run(model: &Model) -> Option<RunId> {
    match (model.screen, selected_row(model)) {
        (Screen::Runs, Some(Row::Run(run))) => Some(run),
        (Screen::Runs, _) => None,
        (Screen::Run | Screen::Events | Screen::Log, _) => model.run,
    }
}

/// Asks whether to start a run of the selected workflow.
pub(super) fn start_run(model: &mut Model) {
    let (namespace, workflow) = match selected_row(model) {
        Some(Row::Workflow(row)) => (row.namespace, row.workflow),
        Some(Row::Run(run)) => match model.state.run(run) {
            Some(run) => (run.namespace.clone(), run.workflow.clone()),
            None => return,
        },
        None => return,
    };
    let question = format!("Start a run of {workflow}?");
    let consequences = vec!["with the workflow's default parameters".to_owned()];
    ask(model, question, consequences, Request::StartRun { namespace, workflow });
}

/// Asks whether to stop a run.
pub(super) fn stop_run(model: &mut Model) {
    let Some(run) = meant_run(model).and_then(|id| model.state.run(id)) else { return };
    if !run.status.is_alive() {
        return;
    }
    let question = format!("Stop run {} of {}?", run.id, run.workflow);
    let (consequences, run) = (what_lives(&model.state, run.id), run.id);
    ask(model, question, consequences, Request::StopRun { run });
}

fn what_lives(state: &State, id: RunId) -> Vec<String> {
    let (Some(run), Some(snapshot)) = (state.run(id), state.snapshot_of(id)) else {
        return Vec::new();
    };
    let tasks = snapshot.spec.tasks.iter().zip(&run.tasks);
    let alive = tasks.filter(|(_, task)| task.alive_count() > 0).map(|(spec, task)| {
        let (busy, alive) = busy_and_alive(task);
        format!("{}: {busy} running, {} waiting", spec.name, alive - busy)
    });
    let mut lines: Vec<String> = alive.collect();
    lines.push("The run ends, and cannot be resumed.".to_owned());
    lines
}

/// How many executions hold a place, and how many have not ended.
fn busy_and_alive(task: &TaskState) -> (usize, usize) {
    (task.lanes().map(|lane| task.busy_in(lane)).sum(), task.alive_count())
}

/// Asks whether to start the selected task.
pub(super) fn start_task(model: &mut Model) {
    let Some((run, task)) = model.selected_task() else { return };
    let question = format!("Start task {task} of run {run}?");
    ask(
        model,
        question,
        vec!["now, without an event".to_owned()],
        Request::StartTask { run, task },
    );
}

/// Asks whether to stop the selected task.
pub(super) fn stop_task(model: &mut Model) {
    let Some((run, task)) = model.selected_task() else { return };
    let state = model.state.task(run, &task);
    let (busy, alive) = state.map_or((0, 0), busy_and_alive);
    let question = format!("Stop task {task} of run {run}?");
    let consequences = vec![format!("{busy} running and {} waiting end", alive - busy)];
    ask(model, question, consequences, Request::StopTask { run, task });
}
