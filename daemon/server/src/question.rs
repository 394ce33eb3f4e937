//! Questions that take a look at the log: answered off the loop, once all that they show is
//! durable, a few at a time.
//!
//! Must never hold up the loop, and never keep it waiting for a lock.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aiflow_log::{DiskStorage, LogReader};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::why::{Creations, Why, chain};
use aiflow_model::{ExecutionId, LoggedRecord, Offset, Timestamp};
use tokio::sync::Semaphore;

use crate::connection::Reply;
use crate::queries::to_json;
use crate::records;

/// Most questions looked into at once: each may hold a state.
const QUESTIONS_MAX: usize = 1;

/// What a question gives: the result as JSON text.
type Answered = Result<String, Rejection>;

/// One question.
pub(crate) struct Question {
    reply: Reply,
    ask: Box<dyn FnOnce() -> Answered + Send>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("reply", &self.reply).finish_non_exhaustive()
    }
}

impl Question {
    pub(crate) fn new(reply: Reply, ask: impl FnOnce() -> Answered + Send + 'static) -> Self {
        Self { reply, ask: Box::new(ask) }
    }
}

/// Where questions wait for their turn.
#[derive(Debug, Clone)]
pub(crate) struct Questions {
    turns: Arc<Semaphore>,
}

impl Default for Questions {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(QUESTIONS_MAX)) }
    }
}

impl Questions {
    /// Answers a question in its turn.
    pub(crate) fn ask(&self, Question { reply, ask }: Question) {
        let turns = Arc::clone(&self.turns);
        tokio::task::spawn_local(async move {
            let _turn = turns.acquire_owned().await;
            if let Some(client) = reply.notifications() {
                client.room().await;
            }
            // The line is made there as well: it may be large.
            let answered = tokio::task::spawn_blocking(move || match ask() {
                Ok(text) => reply.result(&text),
                Err(rejection) => reply.refuse(rejection),
            });
            if let Err(error) = answered.await {
                tracing::error!(%error, "a question was not answered");
            }
        });
    }
}

/// Tells how each execution that is named came to be.
pub(crate) fn with_chains(
    mut why: Why,
    creations: &Creations,
    (storage, first): (DiskStorage, Offset),
) -> Answered {
    let mut reader = LogReader::new(storage);
    for task in &mut why.tasks {
        let Some(sequence) = task.execution else { continue };
        let id = ExecutionId { run: why.run, task: task.task.clone(), sequence };
        // What retention has dropped is where the chain ends.
        let read = |offset| if offset < first { Ok(None) } else { read(&mut reader, offset) };
        task.chain = chain(&id, creations, read)?;
    }
    to_json(&why)
}

/// One record.
pub(crate) fn read(
    reader: &mut LogReader<DiskStorage>,
    Offset(offset): Offset,
) -> Result<Option<LoggedRecord>, Rejection> {
    let mut batches = reader.read(offset, offset + 1).map_err(unreadable)?;
    let Some(batch) = batches.next_batch().map_err(unreadable)? else { return Ok(None) };
    batch.records().next().map(|record| records::decode(&record)).transpose().map_err(unreadable)
}

/// What a visitor sees of a batch.
type Seen<'a> = [LoggedRecord<aiflow_model::record::EventIdentity<'a>>];

/// Goes through the batches of a part of the log until the visitor has seen enough.
pub(crate) fn each_batch(
    log: &DiskStorage,
    range: Range<u64>,
    mut visit: impl FnMut(&Seen<'_>) -> bool,
) -> Result<(), Rejection> {
    let mut reader = LogReader::new(log.clone());
    let mut batches = reader.read(range.start, range.end).map_err(unreadable)?;
    while let Some(batch) = batches.next_batch().map_err(unreadable)? {
        let records = batch.records().map(|record| {
            let (offset, time) = (Offset(record.offset), Timestamp(record.time_us));
            LoggedRecord::for_replay(offset, time, record.payload)
        });
        let records: Vec<_> = records.collect::<Result<_, _>>().map_err(unreadable)?;
        if !visit(&records) {
            return Ok(());
        }
    }
    Ok(())
}

/// There is no such record yet.
pub(crate) fn beyond(offset: Offset, end: Offset) -> Rejection {
    let message = format!("record {offset} does not exist yet; the next one is {end}");
    Rejection::new(ErrorCode::OffsetOutOfRange, message)
}

/// The log cannot be read.
pub(crate) fn unreadable(error: impl fmt::Display) -> Rejection {
    Rejection::new(ErrorCode::Internal, format!("the log: {error}"))
}
