//! The connection: follows the daemon's records, carries requests, reads logs.
//!
//! It talks to the model through bounded channels of messages and requests. Must never touch the
//! model or the terminal, and never lose or repeat a record.

mod link;
mod perform;
mod tail;

use std::path::PathBuf;

use aiflow_model::wire::{EventView, LogPiece};
use aiflow_model::{
    EventKey, JsonText, LoggedRecord, Namespace, RunId, State, TaskName, WorkflowName,
};
use tokio::sync::{mpsc, watch};

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
    /// There is no daemon at present; why.
    Lost(String),
    /// All that is known, before the records that come after.
    State(Box<State>),
    /// Events from before.
    Past(Vec<EventView>),
    /// What happened since.
    Records(Vec<LoggedRecord>),
    /// Median time of a commit, in microseconds.
    Commit(u64),
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
    /// Emit an event, to one run or to all.
    Emit { namespace: Namespace, key: EventKey, value: JsonText, run: Option<RunId> },
    /// Start a run.
    StartRun { namespace: Namespace, workflow: WorkflowName },
    /// Stop a run.
    StopRun { run: RunId },
    /// Start a task of a run.
    StartTask { run: RunId, task: TaskName },
    /// Stop what is alive of a task.
    StopTask { run: RunId, task: TaskName },
    /// Follow anew from the whole state.
    Resync,
}

/// The loop's ends of the channels.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) messages: mpsc::Receiver<Message>,
    requests: mpsc::Sender<Request>,
    log: watch::Sender<Option<LogTarget>>,
}

impl Conn {
    /// Starts the tasks that hold the connection. Needs a running tokio runtime.
    pub(crate) fn start(socket: PathBuf) -> Self {
        let (sender, messages) = mpsc::channel(MESSAGES_MAX);
        let (requests, wanted) = mpsc::channel(REQUESTS_MAX);
        let (log, log_wanted) = watch::channel(None);
        tokio::spawn(tail::tail(socket.clone(), log_wanted, sender.clone()));
        tokio::spawn(link::hold(socket, wanted, sender));
        Self { messages, requests, log }
    }

    /// Hands a request over without waiting; tells why not.
    pub(crate) fn request(&self, request: Request) -> Result<(), &'static str> {
        self.requests.try_send(request).map_err(|_| "too many requests wait for the daemon")
    }

    /// Names the log that is to be read from now on.
    pub(crate) fn want_log(&self, target: Option<&LogTarget>) {
        self.log.send_if_modified(|wanted| {
            let is_new = wanted.as_ref() != target;
            if is_new {
                *wanted = target.cloned();
            }
            is_new
        });
    }
}
