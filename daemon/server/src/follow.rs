//! Subscriptions: records in order from an offset on, first from the log's past, then as they come.
//!
//! Every follower reads the log itself, at its own pace and never beyond what is durable, so a slow
//! one holds nothing up and nothing is kept for it. When its connection breaks it resumes by
//! offset.

use aiflow_log::{DiskStorage, LogReader, ReadError};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::Ended;
use tokio::sync::{mpsc, watch};

use crate::event_index::EventFilter;
use crate::queries::to_json;
use crate::records;
use crate::requests::gone;

/// Most records in one notification.
const RECORDS_MAX: u64 = 1_000;
/// A notification is sent when it has grown to this many bytes.
const NOTIFICATION_BYTES: usize = 256 << 10;

/// What a follower wants.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Number that its notifications carry.
    pub(crate) number: u64,
    /// First offset to send.
    pub(crate) next: u64,
    /// Only events, and of those only these.
    pub(crate) filter: Option<EventFilter>,
    /// The JSON of the reply that opens it.
    pub(crate) reply: String,
}

/// Sends records until the client goes or the log cannot be read.
pub(crate) async fn follow(
    storage: DiskStorage,
    subscription: Subscription,
    mut durable: watch::Receiver<u64>,
    notifications: mpsc::Sender<Vec<u8>>,
) {
    let mut reader = LogReader::new(storage);
    let mut next = subscription.next;
    loop {
        let end = *durable.borrow_and_update();
        if next < end {
            let gathered = gather(&mut reader, &subscription, next, end);
            let (text, after) = match gathered {
                Ok(gathered) => gathered,
                Err(error) => {
                    tracing::error!(%error, "a follower cannot read the log");
                    // Whoever has gone wants no answer.
                    let _ = notifications.send(ended(subscription.number, &error)).await;
                    return;
                }
            };
            next = after;
            if !text.is_empty() && notifications.send(text).await.is_err() {
                return;
            }
            continue;
        }
        tokio::select! {
            changed = durable.changed() => if changed.is_err() { return },
            () = notifications.closed() => return,
        }
    }
}

/// The notification that nothing more will come.
fn ended(subscription: u64, error: &ReadError) -> Vec<u8> {
    let error = match error {
        ReadError::Gone { from, first } => gone(*from, *first),
        other => Rejection::new(ErrorCode::Internal, format!("the log: {other}")),
    };
    let params = to_json(&Ended { subscription, error }).unwrap_or_default();
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"ended\",\"params\":{params}}}\n").into_bytes()
}

/// One notification from `next` on, and the offset after what it covers; empty when nothing in that
/// stretch is wanted.
fn gather(
    reader: &mut LogReader<DiskStorage>,
    subscription: &Subscription,
    next: u64,
    end: u64,
) -> Result<(Vec<u8>, u64), ReadError> {
    let until = end.min(next + RECORDS_MAX);
    let head = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"records\",\"params\":{{\"subscription\":{},\"records\":[",
        subscription.number
    );
    let mut text = head.into_bytes();
    let (mut after, mut count) = (next, 0);
    let mut batches = reader.read(next, until)?;
    while let Some(batch) = batches.next_batch()? {
        for record in batch.records() {
            after = record.offset + 1;
            if subscription.filter.as_ref().is_some_and(|filter| !filter.wants(record.payload)) {
                continue;
            }
            if count > 0 {
                text.push(b',');
            }
            records::splice_json(&mut text, &record);
            count += 1;
        }
        if text.len() >= NOTIFICATION_BYTES {
            break;
        }
    }
    // Nothing wanted in a long stretch is told too, so that a resume need not look at it again.
    if count == 0 && after - next < RECORDS_MAX {
        return Ok((Vec::new(), after));
    }
    text.extend_from_slice(format!("],\"next\":{after}}}}}\n").as_bytes());
    Ok((text, after))
}
