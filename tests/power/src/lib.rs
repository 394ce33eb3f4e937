//! What the writer that dies and the judge that does not have in common: the messages between
//! them, and the content of everything, as a function of the seed.
//!
//! Never: let the writer tell more than it knows, or the judge know what was not told.

use std::io::{self, Read};

use aiflow_log::Labeller;
use aiflow_log::testing::Rng;
use rustix::time::{ClockId, clock_gettime};

/// Segments go when all of them take more bytes than this, mostly: the judge reads the rest after
/// each cut.
pub const KEPT_BYTES: u64 = 1 << 20;
/// Snapshots that the writer keeps.
pub const SNAPSHOTS_KEPT: usize = 2;
/// Labels that records carry.
pub const LABELS: u64 = 8;

/// What the writer tells. Each is 17 bytes in a pipe, so that it arrives whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The log was opened, and the next record gets this offset.
    Opened(u64),
    /// A batch that ends at this offset is about to be submitted.
    Submitting(u64),
    /// Everything below this offset was acknowledged, at this time of [`now_ns`].
    Durable(u64, u64),
    /// A snapshot at this offset is about to be installed.
    Installing(u64),
    /// A snapshot at this offset was installed, at this time of [`now_ns`].
    Installed(u64, u64),
    /// The sealed segment that starts at this offset is about to be compressed.
    Compressing(u64),
    /// It was compressed, at this time of [`now_ns`].
    Compressed(u64, u64),
    /// Segments that end at or below this offset are about to be dropped.
    Dropping(u64),
    /// The log was told to begin at this offset now, at this time of [`now_ns`].
    Dropped(u64, u64),
    /// A call of the system failed, as calls do after a power cut.
    Failed,
    /// The log was refused: damaged, or of another version.
    Refused,
}

impl Message {
    /// The bytes that are sent.
    #[must_use]
    pub fn encode(self) -> [u8; 17] {
        let (tag, value, time) = match self {
            Self::Opened(offset) => (b'O', offset, 0),
            Self::Submitting(end) => (b'S', end, 0),
            Self::Durable(end, time) => (b'D', end, time),
            Self::Installing(offset) => (b'i', offset, 0),
            Self::Installed(offset, time) => (b'I', offset, time),
            Self::Compressing(base) => (b'c', base, 0),
            Self::Compressed(base, time) => (b'C', base, time),
            Self::Dropping(before) => (b'x', before, 0),
            Self::Dropped(first, time) => (b'X', first, time),
            Self::Failed => (b'F', 0, 0),
            Self::Refused => (b'R', 0, 0),
        };
        let mut out = [tag; 17];
        out[1..9].copy_from_slice(&value.to_le_bytes());
        out[9..].copy_from_slice(&time.to_le_bytes());
        out
    }

    /// The next message; `None` where the sender ended.
    ///
    /// # Errors
    /// What the system reports, and bytes that are no message.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut bytes = [0; 17];
        match from.read_exact(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let number = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        let (value, time) = (number(1), number(9));
        Ok(Some(match bytes[0] {
            b'O' => Self::Opened(value),
            b'S' => Self::Submitting(value),
            b'D' => Self::Durable(value, time),
            b'i' => Self::Installing(value),
            b'I' => Self::Installed(value, time),
            b'c' => Self::Compressing(value),
            b'C' => Self::Compressed(value, time),
            b'x' => Self::Dropping(value),
            b'X' => Self::Dropped(value, time),
            b'F' => Self::Failed,
            b'R' => Self::Refused,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }))
    }
}

/// Nanoseconds of the clock that all processes of this machine share and that never goes back.
#[must_use]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

fn noise(rng: &mut Rng, length: usize) -> Vec<u8> {
    let words = std::iter::repeat_with(|| rng.next_u64().to_le_bytes());
    let mut out: Vec<u8> = words.take(length.div_ceil(8)).flatten().collect();
    out.truncate(length);
    out
}

/// The record that life number `life` writes at `offset`: mostly small, some empty, some of a few
/// thousand bytes, none alike.
#[must_use]
pub fn payload(seed: u64, life: u64, offset: u64) -> Vec<u8> {
    let place = Rng::new(offset).next_u64() ^ Rng::new(!life).next_u64().rotate_left(17);
    let mut rng = Rng::new(seed ^ place);
    let length = match rng.below(16) {
        0 => 0,
        1 => 500 + rng.below(2_500),
        _ => 1 + rng.below(250),
    };
    noise(&mut rng, length as usize)
}

/// The content of the snapshot at `offset`, of a log whose batch there has this `checksum`.
#[must_use]
pub fn content(seed: u64, offset: u64, checksum: u32) -> Vec<u8> {
    let mut rng = Rng::new(seed ^ Rng::new(offset ^ u64::from(checksum) << 32).next_u64());
    let length = rng.below(100_000);
    noise(&mut rng, length as usize)
}

/// Labels records by their first byte; empty ones have none.
#[derive(Debug)]
pub struct ByFirstByte;

/// The label for class `class` of records.
#[must_use]
pub fn label(class: u64) -> u64 {
    Rng::new(class).next_u64()
}

/// The class of a record, if it has one.
#[must_use]
pub fn class(payload: &[u8]) -> Option<u64> {
    payload.first().map(|byte| u64::from(*byte) % LABELS)
}

impl Labeller for ByFirstByte {
    const VERSION: u32 = 1;

    fn labels(&mut self, payload: &[u8], out: &mut Vec<u64>) {
        out.extend(class(payload).map(label));
    }
}
