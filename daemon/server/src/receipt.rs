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
const RECORDS_AFTER_MAX: u64 = 200_000;

/// The receipt as JSON; of the log only what is below `end`. `state_at` gives the state before a
/// record.
pub(crate) fn read(
    log: &DiskStorage,
    end: Offset,
    EventRef { offset, until }: EventRef,
    state_at: impl FnOnce(Offset) -> Result<State, Rejection>,
) -> Result<String, Rejection> {
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
    let until = until.min(offset.0.saturating_add(RECORDS_AFTER_MAX));
    each_batch(log, offset.0..until, |batch| {
        tracker.batch(batch);
        looked = batch.last().map_or(looked, |logged| logged.offset.next());
        !tracker.is_done()
    })?;
    to_json(&Receipt {
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
