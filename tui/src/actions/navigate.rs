//! Moving about: the cursor, screens, panes, in and out.
//!
//! Out goes one level and never quits.

use aiflow_model::Offset;

use crate::state::runs::{self, Row};
use crate::state::{Dialog, Model, Pane, Screen};

/// Moves the cursor of whatever has it.
pub(super) fn by(model: &mut Model, by: isize) {
    if let Some(Dialog::Help { scroll }) = &mut model.dialog {
        *scroll = scroll.saturating_add_signed(by);
        return;
    }
    match (model.screen, model.pane) {
        (Screen::Runs, _) => {
            let rows = runs::rows(&model.state).len();
            model.runs_cursor = moved(model.runs_cursor, by, rows);
        }
        (Screen::Run, Pane::Tasks) => {
            let tasks = model.open_run().map_or(0, |run| run.tasks.len());
            model.task_cursor = moved(model.task_cursor, by, tasks);
        }
        (Screen::Run, Pane::Events) | (Screen::Events, _) => move_event(model, by),
        (Screen::Log, _) => {
            if let Some(log) = &mut model.log {
                log.scroll(by);
            }
        }
    }
}

fn moved(cursor: usize, by: isize, count: usize) -> usize {
    cursor.saturating_add_signed(by).min(count.saturating_sub(1))
}

/// Events are kept by offset, so that the selection stays while new ones come; on the newest it
/// goes with the newest.
fn move_event(model: &mut Model, by: isize) {
    let offsets: Vec<Offset> = model.shown_events().map(|seen| seen.offset).collect();
    let at = match model.event_cursor {
        Some(cursor) => offsets.iter().position(|offset| *offset <= cursor).unwrap_or(0),
        None => 0,
    };
    let at = moved(at, by, offsets.len());
    model.event_cursor = if at == 0 { None } else { offsets.get(at).copied() };
}

/// To the first line.
pub(super) fn to_first(model: &mut Model) {
    if let (Screen::Log, Some(log)) = (model.screen, &mut model.log) {
        log.go_to_start(model.page);
    } else {
        by(model, isize::MIN / 2);
    }
}

/// To the last line; a log follows from there.
pub(super) fn to_last(model: &mut Model) {
    if let (Screen::Log, Some(log)) = (model.screen, &mut model.log) {
        log.follow();
    } else {
        by(model, isize::MAX / 2);
    }
}

/// The next pane of the run's screen.
pub(super) fn next_pane(model: &mut Model) {
    model.pane = match model.pane {
        Pane::Tasks => Pane::Events,
        Pane::Events => Pane::Tasks,
    };
}

/// Goes to a screen.
pub(super) fn show(model: &mut Model, screen: Screen) {
    if screen == Screen::Log && model.log.is_none() {
        open_selected_log(model);
    }
    model.screen = screen;
}

/// One level in.
pub(super) fn open(model: &mut Model) {
    match (model.screen, model.pane) {
        (Screen::Runs, _) => open_run(model),
        (Screen::Run, Pane::Tasks) => {
            open_selected_log(model);
            model.screen = Screen::Log;
        }
        (Screen::Run, Pane::Events) => {
            model.filter.clear();
            model.screen = Screen::Events;
        }
        (Screen::Events | Screen::Log, _) => {}
    }
}

fn open_run(model: &mut Model) {
    let rows = runs::rows(&model.state);
    let from = model.runs_cursor.min(rows.len().saturating_sub(1));
    let run = match rows.get(from) {
        Some(Row::Run(run)) => Some(*run),
        // A workflow opens its newest run, which stands below it.
        Some(Row::Workflow(_)) => match rows.get(from + 1) {
            Some(Row::Run(run)) => Some(*run),
            Some(Row::Workflow(_)) | None => None,
        },
        None => None,
    };
    let Some(run) = run else { return };
    model.run = Some(run);
    model.run_was_chosen = true;
    model.task_cursor = 0;
    model.event_cursor = None;
    model.screen = Screen::Run;
}

fn open_selected_log(model: &mut Model) {
    if let Some((run, task)) = model.selected_task() {
        model.open_log(run, task, None);
    }
}

/// One level out: a dialog closes, a filter goes, a screen gives way to the one above it.
pub(super) fn back(model: &mut Model) {
    match model.dialog.take() {
        Some(Dialog::Filter { before, .. }) => {
            model.filter = before;
            return;
        }
        Some(Dialog::Help { .. } | Dialog::Emit(_) | Dialog::Confirm(_)) => return,
        None => {}
    }
    match model.screen {
        Screen::Events if !model.filter.is_empty() => model.filter.clear(),
        Screen::Events | Screen::Log => model.screen = Screen::Run,
        Screen::Run => leave_run(model),
        Screen::Runs => {}
    }
}

fn leave_run(model: &mut Model) {
    let rows = runs::rows(&model.state);
    let is_open = |row: &Row| matches!((row, model.run), (Row::Run(id), Some(run)) if *id == run);
    if let Some(at) = rows.iter().position(is_open) {
        model.runs_cursor = at;
    }
    model.screen = Screen::Runs;
}
