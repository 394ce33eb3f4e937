//! One open connection: a task that writes lines, a task that reads them and hands each on.
//!
//! Must never interpret a result: it routes by request id and by subscription. A follower that
//! does not take its records slows the whole connection down, so that the daemon notices.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aiflow_model::Rejection;
use aiflow_model::wire::{Ended, Records, ServerLine};
use interprocess::local_socket::tokio::Stream;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Requests that may wait to be written; more wait in their callers.
const QUEUED_LINES_MAX: usize = 64;
/// Notifications that a follower may lag behind before the reader waits for it.
const QUEUED_RECORDS_MAX: usize = 1024;
const BUFFER_BYTES: usize = 64 << 10;

/// What a request gets back.
pub(crate) type Answer = Result<Box<RawValue>, Rejection>;

/// An open connection; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    queue: mpsc::Sender<Vec<u8>>,
    routes: Arc<Routes>,
    next_id: AtomicU64,
    tasks: [AbortHandle; 2],
}

#[derive(Debug, Default)]
struct Routes(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    waiting: HashMap<u64, Waiter>,
    followers: HashMap<u64, mpsc::Sender<Records>>,
    broken: Option<Arc<io::Error>>,
}

#[derive(Debug)]
struct Waiter {
    answer: oneshot::Sender<Answer>,
    /// Where the records go that the answer announces.
    records: Option<mpsc::Sender<Records>>,
}

impl Connection {
    /// Takes over an open stream. Needs a running tokio runtime.
    pub(crate) fn new(stream: Stream) -> Self {
        let stream = Arc::new(stream);
        let routes = Arc::new(Routes::default());
        let (queue, lines) = mpsc::channel(QUEUED_LINES_MAX);
        let writer = tokio::spawn(write_lines(Arc::clone(&stream), lines)).abort_handle();
        let reading = read_lines(stream, Arc::clone(&routes), writer.clone());
        let tasks = [tokio::spawn(reading).abort_handle(), writer];
        Self { queue, routes, next_id: AtomicU64::new(1), tasks }
    }

    /// Waits until the connection has broken.
    pub(crate) async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Sends a request; its answer comes through the receiver, which fails when the connection
    /// breaks first.
    pub(crate) async fn send(
        &self,
        method: &str,
        params: &RawValue,
    ) -> Result<oneshot::Receiver<Answer>, Arc<io::Error>> {
        self.send_routed(method, params, None).await
    }

    /// Sends a request that announces records.
    pub(crate) async fn send_following(
        &self,
        method: &str,
        params: &RawValue,
    ) -> Result<(oneshot::Receiver<Answer>, mpsc::Receiver<Records>), Arc<io::Error>> {
        let (sender, receiver) = mpsc::channel(QUEUED_RECORDS_MAX);
        let answer = self.send_routed(method, params, Some(sender)).await?;
        Ok((answer, receiver))
    }

    async fn send_routed(
        &self,
        method: &str,
        params: &RawValue,
        records: Option<mpsc::Sender<Records>>,
    ) -> Result<oneshot::Receiver<Answer>, Arc<io::Error>> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, receiver) = oneshot::channel();
        self.routes.expect(id, Waiter { answer, records })?;
        let params = params.get();
        let line = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",\"params\":{params}}}\n"
        );
        if self.queue.send(line.into_bytes()).await.is_err() {
            self.routes.table().waiting.remove(&id);
            return Err(self.breakage());
        }
        Ok(receiver)
    }

    /// What broke the connection.
    pub(crate) fn breakage(&self) -> Arc<io::Error> {
        let known = self.routes.table().broken.clone();
        known.unwrap_or_else(|| Arc::new(io::ErrorKind::BrokenPipe.into()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Routes {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expect(&self, id: u64, waiter: Waiter) -> Result<(), Arc<io::Error>> {
        let mut table = self.table();
        if let Some(error) = &table.broken {
            return Err(Arc::clone(error));
        }
        table.waiting.insert(id, waiter);
        Ok(())
    }

    /// Ends every waiter and follower; both see their channel closed.
    fn break_off(&self, error: io::Error) {
        let mut table = self.table();
        table.broken = Some(Arc::new(error));
        table.waiting.clear();
        table.followers.clear();
    }

    fn answer(&self, id: u64, answer: Answer) {
        let mut table = self.table();
        let Some(waiter) = table.waiting.remove(&id) else { return };
        // Before the next line is read: it may already be the first of the records.
        if let (Some(records), Ok(result)) = (waiter.records, &answer)
            && let Some(subscription) = announced(result)
        {
            table.followers.insert(subscription, records);
        }
        // A caller that has gone no longer wants its answer.
        let _ = waiter.answer.send(answer);
    }

    /// The follower sees its end once it has taken what came before.
    fn end(&self, subscription: u64) {
        self.table().followers.remove(&subscription);
    }

    async fn hand_on(&self, records: Records) {
        let subscription = records.subscription;
        let follower = self.table().followers.get(&subscription).cloned();
        let Some(follower) = follower else { return };
        if follower.send(records).await.is_err() {
            self.table().followers.remove(&subscription);
        }
    }
}

/// The subscription that an answer to `follow` speaks of. The state that may stand beside it is
/// read by the caller, once.
fn announced(result: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    struct Announcement {
        subscription: u64,
    }
    serde_json::from_str(result.get()).ok().map(|Announcement { subscription }| subscription)
}

async fn write_lines(stream: Arc<Stream>, mut queue: mpsc::Receiver<Vec<u8>>) {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, &*stream);
    let mut lines = Vec::new();
    while queue.recv_many(&mut lines, QUEUED_LINES_MAX).await > 0 {
        for line in lines.drain(..) {
            // A failed write is not told from here: what the daemon said before it hung up is
            // still to be read, and the reader will meet the end.
            if out.write_all(&line).await.is_err() {
                return;
            }
        }
        if out.flush().await.is_err() {
            return;
        }
    }
}

async fn read_lines(stream: Arc<Stream>, routes: Arc<Routes>, writer: AbortHandle) {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, &*stream);
    let mut line = Vec::new();
    let error = loop {
        line.clear();
        match input.read_until(b'\n', &mut line).await {
            Err(error) => break error,
            Ok(_) if line.last() != Some(&b'\n') => {
                break io::Error::new(io::ErrorKind::UnexpectedEof, "the daemon hung up");
            }
            Ok(_) => {
                if let Err(error) = take_line(&line, &routes).await {
                    break error;
                }
            }
        }
    };
    routes.break_off(error);
    writer.abort();
}

async fn take_line(line: &[u8], routes: &Routes) -> io::Result<()> {
    let not_understood = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let line: ServerLine = serde_json::from_slice(line).map_err(not_understood)?;
    match line {
        ServerLine { id: Some(id), error: Some(error), .. } => {
            routes.answer(id, Err(error.into()));
        }
        ServerLine { id: Some(id), result, .. } => {
            // `"result": null` reads as absent.
            routes.answer(id, Ok(result.unwrap_or_else(|| RawValue::NULL.to_owned())));
        }
        // Without an id it is about the connection as a whole, such as a line it could not read.
        ServerLine { error: Some(error), .. } => {
            return Err(io::Error::other(Rejection::from(error)));
        }
        ServerLine { method: Some(method), params: Some(params), .. } if method == "records" => {
            let records = serde_json::from_str(params.get()).map_err(not_understood)?;
            routes.hand_on(records).await;
        }
        ServerLine { method: Some(method), params: Some(params), .. } if method == "ended" => {
            let ended: Ended = serde_json::from_str(params.get()).map_err(not_understood)?;
            routes.end(ended.subscription);
        }
        // Other notifications are those of a later version.
        ServerLine { .. } => {}
    }
    Ok(())
}
