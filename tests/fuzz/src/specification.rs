//! `docs/log-format.md` read a second time, as plainly as can be: what a directory of segments
//! holds, or that it is damaged.
//!
//! Never: use the code of the log, whose answers are compared with these.

use std::collections::BTreeMap;

use crate::bytes::{FRAME_HEADER_BYTES, HEADER_BYTES, frame_crc, header_holds, u32_at, u64_at};

/// Why a log is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Newer,
    Damaged,
}

/// What a log holds.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// Offset of the first record.
    pub(crate) first: u64,
    pub(crate) payloads: Vec<Vec<u8>>,
    /// Where the last segment's last good frame ends, and where its last byte that is not zero
    /// does, if that is behind.
    pub(crate) torn: Option<(u64, u64)>,
}

/// Where a walk through a segment stands.
#[derive(Clone, Copy)]
struct Place {
    position: usize,
    offset: u64,
    epoch: u64,
    time_us: u64,
    chain: u32,
}

struct Frame<'a> {
    bytes: &'a [u8],
    payloads: Vec<Vec<u8>>,
}

impl Frame<'_> {
    fn base(&self) -> u64 {
        u64_at(self.bytes, 16)
    }

    fn durable_before(&self) -> u64 {
        u64_at(self.bytes, 40)
    }
}

/// What stands at a place in a segment.
enum Found<'a> {
    Good(Frame<'a>),
    /// The checksum holds for this place, and the records do not fill the frame.
    Wrong,
    Bad,
}

/// Judges segments by the offset in their name.
pub(crate) fn content(segments: &BTreeMap<u64, Vec<u8>>) -> Result<Content, Refusal> {
    let headers: Vec<_> = segments.iter().map(|(base, file)| check_header(*base, file)).collect();
    if headers.contains(&Err(Refusal::Newer)) {
        return Err(Refusal::Newer);
    }
    headers.into_iter().collect::<Result<Vec<()>, _>>()?;
    let all: Vec<(u64, &[u8])> = segments.iter().map(|(base, file)| (*base, &file[..])).collect();
    if all.windows(2).any(|pair| u64_at(pair[1].1, 32) != pair[0].0) {
        return Err(Refusal::Damaged);
    }
    let mut out = Content { first: all[0].0, ..Content::default() };
    for pair in all.windows(2) {
        let (place, stop) = walk(pair[0].1, pair[0].0, &mut out.payloads);
        let next = pair[1].1;
        let before = (u64_at(next, 40), u64_at(next, 48), u32_at(next, 56));
        let fits = before == (place.epoch, place.time_us, place.chain) && place.offset == pair[1].0;
        if !fits || matches!(stop, Stop::Wrong) {
            return Err(Refusal::Damaged);
        }
    }
    let (base, last) = all[all.len() - 1];
    let (place, stop) = walk(last, base, &mut out.payloads);
    let later = |at: usize| match frame_at(last, base, at) {
        Found::Good(frame) => frame.durable_before() > place.offset,
        _ => false,
    };
    if matches!(stop, Stop::Wrong) || (place.position..last.len()).step_by(8).any(later) {
        return Err(Refusal::Damaged);
    }
    let end = last.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
    out.torn = (end > place.position).then_some((place.position as u64, end as u64));
    Ok(out)
}

fn check_header(base: u64, file: &[u8]) -> Result<(), Refusal> {
    if file.len() < HEADER_BYTES || !file.starts_with(b"AIFLOWLG") || !header_holds(file) {
        return Err(Refusal::Damaged);
    }
    let version = u32_at(file, 8);
    if version > 1 {
        return Err(Refusal::Newer);
    }
    let lengths = (u64_at(file, 16), u64_at(file, 24)) == (base, file.len() as u64);
    if version == 1 && lengths && u32_at(file, 60) == 0 { Ok(()) } else { Err(Refusal::Damaged) }
}

/// Why a walk ended.
enum Stop {
    /// As a crash may leave it.
    Torn,
    /// As only damage does.
    Wrong,
}

fn walk(file: &[u8], segment: u64, payloads: &mut Vec<Vec<u8>>) -> (Place, Stop) {
    let mut place = Place {
        position: HEADER_BYTES,
        offset: segment,
        epoch: u64_at(file, 40),
        time_us: u64_at(file, 48),
        chain: u32_at(file, 12),
    };
    loop {
        let mut frame = match frame_at(file, segment, place.position) {
            Found::Good(frame) => frame,
            Found::Wrong => return (place, Stop::Wrong),
            Found::Bad => return (place, Stop::Torn),
        };
        let bytes = frame.bytes;
        let epoch = u64_at(bytes, 32);
        if frame.base() != place.offset || epoch < place.epoch || u32_at(bytes, 48) != place.chain {
            return (place, Stop::Wrong);
        }
        place = Place {
            position: place.position + bytes.len(),
            offset: place.offset + u64::from(u32_at(bytes, 12)),
            epoch,
            time_us: u64_at(bytes, 24),
            chain: u32_at(bytes, 4),
        };
        payloads.append(&mut frame.payloads);
    }
}

fn frame_at(file: &[u8], segment: u64, position: usize) -> Found<'_> {
    let rest = &file[position.min(file.len())..];
    if rest.len() < FRAME_HEADER_BYTES || rest[..4] != [0xF7, 0x41, 0x46, 0xFE] {
        return Found::Bad;
    }
    let (length, count) = (u32_at(rest, 8) as usize, u32_at(rest, 12));
    let size = (FRAME_HEADER_BYTES + length).next_multiple_of(8);
    // What the writer never writes is no frame, whatever its checksum says.
    let end = u64_at(rest, 16).checked_add(count.into());
    let sane = count > 0 && count as usize * 4 <= length && u32_at(rest, 52) == 0;
    if size > rest.len() || !sane || end.is_none() || u64_at(rest, 40) > u64_at(rest, 16) {
        return Found::Bad;
    }
    let bytes = &rest[..size];
    if frame_crc(bytes, segment, position as u64) != u32_at(bytes, 4) {
        return Found::Bad;
    }
    let mut records = &bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + length];
    let mut payloads = Vec::new();
    for _ in 0..count {
        let whole = records.len() >= 4 && u32_at(records, 0) as usize <= records.len() - 4;
        if !whole {
            return Found::Wrong;
        }
        let (payload, rest) = records[4..].split_at(u32_at(records, 0) as usize);
        payloads.push(payload.to_vec());
        records = rest;
    }
    if records.is_empty() { Found::Good(Frame { bytes, payloads }) } else { Found::Wrong }
}
