//! A slice of the log with the state before it: the past, for whoever asks. The daemon answers
//! with it, and so does this program for a copied log that no daemon uses.
//!
//! Must never run in the loop, nor write: it folds beside it, from the nearest snapshot on.

use std::io::Write;
use std::path::Path;

use aiflow_core::Engine;
use aiflow_log::{DiskStorage, LogReader, ReadError, snapshot};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::{SLICE_RECORDS_MAX, SliceQuery};
use aiflow_model::{Offset, State, Timestamp, exit_code};

use crate::failure::{Failure, chain};
use crate::follow::gone;
use crate::kept;
use crate::queries::to_json;
use crate::receipt;
use crate::records;

/// The slice as JSON; of the log only what is below `end`, which is durable. `state_before` tells
/// the state before a record.
pub(crate) fn read(
    storage: &DiskStorage,
    end: u64,
    query: SliceQuery,
    state_before: impl FnOnce(u64) -> Result<State, Rejection>,
) -> Result<String, Rejection> {
    let mut reader = LogReader::new(storage.clone());
    let begin = reader.first_offset().map_err(unreadable)?;
    let at = find(&mut reader, begin, end, query)?;
    let most = |wanted: u32| u64::from(wanted.min(SLICE_RECORDS_MAX));
    // A slice begins with a batch: no state is between two records of one.
    let from = at.saturating_sub(most(query.before)).max(begin);
    let from = batch_at(&mut reader, from)?.0;
    let until = end.min(at.saturating_add(most(query.after)).saturating_add(1));
    let state = state_before(from)?;
    let mut text = format!("{{\"log_begins\":{begin},\"log_ends\":{end},\"at\":{at},\"state\":");
    text.push_str(&to_json(&state)?);
    text.push_str(",\"records\":[");
    let mut bytes = text.into_bytes();
    let mut batches = reader.read(from, until).map_err(unreadable)?;
    let mut is_first = true;
    while let Some(batch) = batches.next_batch().map_err(unreadable)? {
        for record in batch.records() {
            if !std::mem::replace(&mut is_first, false) {
                bytes.push(b',');
            }
            records::splice_json(&mut bytes, &record);
        }
    }
    bytes.extend_from_slice(b"]}");
    String::from_utf8(bytes)
        .map_err(|error| Rejection::new(ErrorCode::Internal, format!("the log: {error}")))
}

/// The record that is looked for.
fn find(
    reader: &mut LogReader<DiskStorage>,
    begin: u64,
    end: u64,
    query: SliceQuery,
) -> Result<u64, Rejection> {
    let last = end.checked_sub(1).filter(|last| *last >= begin).ok_or_else(|| {
        Rejection::new(ErrorCode::OffsetOutOfRange, "the log holds no record yet")
    })?;
    match (query.at, query.time) {
        (Some(Offset(at)), _) if at < begin => Err(gone(at, begin)),
        (Some(Offset(at)), _) if at > last => {
            let message = format!("record {at} does not exist yet; the last one is {last}");
            Err(Rejection::new(ErrorCode::OffsetOutOfRange, message))
        }
        (Some(Offset(at)), _) => Ok(at),
        (None, Some(time)) => last_until(reader, begin, last, time),
        (None, None) => Ok(last),
    }
}

/// The last record that is not after a time; the first of all when all are. Times of batches never
/// go back, so half of what is left is put aside with each look.
fn last_until(
    reader: &mut LogReader<DiskStorage>,
    begin: u64,
    last: u64,
    time: Timestamp,
) -> Result<u64, Rejection> {
    let (mut low, mut high) = (begin, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let (base, end, at) = batch_at(reader, middle)?;
        if at <= time {
            low = end;
        } else {
            high = base;
        }
    }
    Ok(low.saturating_sub(1).clamp(begin, last))
}

/// Beginning, end and time of the batch that holds a record.
fn batch_at(
    reader: &mut LogReader<DiskStorage>,
    offset: u64,
) -> Result<(u64, u64, Timestamp), Rejection> {
    let mut batches = reader.read(offset, offset + 1).map_err(unreadable)?;
    let batch = batches.next_batch().map_err(unreadable)?;
    let batch = batch.ok_or_else(|| {
        Rejection::new(ErrorCode::Internal, format!("the log holds no record {offset}"))
    })?;
    Ok((batch.base_offset(), batch.end(), Timestamp(batch.time_us())))
}

/// The state before a record, from the nearest snapshot that can be used; nothing is written.
fn fold_before(storage: &DiskStorage, begin: u64, from: u64) -> Result<State, Rejection> {
    let offsets = snapshot::offsets(storage).unwrap_or_default();
    let before = offsets.into_iter().rev().filter(|offset| *offset <= from);
    let usable = before.filter_map(|offset| kept::load(storage, offset).ok()).next();
    if usable.is_none() && begin > 0 {
        let message = format!(
            "the state at record {from} cannot be made any more: the log begins at {begin}, and \
             there is no snapshot between"
        );
        return Err(
            Rejection::new(ErrorCode::OffsetOutOfRange, message).hint("ask for a later record")
        );
    }
    let folded = kept::fold(storage, usable.unwrap_or_default(), from);
    let folded = folded.map(Engine::into_state);
    folded.map_err(|error| Rejection::new(ErrorCode::Internal, format!("{error:#}")))
}

fn unreadable(error: ReadError) -> Rejection {
    match error {
        ReadError::Gone { from, first } => gone(from, first),
        other => Rejection::new(ErrorCode::Internal, format!("the log: {}", chain(&other))),
    }
}

/// Prints what is asked of the log in a copied home, or of a copied log.
fn print<Q: serde::de::DeserializeOwned>(
    directory: &Path,
    query: &str,
    ask: impl FnOnce(&DiskStorage, u64, Q) -> Result<String, Rejection>,
) -> Result<(), Failure> {
    let failed = |exit, what: String| Failure::new(exit, what);
    let query: Q = serde_json::from_str(query)
        .map_err(|error| failed(exit_code::USAGE, "the query is none".to_owned()).because(error))?;
    let inner = directory.join("log");
    let log = if inner.is_dir() { inner.as_path() } else { directory };
    let unopened = || format!("cannot open the log in {}", log.display());
    let storage = DiskStorage::open(log)
        .map_err(|error| failed(exit_code::OPERATING, unopened()).because(error))?;
    let report = aiflow_log::verify(&storage)
        .map_err(|error| failed(exit_code::LOG_REFUSED, unopened()).because(error))?;
    let text = ask(&storage, report.next_offset, query).map_err(|rejection| {
        failed(exit_code::REFUSED, format!("cannot look into {}", log.display())).because(rejection)
    })?;
    writeln!(std::io::stdout().lock(), "{text}").map_err(|error| {
        failed(exit_code::OPERATING, "cannot write to stdout".to_owned()).because(error)
    })
}

/// `aiflowd slice DIR QUERY`: prints a slice of the log.
pub(crate) fn run(directory: &Path, query: &str) -> Result<(), Failure> {
    print(directory, query, |storage, end, query| {
        let begin = LogReader::new(storage.clone()).first_offset().map_err(unreadable)?;
        read(storage, end, query, |from| fold_before(storage, begin, from))
    })
}

/// `aiflowd receipt DIR QUERY`: prints what became of an event.
pub(crate) fn run_receipt(directory: &Path, query: &str) -> Result<(), Failure> {
    print(directory, query, |storage, end, asked| {
        let begin = LogReader::new(storage.clone()).first_offset().map_err(unreadable)?;
        let state_at = |Offset(offset)| fold_before(storage, begin, offset);
        // A copy has no index that is known to be of it: all is looked at.
        receipt::read(storage, Offset(end), asked, state_at, |_, from| Ok(from))
    })
}
