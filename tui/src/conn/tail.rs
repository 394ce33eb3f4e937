//! Reads the log that is looked at: its end first, then what is added.
//!
//! The protocol has no subscription to output, so it asks again: often while something comes, once
//! a second at rest, and never for an attempt that is over or while no log is open.

use std::path::PathBuf;
use std::time::Duration;

use aiflow_client::{CallError, Client};
use aiflow_model::wire::{LogPiece, LogRead};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use crate::chain::chain;
use crate::state::exchange::Message;
use crate::state::log::LogTarget;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How much of the end is read first.
const FIRST_BYTES: i64 = 256 << 10;

/// Reads what is wanted for as long as there is somebody to tell.
pub(super) async fn tail(
    socket: PathBuf,
    mut wanted: watch::Receiver<Vec<LogTarget>>,
    messages: mpsc::Sender<Message>,
) {
    loop {
        let targets = wanted.borrow_and_update().clone();
        // What is no longer wanted ends with the set.
        let mut readers = tokio::task::JoinSet::new();
        for target in targets {
            readers.spawn(read_on(socket.clone(), target, messages.clone()));
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

/// Reads one log to its end.
async fn read_on(socket: PathBuf, target: LogTarget, messages: mpsc::Sender<Message>) {
    let begin = if target.is_whole { 0 } else { -FIRST_BYTES };
    let mut client = None;
    let mut position = begin;
    let mut attempt: Option<String> = None;
    let mut pause = PAUSE_MIN;
    loop {
        let piece = read(&socket, &mut client, &target, position).await;
        let is_over = matches!(&piece, Ok(piece) if piece.ended);
        let has_news = match &piece {
            Ok(piece) => {
                // Another attempt has its own positions: its beginning was not read.
                if attempt.as_ref().is_some_and(|known| *known != piece.attempt) {
                    (attempt, position) = (None, begin);
                    continue;
                }
                attempt = Some(piece.attempt.clone());
                position = i64::try_from(piece.next).unwrap_or(i64::MAX);
                !piece.text.is_empty()
            }
            Err(_) => false,
        };
        pause = if has_news { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        let tells = has_news || is_over || piece.is_err() || pause == PAUSE_MIN * 2;
        if tells && messages.send(Message::Log(target.clone(), piece)).await.is_err() {
            return;
        }
        if is_over {
            return;
        }
        if !(has_news && target.is_whole) {
            sleep(pause).await;
        }
    }
}

async fn read(
    socket: &std::path::Path,
    client: &mut Option<Client>,
    target: &LogTarget,
    position: i64,
) -> Result<LogPiece, String> {
    let connected = match client.take() {
        Some(client) => client,
        None => Client::connect(socket).await.map_err(|error| chain(&error))?,
    };
    let (run, task, sequence) = (target.run, target.task.clone(), target.sequence);
    let wanted = LogRead { run, task, sequence, attempt: None, position, bytes_max: None };
    let piece = connected.read_log(wanted).await;
    if !matches!(&piece, Err(CallError::Disconnected { .. })) {
        *client = Some(connected);
    }
    piece.map_err(|error| chain(&error))
}
