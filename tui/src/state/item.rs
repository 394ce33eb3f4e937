//! What can be selected and marked: the lines of the screen that is open, each as what it names.
//!
//! Must never outlive what it names by meaning: an item that is gone is simply not found.

use aiflow_model::{Namespace, Offset, RunId, Sequence, TaskName, TriggerId, WorkflowName};

use super::model::Model;
use super::runs::{self, Row};
use super::{Pane, Screen, clocks_list, task_detail};

/// Something on a screen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    Workflow(Namespace, WorkflowName),
    Run(RunId),
    Task(RunId, TaskName),
    Execution(RunId, TaskName, Sequence),
    Event(Offset),
    Trigger(TriggerId),
}

impl Item {
    /// The run that it belongs to.
    pub(crate) const fn run(&self) -> Option<RunId> {
        match self {
            Self::Run(run) | Self::Task(run, _) | Self::Execution(run, _, _) => Some(*run),
            Self::Workflow(..) | Self::Event(_) | Self::Trigger(_) => None,
        }
    }

    /// The task that it is, or belongs to.
    pub(crate) fn task(&self) -> Option<(RunId, TaskName)> {
        match self {
            Self::Task(run, task) | Self::Execution(run, task, _) => Some((*run, task.clone())),
            Self::Workflow(..) | Self::Run(_) | Self::Event(_) | Self::Trigger(_) => None,
        }
    }

    /// The screen that shows it.
    pub(crate) const fn screen(&self) -> Screen {
        match self {
            Self::Workflow(..) => Screen::Workflow,
            Self::Run(_) => Screen::Run,
            Self::Task(..) | Self::Execution(..) => Screen::Task,
            Self::Event(_) => Screen::Events,
            Self::Trigger(_) => Screen::Clocks,
        }
    }

    /// What it is, in a word or two.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Workflow(_, workflow) => workflow.to_string(),
            Self::Run(run) => format!("run {run}"),
            Self::Task(run, task) => format!("{task} of run {run}"),
            Self::Execution(run, task, sequence) => format!("{task} {sequence} of run {run}"),
            Self::Event(offset) => format!("event {offset}"),
            Self::Trigger(trigger) => format!("trigger {trigger}"),
        }
    }
}

/// The items of the open screen, in the order of its lines.
pub(crate) fn items(model: &Model) -> Vec<Item> {
    match (model.screen, model.pane) {
        (Screen::Overview, _) => runs::shown(model)
            .into_iter()
            .map(|row| match row {
                Row::Workflow(row) => Item::Workflow(row.namespace, row.workflow),
                Row::Run(run) => Item::Run(run),
            })
            .collect(),
        (Screen::Streams, Pane::Events) | (Screen::Events, _) => {
            model.shown_events().map(|seen| Item::Event(seen.offset)).collect()
        }
        (Screen::Streams | Screen::Run, _) => tasks(model),
        (Screen::Task, _) => task_detail::executions(model),
        (Screen::Workflow, _) => {
            let runs = model.workflow_runs();
            runs.into_iter().map(|run| Item::Run(run.id)).collect()
        }
        (Screen::Clocks, _) => clocks_list::items(model),
        (Screen::Log | Screen::System, _) => Vec::new(),
    }
}

fn tasks(model: &Model) -> Vec<Item> {
    let Some(run) = model.open_run() else { return Vec::new() };
    let snapshot = model.state().snapshots.get(&run.snapshot);
    let specs = snapshot.into_iter().flat_map(|snapshot| &snapshot.spec.tasks);
    specs.map(|task| Item::Task(run.id, task.name.clone())).collect()
}

/// The item under the cursor; on a log the task that it is of.
pub(crate) fn selected(model: &Model) -> Option<Item> {
    if model.screen == Screen::Log {
        let target = &model.log.as_ref()?.target;
        let (run, task) = (target.run, target.task.clone());
        return Some(match target.sequence {
            Some(sequence) => Item::Execution(run, task, sequence),
            None => Item::Task(run, task),
        });
    }
    let items = items(model);
    let at = model.cursor_in(&items).min(items.len().checked_sub(1)?);
    items.into_iter().nth(at)
}

/// What an action is about: all that is marked, else what is selected.
pub(crate) fn targets(model: &Model) -> Vec<Item> {
    if model.marks.is_empty() {
        return selected(model).into_iter().collect();
    }
    model.marks.iter().cloned().collect()
}
