//! What can be selected and marked, by name.
//!
//! Must never outlive what it names by meaning: an item that is gone is simply not found.

use aiflow_model::{Namespace, Offset, RunId, Sequence, TaskName, TriggerId, WorkflowName};

use super::screen::Screen;

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
