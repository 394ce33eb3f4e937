//! What became of an event, found in the log: for the daemon, and for a copied log without one.
//!
//! Must never run in the loop, nor write.

use aiflow_core::{Engine, Tracker};
use aiflow_log::{DiskStorage, LogReader};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::{EventRef, EventView, Receipt};
use aiflow_model::{Offset, Record, State};

use crate::queries::to_json;
use crate::question::{beyond, each_batch, read as record, unreadable};

/// Most records after an event that are looked at to find what became of it.
const RECORDS_AFTER_MAX: u64 = 1_000_000;
/// So many are looked at before it is asked where to go on.
const STRETCH: u64 = 4_096;

/// The receipt as JSON; of the log only what is below `end`. `state_at` gives the state before a
/// record, `next_of` where the next one stands that can tell more.
pub(crate) fn read(
    log: &DiskStorage,
    end: Offset,
    asked: EventRef,
    state_at: impl FnOnce(Offset) -> Result<State, Rejection>,
    next_of: impl FnMut(&Tracker, Offset) -> Result<Offset, Rejection>,
) -> Result<String, Rejection> {
    to_json(&read_most(log, end, asked, (RECORDS_AFTER_MAX, state_at), next_of)?)
}

/// As [`read`], of at most so many records.
pub(crate) fn read_most(
    log: &DiskStorage,
    end: Offset,
    EventRef { offset, until }: EventRef,
    (mut left, state_at): (u64, impl FnOnce(Offset) -> Result<State, Rejection>),
    mut next_of: impl FnMut(&Tracker, Offset) -> Result<Offset, Rejection>,
) -> Result<Receipt, Rejection> {
    let mut reader = LogReader::new(log.clone());
    let found = if offset < end { record(&mut reader, offset)? } else { None };
    let Some(logged) = found else { return Err(beyond(offset, end)) };
    let Record::EventEmitted(event) = &logged.record else {
        let message = format!("record {offset} is no event");
        return Err(Rejection::new(ErrorCode::InvalidParams, message)
            .hint("aiflow event list shows the offsets of events"));
    };
    let until = match until {
        Some(until) if until > end => return Err(beyond(until, end)),
        Some(until) if until <= offset => {
            let message = format!("nothing had become of event {offset} before {until}");
            let hint = format!("ask for an offset from {} on", offset.next());
            return Err(Rejection::new(ErrorCode::InvalidParams, message).hint(hint));
        }
        // What a batch did was done at once.
        Some(until) => end_of_batch(&mut reader, until)?,
        None => end.0,
    };
    let mut engine = Engine::new(state_at(offset)?);
    let mut tracker = Tracker::new(&mut engine, offset, event, logged.time);
    let mut looked = offset;
    while looked.0 < until && left > 0 {
        let stretch = until.min(looked.0 + left.min(STRETCH));
        each_batch(log, looked.0..stretch, |batch| {
            tracker.batch(batch);
            left = left.saturating_sub(batch.len() as u64);
            looked = batch.last().map_or(looked, |logged| logged.offset.next());
            !tracker.is_done()
        })?;
        if tracker.is_done() {
            break;
        }
        looked = next_of(&tracker, looked)?.min(Offset(until));
    }
    Ok(Receipt {
        event: EventView::of(event, offset, logged.time),
        cause: logged.cause,
        rules: tracker.finish(),
        looked_until: looked,
    })
}

/// The end of the batch that holds the record before this one.
fn end_of_batch(
    reader: &mut LogReader<DiskStorage>,
    Offset(until): Offset,
) -> Result<u64, Rejection> {
    let mut batches = reader.read(until - 1, until).map_err(unreadable)?;
    let batch = batches.next_batch().map_err(unreadable)?;
    Ok(batch.map_or(until, |batch| batch.end()))
}
