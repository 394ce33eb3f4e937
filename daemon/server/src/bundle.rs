//! Bundles: written from a log, read back line by line.
//!
//! Must never write to the log that it reads, nor hold more of it than a batch.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use aiflow_core::Engine;
use aiflow_log::{DiskStorage, LogReader};
use aiflow_model::redact::Redactor;
use aiflow_model::wire::{BUNDLE_VERSION, BundleBatch, BundleEnd, BundleHead};
use aiflow_model::{Offset, State, Timestamp};
use anyhow::{Context, bail, ensure};

use crate::records;
use crate::state_hash::state_hash;

/// Longest line that is read: a batch is no larger than its frame, and JSON of it not much more.
const LINE_BYTES_MAX: u64 = 2 << 30;

/// Writes the records below `end` that follow `state`, and what they come to.
pub(crate) fn write(
    out: &mut impl Write,
    log: &DiskStorage,
    (state, end): (State, u64),
    redactor: Option<&Redactor<'_>>,
    kept: Vec<String>,
) -> anyhow::Result<BundleEnd> {
    let from = state.next_offset;
    let known = (from > Offset(0)).then(|| match redactor {
        Some(redactor) => redactor.state(state),
        None => State::without_identities(state),
    });
    let head = BundleHead {
        bundle: BUNDLE_VERSION,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        from,
        redacted: redactor.is_some(),
        kept,
        state: known.map(Box::new),
    };
    line(out, &head)?;
    let mut engine = Engine::new(head.state.map_or_else(State::empty, |state| *state));
    let mut reader = LogReader::new(log.clone());
    let mut batches = reader.read(from.0, end)?;
    let mut count = 0;
    while let Some(batch) = batches.next_batch()? {
        let records = batch.records().map(|record| records::decode(&record));
        let mut records = records.collect::<Result<Vec<_>, _>>()?;
        for logged in &mut records {
            if let Some(redactor) = redactor {
                redactor.record(&mut logged.record);
            }
            engine.replay(logged)?;
        }
        count += records.len() as u64;
        line(out, &BundleBatch { time: Timestamp(batch.time_us()), records })?;
    }
    let state_hash = state_hash(engine.state())?;
    let end = BundleEnd { end: engine.state().next_offset, records: count, state_hash };
    line(out, &end)?;
    out.flush()?;
    Ok(end)
}

fn line(out: &mut impl Write, line: &impl serde::Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// A bundle that is being read.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) head: BundleHead,
    lines: BufReader<File>,
    number: u64,
}

/// How the last line begins, and no other.
const END: &str = "{\"end\":";

impl Bundle {
    /// Opens one and reads its head.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let mut lines = BufReader::new(File::open(path)?);
        let first = next_line(&mut lines)?.context("it is empty")?;
        let version = serde_json::from_str::<serde_json::Value>(&first).ok();
        let version = version.and_then(|head| head["bundle"].as_u64());
        let version = version.context("its first line is not that of a bundle")?;
        ensure!(
            version == u64::from(BUNDLE_VERSION),
            "it has version {version}, this program reads {BUNDLE_VERSION}"
        );
        let head = serde_json::from_str(&first).context("line 1")?;
        Ok(Self { head, lines, number: 1 })
    }

    /// The state before the first record.
    pub(crate) fn begin(&self) -> State {
        let state = self.head.state.clone();
        state.map_or_else(State::empty, |state| state.with_derived())
    }

    /// Shows every batch in its order; gives what the end tells.
    pub(crate) fn each(
        mut self,
        mut visit: impl FnMut(&BundleBatch) -> anyhow::Result<()>,
    ) -> anyhow::Result<BundleEnd> {
        let mut next = self.head.from;
        loop {
            self.number += 1;
            let number = self.number;
            let line = next_line(&mut self.lines)?;
            let Some(line) = line else { bail!("it is cut off: line {number} is missing") };
            if line.starts_with(END) {
                let end: BundleEnd =
                    serde_json::from_str(&line).with_context(|| format!("line {number}"))?;
                ensure!(end.end == next, "it ends at {next}, and says {}", end.end);
                return Ok(end);
            }
            let batch: BundleBatch =
                serde_json::from_str(&line).with_context(|| format!("line {number}"))?;
            for logged in &batch.records {
                let offset = logged.offset;
                ensure!(offset == next, "line {number}: record {offset}, not {next}");
                next = next.next();
            }
            visit(&batch)?;
        }
    }
}

fn next_line(lines: &mut BufReader<File>) -> anyhow::Result<Option<String>> {
    let mut line = String::new();
    let count = std::io::Read::take(&mut *lines, LINE_BYTES_MAX).read_line(&mut line)?;
    Ok((count > 0).then_some(line))
}
