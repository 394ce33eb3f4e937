//! Command lines that show the same as a screen, or as what is selected on it.
//!
//! Must never name a verb that the command line does not have.

use aiflow_model::RunId;

use crate::state::item::Item;
use crate::state::items;
use crate::state::{Model, Screen};

/// The command line that shows what a screen shows.
pub(crate) fn line_of_screen(model: &Model, screen: Screen) -> String {
    let run = model.run.map_or_else(|| "RUN".to_owned(), |run| run.to_string());
    let words = match screen {
        Screen::Overview => "ps".to_owned(),
        Screen::Streams => format!("why {run}"),
        Screen::Run => format!("task-execution list {run}"),
        Screen::Workflow => {
            let workflow = model.open_workflow().map(|(_, name)| name.to_string());
            format!("workflow show {}", workflow.as_deref().unwrap_or("WORKFLOW"))
        }
        Screen::Task => {
            let item = items::selected(model).filter(|_| model.screen == Screen::Task);
            match item {
                Some(Item::Execution(run, task, n)) => {
                    format!("task-execution show {run}.{task}.{n}")
                }
                _ => format!("task-execution list {run}"),
            }
        }
        Screen::Events => match model.selected_event() {
            Some(seen) if model.event_cursor.is_some() => format!("event show {}", seen.offset),
            _ => "event list".to_owned(),
        },
        Screen::Log => {
            let line = items::selected(model).as_ref().and_then(line_of_log);
            return line.unwrap_or_else(|| format!("aiflow logs {run} TASK -f"));
        }
        Screen::Clocks => "workflow-schedule list".to_owned(),
        Screen::System => "server status".to_owned(),
    };
    format!("aiflow {words}")
}

/// The command line that shows an item.
pub(crate) fn line_of_item(item: &Item) -> Option<String> {
    let words = match item {
        Item::Workflow(_, workflow) => format!("workflow show {workflow}"),
        Item::Run(run) => format!("workflow-execution show {run}"),
        Item::Task(run, _) => format!("task-execution list {run}"),
        Item::Execution(run, task, sequence) => {
            format!("task-execution show {run}.{task}.{sequence}")
        }
        Item::Event(offset) => format!("event show {offset}"),
        Item::Trigger(trigger) => format!("workflow-trigger show {trigger}"),
    };
    Some(format!("aiflow {words}"))
}

/// The command line that tells why.
pub(crate) fn line_of_why(item: &Item) -> Option<String> {
    let task = item.task().map(|(_, task)| format!(" {task}")).unwrap_or_default();
    item.run().map(|run| format!("aiflow why {run}{task}"))
}

/// The command line that shows what a task wrote.
pub(crate) fn line_of_log(item: &Item) -> Option<String> {
    match item {
        Item::Execution(run, task, n) => Some(format!("aiflow logs {run} {task} --sequence {n}")),
        Item::Task(run, task) => Some(format!("aiflow logs {run} {task} -f")),
        _ => None,
    }
}

/// The command line that tells how a run differs from the last that succeeded.
pub(crate) fn line_of_diff(run: RunId) -> String {
    format!("aiflow diff {run}")
}
