//! Emitting an event by hand.
//!
//! The value is JSON if it parses as JSON, else a string, as on the command line.

use aiflow_model::{EventKey, JsonText};

use super::may_change;
use crate::conn::{Command, Request};
use crate::state::input_line::InputLine;
use crate::state::item::{self, Item};
use crate::state::{Dialog, EmitField, EmitForm, Model};

/// Opens the form; on an event it begins with that event's key and value.
pub(super) fn begin(model: &mut Model) {
    if !may_change(model) {
        return;
    }
    let like = match item::selected(model) {
        Some(Item::Event(offset)) if model.event_cursor.is_some() => model.recent().get(offset),
        _ => None,
    };
    let key = like.map(|seen| InputLine::of(seen.key.as_str())).unwrap_or_default();
    let value = like.map(|seen| InputLine::of(seen.value.as_str())).unwrap_or_default();
    let in_run = model.open_run().is_some_and(|run| run.status.is_alive());
    let field = EmitField::Key;
    let form = EmitForm { key, value, in_run, field, fault: None, foretold: None, number: 0 };
    model.dialog = Some(Dialog::Emit(form));
}

/// To another field.
pub(super) fn step(model: &mut Model, back: bool) {
    if let Some(Dialog::Emit(form)) = &mut model.dialog {
        form.field = form.field.step(back);
    }
}

/// Sends the event, or says why it cannot be.
pub(super) fn send(model: &mut Model, form: EmitForm) {
    match command(model, &form) {
        Ok(command) => model.outbox.push(Request::Do(vec![command])),
        Err(fault) => refuse(model, form, fault),
    }
}

/// Asks what the event would cause, and says so in the form.
pub(super) fn foretell(model: &mut Model) {
    let Some(Dialog::Emit(mut form)) = model.dialog.take() else { return };
    match command(model, &form) {
        Ok(command) => {
            form.number = model.foretell(vec![command]);
            form.foretold = None;
            model.dialog = Some(Dialog::Emit(form));
        }
        Err(fault) => refuse(model, form, fault),
    }
}

fn refuse(model: &mut Model, mut form: EmitForm, fault: String) {
    form.fault = Some(fault);
    form.field = EmitField::Key;
    model.dialog = Some(Dialog::Emit(form));
}

fn command(model: &Model, form: &EmitForm) -> Result<Command, String> {
    let key = EventKey::new(form.key.text().trim()).map_err(|error| error.to_string())?;
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
    Ok(Command::Emit { namespace, key, value, run: run.map(|run| run.id) })
}
