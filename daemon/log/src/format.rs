//! The bytes of segments and frames, format version 1: pure encoding and checking.
//!
//! Never: do input or output, or know what came before a frame; sequence is checked by `scan`.
//! All integers are little-endian. `docs/log-format.md` is the specification.

use crc32c::{crc32c, crc32c_append};

/// The format version written by this build, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of the header at the start of each segment. Fixed for all versions.
pub const SEGMENT_HEADER_BYTES: u64 = 64;
/// Bytes of the header of each frame.
pub const FRAME_HEADER_BYTES: usize = 56;
/// Frames start at multiples of this many bytes within a segment.
pub const ALIGNMENT: usize = 8;
/// Largest number of bytes that a frame may have, header and padding included (1 GiB).
pub const FRAME_BYTES_MAX: u64 = 1 << 30;
/// `previous_base` of a segment that is the first of its log.
pub const NO_PREVIOUS: u64 = u64::MAX;

const SEGMENT_MAGIC: [u8; 8] = *b"AIFLOWLG";
/// Not ASCII and not valid UTF-8, so that text payloads hold nothing like it.
const FRAME_MAGIC: [u8; 4] = [0xF7, b'A', b'F', 0xFE];

/// What the header of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    /// Offset of the first record in the segment; also the file's name.
    pub base: u64,
    /// Length of the file in bytes, header included.
    pub capacity: u64,
    /// Base of the segment before it, [`NO_PREVIOUS`] for the first of a log.
    pub previous_base: u64,
    /// Epoch of the last frame before it, 0 for none.
    pub previous_epoch: u64,
    /// Time of the last frame before it, in microseconds, 0 for none.
    pub previous_time_us: i64,
    /// Checksum of the last frame before it, 0 for none.
    pub previous_crc: u32,
}

/// Why a segment header is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// The file is shorter than a header.
    #[error("the file is too short for a segment header")]
    Short,
    /// The first eight bytes are not those of a segment.
    #[error("the segment header does not start as one")]
    Magic,
    /// The checksum does not match.
    #[error("the checksum of the segment header does not match")]
    Checksum,
    /// The version is 0 or a reserved field is set.
    #[error("the segment header holds a value that is never written")]
    Value,
    /// The header is whole and of a later format.
    #[error("the segment has format version {0}")]
    Newer(u32),
}

impl SegmentHeader {
    /// The header's bytes and their checksum, which the first frame of the segment chains to.
    #[must_use]
    pub fn encode(&self) -> ([u8; SEGMENT_HEADER_BYTES as usize], u32) {
        let mut out = [0; SEGMENT_HEADER_BYTES as usize];
        out[0..8].copy_from_slice(&SEGMENT_MAGIC);
        out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.base.to_le_bytes());
        out[24..32].copy_from_slice(&self.capacity.to_le_bytes());
        out[32..40].copy_from_slice(&self.previous_base.to_le_bytes());
        out[40..48].copy_from_slice(&self.previous_epoch.to_le_bytes());
        out[48..56].copy_from_slice(&self.previous_time_us.to_le_bytes());
        out[56..60].copy_from_slice(&self.previous_crc.to_le_bytes());
        let crc = header_crc(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        (out, crc)
    }

    /// Reads a header and its checksum.
    ///
    /// # Errors
    /// [`HeaderFault`]; `Newer` only when the checksum holds, so that damage is not taken for it.
    pub fn decode(bytes: &[u8]) -> Result<(Self, u32), HeaderFault> {
        let Some(bytes) = bytes.first_chunk::<{ SEGMENT_HEADER_BYTES as usize }>() else {
            return Err(HeaderFault::Short);
        };
        if bytes[0..8] != SEGMENT_MAGIC {
            return Err(HeaderFault::Magic);
        }
        let crc = header_crc(bytes);
        if crc != u32_at(bytes, 12) {
            return Err(HeaderFault::Checksum);
        }
        let version = u32_at(bytes, 8);
        if version > FORMAT_VERSION {
            return Err(HeaderFault::Newer(version));
        }
        if version == 0 || u32_at(bytes, 60) != 0 {
            return Err(HeaderFault::Value);
        }
        let header = Self {
            base: u64_at(bytes, 16),
            capacity: u64_at(bytes, 24),
            previous_base: u64_at(bytes, 32),
            previous_epoch: u64_at(bytes, 40),
            previous_time_us: u64_at(bytes, 48).cast_signed(),
            previous_crc: u32_at(bytes, 56),
        };
        Ok((header, crc))
    }
}

fn header_crc(bytes: &[u8; SEGMENT_HEADER_BYTES as usize]) -> u32 {
    crc32c_append(crc32c(&bytes[..12]), &bytes[16..])
}

/// What the header of a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Checksum of the frame and of the place where it stands.
    pub crc: u32,
    /// Bytes of the records, without header and padding.
    pub length: u32,
    /// Number of records, at least 1.
    pub count: u32,
    /// Offset of the first record.
    pub base_offset: u64,
    /// Time given by the caller, in microseconds.
    pub time_us: i64,
    /// Epoch given by the caller; never decreases along the log.
    pub epoch: u64,
    /// All offsets below this were durable when the frame was written.
    pub durable_before: u64,
    /// Checksum of the frame before it, or of the segment header.
    pub previous_crc: u32,
}

/// Why a frame is not accepted at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// There is no room for another frame in the segment.
    #[error("the segment ends here")]
    End,
    /// The place was never written: zeros.
    #[error("there is no frame here")]
    Blank,
    /// The bytes do not start as a frame does.
    #[error("the bytes do not start as a frame")]
    Magic,
    /// The header holds a length or count that is never written.
    #[error("the frame header holds a value that is never written")]
    Header,
    /// The checksum does not match the bytes or their place.
    #[error("the checksum of the frame does not match")]
    Checksum,
    /// The checksum holds, but the records do not fill the frame.
    #[error("the records do not fill the frame")]
    Records,
    /// The checksum holds, but the frame starts at another offset than expected.
    #[error("the frame starts at offset {0}")]
    Offset(u64),
    /// The checksum holds, but the epoch is lower than that of an earlier frame.
    #[error("the frame has epoch {0}, lower than one before it")]
    Epoch(u64),
    /// The checksum holds, but the frame was written after another frame than the one before it.
    #[error("the frame does not belong after the one before it")]
    Chain,
    /// The frame lies in a part of a compressed segment that cannot be decompressed.
    #[error("the frame lies in a block that cannot be decompressed")]
    Block,
}

impl FrameFault {
    /// Whether a commit that a crash interrupted can look like this. The others stand in a sealed
    /// segment or have a checksum that holds for this very place, so they were written whole and
    /// something else is wrong.
    #[must_use]
    pub fn may_be_torn(self) -> bool {
        match self {
            Self::End | Self::Blank | Self::Magic | Self::Header | Self::Checksum => true,
            Self::Records | Self::Offset(_) | Self::Epoch(_) | Self::Chain | Self::Block => false,
        }
    }
}

impl FrameHeader {
    /// Reads the header at `position`; looks at nothing behind it.
    ///
    /// # Errors
    /// [`FrameFault::End`], `Blank`, `Magic` or `Header`.
    pub fn decode(bytes: &[u8], position: u64, capacity: u64) -> Result<Self, FrameFault> {
        let Some(bytes) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else {
            return Err(FrameFault::End);
        };
        if bytes[0..4] != FRAME_MAGIC {
            let blank = bytes.iter().all(|byte| *byte == 0);
            return Err(if blank { FrameFault::Blank } else { FrameFault::Magic });
        }
        let header = Self {
            crc: u32_at(bytes, 4),
            length: u32_at(bytes, 8),
            count: u32_at(bytes, 12),
            base_offset: u64_at(bytes, 16),
            time_us: u64_at(bytes, 24).cast_signed(),
            epoch: u64_at(bytes, 32),
            durable_before: u64_at(bytes, 40),
            previous_crc: u32_at(bytes, 48),
        };
        let fits = position.checked_add(header.frame_bytes()).is_some_and(|end| end <= capacity);
        let counted = header.count > 0 && u64::from(header.count) * 4 <= u64::from(header.length);
        let ordered = header.durable_before <= header.base_offset
            && header.base_offset.checked_add(u64::from(header.count)).is_some();
        if fits && counted && ordered && u32_at(bytes, 52) == 0 {
            Ok(header)
        } else {
            Err(FrameFault::Header)
        }
    }

    /// Bytes from the start of the frame to the start of the next.
    #[must_use]
    pub fn frame_bytes(&self) -> u64 {
        padded(FRAME_HEADER_BYTES as u64 + u64::from(self.length))
    }

    /// Offset after the last record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base_offset + u64::from(self.count)
    }

    /// Checks the whole frame, `bytes` being exactly [`Self::frame_bytes`] long.
    ///
    /// # Errors
    /// [`FrameFault::Checksum`] or [`FrameFault::Records`].
    pub fn check(&self, bytes: &[u8], segment: u64, position: u64) -> Result<(), FrameFault> {
        if frame_crc(bytes, segment, position) != self.crc {
            return Err(FrameFault::Checksum);
        }
        let mut records = Records::new(self.records_of(bytes));
        let whole = (0..self.count).all(|_| records.next().is_some());
        if whole && records.rest.is_empty() { Ok(()) } else { Err(FrameFault::Records) }
    }

    /// The part of a frame's bytes that holds the records.
    #[must_use]
    pub fn records_of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + self.length as usize]
    }
}

/// Writes the fields that are known when a frame is built. `bytes` holds header space and records
/// and gets its padding.
pub(crate) fn finish_frame(bytes: &mut Vec<u8>, count: u32, base: u64, time_us: i64, epoch: u64) {
    let length = (bytes.len() - FRAME_HEADER_BYTES) as u32;
    bytes.resize(padded(bytes.len() as u64) as usize, 0);
    bytes[0..4].copy_from_slice(&FRAME_MAGIC);
    bytes[8..12].copy_from_slice(&length.to_le_bytes());
    bytes[12..16].copy_from_slice(&count.to_le_bytes());
    bytes[16..24].copy_from_slice(&base.to_le_bytes());
    bytes[24..32].copy_from_slice(&time_us.to_le_bytes());
    bytes[32..40].copy_from_slice(&epoch.to_le_bytes());
}

/// Writes the fields that are known only when a frame gets its place; returns the checksum.
pub(crate) fn seal_frame(
    bytes: &mut [u8],
    segment: u64,
    position: u64,
    durable_before: u64,
    previous_crc: u32,
) -> u32 {
    bytes[40..48].copy_from_slice(&durable_before.to_le_bytes());
    bytes[48..52].copy_from_slice(&previous_crc.to_le_bytes());
    let crc = frame_crc(bytes, segment, position);
    bytes[4..8].copy_from_slice(&crc.to_le_bytes());
    crc
}

/// Covers the place as well, so that a frame that was moved or copied elsewhere is not valid there.
fn frame_crc(bytes: &[u8], segment: u64, position: u64) -> u32 {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&segment.to_le_bytes());
    place[8..].copy_from_slice(&position.to_le_bytes());
    crc32c_append(crc32c(&place), &bytes[8..])
}

/// The payloads in the record part of a frame, in order.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let (payload, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        self.rest = rest;
        Some(payload)
    }
}

/// Whether `bytes` start as a frame does; the cheap test when searching.
pub(crate) fn starts_as_frame(bytes: &[u8]) -> bool {
    bytes.starts_with(&FRAME_MAGIC)
}

pub(crate) fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGNMENT as u64)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(out)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(out)
}
