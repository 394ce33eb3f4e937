//! Going through the frames of one segment: in order, or searching behind a bad one.
//!
//! Never: write, or decide what a bad frame means; that is for recovery and the reader.

use std::io;

use crate::error::{Damage, DamageReason, StorageError};
use crate::format::{
    ALIGNMENT, FRAME_HEADER_BYTES, FrameFault, FrameHeader, SEGMENT_HEADER_BYTES, SegmentHeader,
    starts_as_frame,
};
use crate::segment::{Opened, Source};

/// First read after a jump; doubled with each further read, so that following the end of the log
/// in small steps stays cheap and replay reads in large pieces.
pub(crate) const READ_BYTES_MIN: usize = 16 << 10;
const READ_BYTES_MAX: usize = 512 << 10;
const ZEROS: [u8; 4096] = [0; 4096];

/// A place between two frames, and what the next frame must fit to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Position in the segment's file.
    pub(crate) position: u64,
    /// Offset of the next record.
    pub(crate) offset: u64,
    /// Checksum of the frame before, or of the segment header.
    pub(crate) chain: u32,
    /// Epoch of the frame before.
    pub(crate) epoch: u64,
    /// Time of the frame before.
    pub(crate) time_us: i64,
}

impl Mark {
    /// The start of the segment.
    pub(crate) fn start(header: &SegmentHeader, crc: u32) -> Self {
        Self {
            position: SEGMENT_HEADER_BYTES,
            offset: header.base,
            chain: crc,
            epoch: header.previous_epoch,
            time_us: header.previous_time_us,
        }
    }

    /// Whether `frame`, valid in itself, may stand here.
    fn accepts(&self, frame: &FrameHeader) -> Result<(), FrameFault> {
        if frame.base_offset != self.offset {
            return Err(FrameFault::Offset(frame.base_offset));
        }
        if frame.epoch < self.epoch {
            return Err(FrameFault::Epoch(frame.epoch));
        }
        if frame.previous_crc != self.chain {
            return Err(FrameFault::Chain);
        }
        Ok(())
    }
}

/// A good frame, and where its records lie in the cursor's buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) header: FrameHeader,
    /// Position of the frame in the file.
    pub(crate) position: u64,
    start: usize,
}

impl Span {
    /// The place behind the frame.
    pub(crate) fn after(&self) -> Mark {
        let FrameHeader { crc, epoch, time_us, .. } = self.header;
        let position = self.position + self.header.frame_bytes();
        Mark { position, offset: self.header.end(), chain: crc, epoch, time_us }
    }
}

/// What stands at a mark.
#[derive(Debug)]
pub(crate) enum Step {
    Frame(Span),
    Stop(FrameFault),
}

/// Reads the frames of one segment in order.
#[derive(Debug)]
pub(crate) struct Cursor<R> {
    pub(crate) file: R,
    pub(crate) header: SegmentHeader,
    pub(crate) mark: Mark,
    buffer: Vec<u8>,
    /// File position of the buffer's first byte.
    origin: u64,
    /// Bytes of the buffer that were read.
    filled: usize,
    read_bytes: usize,
}

impl<R: Source> Cursor<R> {
    pub(crate) fn new(opened: Opened<R>) -> Self {
        Self::with_buffer(opened, Vec::new())
    }

    pub(crate) fn with_buffer(opened: Opened<R>, buffer: Vec<u8>) -> Self {
        let mark = Mark::start(&opened.header, opened.crc);
        let Opened { file, header, .. } = opened;
        let read_bytes = READ_BYTES_MIN;
        Self { file, header, mark, buffer, origin: 0, filled: 0, read_bytes }
    }

    /// Continues from `mark`, which this segment's cursor gave. Forgets what was read, since bytes
    /// behind the end may have been written meanwhile.
    pub(crate) fn jump(&mut self, mark: Mark) {
        self.mark = mark;
        self.origin = mark.position;
        self.filled = 0;
        self.read_bytes = READ_BYTES_MIN;
    }

    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// File name of the segment.
    pub(crate) fn name(&self) -> String {
        self.file.file_name(self.header.base)
    }

    /// Damage at the mark.
    pub(crate) fn damage(&self, reason: DamageReason) -> Damage {
        let Mark { position, offset, .. } = self.mark;
        Damage { segment: self.name(), position, offset, reason }
    }

    /// Reads the frame at the mark. The mark moves behind it only if the frame is good and fits.
    pub(crate) fn step(&mut self) -> Result<Step, StorageError> {
        match self.try_step() {
            Err(error) if error.source.kind() == io::ErrorKind::InvalidData => {
                Ok(Step::Stop(FrameFault::Block))
            }
            result => result,
        }
    }

    fn try_step(&mut self) -> Result<Step, StorageError> {
        let position = self.mark.position;
        let SegmentHeader { base, capacity, .. } = self.header;
        if position.saturating_add(FRAME_HEADER_BYTES as u64) > capacity {
            return Ok(Step::Stop(FrameFault::End));
        }
        let head = self.load(position, FRAME_HEADER_BYTES)?;
        let frame = match FrameHeader::decode(head, position, capacity) {
            Ok(frame) => frame,
            Err(fault) => return Ok(Step::Stop(fault)),
        };
        let bytes = self.load(position, frame.frame_bytes() as usize)?;
        if let Err(fault) = frame.check(bytes, base, position) {
            return Ok(Step::Stop(fault));
        }
        if let Err(fault) = self.mark.accepts(&frame) {
            return Ok(Step::Stop(fault));
        }
        let start = (position - self.origin) as usize;
        let span = Span { header: frame, position, start };
        self.mark = span.after();
        Ok(Step::Frame(span))
    }

    /// The records of the frame that the last step gave.
    pub(crate) fn records(&self, span: &Span) -> &[u8] {
        let bytes = &self.buffer[span.start..span.start + span.header.frame_bytes() as usize];
        span.header.records_of(bytes)
    }

    /// The bytes `position..position + length`, or fewer if the file is shorter.
    fn load(&mut self, position: u64, length: usize) -> Result<&[u8], StorageError> {
        let mut start = (position - self.origin) as usize;
        if start + length > self.filled {
            self.refill(start, length)?;
            start = 0;
        }
        Ok(&self.buffer[start..self.filled.min(start + length)])
    }

    /// Drops what lies before `start` in the buffer and reads on.
    fn refill(&mut self, start: usize, length: usize) -> Result<(), StorageError> {
        let kept = self.filled.saturating_sub(start);
        self.buffer.copy_within(self.filled - kept..self.filled, 0);
        self.origin += start as u64;
        self.filled = kept;
        let rest = (self.header.capacity - self.origin) as usize;
        let wanted = length.max(kept + self.read_bytes).min(rest);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let at = self.origin + kept as u64;
        let into = &mut self.buffer[kept..wanted];
        let name = self.file.file_name(self.header.base);
        self.filled +=
            self.file.read_segment_at(into, at).map_err(StorageError::of("read", &name))?;
        self.read_bytes = (self.read_bytes * 2).min(READ_BYTES_MAX);
        Ok(())
    }
}

/// What lies behind a bad frame in the same segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest {
    /// A good frame that was written when the offset at the mark was already durable.
    pub(crate) proof: Option<FrameAt>,
    /// End of the last byte that is not zero, or the mark's position if all are.
    pub(crate) dirty_end: u64,
}

/// A good frame found by searching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameAt {
    pub(crate) position: u64,
    pub(crate) header: FrameHeader,
}

/// Searches from `mark` to the end of the segment for a frame that proves that the offset at the
/// mark had been acknowledged.
pub(crate) fn search<R: Source>(cursor: &Cursor<R>) -> Result<Rest, StorageError> {
    let mark = cursor.mark;
    let proves = |frame: &FrameHeader| frame.durable_before > mark.offset;
    search_frames(&cursor.file, &cursor.header, mark.position, proves)
}

/// Searches from `from` on, in steps of the alignment, for the first good frame that is `wanted`.
/// Asks that before it computes a checksum, so that payloads full of frame starts cost little.
pub(crate) fn search_frames<R: Source>(
    file: &R,
    header: &SegmentHeader,
    from: u64,
    wanted: impl Fn(&FrameHeader) -> bool,
) -> Result<Rest, StorageError> {
    let name = file.file_name(header.base);
    let rest_bytes = header.capacity.saturating_sub(from) as usize;
    let mut window = vec![0; rest_bytes.min(READ_BYTES_MAX + FRAME_HEADER_BYTES)];
    let mut rest = Rest { proof: None, dirty_end: from };
    let mut position = from;
    while position < header.capacity {
        let n = window.len().min((header.capacity - position) as usize);
        let bytes = &mut window[..n];
        let n = file.read_segment_at(bytes, position).map_err(StorageError::of("read", &name))?;
        let bytes = &window[..n];
        if let Some(end) = last_nonzero(bytes) {
            rest.dirty_end = rest.dirty_end.max(position + end as u64);
            let starts = (0..n.min(READ_BYTES_MAX)).step_by(ALIGNMENT);
            for at in starts.filter(|at| starts_as_frame(&bytes[*at..])) {
                let place = position + at as u64;
                let found = FrameHeader::decode(&bytes[at..], place, header.capacity);
                let Some(frame) = found.ok().filter(&wanted) else { continue };
                if is_good(file, header, place, &frame)? {
                    rest.proof = Some(FrameAt { position: place, header: frame });
                    return Ok(rest);
                }
            }
        }
        position += READ_BYTES_MAX as u64;
    }
    Ok(rest)
}

fn is_good<R: Source>(
    file: &R,
    header: &SegmentHeader,
    position: u64,
    frame: &FrameHeader,
) -> Result<bool, StorageError> {
    let name = file.file_name(header.base);
    let mut bytes = vec![0; frame.frame_bytes() as usize];
    let n = file.read_segment_at(&mut bytes, position).map_err(StorageError::of("read", &name))?;
    Ok(n == bytes.len() && frame.check(&bytes, header.base, position).is_ok())
}

/// End of the last byte that is not zero. Compares blocks, since most of a segment is zeros.
fn last_nonzero(bytes: &[u8]) -> Option<usize> {
    let block = bytes.chunks(ZEROS.len()).rposition(|block| block != &ZEROS[..block.len()])?;
    let end = bytes.len().min((block + 1) * ZEROS.len());
    bytes[..end].iter().rposition(|byte| *byte != 0).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_must_fit_to_the_one_before_it() {
        let mark = Mark { position: 64, offset: 5, chain: 9, epoch: 3, time_us: 0 };
        let fits = FrameHeader {
            crc: 1,
            length: 4,
            count: 1,
            base_offset: 5,
            time_us: -1,
            epoch: 3,
            durable_before: 5,
            previous_crc: 9,
        };
        assert_eq!(mark.accepts(&fits), Ok(()));
        assert_eq!(mark.accepts(&FrameHeader { epoch: 4, ..fits }), Ok(()));
        let faults = [
            (FrameHeader { base_offset: 4, ..fits }, FrameFault::Offset(4)),
            (FrameHeader { base_offset: 6, ..fits }, FrameFault::Offset(6)),
            (FrameHeader { epoch: 2, ..fits }, FrameFault::Epoch(2)),
            (FrameHeader { previous_crc: 8, ..fits }, FrameFault::Chain),
        ];
        for (frame, fault) in faults {
            assert_eq!(mark.accepts(&frame), Err(fault));
            assert!(!fault.may_be_torn());
        }
    }
}
