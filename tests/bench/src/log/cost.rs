//! What an append costs while the log grows by four powers of ten, and what encoding costs.
//!
//! Must never leave the disk out: each figure holds the write and the sync.

use std::path::Path;
use std::time::Instant;

use aiflow_log::{DiskStorage, FrameBuilder, LogOptions, LogWriter};
use aiflow_model::record::{Event, Payload};
use aiflow_model::{EventKey, JsonText, Namespace, Record};

use super::RECORD_BYTES;
use crate::figures::{Row, median, number, progress};

/// Records in one commit, so that ten million take less than a minute.
const BATCH: u64 = 100;
/// Sizes of the log at which the cost is taken.
const SIZES: [u64; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
/// Commits up to each size whose median is taken; the smallest log has ten.
const COMMITS: usize = 200;
const SPREAD_MAX: f64 = 1.5;
const ENCODED: u32 = 200_000;

pub(super) fn measure(directory: &Path) -> anyhow::Result<Vec<Row>> {
    progress("appending ten million records");
    std::fs::create_dir_all(directory)?;
    let storage = DiskStorage::open(directory)?;
    let (mut writer, _) = aiflow_log::open(storage, LogOptions::default())?;
    let mut costs = Vec::new();
    let mut latest = Vec::with_capacity(COMMITS);
    for size in SIZES {
        latest.clear();
        while writer.next_offset() < size {
            let took = commit(&mut writer)?;
            if size - writer.next_offset() < COMMITS as u64 * BATCH {
                latest.push(took);
            }
        }
        costs.push(median(&latest));
    }
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    let all: Vec<String> =
        SIZES.iter().zip(&costs).map(|(size, cost)| format!("{size}: {cost:.0} ns")).collect();
    let row = Row {
        work: "an append, log of 10,000,000 beside 1,000".to_owned(),
        measured: format!("{last:.0} ns"),
        bare: format!("{first:.0} ns"),
        notes: vec![format!(
            "an append: {RECORD_BYTES} B, {BATCH} a commit, write and sync included; median of the last commits up to {}",
            all.join(", ")
        )],
        ..Row::default()
    };
    let flat = row.compared(last, first).judged("<= 1.50x", last <= SPREAD_MAX * first);
    Ok(vec![flat, encoding()?])
}

/// Nanoseconds a record of one commit.
fn commit(writer: &mut LogWriter<DiskStorage>) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let mut builder = FrameBuilder::new(writer.next_offset(), 0, 1);
    for _ in 0..BATCH {
        builder.record(|out| out.extend_from_slice(&[b'r'; RECORD_BYTES]));
    }
    writer.append(&mut [builder.finish()?])?;
    Ok(begin.elapsed().as_secs_f64() * 1e9 / number(BATCH))
}

/// An event as JSON in a frame, beside copying the same bytes into one.
fn encoding() -> anyhow::Result<Row> {
    let value = r#"{"carrier":"UA","flight":1545,"origin":"EWR","dest":"IAH","dep_delay":2.0}"#;
    let record = Record::EventEmitted(Event {
        namespace: Namespace::default_namespace(),
        key: EventKey::new("flight.departed")?,
        value: JsonText::parse(value)?,
        source: "airport-1".to_owned(),
        id: "2013-01-01/4711".to_owned(),
        execution: None,
    });
    let payload = Payload { cause: None, record: &record };
    let bytes = serde_json::to_vec(&payload)?;
    let mut buffer = Vec::new();
    let mut time = |encode: &dyn Fn(&mut Vec<u8>) -> serde_json::Result<()>| {
        let begin = Instant::now();
        for _ in 0..ENCODED {
            let mut builder = FrameBuilder::reuse(std::mem::take(&mut buffer), 0, 0, 1);
            builder.try_record(|out| encode(out))?;
            buffer = builder.finish()?.into_buffer();
        }
        anyhow::Ok(begin.elapsed().as_secs_f64() * 1e9 / f64::from(ENCODED))
    };
    let encoded = time(&|out| serde_json::to_writer(out, &payload))?;
    let copied = time(&|out| {
        out.extend_from_slice(&bytes);
        Ok(())
    })?;
    let row = Row {
        work: "encoding an event into a frame, beside a copy".to_owned(),
        measured: format!("{encoded:.0} ns"),
        bare: format!("{copied:.0} ns"),
        notes: vec![format!("encoding: {} B of JSON, without the checksum", bytes.len())],
        ..Row::default()
    };
    Ok(row.compared(encoded, copied))
}
