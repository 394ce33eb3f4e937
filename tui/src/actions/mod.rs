//! What keys do: one action, one function; requests go to the outbox.
//!
//! Must never wait, and never ask the daemon to end something without a question first.

mod emit;
mod filter;
pub(crate) mod keymap;
mod look;
mod navigate;
mod start_stop;
pub(crate) mod typing;

use crossterm::event::KeyEvent;

use crate::state::{Dialog, Model, Screen};

/// Everything that a key can mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    NextPane,
    Show(Screen),
    StartRun,
    StopRun,
    StartTask,
    StopTask,
    Emit,
    NextField,
    PreviousField,
    Confirm,
    Filter,
    Follow,
    Wrap,
    Times,
    EarlierLog,
    LaterLog,
    Help,
    Quit,
}

/// Does what a key means at present.
pub(crate) fn on_key(model: &mut Model, key: KeyEvent) {
    model.notice = None;
    match keymap::action_of(model, key) {
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
        Action::Open => navigate::open(model),
        Action::Back => navigate::back(model),
        Action::NextPane => navigate::next_pane(model),
        Action::Show(screen) => navigate::show(model, screen),
        Action::StartRun => start_stop::start_run(model),
        Action::StopRun => start_stop::stop_run(model),
        Action::StartTask => start_stop::start_task(model),
        Action::StopTask => start_stop::stop_task(model),
        Action::Emit => emit::begin(model),
        Action::NextField => emit::step(model, false),
        Action::PreviousField => emit::step(model, true),
        Action::Confirm => confirm(model),
        Action::Filter => filter::begin(model),
        Action::Follow => look::follow(model),
        Action::Wrap => model.wraps = !model.wraps,
        Action::Times => model.shows_times = !model.shows_times,
        Action::EarlierLog => look::step_log(model, -1),
        Action::LaterLog => look::step_log(model, 1),
        Action::Help => model.dialog = Some(Dialog::Help { scroll: 0 }),
        Action::Quit => model.quits = true,
    }
}

fn confirm(model: &mut Model) {
    match model.dialog.take() {
        Some(Dialog::Emit(form)) => emit::send(model, form),
        Some(Dialog::Confirm(question)) => model.outbox.push(question.request),
        Some(Dialog::Filter { .. } | Dialog::Help { .. }) | None => {}
    }
}
