//! `aiflowd log compact`: compresses every segment but the last.
//!
//! Must never drop a record.

use std::io::Write;

use aiflow_log::retention::{compress, segments};
use aiflow_model::exit_code;
use bytesize::ByteSize;

use super::Written;
use crate::failure::Failure;
use crate::home::Home;
use crate::start::refuse;

/// Runs it.
pub(super) fn run(home: &Home) -> Result<Written, Failure> {
    let storage = home.open_log()?;
    let segments = segments(&storage).map_err(|error| refuse(home, error))?;
    let mut saved = 0;
    let mut out = std::io::stdout().lock();
    for segment in segments.iter().filter(|segment| segment.end.is_some()) {
        if segment.is_compressed {
            continue;
        }
        let (before, after) = compress(&storage, segment.base).map_err(|error| {
            let what = format!("cannot compress {}; it stays as it is", segment.name);
            let hint = format!("df -h {}", home.log().display());
            Failure::new(exit_code::OPERATING, what).because(error).hint(hint)
        })?;
        saved += before.saturating_sub(after);
        let size = |bytes| ByteSize(bytes).display().iec().to_string();
        if let Err(error) = writeln!(out, "{}  {} -> {}", segment.name, size(before), size(after)) {
            return Ok(Err(error));
        }
    }
    Ok(writeln!(out, "{} saved", ByteSize(saved).display().iec()))
}
