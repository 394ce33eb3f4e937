//! Carries out one request and tells how it went.
//!
//! Must never repeat one: the user sees what happened and asks again.

use std::collections::BTreeMap;

use aiflow_client::{CallError, Client, new_id};
use aiflow_model::wire::{Emit, RunRef, StartRun, TaskRef};

use super::{Message, Request};
use crate::chain::chain;

/// Asks the daemon.
pub(super) async fn perform(client: &Client, request: Request) -> Message {
    match ask(client, request).await {
        Ok(done) => Message::Done(done),
        Err(CallError::Rejected(no)) => {
            let hint = no.hint.map(|hint| format!(" (try: {hint})")).unwrap_or_default();
            Message::Refused(format!("{} {}{hint}", no.code, no.message))
        }
        Err(error) => Message::Refused(chain(&error)),
    }
}

async fn ask(client: &Client, request: Request) -> Result<String, CallError> {
    match request {
        Request::Emit { namespace, key, value, run } => {
            let (source, id) = (Some("tui".to_owned()), Some(new_id()));
            let name = key.clone();
            let emit = Emit { namespace, key, value, source, id, execution: run, token: None };
            let reply = client.emit(emit).await?;
            Ok(format!("emitted {name} @{}", reply.offset))
        }
        Request::StartRun { namespace, workflow } => {
            let (name, request) = (workflow.clone(), Some(new_id()));
            let start = StartRun { namespace, workflow, params: BTreeMap::new(), request };
            let reply = client.start_run(start).await?;
            Ok(format!("started run {} of {name}", reply.run))
        }
        Request::StopRun { run } => {
            let reply = client.stop_run(RunRef { run }).await?;
            Ok(format!("stopping run {run}: {} executions", reply.stopping))
        }
        Request::StartTask { run, task } => {
            let name = task.clone();
            client.start_task(TaskRef { run, task }).await?;
            Ok(format!("started {name} of run {run}"))
        }
        Request::StopTask { run, task } => {
            let name = task.clone();
            let reply = client.stop_task(TaskRef { run, task }).await?;
            Ok(format!("stopping {name} of run {run}: {} executions", reply.stopping))
        }
        // The link's own affair.
        Request::Resync => Ok("following anew".to_owned()),
    }
}
