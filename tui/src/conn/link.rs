//! Holds the connection: follows from the state first and from the next offset after a break.
//!
//! Must never give up while the user is there, and never busy-wait for a daemon that is away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aiflow_client::{CallError, Client, Subscription};
use aiflow_model::wire::{Empty, EventQuery, EventView, Follow, Records};
use aiflow_model::{ErrorCode, Offset, State};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::perform;
use crate::chain::chain;
use crate::state::exchange::{Message, Request};

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Events that are asked for at the start, of each namespace.
const PAST_EVENTS: u32 = 200;
/// Namespaces of which events are asked for.
const PAST_NAMESPACES: usize = 8;
/// The daemon is asked how it is at most this often, and only while it writes.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// The loop is gone: there is nobody to tell.
struct Gone;

/// Follows for as long as there is somebody to tell.
pub(super) async fn hold(
    socket: PathBuf,
    mut requests: mpsc::Receiver<Request>,
    mut watched: watch::Receiver<bool>,
    messages: mpsc::Sender<Message>,
) {
    let mut resume = None;
    let mut backoff = BACKOFF_MIN;
    loop {
        if messages.send(Message::Connecting).await.is_err() {
            return;
        }
        let reason = match follow(&socket, &mut resume, &messages).await {
            Ok(mut followed) => {
                backoff = BACKOFF_MIN;
                match relay(&mut followed, &mut resume, &mut requests, &mut watched, &messages)
                    .await
                {
                    Ok(reason) => reason,
                    Err(Gone) => return,
                }
            }
            Err(reason) => reason,
        };
        if messages.send(Message::Lost(reason)).await.is_err() {
            return;
        }
        if wait(backoff, &mut requests, &messages).await.is_err() {
            return;
        }
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Waits, and refuses what is asked meanwhile: nobody is there to do it.
async fn wait(
    backoff: Duration,
    requests: &mut mpsc::Receiver<Request>,
    messages: &mpsc::Sender<Message>,
) -> Result<(), Gone> {
    let end = sleep(backoff);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            request = requests.recv() => match request {
                None => return Err(Gone),
                Some(request) => {
                    let told = request.unasked("no daemon answers: nothing was sent");
                    messages.send(told).await.map_err(|_| Gone)?;
                }
            },
        }
    }
}

struct Followed {
    client: Client,
    records: Subscription,
}

/// Connects and follows: from `resume` when it is known and still in the log, else from the state.
async fn follow(
    socket: &Path,
    resume: &mut Option<Offset>,
    messages: &mpsc::Sender<Message>,
) -> Result<Followed, String> {
    let client = Client::connect(socket).await.map_err(|error| chain(&error))?;
    if let Some(from) = *resume {
        let wanted = Follow { from: Some(from), ..Follow::default() };
        match client.follow(wanted).await {
            Ok((_, records)) => {
                let _ = messages.send(Message::Live).await;
                return Ok(Followed { client, records });
            }
            Err(CallError::Rejected(no)) if no.code == ErrorCode::OffsetOutOfRange => {
                *resume = None;
            }
            Err(error) => return Err(chain(&error)),
        }
    }
    let wanted = Follow { with_state: true, ..Follow::default() };
    let (reply, records) = client.follow(wanted).await.map_err(|error| chain(&error))?;
    let state = reply.state.ok_or("the daemon sent no state")?.with_derived();
    *resume = Some(reply.next);
    let namespaces: Vec<_> = state.namespaces.keys().take(PAST_NAMESPACES).cloned().collect();
    let _ = messages.send(Message::State(Box::<State>::new(state))).await;
    let _ = messages.send(Message::Live).await;
    let mut past: Vec<EventView> = Vec::new();
    for namespace in namespaces {
        let limit = Some(PAST_EVENTS);
        let query = EventQuery { namespace: Some(namespace), limit, ..EventQuery::default() };
        past.extend(client.list_events(query).await.into_iter().flat_map(|page| page.events));
    }
    let _ = messages.send(Message::Past(past)).await;
    Ok(Followed { client, records })
}

/// Hands on records and requests until the connection breaks; tells why it did.
async fn relay(
    followed: &mut Followed,
    resume: &mut Option<Offset>,
    requests: &mut mpsc::Receiver<Request>,
    watched: &mut watch::Receiver<bool>,
    messages: &mpsc::Sender<Message>,
) -> Result<String, Gone> {
    let mut status_due = Instant::now();
    loop {
        let is_watched = *watched.borrow();
        tokio::select! {
            changed = watched.changed() => {
                changed.map_err(|_| Gone)?;
                tokio::spawn(ask_status(followed.client.clone(), messages.clone()));
            }
            () = sleep_until(status_due), if is_watched => {
                status_due = Instant::now() + STATUS_EVERY;
                tokio::spawn(ask_status(followed.client.clone(), messages.clone()));
            }
            records = followed.records.next() => match records {
                Err(broken) => return Ok(chain(&broken)),
                Ok(Records { records, next, .. }) => {
                    *resume = Some(next);
                    messages.send(Message::Records(records)).await.map_err(|_| Gone)?;
                    if Instant::now() >= status_due {
                        status_due = Instant::now() + STATUS_EVERY;
                        tokio::spawn(ask_status(followed.client.clone(), messages.clone()));
                    }
                }
            },
            request = requests.recv() => match request {
                None => return Err(Gone),
                Some(Request::Resync) => {
                    *resume = None;
                    return Ok("the state did not fit".to_owned());
                }
                Some(request) => {
                    let (client, messages) = (followed.client.clone(), messages.clone());
                    tokio::spawn(async move {
                        let told = match request {
                            Request::Do(commands) => perform::perform(&client, commands).await,
                            Request::Foretell { number, commands } => {
                                perform::foretell(&client, number, commands).await
                            }
                            Request::Slice(query) => perform::slice(&client, query).await,
                            Request::Since(time) => perform::since(&client, time).await,
                            Request::Chain(run, task) => {
                                perform::chain_of(&client, run, task).await
                            }
                            Request::Receipt(about) => perform::receipt(&client, about).await,
                            Request::Diff(run) => perform::diff(&client, run).await,
                            // Its own affair, above.
                            Request::Resync => return,
                        };
                        let _ = messages.send(told).await;
                    });
                }
            },
        }
    }
}

async fn ask_status(client: Client, messages: mpsc::Sender<Message>) {
    if let Ok(status) = client.status(Empty {}).await {
        let _ = messages.send(Message::Status(Box::new(status))).await;
    }
}
