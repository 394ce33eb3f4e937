//! Reading records by offset, beside a writer that goes on.
//!
//! Never: read at or behind the end that the caller gives, which must be durable, or hand out a
//! record whose frame does not hold. Payloads are borrowed from one buffer; nothing is allocated
//! per record.

use std::io;

use crate::error::{DamageReason, ReadError};
use crate::format::{FrameFault, Records, SegmentHeader};
use crate::scan::{Cursor, Mark, Span, Step};
use crate::segment::{self, Opened, SegmentFile};
use crate::storage::Storage;

/// Distance of the places remembered within a segment, in bytes.
const INDEX_STEP: u64 = 64 << 10;

/// Reads one log. Cheap to make: opens a file only when it reads.
#[derive(Debug)]
pub struct LogReader<S: Storage> {
    storage: S,
    /// Base offsets of the segments known so far, ascending, with places in them.
    segments: Vec<Places>,
    cursor: Option<Cursor<SegmentFile<S::File>>>,
    /// Whether what the cursor has read can never change.
    is_settled: bool,
}

/// Where to begin in a segment whose header was read before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) header: SegmentHeader,
    /// Checksum of the header.
    pub(crate) crc: u32,
    /// The place; none for the segment's beginning.
    pub(crate) mark: Option<Mark>,
    /// Whether another segment follows it, so that it never changes.
    pub(crate) is_sealed: bool,
}

/// Some places between frames of one segment, ascending.
#[derive(Debug)]
struct Places {
    base: u64,
    marks: Vec<Mark>,
}

impl<S: Storage> LogReader<S> {
    /// A reader over the segments in `storage`.
    #[must_use]
    pub fn new(storage: S) -> Self {
        Self { storage, segments: Vec::new(), cursor: None, is_settled: false }
    }

    /// Offset of the first record that has not been dropped.
    ///
    /// # Errors
    /// `NoLog` or `Storage`.
    pub fn first_offset(&mut self) -> Result<u64, ReadError> {
        self.list()?;
        self.segments.first().map(|places| places.base).ok_or(ReadError::NoLog)
    }

    /// The batches that hold the records `from..until`. `until` must be durable: an end told by
    /// the writer, or [`crate::Recovered::next_offset`]. Nothing is read if `from >= until`.
    ///
    /// # Errors
    /// [`ReadError`], here or from [`Batches::next_batch`].
    pub fn read(&mut self, from: u64, until: u64) -> Result<Batches<'_, S>, ReadError> {
        if from < until {
            self.seek(from)?;
        }
        Ok(Batches { reader: self, from, until })
    }

    /// Puts the cursor at the last known place at or before `from`.
    fn seek(&mut self, from: u64) -> Result<(), ReadError> {
        self.is_settled = false;
        if let Some(cursor) = self.cursor.as_mut().filter(|cursor| cursor.mark.offset == from) {
            // The common case: someone follows the log. What lay behind the last end is stale.
            cursor.jump(cursor.mark);
            return Ok(());
        }
        if !self.cursor_covers(from) {
            // Retention may have dropped the first, and a later one may fit.
            self.list()?;
        }
        let at = self.segments.partition_point(|places| places.base <= from);
        let Some(places) = at.checked_sub(1).and_then(|at| self.segments.get(at)) else {
            let first = self.segments.first().ok_or(ReadError::NoLog)?.base;
            return Err(ReadError::Gone { from, first });
        };
        let known = places.marks.partition_point(|mark| mark.offset <= from).checked_sub(1);
        let mark = known.map(|at| places.marks[at]);
        if !self.cursor_covers(from) || mark.is_none() {
            let base = places.base;
            self.enter(base).map_err(|error| self.explain(error, from))?;
        }
        if let (Some(cursor), Some(mark)) = (self.cursor.as_mut(), mark) {
            cursor.jump(mark);
        }
        Ok(())
    }

    /// Whether `from` lies in the segment that is open, and another one follows that.
    fn cursor_covers(&self, from: u64) -> bool {
        let Some(base) = self.cursor.as_ref().map(|cursor| cursor.header.base) else {
            return false;
        };
        let after = self.segments.partition_point(|places| places.base <= from);
        let before = after.checked_sub(1).and_then(|at| self.segments.get(at));
        after < self.segments.len() && before.is_some_and(|places| places.base == base)
    }

    /// As [`Self::read`], from a place that somebody else knows: nothing is looked up.
    pub(crate) fn read_from(
        &mut self,
        place: Place,
        from: u64,
        until: u64,
    ) -> Result<Batches<'_, S>, ReadError> {
        let Place { header, crc, mark, is_sealed } = place;
        let mark = mark.unwrap_or_else(|| Mark::start(&header, crc));
        // An empty segment may have been replaced by a larger one.
        if self.cursor.as_ref().is_none_or(|cursor| cursor.header != header) {
            let file = match segment::open_file(&self.storage, header.base) {
                Ok(file) => file,
                Err(error) => return Err(self.explain(error.into(), from)),
            };
            let buffer = self.cursor.take().map(Cursor::into_buffer).unwrap_or_default();
            self.cursor = Some(Cursor::with_buffer(Opened { file, header, crc }, buffer));
            self.is_settled = false;
        }
        if let Some(cursor) = self.cursor.as_mut() {
            // What was read of a sealed segment stays true, so going on saves reading it again.
            let is_between = (mark.offset..=from).contains(&cursor.mark.offset);
            if !self.is_settled || !is_between {
                cursor.jump(mark);
            }
        }
        self.is_settled = is_sealed;
        Ok(Batches { reader: self, from, until })
    }

    fn list(&mut self) -> Result<(), ReadError> {
        let bases = segment::bases(&self.storage)?;
        self.segments.retain(|places| bases.binary_search(&places.base).is_ok());
        for base in bases {
            if let Err(at) = self.segments.binary_search_by_key(&base, |places| places.base) {
                self.segments.insert(at, Places { base, marks: Vec::new() });
            }
        }
        Ok(())
    }

    fn enter(&mut self, base: u64) -> Result<(), ReadError> {
        self.is_settled = false;
        let buffer = self.cursor.take().map(Cursor::into_buffer).unwrap_or_default();
        let opened = segment::open(&self.storage, base)?;
        self.cursor = Some(Cursor::with_buffer(opened, buffer));
        Ok(())
    }

    /// A segment that is not there any more was dropped between two looks.
    fn explain(&mut self, error: ReadError, from: u64) -> ReadError {
        if !matches!(&error, ReadError::Storage(e) if e.source.kind() == io::ErrorKind::NotFound) {
            return error;
        }
        match self.first_offset() {
            Ok(first) if from < first => ReadError::Gone { from, first },
            _ => error,
        }
    }

    /// Goes on where the current segment stopped: in the next one, if it starts there.
    fn advance(&mut self, fault: FrameFault) -> Result<(), ReadError> {
        let Some(cursor) = self.cursor.take() else { return Err(ReadError::NoLog) };
        let mark = cursor.mark;
        let damage = |reason| Err(cursor.damage(reason).into());
        if !fault.may_be_torn() || mark.offset == cursor.header.base {
            return damage(DamageReason::Frame(fault));
        }
        let known = |reader: &Self| {
            reader.segments.binary_search_by_key(&mark.offset, |places| places.base).is_ok()
        };
        if !known(self) {
            self.list()?;
        }
        if !known(self) {
            let first = self.segments.first().map_or(0, |places| places.base);
            if mark.offset < first {
                // Dropped while the file before was still open.
                return Err(ReadError::Gone { from: mark.offset, first });
            }
            return damage(DamageReason::Frame(fault));
        }
        let (previous_base, previous_crc) = (cursor.header.base, mark.chain);
        self.cursor = Some(cursor);
        self.enter(mark.offset).map_err(|error| self.explain(error, mark.offset))?;
        let Some(cursor) = &self.cursor else { return Err(ReadError::NoLog) };
        let header = &cursor.header;
        if (header.previous_base, header.previous_crc) != (previous_base, previous_crc) {
            return Err(cursor.damage(DamageReason::Link).into());
        }
        Ok(())
    }

    /// Remembers a place now and then, so that a later `seek` need not start at the segment's
    /// beginning.
    fn remember(&mut self, base: u64, mark: Mark) {
        let found = self.segments.binary_search_by_key(&base, |places| places.base);
        let Ok(at) = found else { return };
        let marks = &mut self.segments[at].marks;
        if mark.position >= marks.last().map_or(0, |last| last.position) + INDEX_STEP {
            marks.push(mark);
        }
    }
}

/// The batches of a range of offsets, one after the other.
#[derive(Debug)]
pub struct Batches<'r, S: Storage> {
    reader: &'r mut LogReader<S>,
    from: u64,
    until: u64,
}

impl<S: Storage> Batches<'_, S> {
    /// The next batch, or `None` when the range is done. It borrows the reader's buffer, so it
    /// must be let go before the next call.
    ///
    /// # Errors
    /// [`ReadError`]; the range cannot be continued.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, ReadError> {
        if self.from >= self.until {
            return Ok(None);
        }
        let span = self.next_span()?;
        let Some(cursor) = &self.reader.cursor else { return Err(ReadError::NoLog) };
        let records = cursor.records(&span);
        let (from, until) = (self.from, self.until);
        self.from = span.header.end();
        Ok(Some(Batch { span, segment: cursor.header.base, records, from, until }))
    }

    /// Calls `visit` for each record that is left.
    ///
    /// # Errors
    /// The first [`ReadError`], or what `visit` returns.
    pub fn for_each<E: From<ReadError>>(
        mut self,
        mut visit: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(batch) = self.next_batch()? {
            for record in batch.records() {
                visit(record)?;
            }
        }
        Ok(())
    }

    fn next_span(&mut self) -> Result<Span, ReadError> {
        loop {
            let Some(cursor) = self.reader.cursor.as_mut() else { return Err(ReadError::NoLog) };
            match cursor.step() {
                Ok(Step::Frame(span)) => {
                    let (base, mark) = (cursor.header.base, cursor.mark);
                    self.reader.remember(base, mark);
                    if span.header.end() > self.from {
                        return Ok(span);
                    }
                }
                Ok(Step::Stop(fault)) => self.reader.advance(fault)?,
                Err(error) => {
                    self.reader.cursor = None;
                    return Err(error.into());
                }
            }
        }
    }
}

/// The records of one frame, as far as they lie in the range.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    span: Span,
    segment: u64,
    records: &'a [u8],
    from: u64,
    until: u64,
}

impl<'a> Batch<'a> {
    /// Offset of the frame's first record, which may lie before the range.
    #[must_use]
    pub fn base_offset(&self) -> u64 {
        self.span.header.base_offset
    }

    /// Offset after the frame's last record, which may lie behind the range.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.span.header.end()
    }

    /// The time given when it was built, in microseconds.
    #[must_use]
    pub fn time_us(&self) -> i64 {
        self.span.header.time_us
    }

    /// The epoch given when it was built.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.span.header.epoch
    }

    /// All offsets below this were durable when the frame was written.
    #[must_use]
    pub fn durable_before(&self) -> u64 {
        self.span.header.durable_before
    }

    /// Checksum of the frame, which covers its place and, through the chain, all frames before it.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        self.span.header.crc
    }

    /// The place behind the frame, and what the next one must fit to.
    pub(crate) fn after(&self) -> Mark {
        self.span.after()
    }

    /// Where the frame stands: base offset of the segment, position in its file in bytes.
    #[must_use]
    pub fn place(&self) -> (u64, u64) {
        (self.segment, self.span.position)
    }

    /// The records that lie in the range, in order.
    pub fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let (from, until) = (self.from, self.until);
        let (time_us, epoch) = (self.time_us(), self.epoch());
        (self.base_offset()..)
            .zip(Records::new(self.records))
            .skip_while(move |(offset, _)| *offset < from)
            .take_while(move |(offset, _)| *offset < until)
            .map(move |(offset, payload)| Record { offset, payload, time_us, epoch })
    }
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its position in the log, counted from 0.
    pub offset: u64,
    /// The bytes that were given.
    pub payload: &'a [u8],
    /// Time of its batch, in microseconds.
    pub time_us: i64,
    /// Epoch of its batch.
    pub epoch: u64,
}
