//! Building frames: the records of one batch, encoded straight into the buffer that is written.
//!
//! Never: look into a payload. The checksum is set by the writer, which alone knows the place.

use crate::format::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES, Records, finish_frame};

/// Why a batch cannot become a frame. A caller's mistake or a request that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A batch holds at least one record.
    #[error("the batch holds no record")]
    Empty,
    /// The frame would be larger than the limit, both in bytes.
    #[error("the batch takes {bytes} bytes, the limit is {limit}")]
    TooLarge {
        /// Size of the frame that was asked for.
        bytes: u64,
        /// Largest size accepted.
        limit: u64,
    },
    /// A closure given to `record` shortened the buffer below what it was given.
    #[error("an encoder shortened the buffer")]
    Shortened,
}

/// Collects the records of one batch.
#[derive(Debug)]
pub struct FrameBuilder {
    bytes: Vec<u8>,
    base_offset: u64,
    time_us: i64,
    epoch: u64,
    count: u32,
    limit: u64,
    shortened: bool,
}

impl FrameBuilder {
    /// Starts a batch whose first record has offset `base_offset`. `time_us` is the caller's wall
    /// time in microseconds, any value; `epoch` must not be lower than in any frame before.
    #[must_use]
    pub fn new(base_offset: u64, time_us: i64, epoch: u64) -> Self {
        Self::reuse(Vec::with_capacity(512), base_offset, time_us, epoch)
    }

    /// As [`Self::new`], with a buffer from [`Frame::into_buffer`]; its content is dropped.
    #[must_use]
    pub fn reuse(mut buffer: Vec<u8>, base_offset: u64, time_us: i64, epoch: u64) -> Self {
        buffer.clear();
        buffer.resize(FRAME_HEADER_BYTES, 0);
        let limit = FRAME_BYTES_MAX;
        Self { bytes: buffer, base_offset, time_us, epoch, count: 0, limit, shortened: false }
    }

    /// Lowers the limit on the frame's size to `bytes`, e.g. to [`crate::LogWriter::frame_limit`].
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes.min(FRAME_BYTES_MAX);
        self
    }

    /// Adds one record: `encode` appends its payload to the buffer. A payload may be empty.
    pub fn record(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let encoded: Result<(), std::convert::Infallible> = self.try_record(|out| {
            encode(out);
            Ok(())
        });
        match encoded {
            Ok(()) => self,
        }
    }

    /// As [`Self::record`], for encoders that can fail; then the batch is as it was before.
    ///
    /// # Errors
    /// Whatever `encode` returns.
    pub fn try_record<E>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        let encoded = encode(&mut self.bytes);
        let Some(length) = self.bytes.len().checked_sub(start + 4) else {
            self.shortened = true;
            return encoded;
        };
        if let Err(error) = encoded {
            self.bytes.truncate(start);
            return Err(error);
        }
        // A length beyond u32 is beyond the limit too, which `finish` refuses.
        let prefix = u32::try_from(length).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&prefix.to_le_bytes());
        self.count += 1;
        Ok(())
    }

    /// Number of records so far.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Offset that the next record gets.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.base_offset + u64::from(self.count)
    }

    /// Ends the batch.
    ///
    /// # Errors
    /// [`FrameError`]; nothing was written anywhere.
    pub fn finish(mut self) -> Result<Frame, FrameError> {
        let bytes = crate::format::padded(self.bytes.len() as u64);
        if self.shortened {
            return Err(FrameError::Shortened);
        }
        if self.count == 0 {
            return Err(FrameError::Empty);
        }
        if bytes > self.limit {
            return Err(FrameError::TooLarge { bytes, limit: self.limit });
        }
        let length = self.bytes.len() - FRAME_HEADER_BYTES;
        finish_frame(&mut self.bytes, self.count, self.base_offset, self.time_us, self.epoch);
        Ok(Frame {
            bytes: self.bytes,
            length,
            base_offset: self.base_offset,
            count: self.count,
            time_us: self.time_us,
            epoch: self.epoch,
        })
    }
}

/// The records of one batch as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub(crate) bytes: Vec<u8>,
    length: usize,
    base_offset: u64,
    count: u32,
    time_us: i64,
    epoch: u64,
}

impl Frame {
    /// Offset of the first record.
    #[must_use]
    pub fn base_offset(&self) -> u64 {
        self.base_offset
    }

    /// Number of records, at least 1.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Offset after the last record.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base_offset + u64::from(self.count)
    }

    /// The time given to the builder, in microseconds.
    #[must_use]
    pub fn time_us(&self) -> i64 {
        self.time_us
    }

    /// The epoch given to the builder.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Bytes that the frame takes in a segment, header and padding included.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The payloads, in order.
    #[must_use]
    pub fn records(&self) -> Records<'_> {
        Records::new(&self.bytes[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + self.length])
    }

    /// Gives the buffer back for [`FrameBuilder::reuse`].
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}
