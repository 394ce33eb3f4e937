//! Appending frames: one write and one sync for all frames of a commit.
//!
//! Never: return an offset as durable before the sync that makes it so, touch the log again after
//! a failed write or sync, or write a frame that does not continue the log.

use crate::error::{CommitError, StorageError};
use crate::format::{SEGMENT_HEADER_BYTES, SegmentHeader, seal_frame};
use crate::frame::Frame;
use crate::scan::Mark;
use crate::segment;
use crate::storage::{Storage, StorageFile};

/// Smallest and largest size of a segment, in bytes.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 1 << 10..=1 << 30;
/// While space is low, a segment's worth of commits asks for it so many times.
const ASKS_PER_SEGMENT: u64 = 64;
/// Memory for joining frames that is kept between commits.
const SCRATCH_BYTES_KEPT: usize = 1 << 20;

/// How a log is opened and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Size of new segments in bytes: a multiple of 8 from 1024 to 1 GiB. A frame must fit in one.
    pub segment_bytes: u64,
    /// Sealed segments that end at or below this offset are not read when opening; their headers
    /// are. 0 checks the whole log; the offset of a snapshot saves the time for what it covers. A
    /// log that ends before it has lost acknowledged records, and is damaged.
    pub check_from: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, check_from: 0 }
    }
}

impl LogOptions {
    pub(crate) fn is_valid(&self) -> bool {
        SEGMENT_BYTES.contains(&self.segment_bytes) && self.segment_bytes.is_multiple_of(8)
    }
}

/// Whether the space for another segment is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Yes, or it is not needed yet.
    Enough,
    /// No, although the current segment is half full: take no new work, so that the rest is left
    /// for records about what already runs.
    Low {
        /// What the system reported, e.g. `StorageFull`.
        kind: std::io::ErrorKind,
    },
}

/// The one writer of a log. Single-threaded; [`crate::Committer`] gives it a thread.
#[derive(Debug)]
pub struct LogWriter<S: Storage> {
    storage: S,
    options: LogOptions,
    file: S::File,
    /// Header of the segment being written.
    header: SegmentHeader,
    mark: Mark,
    spare: Option<S::File>,
    space: Space,
    /// Position in the segment from which on `append` asks for space again after a failure.
    ask_at: u64,
    poisoned: bool,
    scratch: Vec<u8>,
}

impl<S: Storage> LogWriter<S> {
    pub(crate) fn new(
        storage: S,
        options: LogOptions,
        (file, header): (S::File, SegmentHeader),
        mark: Mark,
    ) -> Self {
        let mut writer = Self {
            storage,
            options,
            file,
            header,
            mark,
            spare: None,
            space: Space::Enough,
            ask_at: 0,
            poisoned: false,
            scratch: Vec::new(),
        };
        writer.reserve();
        writer
    }

    /// Offset that the next record gets; everything below it is durable.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.mark.offset
    }

    /// Largest frame accepted, in bytes, for [`crate::FrameBuilder::with_limit`].
    #[must_use]
    pub fn frame_limit(&self) -> u64 {
        self.options.segment_bytes - SEGMENT_HEADER_BYTES
    }

    /// Whether the space for another segment is reserved, as of the last commit.
    #[must_use]
    pub fn space(&self) -> Space {
        self.space
    }

    /// Whether an earlier commit failed, so that nothing will be written any more.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// Makes all `frames` durable, in order, and returns the offset after the last record. One
    /// write and one sync; two or more when they do not all fit in the current segment. Frames
    /// are changed only in the fields that depend on their place.
    ///
    /// A crash before the return leaves any number of whole frames from the first on, possibly 0.
    ///
    /// # Errors
    /// `Offset`, `Epoch` and `FrameTooLarge` before anything is written; the writer stays good.
    /// `Storage` poisons the writer.
    pub fn append(&mut self, frames: &mut [Frame]) -> Result<u64, CommitError> {
        self.check(frames)?;
        let mut rest = frames;
        while let [first, ..] = rest {
            if self.mark.position + first.size() > self.header.capacity {
                self.poison_on_error(Self::roll)?;
            }
            let n = self.fitting(rest);
            let (now, later) = rest.split_at_mut(n);
            self.poison_on_error(|writer| writer.write(now))?;
            rest = later;
        }
        if self.mark.position >= self.ask_at {
            self.reserve();
        }
        Ok(self.mark.offset)
    }

    /// Tries to reserve the space for another segment if it is missing.
    pub fn reserve(&mut self) -> Space {
        if self.poisoned || self.spare.is_some() || self.mark.position < self.header.capacity / 2 {
            return self.space;
        }
        match segment::create_spare(&self.storage, self.options.segment_bytes) {
            Ok(file) => {
                self.spare = Some(file);
                self.space = Space::Enough;
            }
            // No byte of the log is affected, so this is no reason to stop writing.
            Err(error) => {
                self.space = Space::Low { kind: error.source.kind() };
                // Asking may be dear where zeros are written, so not at every commit.
                self.ask_at = self.mark.position + self.header.capacity / ASKS_PER_SEGMENT;
            }
        }
        self.space
    }

    fn check(&self, frames: &[Frame]) -> Result<(), CommitError> {
        if self.poisoned {
            return Err(CommitError::Poisoned);
        }
        let (mut offset, mut epoch) = (self.mark.offset, self.mark.epoch);
        for frame in frames {
            if frame.base_offset() != offset {
                return Err(CommitError::Offset { expected: offset, found: frame.base_offset() });
            }
            if frame.epoch() < epoch {
                return Err(CommitError::Epoch { current: epoch, found: frame.epoch() });
            }
            let (bytes, limit) = (frame.size(), self.frame_limit());
            if bytes > limit {
                return Err(CommitError::FrameTooLarge { bytes, limit });
            }
            (offset, epoch) = (frame.end(), frame.epoch());
        }
        Ok(())
    }

    fn poison_on_error(
        &mut self,
        action: impl FnOnce(&mut Self) -> Result<(), StorageError>,
    ) -> Result<(), CommitError> {
        let result = action(self);
        self.poisoned |= result.is_err();
        Ok(result?)
    }

    /// How many frames from the first on fit in the current segment.
    fn fitting(&self, frames: &[Frame]) -> usize {
        let mut end = self.mark.position;
        let fits = |frame: &&Frame| {
            end += frame.size();
            end <= self.header.capacity
        };
        frames.iter().take_while(fits).count()
    }

    fn write(&mut self, frames: &mut [Frame]) -> Result<(), StorageError> {
        let durable_before = self.mark.offset;
        let start = self.mark.position;
        let mut mark = self.mark;
        for frame in &mut *frames {
            let bytes = &mut frame.bytes;
            mark.chain =
                seal_frame(bytes, self.header.base, mark.position, durable_before, mark.chain);
            mark.position += bytes.len() as u64;
            mark.offset = frame.end();
            mark.epoch = frame.epoch();
            mark.time_us = frame.time_us();
        }
        let name = segment::name(self.header.base);
        let written = if let [frame] = frames {
            self.file.write_all_at(&frame.bytes, start)
        } else {
            self.scratch.clear();
            frames.iter().for_each(|frame| self.scratch.extend_from_slice(&frame.bytes));
            self.file.write_all_at(&self.scratch, start)
        };
        written.map_err(StorageError::of("write", &name))?;
        self.file.sync_data().map_err(StorageError::of("sync", &name))?;
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_BYTES_KEPT);
        self.mark = mark;
        Ok(())
    }

    /// Starts the next segment. All frames before are durable, which its existence proves.
    fn roll(&mut self) -> Result<(), StorageError> {
        let capacity = self.options.segment_bytes;
        let file = match self.spare.take() {
            Some(file) => file,
            None => segment::create_spare(&self.storage, capacity)?,
        };
        let header = if self.mark.offset == self.header.base {
            // Nothing was written since the segment began, and it is smaller than new ones are:
            // the new one takes its name.
            SegmentHeader { capacity, ..self.header }
        } else {
            SegmentHeader {
                base: self.mark.offset,
                capacity,
                previous_base: self.header.base,
                previous_epoch: self.mark.epoch,
                previous_time_us: self.mark.time_us,
                previous_crc: self.mark.chain,
            }
        };
        let crc = segment::publish(&self.storage, &file, &header)?;
        self.mark = Mark::start(&header, crc);
        self.file = file;
        self.header = header;
        self.ask_at = 0;
        self.space = Space::Enough;
        Ok(())
    }
}
