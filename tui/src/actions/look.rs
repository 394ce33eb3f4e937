//! How things are looked at: following, searching, folding, colours, the mouse.

use aiflow_model::Sequence;
use aiflow_model::state::ExecutionStatus;

use crate::state::chore::Chore;
use crate::state::item::Item;
use crate::state::items;
use crate::state::mark::Tone;
use crate::state::{Model, Screen};
use crate::view::theme::THEMES;

/// A log: follows, or stops to. Events: to the newest.
pub(super) fn follow(model: &mut Model) {
    match (model.screen, &mut model.log) {
        (Screen::Log, Some(log)) => log.toggle_follow(),
        _ => model.event_cursor = None,
    }
}

/// The next line that was searched for, or the one before.
pub(super) fn match_from(model: &mut Model, back: bool) {
    if model.screen == Screen::Task {
        return failed_from(model, back);
    }
    let Some(log) = &mut model.log else { return };
    if !log.find(back) {
        let text = if log.search.is_empty() { "search first, with /" } else { "no further line" };
        model.say(text, Tone::Wait);
    }
}

/// The next execution down the list that failed, or the one above.
fn failed_from(model: &mut Model, back: bool) {
    let items = items::items(model);
    let at = model.cursor_in(&items);
    let has_failed = |item: &Item| {
        let Item::Execution(run, task, sequence) = item else { return false };
        let known = model.state().task(*run, task).and_then(|task| task.execution(*sequence));
        known.is_some_and(|execution| execution.status == ExecutionStatus::Failed)
    };
    let found = if back {
        items.iter().take(at).rposition(has_failed)
    } else {
        items.iter().skip(at + 1).position(has_failed).map(|index| at + 1 + index)
    };
    match found {
        Some(at) => super::navigate::set_cursor(model, at, items.get(at)),
        None => model.say("no further one has failed", Tone::Wait),
    }
}

/// Shows less, or all again.
pub(super) fn fold(model: &mut Model) {
    match model.screen {
        Screen::Overview => {
            if let Some(Item::Workflow(namespace, workflow)) = items::selected(model) {
                let folded = (namespace, workflow);
                if !model.folded.remove(&folded) {
                    model.folded.insert(folded);
                }
            }
        }
        Screen::Run | Screen::Workflow => model.is_focused = !model.is_focused,
        Screen::Log => {
            if let Some(log) = &mut model.log {
                log.is_filtered = !log.is_filtered && !log.search.is_empty();
                log.follow();
            }
        }
        _ => model.is_unfolded = !model.is_unfolded,
    }
}

/// Within long lines of a log; elsewhere how much of the time is shown.
pub(super) fn sideways(model: &mut Model, by: isize) {
    if let (Screen::Log, Some(log)) = (model.screen, &mut model.log) {
        log.left = log.left.saturating_add_signed(by);
    }
}

/// The log of the execution before or after the one that is read.
pub(super) fn step_log(model: &mut Model, by: i64) {
    let Some(log) = &model.log else { return };
    let (run, task) = (log.target.run, log.target.task.clone());
    let newest = model.state().task(run, &task).and_then(|state| state.latest());
    let Some(newest) = newest.map(|execution| i64::from(execution.sequence.0)) else { return };
    let read = log.attempt.as_ref().and_then(|id| id.parse::<aiflow_model::AttemptId>().ok());
    let shown = log.target.sequence.or_else(|| read.map(|id| id.execution.sequence));
    let at = shown.map_or(newest, |sequence| i64::from(sequence.0));
    let sequence = u32::try_from((at + by).clamp(1, newest)).unwrap_or(1);
    model.open_log(run, task, Some(Sequence(sequence)));
}

/// The next set of colours.
pub(super) fn next_theme(model: &mut Model) {
    model.theme = (model.theme + 1) % THEMES.len();
    let name = THEMES.get(model.theme).map_or("", |theme| theme.name);
    model.say(format!("colours: {name}"), Tone::Plain);
}

/// Takes the mouse, or leaves it to the terminal, which then selects text as always.
pub(super) fn toggle_mouse(model: &mut Model) {
    model.has_mouse = !model.has_mouse;
    model.chores.push(Chore::Mouse(model.has_mouse));
    let text = if model.has_mouse {
        "the mouse clicks and scrolls here; M gives it back to the terminal"
    } else {
        "the mouse is the terminal's: it selects text"
    };
    model.say(text, Tone::Plain);
}
