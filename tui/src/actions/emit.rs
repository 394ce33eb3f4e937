//! Emitting an event by hand.
//!
//! The value is JSON if it parses as JSON, else a string, as on the command line.

use aiflow_model::{EventKey, JsonText};

use crate::conn::Request;
use crate::state::input_line::InputLine;
use crate::state::{Dialog, EmitField, EmitForm, Model, Pane, Screen};

/// Opens the form; on an event it begins with that event's key and value.
pub(super) fn begin(model: &mut Model) {
    let on_events = model.screen == Screen::Events
        || (model.screen == Screen::Run && model.pane == Pane::Events);
    let selected = model.event_cursor.filter(|_| on_events);
    let like = selected.and_then(|offset| model.recent.get(offset));
    let key = like.map(|seen| InputLine::of(seen.key.as_str())).unwrap_or_default();
    let value = like.map(|seen| InputLine::of(seen.value.as_str())).unwrap_or_default();
    let in_run = model.open_run().is_some_and(|run| run.status.is_alive());
    let form = EmitForm { key, value, in_run, field: EmitField::Key, fault: None };
    model.dialog = Some(Dialog::Emit(form));
}

/// To another field.
pub(super) fn step(model: &mut Model, back: bool) {
    if let Some(Dialog::Emit(form)) = &mut model.dialog {
        form.field = form.field.step(back);
    }
}

/// Sends the event, or says why it cannot be.
pub(super) fn send(model: &mut Model, mut form: EmitForm) {
    let key = match EventKey::new(form.key.text().trim()) {
        Ok(key) => key,
        Err(error) => {
            form.fault = Some(error.to_string());
            form.field = EmitField::Key;
            model.dialog = Some(Dialog::Emit(form));
            return;
        }
    };
    let text = form.value.text();
    let text = text.trim();
    let value = match JsonText::parse(text) {
        _ if text.is_empty() => JsonText::null(),
        Ok(value) => value,
        Err(_) => JsonText::string(text),
    };
    let run = model.open_run().filter(|_| form.in_run);
    let namespace = model.open_run().map(|run| run.namespace.clone());
    let namespace = namespace.unwrap_or_else(|| model.namespace());
    let request = Request::Emit { namespace, key, value, run: run.map(|run| run.id) };
    model.outbox.push(request);
}
