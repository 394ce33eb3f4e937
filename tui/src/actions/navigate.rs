//! Moving about: the cursor, screens, panes, in and out.
//!
//! Out goes one level and never quits.

use aiflow_model::spec::TaskKind;
use aiflow_model::{RunId, TaskName};

use super::palette;
use crate::state::item::Item;
use crate::state::link::Link;
use crate::state::log::{LogTarget, LogView};
use crate::state::mark::Tone;
use crate::state::past::Wanted;
use crate::state::{Asked, Dialog, Model, Pane, Screen};
use crate::state::{items, travel};

/// Tasks whose output is merged at most.
const MERGED_MAX: usize = 16;

/// Moves the cursor of whatever has it.
pub(crate) fn by(model: &mut Model, by: isize) {
    if move_dialog(model, by) {
        return;
    }
    match (model.screen, model.view()) {
        (Screen::Log, _) => {
            if let Some(log) = &mut model.log {
                log.scroll(by);
            }
            return;
        }
        (Screen::System, _) | (Screen::Workflow, 2) | (Screen::Task | Screen::Events, 1) => {
            return scroll(model, by);
        }
        _ => {}
    }
    let items = items::items(model);
    let at = model.cursor_in(&items);
    let at = at.saturating_add_signed(by).min(items.len().saturating_sub(1));
    set_cursor(model, at, items.get(at));
}

fn scroll(model: &mut Model, by: isize) {
    model.scroll = model.scroll.saturating_add_signed(by).min(100_000);
}

/// What stands over the screen has the keys; whether there is such a thing.
fn move_dialog(model: &mut Model, by: isize) -> bool {
    match &mut model.dialog {
        Some(Dialog::Help { scroll } | Dialog::Why { scroll, .. }) => {
            *scroll = scroll.saturating_add_signed(by);
        }
        Some(Dialog::Diff(diff)) => diff.scroll = diff.scroll.saturating_add_signed(by),
        Some(Dialog::Palette(palette)) => {
            let palette = palette.clone();
            let count = palette::entries(model, &palette).len();
            let chosen = palette.chosen.saturating_add_signed(by).min(count.saturating_sub(1));
            if let Some(Dialog::Palette(palette)) = &mut model.dialog {
                palette.chosen = chosen;
            }
        }
        Some(Dialog::Form(_) | Dialog::Confirm(_) | Dialog::Prompt(_)) => {}
        None => return false,
    }
    true
}

/// Puts the cursor of the open screen on its `at`th line.
pub(crate) fn set_cursor(model: &mut Model, at: usize, item: Option<&Item>) {
    match (model.screen, item) {
        (Screen::Overview, _) => model.runs_cursor = at,
        // Events are kept by offset, so that the selection stays while new ones come; on the
        // newest it goes with the newest.
        (_, Some(Item::Event(offset))) => {
            model.event_cursor = (at > 0).then_some(*offset);
        }
        (_, Some(Item::Execution(_, _, sequence))) => model.execution = Some(*sequence),
        (Screen::Streams | Screen::Run, _) => {
            model.task_cursor = at;
            model.execution = None;
        }
        (Screen::Workflow, _) => model.workflow_cursor = at,
        (Screen::Clocks, _) => model.clock_cursor = at,
        _ => {}
    }
}

/// To the first line.
pub(super) fn to_first(model: &mut Model) {
    let page = model.page;
    let Some(log) = model.log.as_mut().filter(|_| model.screen == Screen::Log) else {
        return by(model, isize::MIN / 2);
    };
    log.go_to_start(page);
    if log.target.is_whole || log.is_merged() {
        return;
    }
    // Only its end was read: now the beginning is wanted too.
    let target =
        LogTarget { is_whole: true, generation: log.target.generation + 1, ..log.target.clone() };
    let search = std::mem::take(&mut log.search);
    let mut view = LogView::new(target);
    view.wants_start = true;
    view.search = search;
    model.log = Some(view);
}

/// To the last line; a log follows from there.
pub(super) fn to_last(model: &mut Model) {
    if let (Screen::Log, Some(log)) = (model.screen, &mut model.log) {
        log.follow();
    } else {
        by(model, isize::MAX / 2);
    }
}

/// The next pane or view of the screen.
pub(super) fn next_pane(model: &mut Model, by: isize) {
    if model.screen == Screen::Streams {
        model.pane = match model.pane {
            Pane::Tasks => Pane::Events,
            Pane::Events => Pane::Tasks,
        };
        return;
    }
    let count = model.screen.views().len().cast_signed();
    let view = (model.view().cast_signed() + by).rem_euclid(count);
    model.views.insert(model.screen, view.unsigned_abs());
    model.scroll = 0;
}

/// Goes to a screen.
pub(super) fn show(model: &mut Model, screen: Screen) {
    if screen == Screen::Log && model.log.is_none() {
        open_selected_log(model);
    }
    if screen != model.screen {
        model.marks.clear();
        model.is_zoomed = false;
        model.scroll = 0;
    }
    model.screen = screen;
}

/// One level in.
pub(super) fn open(model: &mut Model) {
    if model.screen == Screen::Task {
        return open_log(model);
    }
    match items::selected(model) {
        Some(Item::Event(offset)) if model.screen == Screen::Events => open_started(model, offset),
        Some(Item::Event(_)) => {
            model.filter.clear();
            show(model, Screen::Events);
        }
        Some(Item::Run(run)) => {
            choose_run(model, run);
            let has_streams = model.state().snapshot_of(run).is_some_and(|snapshot| {
                let is_stream = |task: &aiflow_model::TaskSpec| task.kind == TaskKind::Stream;
                snapshot.spec.has_clock() || snapshot.spec.tasks.iter().any(is_stream)
            });
            show(model, if has_streams { Screen::Streams } else { Screen::Run });
        }
        Some(Item::Trigger(trigger)) => {
            let known = model.state().triggers.get(&trigger);
            if let Some((namespace, name)) =
                known.map(|trigger| (trigger.namespace.clone(), trigger.workflow.clone()))
            {
                go_to(model, &Item::Workflow(namespace, name));
            }
        }
        Some(item) => go_to(model, &item),
        None => {}
    }
}

/// To the first execution that an event led to.
fn open_started(model: &mut Model, offset: aiflow_model::Offset) {
    let seen = model.recent().get(offset);
    let first = seen.and_then(|seen| seen.fate.started.first().cloned());
    let Some(first) = first else {
        return model.say("it started nothing", Tone::Wait);
    };
    let executions = model.state().task(first.run, &first.task).map(|task| &task.executions);
    let is_it = |execution: &&aiflow_model::state::Execution| {
        execution.window == first.window && execution.events.contains(&offset)
    };
    let found = executions.and_then(|all| all.iter().rev().find(is_it)).map(|e| e.sequence);
    go_to(
        model,
        &match found {
            Some(sequence) => Item::Execution(first.run, first.task, sequence),
            None => Item::Task(first.run, first.task),
        },
    );
}

/// Opens a run without going anywhere.
pub(crate) fn choose_run(model: &mut Model, run: RunId) {
    if model.run != Some(run) {
        model.task_cursor = 0;
        model.event_cursor = None;
    }
    model.run = Some(run);
    model.run_was_chosen = true;
    model.execution = None;
    model.workflow = None;
}

/// The log of what is selected.
pub(super) fn open_log(model: &mut Model) {
    match items::selected(model) {
        Some(Item::Execution(run, task, sequence)) => {
            model.open_log(run, task, Some(sequence));
            show(model, Screen::Log);
        }
        Some(Item::Run(run)) => {
            choose_run(model, run);
            open_all_logs(model);
        }
        _ => {
            open_selected_log(model);
            show(model, Screen::Log);
        }
    }
}

/// What all tasks of the run write, merged by time.
pub(super) fn open_all_logs(model: &mut Model) {
    let Some(run) = model.open_run() else { return };
    let Some(snapshot) = model.state().snapshots.get(&run.snapshot) else { return };
    let generation = model.log.as_ref().map_or(0, |log| log.target.generation + 1);
    let tasks = snapshot.spec.tasks.iter().zip(&run.tasks);
    let began = tasks.filter(|(_, task)| task.executions.iter().any(|e| !e.attempts.is_empty()));
    let target = |name: TaskName| LogTarget {
        run: run.id,
        task: name,
        sequence: None,
        is_whole: false,
        generation,
    };
    let mut targets = began.take(MERGED_MAX).map(|(spec, _)| target(spec.name.clone()));
    let Some(first) = targets.next() else {
        return model.say("nothing has been started in this run", Tone::Wait);
    };
    let view = LogView::merged(first, targets.collect());
    model.log = Some(view);
    show(model, Screen::Log);
}

fn open_selected_log(model: &mut Model) {
    let Some((run, task)) = model.selected_task() else { return };
    let is_stream =
        model.state().task_spec(run, &task).is_some_and(|spec| spec.kind == TaskKind::Stream);
    // A batch task may start anew each second: its log stays with one execution. That of a stream
    // goes on over restarts.
    let state = model.state().task(run, &task).filter(|_| !is_stream);
    let sequence = state.and_then(|state| {
        let busy = state.alive_executions().find(|execution| !execution.attempts.is_empty());
        let ended = || state.executions.iter().rev().find(|e| !e.attempts.is_empty());
        busy.or_else(ended).map(|execution| execution.sequence)
    });
    model.open_log(run, task, sequence);
}

/// One level out: a dialog closes, marks and filters go, a screen gives way to the one above it.
pub(super) fn back(model: &mut Model) {
    if let Some(dialog) = model.dialog.take() {
        if let Dialog::Prompt(prompt) = dialog {
            match prompt.asked {
                Asked::Filter { before } => model.filter = before,
                Asked::Search { before } => {
                    if let Some(log) = &mut model.log {
                        log.search(before);
                        log.follow();
                    }
                }
                Asked::Offset | Asked::Time | Asked::Backfill { .. } => {}
            }
        }
        return;
    }
    if !model.marks.is_empty() {
        return model.marks.clear();
    }
    if model.is_zoomed {
        model.is_zoomed = false;
        return;
    }
    match model.screen {
        Screen::Events | Screen::Overview if !model.filter.is_empty() => model.filter.clear(),
        Screen::Log if model.log.as_ref().is_some_and(|log| !log.search.is_empty()) => {
            if let Some(log) = &mut model.log {
                log.search(String::new());
                log.follow();
            }
        }
        Screen::Log => leave_log(model),
        Screen::Task => show(model, Screen::Run),
        Screen::Events if model.view() > 0 => next_pane(model, -1),
        Screen::Events => show(model, Screen::Streams),
        Screen::Streams | Screen::Run => leave_run(model),
        Screen::Workflow | Screen::Clocks | Screen::System => show(model, Screen::Overview),
        Screen::Overview => {}
    }
}

/// From a log to its task.
fn leave_log(model: &mut Model) {
    let target = model.log.as_ref().filter(|log| !log.is_merged()).map(|log| log.target.clone());
    match target {
        Some(LogTarget { run, task, sequence, .. }) => go_to(
            model,
            &match sequence {
                Some(sequence) => Item::Execution(run, task, sequence),
                None => Item::Task(run, task),
            },
        ),
        None => show(model, Screen::Run),
    }
}

fn leave_run(model: &mut Model) {
    let run = model.run;
    show(model, Screen::Overview);
    let items = items::items(model);
    if let Some(at) = items.iter().position(|item| run.is_some_and(|run| *item == Item::Run(run))) {
        model.runs_cursor = at;
    }
}

/// Opens the screen of an item.
pub(super) fn go_to(model: &mut Model, item: &Item) {
    model.marks.clear();
    if let Some(run) = item.run() {
        choose_run(model, run);
    }
    match item {
        Item::Workflow(namespace, workflow) => {
            model.workflow = Some((namespace.clone(), workflow.clone()));
            model.workflow_cursor = 0;
        }
        Item::Task(run, task) | Item::Execution(run, task, _) => {
            let spec = model.state().snapshot_of(*run).map(|snapshot| &snapshot.spec);
            let index = spec.and_then(|spec| spec.task_index(task.as_str()));
            model.task_cursor = index.unwrap_or(0);
        }
        Item::Event(offset) => model.event_cursor = Some(*offset),
        Item::Run(_) | Item::Trigger(_) => {}
    }
    model.execution = match item {
        Item::Execution(_, _, sequence) => Some(*sequence),
        _ => None,
    };
    show(model, item.screen());
    if let (Screen::Clocks, Item::Trigger(_)) = (model.screen, item) {
        let items = items::items(model);
        model.clock_cursor = items.iter().position(|one| one == item).unwrap_or(0);
    }
}

/// Opens what a link leads to, in the past where it says so.
pub(crate) fn follow(model: &mut Model, link: &Link) {
    if let Some(run) = link.run {
        choose_run(model, run);
        if let Some(task) = &link.task {
            let spec = model.state().snapshot_of(run).map(|snapshot| &snapshot.spec);
            let index = spec.and_then(|spec| spec.task_index(task.as_str()));
            model.task_cursor = index.unwrap_or(0);
        }
        model.execution = link.sequence;
    }
    model.event_cursor = link.event;
    show(model, link.screen);
    if let Some(offset) = link.offset {
        travel::enter(model, Wanted::Offset(offset));
    }
}
