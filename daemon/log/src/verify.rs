//! Checking a whole log without changing it: what `aiflowd log verify` reports.
//!
//! Unlike opening, this goes on behind damage, so that all of it is told. Never: write.

use crate::error::{Damage, DamageReason, OpenError};
use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::recovery::{TornTail, check_seal, judge};
use crate::scan::{Cursor, Step};
use crate::segment::{self, SegmentError};
use crate::storage::Storage;

/// What a log holds and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// All segments, ascending.
    pub segments: Vec<SegmentReport>,
    /// Number of good records before the first damage of each segment, summed up.
    pub records: u64,
    /// Offset after the last good record.
    pub next_offset: u64,
    /// Everything that is damaged; empty for a log that can be opened.
    pub damage: Vec<Damage>,
    /// What the next opening would cut off, being the rest of a commit never acknowledged.
    pub tail: Option<TornTail>,
}

/// What one segment holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentReport {
    /// File name.
    pub name: String,
    /// Offset of its first record.
    pub base: u64,
    /// Offset after its last good record.
    pub end: u64,
    /// Number of good frames, up to the first damage.
    pub frames: u64,
    /// Bytes taken by header and good frames.
    pub bytes: u64,
}

/// Checks every byte of every segment.
///
/// # Errors
/// `NewerVersion` or `Storage`; damage is in the report.
pub fn verify<S: Storage>(storage: &S) -> Result<Report, OpenError> {
    let mut report = Report::default();
    let mut previous: Option<SegmentHeader> = None;
    let bases = segment::bases(storage)?;
    for (at, base) in bases.iter().enumerate() {
        let next = bases.get(at + 1);
        let header = visit(storage, *base, next.copied(), &mut report)?;
        if let (Some(header), Some(previous)) = (header, previous)
            && header.previous_base != previous.base
        {
            let reason = DamageReason::Missing(header.previous_base);
            report.damage.push(at_start(*base, reason));
        }
        previous = header;
    }
    Ok(report)
}

fn at_start(base: u64, reason: DamageReason) -> Damage {
    Damage { segment: segment::name(base), position: 0, offset: base, reason }
}

/// Adds one segment to the report; returns its header if that is good.
fn visit<S: Storage>(
    storage: &S,
    base: u64,
    next: Option<u64>,
    report: &mut Report,
) -> Result<Option<SegmentHeader>, OpenError> {
    let opened = match segment::open(storage, base) {
        Ok(opened) => opened,
        Err(SegmentError::Damaged(damage)) => {
            let (name, bytes) = (damage.segment.clone(), SEGMENT_HEADER_BYTES);
            report.damage.push(damage);
            report.segments.push(SegmentReport { name, base, end: base, frames: 0, bytes });
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let mut cursor = Cursor::new(opened);
    let mut frames = 0;
    let fault = loop {
        match cursor.step()? {
            Step::Frame(_) => frames += 1,
            Step::Stop(fault) => break fault,
        }
    };
    let (header, mark) = (cursor.header, cursor.mark);
    let (name, end, bytes) = (cursor.name(), mark.offset, mark.position);
    report.segments.push(SegmentReport { name: name.clone(), base, end, frames, bytes });
    report.records += end - base;
    report.next_offset = end;
    let Some(next) = next else {
        if cursor.file.is_compressed() {
            report.damage.push(cursor.damage(DamageReason::NotLast));
            return Ok(Some(header));
        }
        match judge(&cursor, fault) {
            Ok(rest) if rest.dirty_end > bytes => {
                let torn = rest.dirty_end - bytes;
                report.tail = Some(TornTail { segment: name, position: bytes, bytes: torn });
            }
            Ok(_) => {}
            Err(OpenError::Damaged(damage)) => report.damage.push(damage),
            Err(error) => return Err(error),
        }
        return Ok(Some(header));
    };
    if let Some(next) = readable_header(storage, next)?
        && let Err(damage) = check_seal(&cursor, fault, &next)
    {
        report.damage.push(damage);
    }
    Ok(Some(header))
}

/// The header of a segment, or `None` if it is damaged, which its own visit reports.
fn readable_header<S: Storage>(storage: &S, base: u64) -> Result<Option<SegmentHeader>, OpenError> {
    match segment::open(storage, base) {
        Ok(opened) => Ok(Some(opened.header)),
        Err(SegmentError::Damaged(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
