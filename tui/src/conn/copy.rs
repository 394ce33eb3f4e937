//! A copied log in place of a daemon: the daemon's program, as a child, reads what is asked of it.
//!
//! Must never write to the copy, nor read the log's format itself: there is one reader of it.

use std::path::{Path, PathBuf};

use aiflow_model::wire::{LogSlice, SliceQuery};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::state::exchange::{Message, Request};

/// Records before the end that are brought at first, so that there are events to see.
const RECENT: u32 = 2_000;

/// Answers from the copy for as long as there is somebody to tell.
pub(super) async fn serve(
    program: PathBuf,
    log: PathBuf,
    mut requests: mpsc::Receiver<Request>,
    messages: mpsc::Sender<Message>,
) {
    let end = SliceQuery { at: None, time: None, before: RECENT, after: 0 };
    let told = match slice(&program, &log, end).await {
        Ok(slice) => {
            let state = Box::new(slice.state.as_ref().clone().with_derived());
            for message in [Message::State(state), Message::Records(slice.records)] {
                if messages.send(message).await.is_err() {
                    return;
                }
            }
            Message::Copy
        }
        Err(reason) => Message::Lost(reason),
    };
    if messages.send(told).await.is_err() {
        return;
    }
    while let Some(request) = requests.recv().await {
        let told = match request {
            Request::Slice(query) => {
                Message::Slice(slice(&program, &log, query).await.map(Box::new))
            }
            Request::Receipt(about) => {
                let receipt = ask(&program, &log, "receipt", about).await;
                Message::Receipt(about, receipt.map(Box::new))
            }
            Request::Foretell { number, .. } => Message::Foretold(number, Err(refusal())),
            Request::Diff(run) => {
                let why_not = "a copied log cannot be asked for it: no daemon runs on it";
                Message::Diff(run, Err(why_not.to_owned()))
            }
            Request::Do(_) => Message::Refused(refusal()),
            // What only a daemon tells is left out.
            Request::Since(_) | Request::Chain(..) | Request::Resync => continue,
        };
        if messages.send(told).await.is_err() {
            return;
        }
    }
}

fn refusal() -> String {
    "a copied log cannot be changed: no daemon runs on it".to_owned()
}

async fn slice(program: &Path, log: &Path, query: SliceQuery) -> Result<LogSlice, String> {
    ask(program, log, "slice", query).await
}

/// Runs the daemon's program on the copy, and reads what it prints.
async fn ask<Q: Serialize, A: DeserializeOwned>(
    program: &Path,
    log: &Path,
    verb: &'static str,
    query: Q,
) -> Result<A, String> {
    let text = serde_json::to_string(&query).map_err(|error| error.to_string())?;
    let (program, log) = (program.to_owned(), log.to_owned());
    let ran = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(&program);
        command.arg(verb).arg(&log).arg(text).stdin(std::process::Stdio::null());
        command.output().map_err(|error| format!("cannot ask {}: {error}", program.display()))
    });
    let output = ran.await.map_err(|error| error.to_string())??;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(told.lines().collect::<Vec<_>>().join(" ").trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        format!("the {verb} cannot be read: {error}; use aiflow and aiflowd of the same version")
    })
}
