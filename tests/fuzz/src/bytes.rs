//! Taking an input apart, and setting checksums right in what was made of it.
//!
//! Never: fail for lack of input; what is missing reads as zeros, so that any bytes are an input.

use crc32c::{crc32c, crc32c_append};

/// Bytes of the headers of segments, snapshots and index files; their checksum stands at 12.
pub(crate) const HEADER_BYTES: usize = 64;
/// Bytes of the header of a frame.
pub(crate) const FRAME_HEADER_BYTES: usize = 56;

/// What is left of an input.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number of two bytes.
    pub(crate) fn short(&mut self) -> usize {
        usize::from(self.byte()) | usize::from(self.byte()) << 8
    }

    pub(crate) fn long(&mut self) -> u64 {
        let mut out = [0; 8];
        let taken = self.take(8);
        out[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(out)
    }

    /// So many bytes, or what is left.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Changes `bytes` as the rest of `input` says, four bytes a change.
pub(crate) fn change(bytes: &mut Vec<u8>, input: &mut Input<'_>) {
    while !input.is_empty() {
        let (kind, at, value) = (input.byte(), input.short(), input.byte());
        if bytes.is_empty() {
            return;
        }
        let at = at % bytes.len();
        match kind % 6 {
            0 => bytes[at] ^= value,
            1 => bytes[at] = value,
            2 => bytes.insert(at, value),
            3 => bytes.truncate(at),
            4 => {
                bytes.remove(at);
            }
            _ => {
                let from = usize::from(value) * 8 % bytes.len();
                let count = 8.min(bytes.len() - from.max(at));
                bytes.copy_within(from..from + count, at);
            }
        }
    }
}

/// Sets the checksum of a header of 64 bytes right.
pub(crate) fn seal_header(bytes: &mut [u8]) {
    let crc = header_crc(bytes);
    put_u32(bytes, 12, crc);
}

/// Whether the checksum of a header of 64 bytes holds.
pub(crate) fn header_holds(bytes: &[u8]) -> bool {
    bytes.len() >= HEADER_BYTES && u32_at(bytes, 12) == header_crc(bytes)
}

fn header_crc(bytes: &[u8]) -> u32 {
    crc32c_append(crc32c(&bytes[..12]), &bytes[16..HEADER_BYTES])
}

/// The checksum that a frame of these bytes has at its place.
pub(crate) fn frame_crc(bytes: &[u8], segment: u64, position: u64) -> u32 {
    let place = [segment.to_le_bytes(), position.to_le_bytes()].concat();
    crc32c_append(crc32c(&place), &bytes[8..])
}

pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}
