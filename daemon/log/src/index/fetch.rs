//! From offsets and times to records: each is read from the nearest place known before it.
//!
//! Never: hand out a record whose frame does not fit to that place.

use super::{LabelIndex, Labeller, OPENED_MAX, Sealed};
use crate::error::ReadError;
use crate::reader::{Place, Record};
use crate::scan::{Mark, READ_BYTES_MIN};
use crate::segment;
use crate::storage::{Access, Storage, StorageFile};

impl<S: Storage + Clone, L: Labeller> LabelIndex<S, L> {
    /// What `visit` makes of the newest `keep` records in `from..until` that carry `label`, the
    /// oldest of them first. `until` must be durable.
    ///
    /// # Errors
    /// [`ReadError`]; `Gone` never: what retention has dropped is not found.
    pub fn newest<T>(
        &mut self,
        label: u64,
        from: u64,
        until: u64,
        keep: usize,
        mut visit: impl FnMut(Record<'_>) -> Option<T>,
    ) -> Result<Vec<T>, ReadError> {
        self.catch_up(until)?;
        let offsets = self.find_known(label, from, until, keep);
        let found = offsets.and_then(|offsets| {
            let mut found = Vec::with_capacity(offsets.len());
            for offsets in offsets.chunks(OPENED_MAX) {
                self.prefetch(offsets)?;
                for offset in offsets {
                    found.extend(self.read_one(*offset, &mut visit)?.flatten());
                }
            }
            Ok(found)
        });
        self.opened.clear();
        found
    }

    /// Reads the record at `offset`, which must be durable; none if it was dropped.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn fetch<T>(
        &mut self,
        offset: u64,
        visit: impl FnOnce(Record<'_>) -> T,
    ) -> Result<Option<T>, ReadError> {
        self.list()?;
        let read = self.read_one(offset, visit);
        self.opened.clear();
        read
    }

    /// The first offset whose batch has a time of `time_us` or later, at most `until`, which must
    /// be durable. Times that the caller gave must never go back along the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn offset_at(&mut self, time_us: i64, until: u64) -> Result<u64, ReadError> {
        self.list()?;
        let headers: Vec<_> = self.headers.values().map(|(header, _)| header).collect();
        // The first segment that ends at or after the time: the header of the next one tells.
        let after = headers.get(1..).unwrap_or_default();
        let at = after.partition_point(|header| header.previous_time_us < time_us);
        let base = headers.get(at).ok_or(ReadError::NoLog)?.base;
        let place = self.place(base, |_, time| time < time_us)?;
        self.opened.clear();
        let from = place.mark.map_or(base, |mark| mark.offset);
        let mut batches = self.fetcher.read_from(place, from, until)?;
        while let Some(batch) = batches.next_batch()? {
            if batch.time_us() >= time_us {
                return Ok(batch.base_offset());
            }
        }
        Ok(until)
    }

    fn read_one<T>(
        &mut self,
        offset: u64,
        visit: impl FnOnce(Record<'_>) -> T,
    ) -> Result<Option<T>, ReadError> {
        match self.try_read_one(offset, visit) {
            Err(ReadError::Gone { .. }) => Ok(None),
            read => read,
        }
    }

    fn try_read_one<T>(
        &mut self,
        offset: u64,
        visit: impl FnOnce(Record<'_>) -> T,
    ) -> Result<Option<T>, ReadError> {
        let place = self.place(offset, |known, _| known <= offset)?;
        let mut batches = self.fetcher.read_from(place, offset, offset + 1)?;
        let Some(batch) = batches.next_batch()? else { return Ok(None) };
        Ok(batch.records().next().map(visit))
    }

    /// Lets the system fetch what is read of sealed segments for some records, ascending.
    fn prefetch(&mut self, offsets: &[u64]) -> Result<(), ReadError> {
        let hits: Vec<(u64, Sealed)> = offsets
            .iter()
            .filter_map(|offset| Some((*offset, self.sealed_around(*offset)?)))
            .collect();
        let mut segments: Vec<Sealed> = hits.iter().map(|(_, segment)| *segment).collect();
        segments.dedup();
        self.open_files(&segments, None)?;
        for (offset, (base, _)) in &hits {
            if let Some(file) = self.opened.get(base) {
                file.prefetch_place(|known, _| known <= *offset);
            }
        }
        let mut begun: Option<(u64, S::File)> = None;
        let mut before = None;
        for (offset, (base, _)) in &hits {
            let Some(file) = self.opened.get(base) else { continue };
            let mark = file.last_place(|known, _| known <= *offset).flatten();
            let place = (*base, mark.map(|mark| mark.position));
            if before.replace(place) == Some(place) {
                continue;
            }
            if begun.as_ref().is_none_or(|(begun, _)| begun != base) {
                let opened = self.storage.open(&segment::name(*base), Access::Read);
                begun = opened.ok().map(|file| (*base, file));
            }
            if let Some((_, file)) = &begun {
                file.prefetch(place.1.unwrap_or(0), READ_BYTES_MIN as u64);
            }
        }
        Ok(())
    }

    /// The sealed segment that holds `offset`.
    fn sealed_around(&self, offset: u64) -> Option<Sealed> {
        let (base, _) = self.headers.range(..=offset).next_back()?;
        let (end, _) = self.headers.range(offset + 1..).next()?;
        (*base < self.tail.base).then_some((*base, *end))
    }

    /// The last place known of which `is_before` holds in the segment that holds `offset`.
    fn place(
        &mut self,
        offset: u64,
        is_before: impl Fn(u64, i64) -> bool,
    ) -> Result<Place, ReadError> {
        let around = self.headers.range(..=offset).next_back();
        let Some((_, (header, crc))) = around.map(|(base, header)| (*base, *header)) else {
            let first = self.headers.keys().next().copied().ok_or(ReadError::NoLog)?;
            return Err(ReadError::Gone { from: offset, first });
        };
        let sealed = self.sealed_around(offset);
        let mark: Option<Mark> = match sealed {
            Some(segment) => {
                self.open_files(&[segment], None)?;
                let file = self.opened.get(&segment.0);
                file.and_then(|file| file.last_place(is_before)).flatten()
            }
            None if header.base == self.tail.base => {
                self.tail.last_place(|mark| is_before(mark.offset, mark.time_us))
            }
            None => None,
        };
        Ok(Place { header, crc, mark, is_sealed: sealed.is_some() })
    }
}
