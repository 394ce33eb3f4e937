//! One connection: lines in, lines out.
//!
//! Lengths are checked before anything is allocated for them. A line that is wrong gets an error
//! and the connection lives on. Must never block the loop, and never read on while too many of its
//! lines are unanswered, the wrong ones among them.

use std::rc::Rc;
use std::sync::Arc;

use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::{Call, REQUEST_BYTES_MAX, RequestLine, RpcError};
use interprocess::local_socket::tokio::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::files::FileStore;
use crate::outbox::{Outbox, Outboxes, Weight};

/// Most requests of one connection without a reply.
pub(crate) const UNANSWERED_MAX: usize = 256;
/// Most notifications of one connection that wait to be written.
const NOTIFICATIONS_MAX: usize = 2;
const READ_BYTES: usize = 64 << 10;
/// Small lines are written together up to this many bytes, large ones in pieces of as many.
const WRITE_BYTES: usize = 64 << 10;

/// The way from connections to the loop.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Requests, bounded: when the loop is busy, readers wait.
    pub(crate) requests: mpsc::Sender<(Call, Reply)>,
    /// Files of uploads, which do not pass through the loop.
    pub(crate) files: FileStore,
    /// One permit a reply that is not written yet, so that a stop can wait for all.
    pub(crate) unwritten: Arc<Semaphore>,
    /// What waits for each client.
    pub(crate) outboxes: Arc<Outboxes>,
}

/// One line to write, with what is freed when it is written.
#[derive(Debug)]
pub(crate) struct Line {
    text: Vec<u8>,
    _weight: Weight,
    _permits: Option<[OwnedSemaphorePermit; 2]>,
}

/// Where the notifications of one client go; they wait for those before them.
#[derive(Debug, Clone)]
pub(crate) struct Notifications {
    queue: mpsc::Sender<Line>,
    outbox: Arc<Outbox>,
}

impl Notifications {
    /// Sends one; false when the client has gone.
    pub(crate) async fn send(&self, text: Vec<u8>) -> bool {
        let Ok(place) = self.queue.reserve().await else { return false };
        place.send(Line { _weight: self.outbox.weigh(text.len()), text, _permits: None });
        true
    }

    /// Whether the next one has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.capacity() == 0
    }

    /// Waits until what is unwritten for all clients leaves room for more.
    pub(crate) async fn room(&self) {
        self.outbox.room().await;
    }

    /// Waits until the client has gone.
    pub(crate) async fn closed(&self) {
        self.queue.closed().await;
    }
}

/// Where the answer to one request goes.
#[derive(Debug)]
pub(crate) enum Reply {
    /// To a client.
    Client {
        /// The request's id as JSON; none: no answer is wanted.
        id: Option<String>,
        /// Lines to write.
        lines: mpsc::UnboundedSender<Line>,
        /// Notifications to write.
        notifications: Notifications,
        /// Freed when the answer is written: of the connection, of the daemon.
        permits: [OwnedSemaphorePermit; 2],
    },
    /// To a part of the daemon that only wants to know whether it was done.
    Inside(oneshot::Sender<Result<(), Rejection>>),
}

impl Reply {
    /// A reply that stays inside, and where it arrives.
    pub(crate) fn inside() -> (Self, oneshot::Receiver<Result<(), Rejection>>) {
        let (sender, receiver) = oneshot::channel();
        (Self::Inside(sender), receiver)
    }

    /// Whether the daemon itself asked.
    pub(crate) fn is_inside(&self) -> bool {
        matches!(self, Self::Inside(_))
    }

    /// Answers with a result, given as JSON text.
    pub(crate) fn result(self, result: &str) {
        self.send(Ok(()), |id| {
            format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n").into_bytes()
        });
    }

    /// Answers with a refusal.
    pub(crate) fn refuse(self, rejection: Rejection) {
        self.send(Err(rejection.clone()), |id| error_line(id, rejection));
    }

    /// Where notifications of a subscription go; closed when the client has gone.
    pub(crate) fn notifications(&self) -> Option<Notifications> {
        match self {
            Self::Client { notifications, .. } => Some(notifications.clone()),
            Self::Inside(_) => None,
        }
    }

    fn send(self, done: Result<(), Rejection>, text: impl FnOnce(&str) -> Vec<u8>) {
        // Whoever has gone wants no answer.
        match self {
            Self::Client { id: Some(id), lines, permits, notifications } => {
                let text = text(&id);
                let _weight = notifications.outbox.weigh(text.len());
                let _ = lines.send(Line { text, _weight, _permits: Some(permits) });
            }
            Self::Client { id: None, .. } => {}
            Self::Inside(sender) => {
                let _ = sender.send(done);
            }
        }
    }
}

fn error_line(id: &str, rejection: Rejection) -> Vec<u8> {
    let error = serde_json::to_string(&RpcError::from(rejection)).unwrap_or_default();
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}\n").into_bytes()
}

/// Serves a connection until the client goes, or is cut off.
pub(crate) async fn serve(stream: Stream, gate: Rc<Gate>) {
    let stream = Rc::new(stream);
    let outbox = gate.outboxes.open();
    let (lines, line_queue) = mpsc::unbounded_channel();
    let (queue, notification_queue) = mpsc::channel(NOTIFICATIONS_MAX);
    let writing =
        write_lines((Rc::clone(&stream), Arc::clone(&outbox)), line_queue, notification_queue);
    let notifications = Notifications { queue, outbox: Arc::clone(&outbox) };
    let source =
        Source { gate, lines, notifications, unanswered: Semaphore::new(UNANSWERED_MAX).into() };
    let reading = async move {
        if let Err(error) = source.read_lines(&*stream).await {
            tracing::debug!(%error, "a connection broke");
        }
    };
    // Replies that are on their way still go out when the client says no more; the writer ends when
    // all senders are gone.
    let served = async { tokio::join!(reading, writing) };
    tokio::select! {
        _ = served => {}
        () = outbox.is_cut() => tracing::warn!("a client that does not read was cut off"),
    }
}

async fn write_lines(
    (stream, outbox): (Rc<Stream>, Arc<Outbox>),
    mut lines: mpsc::UnboundedReceiver<Line>,
    mut notifications: mpsc::Receiver<Line>,
) {
    let mut writer = &*stream;
    let mut gathered = Vec::new();
    loop {
        tokio::select! {
            biased;
            count = lines.recv_many(&mut gathered, UNANSWERED_MAX) => if count == 0 { return },
            Some(line) = notifications.recv() => gathered.push(line),
        }
        // Not kept: most connections are quiet most of the time.
        let mut buffer = Vec::new();
        let mut rest = gathered.as_slice();
        while let Some(first) = rest.first() {
            let together = small_lines(rest);
            // A large line is not copied.
            let text = if together == 1 {
                &first.text
            } else {
                buffer.clear();
                rest[..together].iter().for_each(|line| buffer.extend_from_slice(&line.text));
                &buffer
            };
            for piece in text.chunks(WRITE_BYTES) {
                if writer.write_all(piece).await.is_err() {
                    return;
                }
                outbox.note_move();
            }
            rest = &rest[together..];
        }
        gathered.clear();
    }
}

/// How many of the lines are written together: as many as are small, at least one.
fn small_lines(lines: &[Line]) -> usize {
    let mut bytes = 0;
    let small = lines.iter().take_while(|line| {
        bytes += line.text.len();
        bytes <= WRITE_BYTES
    });
    small.count().max(1)
}

/// What a line turned out to be.
enum Taken {
    /// Nothing: it was empty.
    Nothing,
    /// A refusal for this id.
    Refusal(String, Rejection),
    /// A request.
    Request(Option<String>, Box<Call>),
}

struct Source {
    gate: Rc<Gate>,
    lines: mpsc::UnboundedSender<Line>,
    notifications: Notifications,
    unanswered: Arc<Semaphore>,
}

impl Source {
    async fn read_lines(&self, mut reader: impl AsyncRead + Unpin) -> std::io::Result<()> {
        let mut buffer: Vec<u8> = Vec::new();
        // Of a line that is too long the rest is skipped, not kept.
        let mut skipping = false;
        let mut searched = 0;
        loop {
            buffer.reserve(READ_BYTES);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            let mut start = 0;
            while let Some(end) = newline(&buffer, start.max(searched)) {
                if !std::mem::take(&mut skipping) {
                    self.take_line(&buffer[start..end]).await;
                }
                start = end + 1;
                searched = start;
            }
            buffer.drain(..start);
            searched = buffer.len();
            if buffer.len() > REQUEST_BYTES_MAX || skipping {
                if !std::mem::replace(&mut skipping, true) {
                    self.refuse_long_line().await;
                }
                buffer.clear();
                searched = 0;
            }
            if buffer.is_empty() && buffer.capacity() > 4 * READ_BYTES {
                buffer.shrink_to(READ_BYTES);
            }
        }
    }

    async fn refuse_long_line(&self) {
        let message = format!("the line is longer than {REQUEST_BYTES_MAX} bytes; it was skipped");
        let rejection = Rejection::new(ErrorCode::FrameTooLarge, message)
            .hint("put large data in a file and emit its path");
        self.refuse("null", rejection).await;
    }

    /// Also a refusal takes its place among what is unanswered: nobody fills the memory with lines
    /// that are wrong.
    async fn refuse(&self, id: &str, rejection: Rejection) {
        let Some(permits) = self.permits().await else { return };
        let text = error_line(id, rejection);
        let _weight = self.notifications.outbox.weigh(text.len());
        // Whoever has gone wants no answer.
        let _ = self.lines.send(Line { text, _weight, _permits: Some(permits) });
    }

    /// Leave for one more answer, of the connection and of the daemon; never refused.
    async fn permits(&self) -> Option<[OwnedSemaphorePermit; 2]> {
        let own = Arc::clone(&self.unanswered).acquire_owned().await;
        let all = Arc::clone(&self.gate.unwritten).acquire_owned().await;
        Some([own.ok()?, all.ok()?])
    }

    async fn take_line(&self, line: &[u8]) {
        match read_request(line) {
            Taken::Nothing => {}
            Taken::Refusal(id, rejection) => self.refuse(&id, rejection).await,
            Taken::Request(id, call) => self.hand_on(id, *call).await,
        }
    }

    async fn hand_on(&self, id: Option<String>, call: Call) {
        let Some(permits) = self.permits().await else { return };
        let (lines, notifications) = (self.lines.clone(), self.notifications.clone());
        let reply = Reply::Client { id, lines, notifications, permits };
        match call {
            // A piece of a file is written here, so that the loop never waits for it.
            Call::FilePut(piece) => match self.gate.files.put(piece).await {
                Ok(()) => reply.result("{}"),
                Err(rejection) => reply.refuse(rejection),
            },
            Call::WorkflowUpload(upload) => match self.gate.files.check(upload).await {
                Ok(upload) => self.request(Call::WorkflowUpload(upload), reply).await,
                Err(rejection) => reply.refuse(rejection),
            },
            Call::DraftStart(ask) => match self.gate.files.check_draft(ask).await {
                Ok(ask) => self.request(Call::DraftStart(ask), reply).await,
                Err(rejection) => reply.refuse(rejection),
            },
            call => self.request(call, reply).await,
        }
    }

    async fn request(&self, call: Call, reply: Reply) {
        if let Err(mpsc::error::SendError((_, reply))) =
            self.gate.requests.send((call, reply)).await
        {
            let message = "the daemon is going down; nothing was done";
            reply.refuse(Rejection::new(ErrorCode::ShuttingDown, message));
        }
    }
}

fn newline(buffer: &[u8], from: usize) -> Option<usize> {
    let rest = buffer.get(from..)?;
    rest.iter().position(|byte| *byte == b'\n').map(|at| from + at)
}

fn read_request(line: &[u8]) -> Taken {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Taken::Nothing;
    }
    let refusal = |id: &str, code, message: String| {
        let hint = r#"{"jsonrpc":"2.0","id":1,"method":"emit","params":{"key":"data.ready"}}"#;
        let rejection = Rejection::new(code, message).hint(format!("one line such as {hint}"));
        Taken::Refusal(id.to_owned(), rejection)
    };
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("the line is not UTF-8: {error}");
            return refusal("null", ErrorCode::InvalidFrame, message);
        }
    };
    let request: RequestLine<'_> = match serde_json::from_str(text) {
        Ok(request) => request,
        Err(error) => {
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            let (code, what) = if is_json {
                (ErrorCode::InvalidRequest, "not a JSON-RPC 2.0 request")
            } else {
                (ErrorCode::InvalidFrame, "not JSON")
            };
            return refusal("null", code, format!("the line is {what}: {error}"));
        }
    };
    // An id is a string, a number or null; anything else is not given back.
    let id = request.id.map(serde_json::value::RawValue::get);
    let id = id.filter(|id| !id.starts_with(['{', '['])).map(str::to_owned);
    if request.jsonrpc != "2.0" {
        let message = "the member jsonrpc has to be \"2.0\"".to_owned();
        return refusal(id.as_deref().unwrap_or("null"), ErrorCode::InvalidRequest, message);
    }
    match Call::read(&request.method, request.params) {
        Ok(call) => Taken::Request(id, Box::new(call)),
        Err(rejection) => Taken::Refusal(id.unwrap_or_else(|| "null".to_owned()), rejection),
    }
}
