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

use super::Message;
use crate::chain::chain;
use crate::state::log::LogTarget;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How much of the end is read first.
const FIRST_BYTES: i64 = 256 << 10;

/// Reads what is wanted for as long as there is somebody to tell.
pub(super) async fn tail(
    socket: PathBuf,
    mut wanted: watch::Receiver<Option<LogTarget>>,
    messages: mpsc::Sender<Message>,
) {
    let mut client = None;
    loop {
        let target = wanted.borrow_and_update().clone();
        let Some(target) = target else {
            if wanted.changed().await.is_err() {
                return;
            }
            continue;
        };
        let reading = read_on(&socket, &mut client, target, &messages);
        tokio::select! {
            is_over = reading => {
                // All is read, or nobody listens; the next log will tell.
                if !is_over || wanted.changed().await.is_err() {
                    return;
                }
            }
            changed = wanted.changed() => if changed.is_err() { return },
        }
    }
}

/// Reads one log to its end; false when there is nobody to tell.
async fn read_on(
    socket: &std::path::Path,
    client: &mut Option<Client>,
    target: LogTarget,
    messages: &mpsc::Sender<Message>,
) -> bool {
    let mut position = -FIRST_BYTES;
    let mut attempt: Option<String> = None;
    let mut pause = PAUSE_MIN;
    loop {
        let piece = read(socket, client, &target, position).await;
        let is_over = matches!(&piece, Ok(piece) if piece.ended);
        let has_news = match &piece {
            Ok(piece) => {
                // Another attempt has its own positions: its beginning was not read.
                if attempt.as_ref().is_some_and(|known| *known != piece.attempt) {
                    (attempt, position) = (None, -FIRST_BYTES);
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
            return false;
        }
        if is_over {
            return true;
        }
        sleep(pause).await;
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
