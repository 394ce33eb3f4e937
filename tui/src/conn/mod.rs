//! The connection: follows the daemon's records, carries requests, reads logs.
//!
//! It talks to the model through bounded channels of messages and requests. Must never touch the
//! model or the terminal, and never lose or repeat a record.

mod copy;
mod link;
mod perform;
mod tail;

use std::path::PathBuf;

use tokio::sync::{mpsc, watch};

use crate::state::exchange::{Message, Request};
use crate::state::log::LogTarget;

/// Messages that may wait for the loop; then the connection waits.
const MESSAGES_MAX: usize = 64;
/// Requests that may wait for the connection; more are refused.
const REQUESTS_MAX: usize = 16;

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
