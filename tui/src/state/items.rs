//! The lines of the screen that is open, each as what it names, and the cursor among them.
//!
//! Must never list what the screen does not show.

use super::item::Item;
use super::model::Model;
use super::runs::{self, Row};
use super::screen::{Pane, Screen};
use super::{clocks_list, task_detail};

impl Model {
    /// Where the cursor of the open screen stands among its items.
    pub(crate) fn cursor_in(&self, items: &[Item]) -> usize {
        match (self.screen, self.pane) {
            (Screen::Overview, _) => self.runs_cursor,
            (Screen::Events, _) | (Screen::Streams, Pane::Events) => {
                let Some(cursor) = self.event_cursor else { return 0 };
                let is_there = |item: &Item| matches!(item, Item::Event(at) if *at <= cursor);
                items.iter().position(is_there).unwrap_or(0)
            }
            (Screen::Streams | Screen::Run, _) => self.task_cursor,
            (Screen::Task, _) => {
                let shown = task_detail::shown(self).map(|execution| execution.sequence);
                let is_it =
                    |item: &Item| matches!(item, Item::Execution(_, _, n) if Some(*n) == shown);
                items.iter().position(is_it).unwrap_or(0)
            }
            (Screen::Workflow, _) => self.workflow_cursor,
            (Screen::Clocks, _) => self.clock_cursor,
            (Screen::Log | Screen::System, _) => 0,
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
