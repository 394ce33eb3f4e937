//! `aiflowd log stat`: what the log is made of.
//!
//! Must never write. Reads headers only, so it says nothing of damage: that is for `verify`.

use std::io::Write;

use aiflow_log::retention::{SegmentInfo, segments};
use aiflow_log::{Snapshot, snapshot};
use aiflow_model::Timestamp;
use bytesize::ByteSize;

use super::Written;
use crate::failure::Failure;
use crate::home::Home;
use crate::start::refuse;

/// Runs it.
pub(super) fn run(home: &Home) -> Result<Written, Failure> {
    let storage = home.open_log()?;
    let segments = segments(&storage).map_err(|error| refuse(home, error))?;
    let offsets = snapshot::offsets(&storage).map_err(|error| refuse(home, error.into()))?;
    let mut out = std::io::stdout().lock();
    let mut print = || {
        for segment in &segments {
            writeln!(out, "{}", line(segment))?;
        }
        for offset in &offsets {
            let content = Snapshot::load(&storage, *offset).map(|snapshot| snapshot.content.len());
            let said = match content {
                Ok(bytes) => format!("{} of state before {offset}", size(bytes as u64)),
                Err(error) => format!("not usable: {error}"),
            };
            writeln!(out, "{}  {said}", snapshot::name(*offset))?;
        }
        let bytes = segments.iter().map(|segment| segment.file_bytes).sum();
        let packed = segments.iter().filter(|segment| segment.is_compressed).count();
        let first = segments.first().map_or(0, |segment| segment.base);
        writeln!(
            out,
            "{} segments, {packed} compressed, {} in all; {} snapshots; the log begins at {first}",
            segments.len(),
            size(bytes),
            offsets.len(),
        )
    };
    Ok(print())
}

fn line(segment: &SegmentInfo) -> String {
    let end = segment.end.map_or_else(String::new, |end| end.to_string());
    let until = segment.end_time_us.map_or_else(|| "now".to_owned(), time);
    format!(
        "{}  records {}..{end}  {}  {} .. {until}{}",
        segment.name,
        segment.base,
        size(segment.file_bytes),
        time(segment.begin_time_us),
        if segment.is_indexed { "  indexed" } else { "" }
    )
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

/// A log's first segment has nothing before it, and so no time.
fn time(us: i64) -> String {
    if us == 0 { "the beginning".to_owned() } else { Timestamp(us).to_string() }
}
