//! Filling in forms: emitting an event by hand, giving parameters to a run.
//!
//! Must never start a run of which the daemon has not said what it would cause.

use aiflow_model::{EventKey, JsonText};

use crate::cli::parse::value;
use crate::state::command::Command;
use crate::state::exchange::Request;
use crate::state::form::{About, Form};
use crate::state::item::Item;
use crate::state::items;
use crate::state::{Dialog, Model};

/// Opens the form of an event; on an event it begins with that event's key and value.
pub(super) fn begin(model: &mut Model) {
    if !model.may_change() {
        return;
    }
    let like = match items::selected(model) {
        Some(Item::Event(offset)) if model.event_cursor.is_some() => model.recent().get(offset),
        _ => None,
    };
    let (key, value) = like.map_or(("", ""), |seen| (seen.key.as_str(), seen.value.as_str()));
    let in_run = model.open_run().is_some_and(|run| run.status.is_alive());
    model.dialog = Some(Dialog::Form(Form::of_event(key, value, in_run)));
}

/// Opens the form of a run, and asks what the defaults would cause.
pub(super) fn begin_run(model: &mut Model, form: Form) {
    model.dialog = Some(Dialog::Form(form));
    foretell(model);
}

/// To another field.
pub(super) fn step(model: &mut Model, back: bool) {
    if let Some(Dialog::Form(form)) = &mut model.dialog {
        form.step(back);
    }
}

/// Sends what is written, or says why it cannot be. A run is started once the daemon has said what
/// it would cause.
pub(super) fn send(model: &mut Model, form: Form) {
    let command = match command(model, &form) {
        Ok(command) => command,
        Err(fault) => return refuse(model, form, fault),
    };
    let is_ready = form.about == About::Event || form.is_foretold();
    if is_ready {
        return model.outbox.push(Request::Do(vec![command]));
    }
    let is_asked = form.number > 0 && form.foretold.is_none();
    model.dialog = Some(Dialog::Form(form));
    if !is_asked {
        foretell(model);
    }
}

/// Asks what it would cause, and says so in the form.
pub(super) fn foretell(model: &mut Model) {
    let Some(Dialog::Form(mut form)) = model.dialog.take() else { return };
    match command(model, &form) {
        Ok(command) => {
            form.number = model.foretell(vec![command]);
            form.foretold = None;
            model.dialog = Some(Dialog::Form(form));
        }
        Err(fault) => refuse(model, form, fault),
    }
}

fn refuse(model: &mut Model, mut form: Form, fault: String) {
    form.fault = Some(fault);
    form.at = 0;
    model.dialog = Some(Dialog::Form(form));
}

/// What the form asks for.
pub(crate) fn command(model: &Model, form: &Form) -> Result<Command, String> {
    if let About::Run { namespace, workflow } = &form.about {
        let (namespace, workflow) = (namespace.clone(), workflow.clone());
        let params = form.params().into_iter().collect();
        return Ok(Command::StartRun { namespace, workflow, params });
    }
    let key = EventKey::new(form.written("key")).map_err(|error| error.to_string())?;
    let text = form.written("value");
    let value = if text.is_empty() { JsonText::null() } else { value(&text) };
    let run = model.open_run().filter(|_| form.in_run());
    let namespace = model.open_run().map(|run| run.namespace.clone());
    let namespace = namespace.unwrap_or_else(|| model.namespace());
    Ok(Command::Emit { namespace, key, value, run: run.map(|run| run.id) })
}
