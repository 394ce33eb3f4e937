//! Row: records per second from a log to a state: the real daemon's start, and its parts in this
//! process.
//!
//! Must never read the log in another way than the daemon does.

use std::path::Path;
use std::time::Instant;

use aiflow_core::Engine;
use aiflow_log::{DiskStorage, LogOptions, LogReader};
use aiflow_model::record::EventIdentity;
use aiflow_model::state::State;
use aiflow_model::{LoggedRecord, Offset, Timestamp};

use crate::bench::Bench;
use crate::figures::{Row, median, number, rate};
use crate::history;

const ROUNDS: usize = 3;
const RECORDS_PER_SECOND_MIN: f64 = 1e6;

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let home = bench.history()?;
    let log = history::log(&home);
    let mut rates: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        let daemon = bench.daemon_on(&home)?;
        let started = number(history::RECORDS) / daemon.ready_after.as_secs_f64();
        drop(daemon);
        let until = open(&log)?;
        let opened = timed(until, || open(&log).map(drop))?;
        let only_read = timed(until, || read(&log, until, |_| Ok(())))?;
        let decoded = timed(until, || read(&log, until, |record| Ok(decode(&record).map(drop)?)))?;
        let replayed = timed(until, || replay(&log, until))?;
        let round = [started, replayed, decoded, only_read, opened];
        rates.iter_mut().zip(round).for_each(|(rates, rate)| rates.push(rate));
    }
    rows(&rates.map(|rates| median(&rates)), &log)
}

fn rows(rates: &[f64; 5], log: &Path) -> anyhow::Result<Vec<Row>> {
    let [started, replayed, decoded, read, opened] = *rates;
    let row = |work: &str, figure: f64| {
        let row = Row {
            work: work.to_owned(),
            measured: rate(figure),
            bare: rate(read),
            ..Row::default()
        };
        row.compared(figure, read)
    };
    let judged = |work: &str, figure: f64| {
        row(work, figure).judged(">= 1,000,000/s", figure >= RECORDS_PER_SECOND_MIN)
    };
    let mut first = judged("replay: read, decode, apply", replayed);
    let bytes: u64 = std::fs::read_dir(log)?
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum();
    let us = |figure: f64| 1e6 / figure;
    first.notes.push(format!(
        "replay: {} records in segments of {} MiB, in the page cache; bare is the log's reader alone; a record takes {:.2} us: read {:.2}, decode {:.2}, apply {:.2}",
        history::RECORDS,
        bytes >> 20,
        us(replayed),
        us(read),
        us(decoded) - us(read),
        us(replayed) - us(decoded),
    ));
    first.notes.push(format!(
        "daemon's start: {:.2} us a record; beside the replay it opens the log, which checks it whole: {:.2} us",
        us(started),
        us(opened),
    ));
    Ok(vec![
        first,
        judged("replay: the daemon's start to ready", started),
        row("  read and decode only", decoded),
    ])
}

/// Records per second.
fn timed(records: u64, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let begin = Instant::now();
    work()?;
    Ok(number(records) / begin.elapsed().as_secs_f64())
}

/// Opens the log as the daemon does; gives its end.
fn open(log: &Path) -> anyhow::Result<u64> {
    let (_, recovered) = aiflow_log::open(DiskStorage::open(log)?, LogOptions::default())?;
    Ok(recovered.next_offset)
}

fn read(
    log: &Path,
    until: u64,
    mut visit: impl FnMut(aiflow_log::Record<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut reader = LogReader::new(DiskStorage::open(log)?);
    let mut batches = reader.read(0, until)?;
    while let Some(batch) = batches.next_batch()? {
        for record in batch.records() {
            visit(std::hint::black_box(record))?;
        }
    }
    Ok(())
}

fn decode<'a>(
    record: &aiflow_log::Record<'a>,
) -> serde_json::Result<LoggedRecord<EventIdentity<'a>>> {
    LoggedRecord::for_replay(Offset(record.offset), Timestamp(record.time_us), record.payload)
}

fn replay(log: &Path, until: u64) -> anyhow::Result<()> {
    let mut engine = Engine::new(State::empty());
    read(log, until, |record| Ok(engine.replay(&decode(&record)?)?))?;
    // Freeing the state is no part of a start.
    std::mem::forget(std::hint::black_box(engine));
    Ok(())
}
