//! Subscriptions: records in order from an offset on, first from the log's past, then as they come.
//!
//! Every follower reads the log itself, at its own pace and never beyond what is durable, so a slow
//! one holds nothing up and nothing is kept for it. When its connection breaks it resumes by
//! offset.

use aiflow_log::{DiskStorage, LogReader, ReadError};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::Ended;
use tokio::sync::watch;

use crate::connection::Notifications;
use crate::event_index::{EventIndex, Stream};
use crate::queries::to_json;
use crate::records;

/// Most records in one notification.
const RECORDS_MAX: u64 = 1_000;
/// A notification is sent when it has grown to this many bytes.
const NOTIFICATION_BYTES: usize = 64 << 10;

/// What a follower wants.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// Number that its notifications carry.
    pub(crate) number: u64,
    /// First offset to send.
    pub(crate) next: u64,
    /// Only this part of the log; none: all of it.
    pub(crate) stream: Option<Stream>,
    /// The JSON of the reply that opens it.
    pub(crate) reply: String,
}

/// Sends records until the client goes or the log cannot be read.
pub(crate) async fn follow(
    storage: DiskStorage,
    index: EventIndex,
    subscription: Subscription,
    mut durable: watch::Receiver<u64>,
    notifications: Notifications,
) {
    let mut reader = LogReader::new(storage.clone());
    let mut next = subscription.next;
    // What the client knows to be covered.
    let mut told = next;
    loop {
        let end = *durable.borrow_and_update();
        if next < end {
            let gathered = match gather(&mut reader, &subscription, next, end) {
                // What is wanted may be far away: the index knows where.
                Ok(Gathered { count: 0, after, .. }) if end - after > RECORDS_MAX => {
                    skip(&index, &subscription, after, end).await
                }
                gathered => gathered,
            };
            let gathered = match gathered {
                Ok(gathered) => gathered,
                Err(error) => {
                    tracing::error!(%error, "a follower cannot read the log");
                    // Whoever has gone wants no answer.
                    notifications.send(ended(subscription.number, &error)).await;
                    return;
                }
            };
            next = gathered.after;
            // Nothing wanted in a long stretch is told too, so that a resume need not look at it
            // again, nor ask for what retention has dropped meanwhile.
            if gathered.count > 0 || next - told >= RECORDS_MAX {
                told = next;
                if notifications.is_full() {
                    // One that does not read holds no buffer and no file while it waits.
                    reader = LogReader::new(storage.clone());
                }
                notifications.room().await;
                if !notifications.send(gathered.text).await {
                    return;
                }
            }
            continue;
        }
        tokio::select! {
            changed = durable.changed() => if changed.is_err() { return },
            () = notifications.closed() => return,
        }
    }
}

/// One notification.
struct Gathered {
    text: Vec<u8>,
    /// Records in it.
    count: usize,
    /// Offset after what it covers.
    after: u64,
}

/// The notification that nothing is wanted up to the offset that the index tells.
async fn skip(
    index: &EventIndex,
    subscription: &Subscription,
    from: u64,
    end: u64,
) -> Result<Gathered, ReadError> {
    let Some(stream) = subscription.stream.clone() else {
        return Ok(Gathered { text: Vec::new(), count: 0, after: from });
    };
    let index = index.clone();
    let skipped = tokio::task::spawn_blocking(move || index.skip(&stream, from, end)).await;
    // A panic was printed by its hook; reading on finds the same, only later.
    let after = skipped.unwrap_or(Ok(from))?;
    let text = format!("{}],\"next\":{after}}}}}\n", head(subscription)).into_bytes();
    Ok(Gathered { text, count: 0, after })
}

fn head(subscription: &Subscription) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"records\",\"params\":{{\"subscription\":{},\"records\":[",
        subscription.number
    )
}

/// The answer to whoever asks for records that were dropped.
pub(crate) fn gone(from: u64, first: u64) -> Rejection {
    let message = format!("record {from} is not kept any more; the log begins at {first}");
    Rejection::new(ErrorCode::OffsetOutOfRange, message)
        .hint(format!("ask from {first} on, or without an offset"))
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

/// One notification from `next` on.
fn gather(
    reader: &mut LogReader<DiskStorage>,
    subscription: &Subscription,
    next: u64,
    end: u64,
) -> Result<Gathered, ReadError> {
    let until = end.min(next + RECORDS_MAX);
    let mut text = head(subscription).into_bytes();
    let (mut after, mut count) = (next, 0);
    let mut batches = reader.read(next, until)?;
    while let Some(batch) = batches.next_batch()? {
        for record in batch.records() {
            after = record.offset + 1;
            if subscription.stream.as_ref().is_some_and(|stream| !stream.holds(record.payload)) {
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
    text.extend_from_slice(format!("],\"next\":{after}}}}}\n").as_bytes());
    Ok(Gathered { text, count, after })
}
