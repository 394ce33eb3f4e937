//! `aiflowd log verify`: checks every byte, and on request every snapshot.
//!
//! Must never write.

use std::io::Write;

use aiflow_log::Report;
use aiflow_model::{State, exit_code};

use super::Written;
use crate::failure::Failure;
use crate::home::Home;
use crate::kept;
use crate::start::refuse;
use crate::state_hash::hash;

/// Runs it.
pub(super) fn run(home: &Home, deep: bool) -> Result<Written, Failure> {
    let report = aiflow_log::verify(&home.open_log()?).map_err(|error| refuse(home, error))?;
    let mut out = std::io::stdout().lock();
    let print = |out: &mut std::io::StdoutLock<'_>| {
        for segment in &report.segments {
            let (name, base, end) = (&segment.name, segment.base, segment.end);
            writeln!(out, "{name}  records {base}..{end}  {} bytes", segment.bytes)?;
        }
        if let Some(tail) = &report.tail {
            writeln!(
                out,
                "{}  the next start cuts {} bytes of an unacknowledged commit at {}",
                tail.segment, tail.bytes, tail.position
            )?;
        }
        for damage in &report.damage {
            writeln!(out, "DAMAGED  {damage}")?;
        }
        writeln!(out, "{} records, {} damaged places", report.records, report.damage.len())
    };
    let printed = print(&mut out);
    if report.damage.is_empty() {
        return if deep { compare_states(home, &report) } else { Ok(printed) };
    }
    let what = format!("the log in {} is damaged", home.log().display());
    Err(Failure::new(exit_code::LOG_REFUSED, what).hint(format!(
        "restore the segment from a copy; or see what can be saved: aiflowd --home {} log repair",
        home.root().display()
    )))
}

/// Compares the state folded from the log's beginning with that from each snapshot and its tail. If
/// the beginning was dropped, the oldest snapshot that can be used stands in for it.
fn compare_states(home: &Home, report: &Report) -> Result<Written, Failure> {
    let (storage, end) = (home.open_log()?, report.next_offset);
    let stored = |state: State| {
        let folded = kept::fold(&storage, state, end)?;
        anyhow::Ok(folded.state().to_stored()?)
    };
    let refused = |error: anyhow::Error| Failure::new(exit_code::LOG_REFUSED, format!("{error:#}"));
    let offsets =
        aiflow_log::snapshot::offsets(&storage).map_err(|error| refuse(home, error.into()))?;
    let is_whole = report.segments.first().is_none_or(|segment| segment.base == 0);
    let mut states = offsets.iter().filter_map(|offset| kept::load(&storage, *offset).ok());
    let first = if is_whole { Some(State::empty()) } else { states.next() };
    let first = first.ok_or_else(|| {
        let what = "the log's beginning was dropped, and no snapshot can be used in its place";
        Failure::new(exit_code::LOG_REFUSED, what)
    })?;
    let from = first.next_offset;
    let whole = stored(first).map_err(refused)?;
    let mut lines = vec![format!("state at {end}, folded from {from} on: {}", hash(&whole))];
    let mut differ = 0;
    for offset in offsets {
        let same = match kept::load(&storage, offset) {
            Ok(state) => stored(state).map_err(refused)? == whole,
            Err(error) => {
                lines.push(format!("snapshot {offset}: not usable: {error}"));
                continue;
            }
        };
        differ += usize::from(!same);
        let said = if same { "and what follows give the same state" } else { "DIFFERS" };
        lines.push(format!("snapshot {offset}: {said}"));
    }
    let printed = writeln!(std::io::stdout().lock(), "{}", lines.join("\n"));
    if differ == 0 {
        return Ok(printed);
    }
    let what = format!("{differ} snapshots in {} are wrong", home.log().display());
    Err(Failure::new(exit_code::LOG_REFUSED, what)
        .hint(format!("rm {}/*.snapshot: the log itself is whole", home.log().display())))
}
