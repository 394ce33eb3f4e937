//! Taking a hand: starting, stopping, doing anew, marking, pausing. Always a question first, with
//! what is known here and, as soon as it has come, what the daemon says that it would cause.
//!
//! Must never ask the daemon itself: a yes does.

use std::collections::BTreeMap;

use aiflow_model::state::TaskState;
use aiflow_model::{Namespace, RunId, Sequence, State, TaskName, WorkflowName};

use super::action::Action;
use crate::state::command::Command;
use crate::state::exchange::Request;
use crate::state::form::Form;
use crate::state::input_line::InputLine;
use crate::state::item::Item;
use crate::state::items;
use crate::state::mark::Tone;
use crate::state::{Confirm, Dialog, Model, Screen};

/// Commands of one question of which each is foretold.
const FORETOLD_MAX: usize = 5;
/// Commands that a letter is enough for; for more their number has to be typed.
const UNTYPED_MAX: usize = 10;

/// A question, and what a yes would do.
pub(super) struct Plan {
    pub(super) question: String,
    pub(super) consequences: Vec<String>,
    pub(super) commands: Vec<Command>,
}

/// Asks whether to do it, or says why it cannot be done.
pub(super) fn ask(model: &mut Model, action: Action) {
    if !model.may_change() {
        return;
    }
    match plan(model, action) {
        Ok(plan) => put(model, plan),
        Err(why_not) => model.say(why_not, Tone::Wait),
    }
}

/// Puts the question, and asks what would happen.
pub(super) fn put(model: &mut Model, plan: Plan) {
    let Plan { question, consequences, commands } = plan;
    let tried = commands.iter().take(FORETOLD_MAX).cloned().collect();
    let number = model.foretell(tried);
    let typed = (commands.len() > UNTYPED_MAX).then(InputLine::default);
    let confirm = Confirm { question, consequences, commands, foretold: None, number, typed };
    model.dialog = Some(Dialog::Confirm(confirm));
}

/// Does what was asked; where a number has to be typed, only once it is.
pub(super) fn send(model: &mut Model, question: Confirm) {
    if !question.is_meant() {
        let text = format!("type {}, as many as they are", question.commands.len());
        model.dialog = Some(Dialog::Confirm(question));
        return model.say(text, Tone::Wait);
    }
    model.marks.clear();
    model.outbox.push(Request::Do(question.commands));
}

/// What an action would do to what is selected or marked.
pub(super) fn plan(model: &Model, action: Action) -> Result<Plan, String> {
    let targets = items::targets(model);
    match action {
        Action::StartRun => start_run(model, &targets),
        Action::StopRun | Action::PauseRun => of_runs(model, action, &targets),
        Action::StartTask | Action::StopTask | Action::RestartTask => {
            of_tasks(model, action, &targets)
        }
        Action::Rerun | Action::RerunFromHere | Action::Skip | Action::MarkSuccess => {
            of_executions(action, &targets)
        }
        Action::PauseTrigger => of_triggers(model, &targets),
        Action::EnableWorkflow => of_workflows(model, &targets),
        _ => Err("nothing to be done here".to_owned()),
    }
}

/// `task train of run 1`, or `3 tasks`.
fn name_of<T>(all: &[T], name: impl Fn(&T) -> String, many: &str) -> String {
    match all {
        [one] => name(one),
        all => format!("{} {many}", all.len()),
    }
}

/// The workflow that a run is to be started of.
fn workflow_of(model: &Model, targets: &[Item]) -> Result<(Namespace, WorkflowName), String> {
    let of_item = |item: &Item| match item {
        Item::Workflow(namespace, workflow) => Some((namespace.clone(), workflow.clone())),
        item => {
            let run = model.state().run(item.run()?)?;
            Some((run.namespace.clone(), run.workflow.clone()))
        }
    };
    let here = match (model.screen, targets.first()) {
        (Screen::Workflow, _) => model.open_workflow(),
        (_, Some(item)) => of_item(item),
        (_, None) => None,
    };
    here.ok_or_else(|| "select a workflow first".to_owned())
}

fn start_run(model: &Model, targets: &[Item]) -> Result<Plan, String> {
    let (namespace, workflow) = workflow_of(model, targets)?;
    let question = format!("Start a run of {workflow}?");
    let params = BTreeMap::new();
    let commands = vec![Command::StartRun { namespace, workflow, params }];
    Ok(Plan { question, consequences: Vec::new(), commands })
}

/// The form of its parameters, where it has any.
pub(super) fn form_of_run(model: &Model) -> Option<Form> {
    let (namespace, workflow) = workflow_of(model, &items::targets(model)).ok()?;
    let current = model.state().current_snapshot(namespace.as_str(), workflow.as_str())?;
    Form::of_run(&namespace, &current.spec)
}

/// The runs that are meant: those selected or marked, else the open one.
fn runs_of(model: &Model, targets: &[Item]) -> Vec<RunId> {
    let mut runs: Vec<RunId> = targets.iter().filter_map(Item::run).collect();
    if runs.is_empty() && model.screen != Screen::Overview {
        runs.extend(model.run);
    }
    runs.dedup();
    runs
}

fn of_runs(model: &Model, action: Action, targets: &[Item]) -> Result<Plan, String> {
    let state = model.state();
    let known = runs_of(model, targets).into_iter().filter_map(|run| state.run(run));
    let alive: Vec<_> = known.filter(|run| run.status.is_alive()).collect();
    let first = alive.first().ok_or("no run is selected that lives")?;
    let name = name_of(&alive, |run| format!("run {} of {}", run.id, run.workflow), "runs");
    if action == Action::StopRun {
        let consequences = alive.iter().flat_map(|run| what_lives(state, run.id)).collect();
        let commands = alive.iter().map(|run| Command::StopRun { run: run.id }).collect();
        return Ok(Plan { question: format!("Stop {name}?"), consequences, commands });
    }
    let resumes = first.paused;
    let same = alive.iter().filter(|run| run.paused == resumes);
    let commands = same.map(|run| match resumes {
        true => Command::ResumeRun { run: run.id },
        false => Command::PauseRun { run: run.id },
    });
    let (verb, what) = if resumes {
        ("Resume", "what waits starts")
    } else {
        ("Pause", "what runs goes on; nothing new starts until it is resumed")
    };
    let question = format!("{verb} {name}?");
    Ok(Plan { question, consequences: vec![what.to_owned()], commands: commands.collect() })
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
    lines.push("The run ends.".to_owned());
    lines
}

/// How many executions hold a place, and how many have not ended.
fn busy_and_alive(task: &TaskState) -> (usize, usize) {
    (task.lanes().map(|lane| task.busy_in(lane)).sum(), task.alive_count())
}

fn of_tasks(model: &Model, action: Action, targets: &[Item]) -> Result<Plan, String> {
    let mut tasks: Vec<(RunId, TaskName)> = targets.iter().filter_map(Item::task).collect();
    tasks.dedup();
    if tasks.is_empty() {
        return Err("select a task first".to_owned());
    }
    let name = name_of(&tasks, |(run, task)| format!("task {task} of run {run}"), "tasks");
    let verb = match action {
        Action::StartTask => "Start",
        Action::StopTask => "Stop",
        _ => "Restart",
    };
    let consequences = match action {
        Action::StartTask => vec!["now, without an event".to_owned()],
        _ => tasks
            .iter()
            .map(|(run, task)| {
                let state = model.state().task(*run, task);
                let (busy, alive) = state.map_or((0, 0), busy_and_alive);
                format!("{task}: {busy} running and {} waiting end", alive - busy)
            })
            .collect(),
    };
    let command = |(run, task): (RunId, TaskName)| match action {
        Action::StartTask => Command::StartTask { run, task },
        Action::StopTask => Command::StopTask { run, task },
        _ => Command::RestartTask { run, task },
    };
    let commands = tasks.into_iter().map(command).collect();
    Ok(Plan { question: format!("{verb} {name}?"), consequences, commands })
}

fn of_executions(action: Action, targets: &[Item]) -> Result<Plan, String> {
    let which = |item: &Item| match item {
        Item::Execution(run, task, sequence) => Some((*run, task.clone(), Some(*sequence))),
        Item::Task(run, task) => Some((*run, task.clone(), None)),
        _ => None,
    };
    let all: Vec<(RunId, TaskName, Option<Sequence>)> = targets.iter().filter_map(which).collect();
    if all.is_empty() {
        return Err("select a task or an execution first".to_owned());
    }
    let name_one = |(run, task, sequence): &(RunId, TaskName, Option<Sequence>)| match sequence {
        Some(sequence) => format!("execution {sequence} of {task} of run {run}"),
        None => format!("the latest execution of {task} of run {run}"),
    };
    let name = name_of(&all, name_one, "executions");
    let (question, what) = match action {
        Action::Rerun => (format!("Run {name} anew?"), "with the same events and the same window"),
        Action::RerunFromHere => {
            (format!("Run {name} anew, and what follows?"), "with the same events and window")
        }
        Action::Skip => {
            (format!("Skip {name}?"), "what waits for it goes on as if it had succeeded")
        }
        _ => (format!("Mark {name} as a success?"), "what waits for it goes on"),
    };
    let from_here = action == Action::RerunFromHere;
    let command = |(run, task, sequence)| match action {
        Action::Skip => Command::Skip { run, task, sequence },
        Action::MarkSuccess => Command::MarkSuccess { run, task, sequence },
        _ => Command::Rerun { run, task, sequence, from_here },
    };
    let commands = all.into_iter().map(command).collect();
    Ok(Plan { question, consequences: vec![what.to_owned()], commands })
}

fn of_triggers(model: &Model, targets: &[Item]) -> Result<Plan, String> {
    let known = targets.iter().filter_map(|item| match item {
        Item::Trigger(id) => model.state().triggers.get(id),
        _ => None,
    });
    let triggers: Vec<_> = known.collect();
    let first = triggers.first().ok_or("select a trigger or schedule first")?;
    let resumes = first.paused;
    let name = name_of(&triggers, |trigger| format!("trigger {}", trigger.id), "triggers");
    let command = |trigger: &&aiflow_model::state::Trigger| match resumes {
        true => Command::ResumeTrigger { trigger: trigger.id },
        false => Command::PauseTrigger { trigger: trigger.id },
    };
    let (verb, what) = if resumes {
        ("Resume", "it looks at what comes from now on")
    } else {
        ("Pause", "it looks at nothing until it is resumed")
    };
    let commands = triggers.iter().filter(|t| t.paused == resumes).map(command).collect();
    let question = format!("{verb} {name}?");
    Ok(Plan { question, consequences: vec![what.to_owned()], commands })
}

fn of_workflows(model: &Model, targets: &[Item]) -> Result<Plan, String> {
    let of_item = |item: &Item| match item {
        Item::Workflow(namespace, workflow) => Some((namespace.clone(), workflow.clone())),
        _ => None,
    };
    let open = model.open_workflow().filter(|_| model.screen == Screen::Workflow);
    let here = open.or_else(|| targets.first().and_then(of_item));
    let (namespace, workflow) = here.ok_or("select a workflow first")?;
    let known = model.state().namespaces.get(&namespace);
    let enables = known.is_some_and(|known| known.disabled.contains(&workflow));
    let (verb, what) = if enables {
        ("Enable", "its triggers start runs again")
    } else {
        ("Disable", "nothing starts runs of it; those that live go on")
    };
    let question = format!("{verb} {workflow}?");
    let command = match enables {
        true => Command::EnableWorkflow { namespace, workflow },
        false => Command::DisableWorkflow { namespace, workflow },
    };
    Ok(Plan { question, consequences: vec![what.to_owned()], commands: vec![command] })
}
