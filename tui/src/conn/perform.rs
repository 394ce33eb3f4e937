//! Carries out what is asked, or has it foretold, and tells how it went.
//!
//! Must never repeat one: the user sees what happened and asks again.

use aiflow_client::{CallError, Client, new_id};
use aiflow_model::wire::{DiffRequest, EventRef, Moment, SliceQuery, WhyRequest};
use aiflow_model::{RunId, TaskName, Timestamp};
use serde_json::Value;

use crate::chain::chain;
use crate::state::command::Command;
use crate::state::exchange::Message;
use crate::state::foretell;
use crate::state::item::Item;

/// Has commands done, one after the other; the first that is refused ends it.
pub(super) async fn perform(client: &Client, commands: Vec<Command>) -> Message {
    let many = commands.len();
    let mut done = String::new();
    for command in commands {
        match client.call::<Value>(command.call(new_id())).await {
            Ok(answer) => done = command.done(&answer),
            Err(error) => return Message::Refused(told(error)),
        }
    }
    Message::Done(if many > 1 { format!("{done} ({many} in all)") } else { done })
}

/// Asks what commands would cause, each by itself.
pub(super) async fn foretell(client: &Client, number: u64, commands: Vec<Command>) -> Message {
    let mut lines = Vec::new();
    for command in commands {
        match client.dry_run(&command.call(new_id())).await {
            Ok(reply) => lines.extend(foretell::lines(&reply)),
            Err(error) => return Message::Foretold(number, Err(told(error))),
        }
    }
    Message::Foretold(number, Ok(lines))
}

/// Brings a slice of the past.
pub(super) async fn slice(client: &Client, query: SliceQuery) -> Message {
    Message::Slice(client.log_slice(query).await.map(Box::new).map_err(told))
}

/// Tells how a run differs from the last before it that succeeded.
pub(super) async fn diff(client: &Client, run: RunId) -> Message {
    let lines = |text: String| text.lines().map(str::to_owned).collect();
    let told_of = crate::cli::diff::told(client, DiffRequest { run, against: None }).await;
    Message::Diff(run, told_of.map(lines).map_err(told))
}

/// Tells what became of an event.
pub(super) async fn receipt(client: &Client, about: EventRef) -> Message {
    Message::Receipt(about, client.show_event(about).await.map(Box::new).map_err(told))
}

/// Tells what has happened since.
pub(super) async fn since(client: &Client, time: Timestamp) -> Message {
    match client.since(Moment { offset: None, time: Some(time) }).await {
        Ok(reply) => Message::Since(Box::new(reply.digest)),
        Err(error) => Message::Refused(told(error)),
    }
}

/// Tells how the latest execution of a task came to be.
pub(super) async fn chain_of(client: &Client, run: RunId, task: TaskName) -> Message {
    match client.why(WhyRequest { run, task: Some(task.clone()) }).await {
        Ok(why) => {
            let found = why.tasks.into_iter().find(|found| found.task == task);
            let (sequence, chain) = found.map_or((None, Vec::new()), |w| (w.execution, w.chain));
            let item = match sequence {
                Some(sequence) => Item::Execution(run, task, sequence),
                None => Item::Task(run, task),
            };
            Message::Chain(item, chain)
        }
        Err(error) => Message::Refused(told(error)),
    }
}

fn told(error: CallError) -> String {
    match error {
        CallError::Rejected(no) => {
            let hint = no.hint.map(|hint| format!(" (try: {hint})")).unwrap_or_default();
            format!("{} {}{hint}", no.code, no.message)
        }
        error => chain(&error),
    }
}
