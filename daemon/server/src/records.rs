//! Between records and the bytes of the log.
//!
//! Must never interpret: a payload is JSON, offset and time stand in the frame.

use aiflow_core::Engine;
use aiflow_log::{Batch, FrameBuilder, LogReader, Storage};
use aiflow_model::record::Payload;
use aiflow_model::state::State;
use aiflow_model::{LoggedRecord, Offset, Record, Timestamp};

/// One batch as a frame.
///
/// # Errors
/// When the batch is empty or larger than a frame may be.
pub fn encode(records: &[LoggedRecord], epoch: u64) -> anyhow::Result<aiflow_log::Frame> {
    let first = records.first().ok_or_else(|| anyhow::anyhow!("an empty batch"))?;
    let mut builder = FrameBuilder::new(first.offset.0, first.time.0, epoch);
    for logged in records {
        let payload = Payload { cause: logged.cause, record: &logged.record };
        builder.try_record(|out| serde_json::to_writer(out, &payload))?;
    }
    Ok(builder.finish()?)
}

/// A record as it was logged.
///
/// # Errors
/// What `serde_json` finds wrong.
pub fn decode(record: &aiflow_log::Record<'_>) -> serde_json::Result<LoggedRecord> {
    let payload: Payload<Record> = serde_json::from_slice(record.payload)?;
    let (offset, time) = (Offset(record.offset), Timestamp(record.time_us));
    Ok(LoggedRecord { offset, time, cause: payload.cause, record: payload.record })
}

/// The JSON of a [`LoggedRecord`], spliced from the payload without reading it.
pub fn splice_json(out: &mut Vec<u8>, record: &aiflow_log::Record<'_>) {
    let head = format!("{{\"offset\":{},\"time\":{},", record.offset, record.time_us);
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(record.payload.get(1..).unwrap_or_default());
}

/// Why a log cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be replayed: {0}")]
pub struct ReplayError(String);

/// Folds what follows `state` in the log, up to `until`.
///
/// # Errors
/// When a record cannot be read or does not fit: the log is damaged.
pub fn replay<S: Storage>(
    reader: &mut LogReader<S>,
    state: State,
    until: u64,
) -> Result<Engine, ReplayError> {
    replay_noting(reader, state, until, |_, _| {})
}

/// As [`replay`]; after each batch `note` sees the state and the batch's checksum.
///
/// # Errors
/// As [`replay`].
pub fn replay_noting<S: Storage>(
    reader: &mut LogReader<S>,
    state: State,
    until: u64,
    mut note: impl FnMut(&State, u32),
) -> Result<Engine, ReplayError> {
    let from = state.next_offset.0;
    let mut engine = Engine::new(state);
    let refuse = |error: aiflow_log::ReadError| ReplayError(error.to_string());
    let mut batches = reader.read(from, until).map_err(refuse)?;
    while let Some(batch) = batches.next_batch().map_err(refuse)? {
        replay_batch(&mut engine, &batch).map_err(ReplayError)?;
        if batch.end() <= until {
            note(engine.state(), batch.checksum());
        }
    }
    Ok(engine)
}

fn replay_batch(engine: &mut Engine, batch: &Batch<'_>) -> Result<(), String> {
    for record in batch.records() {
        let (offset, time) = (Offset(record.offset), Timestamp(record.time_us));
        let logged = LoggedRecord::for_replay(offset, time, record.payload)
            .map_err(|error| format!("record {} cannot be read: {error}", record.offset))?;
        engine.replay(&logged).map_err(|error| error.to_string())?;
    }
    Ok(())
}
