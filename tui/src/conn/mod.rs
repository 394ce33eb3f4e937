//! The connection: follows the daemon's records, carries requests, reads logs.
//!
//! It talks to the model through bounded channels of messages and requests. Must never touch the
//! model or the terminal, and never lose or repeat a record.

mod command;
mod copy;
mod link;
mod perform;
mod tail;

use std::path::PathBuf;

use aiflow_model::digest::Digest;
use aiflow_model::why::Link;
use aiflow_model::wire::{EventRef, EventView, LogPiece, LogSlice, Receipt, SliceQuery, Status};
use aiflow_model::{LoggedRecord, RunId, State, TaskName, Timestamp};
use tokio::sync::{mpsc, watch};

pub(crate) use command::Command;

use crate::state::item::Item;
use crate::state::log::LogTarget;

/// Messages that may wait for the loop; then the connection waits.
const MESSAGES_MAX: usize = 64;
/// Requests that may wait for the connection; more are refused.
const REQUESTS_MAX: usize = 16;

/// What the connection tells.
#[derive(Debug)]
pub(crate) enum Message {
    /// It looks for the daemon.
    Connecting,
    /// It follows.
    Live,
    /// A copied log is looked at: there is nothing to follow.
    Copy,
    /// There is no daemon at present; why.
    Lost(String),
    /// All that is known, before the records that come after.
    State(Box<State>),
    /// Events from before.
    Past(Vec<EventView>),
    /// What happened since.
    Records(Vec<LoggedRecord>),
    /// How the daemon is.
    Status(Box<Status>),
    /// A slice of the past, or why there is none.
    Slice(Result<Box<LogSlice>, String>),
    /// What has happened since the time that was asked about.
    Since(Box<Digest>),
    /// How the execution that began last came to be, the latest record first.
    Chain(Item, Vec<Link>),
    /// What became of the event that was asked about, or why that is not known.
    Receipt(EventRef, Result<Box<Receipt>, String>),
    /// How a run differs from the last before it that succeeded, line by line.
    Diff(RunId, Result<Vec<String>, String>),
    /// What commands would cause; with the number that it was asked by.
    Foretold(u64, Result<Vec<String>, String>),
    /// A request was carried out.
    Done(String),
    /// A request was refused, or could not be sent.
    Refused(String),
    /// A piece of the log that is wanted, or why there is none.
    Log(LogTarget, Result<LogPiece, String>),
}

/// What the connection is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// Have this done.
    Do(Vec<Command>),
    /// Tell what it would cause.
    Foretell { number: u64, commands: Vec<Command> },
    /// Bring a slice of the past.
    Slice(SliceQuery),
    /// Tell what has happened since.
    Since(Timestamp),
    /// Tell how the latest execution of a task came to be.
    Chain(RunId, TaskName),
    /// Tell what became of an event.
    Receipt(EventRef),
    /// Tell how a run differs from the last before it that succeeded.
    Diff(RunId),
    /// Follow anew from the whole state.
    Resync,
}

impl Request {
    /// What is told of one that could not be asked: whoever waits for an answer gets one.
    fn unasked(self, why: &str) -> Message {
        let why = why.to_owned();
        match self {
            Self::Slice(_) => Message::Slice(Err(why)),
            Self::Diff(run) => Message::Diff(run, Err(why)),
            Self::Receipt(about) => Message::Receipt(about, Err(why)),
            Self::Foretell { number, .. } => Message::Foretold(number, Err(why)),
            Self::Do(_) | Self::Since(_) | Self::Chain(..) | Self::Resync => Message::Refused(why),
        }
    }
}

/// The loop's ends of the channels.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) messages: mpsc::Receiver<Message>,
    requests: mpsc::Sender<Request>,
    logs: watch::Sender<Vec<LogTarget>>,
    status: watch::Sender<bool>,
}

impl Conn {
    /// Starts the tasks that hold the connection. Needs a running tokio runtime.
    pub(crate) fn start(socket: PathBuf) -> Self {
        let (sender, messages) = mpsc::channel(MESSAGES_MAX);
        let (requests, wanted) = mpsc::channel(REQUESTS_MAX);
        let (logs, logs_wanted) = watch::channel(Vec::new());
        tokio::spawn(tail::tail(socket.clone(), logs_wanted, sender.clone()));
        let (status, status_wanted) = watch::channel(false);
        tokio::spawn(link::hold(socket, wanted, status_wanted, sender));
        Self { messages, requests, logs, status }
    }

    /// The same on a copied log, which the daemon's program reads. Needs a running tokio runtime.
    pub(crate) fn of_copy(program: PathBuf, log: PathBuf) -> Self {
        let (sender, messages) = mpsc::channel(MESSAGES_MAX);
        let (requests, wanted) = mpsc::channel(REQUESTS_MAX);
        tokio::spawn(copy::serve(program, log, wanted, sender));
        let (logs, status) = (watch::channel(Vec::new()).0, watch::channel(false).0);
        Self { messages, requests, logs, status }
    }

    /// Hands a request over without waiting, or gives the answer that nobody is there.
    pub(crate) fn request(&self, request: Request) -> Option<Message> {
        let unsent = self.requests.try_send(request).err()?;
        Some(unsent.into_inner().unasked("not sent: too many requests wait for the daemon"))
    }

    /// Whether how the daemon is shall be asked again and again, rather than only while it writes.
    pub(crate) fn watch_status(&self, is_wanted: bool) {
        self.status.send_if_modified(|wanted| std::mem::replace(wanted, is_wanted) != is_wanted);
    }

    /// Names the logs that are to be read from now on.
    pub(crate) fn want_logs(&self, targets: Vec<LogTarget>) {
        self.logs.send_if_modified(|wanted| {
            let is_new = *wanted != targets;
            if is_new {
                *wanted = targets;
            }
            is_new
        });
    }
}
