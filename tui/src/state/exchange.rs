//! What the connection tells, and what it is asked.
//!
//! Must never be more than data: the connection carries it, the model takes it in.

use aiflow_model::digest::Digest;
use aiflow_model::why::Link;
use aiflow_model::wire::{EventRef, EventView, LogPiece, LogSlice, Receipt, SliceQuery, Status};
use aiflow_model::{LoggedRecord, RunId, State, TaskName, Timestamp};

use super::command::Command;
use super::item::Item;
use super::log::LogTarget;

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
    pub(crate) fn unasked(self, why: &str) -> Message {
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
