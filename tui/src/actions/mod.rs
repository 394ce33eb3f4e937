//! What keys do: one action, one function; requests go to the outbox.
//!
//! Must never wait, and never ask the daemon to change something without a question first.

mod action;
mod control;
mod copy;
mod form;
pub(crate) mod keyfile;
pub(crate) mod keymap;
mod keys;
mod lines;
mod look;
mod marks;
pub(crate) mod mouse;
pub(crate) mod navigate;
pub(crate) mod palette;
pub(crate) mod place;
mod prompt;
mod shipped;
pub(crate) mod typing;

use crossterm::event::KeyEvent;

pub(crate) use action::Action;
pub(crate) use form::command as command_of;
pub(crate) use navigate::follow;

use crate::state::bars;
use crate::state::dialog::Diff;
use crate::state::exchange::Request;
use crate::state::mark::Tone;
use crate::state::past::{Kind, Wanted};
use crate::state::{Asked, Dialog, Model};
use crate::state::{items, travel};
use palette::Does;

/// Does what a key means at present.
pub(crate) fn on_key(model: &mut Model, key: KeyEvent) {
    model.notice = None;
    match model.keymap.action_of(model, key) {
        Some(action) => perform(model, action),
        None => typing::on_key(model, key),
    }
}

/// Does an action.
pub(crate) fn perform(model: &mut Model, action: Action) {
    match action {
        Action::Up => navigate::by(model, -1),
        Action::Down => navigate::by(model, 1),
        Action::PageUp => navigate::by(model, -model.page.cast_signed()),
        Action::PageDown => navigate::by(model, model.page.cast_signed()),
        Action::First => navigate::to_first(model),
        Action::Last => navigate::to_last(model),
        Action::Left => look::sideways(model, -8),
        Action::Right => look::sideways(model, 8),
        Action::Open => navigate::open(model),
        Action::Back => navigate::back(model),
        Action::NextPane => navigate::next_pane(model, 1),
        Action::PreviousPane => navigate::next_pane(model, -1),
        Action::Zoom => model.is_zoomed = !model.is_zoomed,
        Action::LessTime => model.span = (model.span + 1).min(bars::SPANS.len() - 1),
        Action::MoreTime => model.span = model.span.saturating_sub(1),
        Action::Show(screen) => navigate::show(model, screen),
        Action::Why => why(model),
        Action::Diff => diff(model),
        Action::Logs => navigate::open_log(model),
        Action::AllLogs => navigate::open_all_logs(model),
        Action::Mark => marks::toggle(model),
        Action::MarkRange => marks::range(model),
        Action::NextField => form::step(model, false),
        Action::PreviousField => form::step(model, true),
        Action::Confirm => confirm(model),
        Action::Help => model.dialog = Some(Dialog::Help { scroll: 0 }),
        Action::Palette => model.dialog = Some(Dialog::Palette(Default::default())),
        Action::Quit => model.quits = true,
        action if is_of_time(action) => travel(model, action),
        action if is_of_look(action) => look(model, action),
        Action::Emit => form::begin(model),
        Action::Foretell => form::foretell(model),
        Action::Backfill => prompt::begin_backfill(model),
        Action::StartRun => start_run(model),
        action => control::ask(model, action),
    }
}

const fn is_of_time(action: Action) -> bool {
    matches!(
        action,
        Action::TimeTravel
            | Action::StepBack
            | Action::StepForward
            | Action::EventBack
            | Action::EventForward
            | Action::FailureBack
            | Action::FailureForward
            | Action::GoToOffset
            | Action::GoToTime
    )
}

fn travel(model: &mut Model, action: Action) {
    let step = |kind, back| Wanted::Next { kind, back };
    let wanted = match action {
        Action::StepBack => step(Kind::Any, true),
        Action::StepForward => step(Kind::Any, false),
        Action::EventBack => step(Kind::Event, true),
        Action::EventForward => step(Kind::Event, false),
        Action::FailureBack => step(Kind::Failure, true),
        Action::FailureForward => step(Kind::Failure, false),
        Action::GoToOffset => return prompt::begin(model, Asked::Offset),
        Action::GoToTime => return prompt::begin(model, Asked::Time),
        _ => return travel::toggle(model),
    };
    travel::enter(model, wanted);
}

const fn is_of_look(action: Action) -> bool {
    matches!(
        action,
        Action::Filter
            | Action::NextMatch
            | Action::PreviousMatch
            | Action::Fold
            | Action::Follow
            | Action::Wrap
            | Action::Times
            | Action::EarlierLog
            | Action::LaterLog
            | Action::Editor
            | Action::Pager
            | Action::Copy
            | Action::CopyCommand
            | Action::CopyLink
            | Action::Theme
            | Action::Mouse
    )
}

fn look(model: &mut Model, action: Action) {
    match action {
        Action::Filter => prompt::begin_filter(model),
        Action::NextMatch => look::match_from(model, false),
        Action::PreviousMatch => look::match_from(model, true),
        Action::Fold => look::fold(model),
        Action::Follow => look::follow(model),
        Action::Wrap => model.wraps = !model.wraps,
        Action::Times => model.shows_times = !model.shows_times,
        Action::EarlierLog => look::step_log(model, -1),
        Action::LaterLog => look::step_log(model, 1),
        Action::Editor => copy::edit(model),
        Action::Pager => copy::page(model),
        Action::Copy => copy::copy(model),
        Action::CopyCommand => copy::copy_command(model),
        Action::CopyLink => copy::copy_link(model),
        Action::Theme => look::next_theme(model),
        _ => look::toggle_mouse(model),
    }
}

/// Asks how the selected run, or else the open one, differs from the last that succeeded.
fn diff(model: &mut Model) {
    let selected = items::selected(model).and_then(|item| item.run());
    let Some(run) = selected.or(model.run) else {
        return model.say("no run is selected", Tone::Wait);
    };
    if model.past.is_some() {
        return model.say("runs are compared as they are now; q goes back to now", Tone::Wait);
    }
    model.outbox.push(Request::Diff(run));
    model.dialog = Some(Dialog::Diff(Diff { run, told: None, scroll: 0 }));
}

/// Asks for its parameters first, where it has any.
fn start_run(model: &mut Model) {
    match control::form_of_run(model) {
        Some(form) if model.may_change() => form::begin_run(model, form),
        _ => control::ask(model, Action::StartRun),
    }
}

fn why(model: &mut Model) {
    let Some(about) = items::selected(model) else {
        return model.say("nothing is selected here", Tone::Wait);
    };
    // How it came to be is in the log, which only the daemon reads.
    if let (Some((run, task)), None) = (about.task(), &model.past) {
        model.outbox.push(Request::Chain(run, task));
    }
    model.dialog = Some(Dialog::Why { about, scroll: 0 });
}

fn confirm(model: &mut Model) {
    match model.dialog.take() {
        Some(Dialog::Form(form)) => form::send(model, form),
        Some(Dialog::Confirm(question)) => control::send(model, question),
        Some(Dialog::Prompt(prompt)) => prompt::take(model, prompt),
        Some(Dialog::Palette(palette)) => match palette::choose(model, &palette) {
            Some(Does::Act(action)) => perform(model, action),
            Some(Does::Go(item)) => navigate::go_to(model, &item),
            Some(Does::Follow(link)) => follow(model, &link),
            None => model.say("nothing fits that", Tone::Wait),
        },
        Some(Dialog::Help { .. } | Dialog::Why { .. } | Dialog::Diff(_)) | None => {}
    }
}
