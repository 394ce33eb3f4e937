//! `aiflowd log dump`: the records as JSON, one a line.
//!
//! Must never write to the home.

use std::io::{BufWriter, Write};

use aiflow_log::LogReader;
use aiflow_model::exit_code;

use super::Written;
use crate::failure::Failure;
use crate::home::Home;
use crate::records;
use crate::start::refuse;

/// Runs it.
pub(super) fn run(home: &Home, from: Option<u64>, limit: Option<u64>) -> Result<Written, Failure> {
    let storage = home.open_log()?;
    let report = aiflow_log::verify(&storage).map_err(|error| refuse(home, error))?;
    let first = report.segments.first().map_or(0, |segment| segment.base);
    let (from, end) = (from.unwrap_or(first), report.next_offset);
    let until = limit.map_or(end, |limit| end.min(from.saturating_add(limit)));
    let failed = |error: aiflow_log::ReadError| {
        Failure::new(exit_code::LOG_REFUSED, "the log cannot be read")
            .because(error)
            .hint(format!("aiflowd --home {} log verify", home.root().display()))
    };
    let mut reader = LogReader::new(storage);
    let mut batches = reader.read(from, until).map_err(failed)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    while let Some(batch) = batches.next_batch().map_err(failed)? {
        for record in batch.records() {
            line.clear();
            records::splice_json(&mut line, &record);
            line.push(b'\n');
            if let Err(error) = out.write_all(&line) {
                return Ok(Err(error));
            }
        }
    }
    Ok(out.flush())
}
