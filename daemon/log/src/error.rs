//! The errors of the log's operations, one type per operation, and the description of damage.
//!
//! Never: a message without the place. The edge adds the hint (`aiflowd log verify`).

use std::io;

use crate::format::{FrameFault, HeaderFault};

/// A call on the storage failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {name}")]
pub struct StorageError {
    /// The call, as a verb: `read`, `write`, `sync`, ….
    pub operation: &'static str,
    /// The file's name in the log's directory.
    pub name: String,
    /// What the system reports.
    pub source: io::Error,
}

impl StorageError {
    pub(crate) fn of(operation: &'static str, name: &str) -> impl FnOnce(io::Error) -> Self {
        let name = name.to_owned();
        move |source| Self { operation, name, source }
    }
}

/// A place in the log whose bytes are not what was written there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{segment} is damaged at position {position}, offset {offset}: {reason}")]
pub struct Damage {
    /// File name of the segment.
    pub segment: String,
    /// Position in the file, in bytes.
    pub position: u64,
    /// Offset of the first record that is affected.
    pub offset: u64,
    /// What is wrong there.
    pub reason: DamageReason,
}

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DamageReason {
    /// The frame itself, in a place where there must be a good one.
    #[error("{0}")]
    Frame(FrameFault),
    /// The frame is bad, and a later one proves that it had been acknowledged.
    #[error(
        "{fault}, but the frame at position {proof} was written after offset {offset} was safe"
    )]
    Acknowledged {
        /// What is wrong with the frame.
        fault: FrameFault,
        /// Position of the later frame in the same segment.
        proof: u64,
        /// All offsets below this were durable when the later frame was written.
        offset: u64,
    },
    /// The log ends here, but more of it had been acknowledged, as a snapshot proves.
    #[error("{fault}, but everything before offset {durable} was safe when a snapshot was made")]
    Short {
        /// What stands in the place of the next frame.
        fault: FrameFault,
        /// All offsets below this were durable.
        durable: u64,
    },
    /// The header of the segment.
    #[error("{0}")]
    Header(HeaderFault),
    /// The header names another base offset than the file's name does.
    #[error("the segment header is that of offset {0}")]
    Name(u64),
    /// The file is not as long as its header says; lengths in bytes.
    #[error("the file has {found} bytes, its header says {expected}")]
    Length {
        /// Length of the file.
        found: u64,
        /// Length in the header.
        expected: u64,
    },
    /// The segment names as the one before it a segment that is not there.
    #[error("the segment before it, which starts at offset {0}, is missing")]
    Missing(u64),
    /// A whole valid frame stands where the next segment should go on.
    #[error("the segment goes on although the next one starts at this offset")]
    Overlap,
    /// The segment's header does not fit to the last frame of the segment before it.
    #[error("the segment does not belong after the one before it")]
    Link,
    /// The compressed file cannot be read; what is wrong with it.
    #[error("{0}")]
    Compressed(String),
    /// The segment is compressed, which only one is that others follow, and none does.
    #[error("the segments after it are missing")]
    NotLast,
}

/// Why a log was not opened. Nothing has been written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// An option is outside its range.
    #[error("segment size {0} is not a multiple of 8 from 1024 bytes to 1 GiB")]
    SegmentBytes(u64),
    /// A newer version of the program wrote this log.
    #[error("{segment} has format version {found}, this program reads up to {supported}")]
    NewerVersion {
        /// File name of the segment.
        segment: String,
        /// Its version.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// Bytes that had been acknowledged are not what was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The storage failed. Only here, repairs of an unacknowledged tail may have begun; the next
    /// opening goes on with them.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why frames were not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// An earlier commit failed; nothing will be written any more.
    #[error("the log is closed for writing after an earlier failure")]
    Poisoned,
    /// The frames do not continue the log. A mistake of the caller; nothing was written.
    #[error("the next offset is {expected}, the frame starts at {found}")]
    Offset {
        /// Offset that the next record gets.
        expected: u64,
        /// Base offset of the frame.
        found: u64,
    },
    /// The epoch of a frame is lower than that of an earlier one. Nothing was written.
    #[error("the epoch is {current}, the frame has {found}")]
    Epoch {
        /// Epoch of the frame before it.
        current: u64,
        /// Epoch of the frame.
        found: u64,
    },
    /// A frame is larger than a segment; sizes in bytes. Nothing was written.
    #[error("the frame takes {bytes} bytes, a segment holds {limit}")]
    FrameTooLarge {
        /// Size of the frame.
        bytes: u64,
        /// Largest size that fits.
        limit: u64,
    },
    /// The storage failed. What was given to this commit is neither safe nor surely absent.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why records could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The records have been dropped by retention.
    #[error("offset {from} is gone, the log starts at {first}")]
    Gone {
        /// Offset asked for.
        from: u64,
        /// First offset that is there.
        first: u64,
    },
    /// The directory holds no segment at all.
    #[error("there is no log in the directory")]
    NoLog,
    /// A newer version of the program wrote this segment.
    #[error("{segment} has format version {found}, this program reads up to {supported}")]
    NewerVersion {
        /// File name of the segment.
        segment: String,
        /// Its version.
        found: u32,
        /// The newest version that can be read.
        supported: u32,
    },
    /// Bytes below the given end are not what was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
