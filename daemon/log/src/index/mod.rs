//! The key index: which records carry a label, found without reading the log.
//!
//! A *label* is a hash that the caller computes from a record: of its key, its run, whatever is to
//! be asked for. So a stream of records is a label, and this file knows nothing of either. Sealed
//! segments have an index file each; the labels of the last segment are in memory. Both are caches.
//! Two things with the same hash share a label: the caller looks at what it gets.
//!
//! Never: miss a record that is durable and carries the label, or read what is not durable.

mod file;
mod postings;

use file::IndexFile;
use postings::Builder;

pub(crate) use file::name as file_name;

use crate::error::ReadError;
use crate::reader::{LogReader, Record};
use crate::scan::Mark;
use crate::segment;
use crate::storage::Storage;

/// Gives the labels of a record.
pub trait Labeller: Send {
    /// Changes whenever the labels of any record do; older index files are then made again.
    const VERSION: u32;

    /// Appends the labels of the record with this payload.
    fn labels(&mut self, payload: &[u8], out: &mut Vec<u64>);
}

/// The index over one log.
#[derive(Debug)]
pub struct LabelIndex<S: Storage, L> {
    storage: S,
    labeller: L,
    /// Follows the end of the log.
    follower: LogReader<S>,
    /// Reads single records anywhere.
    fetcher: LogReader<S>,
    tail: Builder,
    scratch: Vec<u64>,
}

impl<S: Storage + Clone, L: Labeller> LabelIndex<S, L> {
    /// An index over the log in `storage`. Reads nothing but names yet.
    ///
    /// # Errors
    /// `NoLog` or `Storage`.
    pub fn new(storage: S, labeller: L) -> Result<Self, ReadError> {
        let base = segment::bases(&storage)?.last().copied().ok_or(ReadError::NoLog)?;
        let follower = LogReader::new(storage.clone());
        let fetcher = LogReader::new(storage.clone());
        let tail = Builder::new(base);
        Ok(Self { storage, labeller, follower, fetcher, tail, scratch: Vec::new() })
    }

    /// Offset of the first record that is not indexed in memory or on disk yet.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.tail.next
    }

    /// Takes in the records up to `until`, which must be durable. Writes the index of each segment
    /// that the log has left behind; if that fails the segment stays without one for now.
    ///
    /// # Errors
    /// [`ReadError`]; what was taken in before stays good.
    pub fn catch_up(&mut self, until: u64) -> Result<(), ReadError> {
        let Self { storage, labeller, follower, tail, scratch, .. } = self;
        let from = tail.next;
        let mut sealed = Vec::new();
        let mut batches = match follower.read(from, until) {
            Err(ReadError::Gone { first, .. }) => return self.begin_at(first, until),
            batches => batches?,
        };
        loop {
            let batch = match batches.next_batch() {
                Err(ReadError::Gone { first, .. }) => return self.begin_at(first, until),
                batch => batch?,
            };
            let Some(batch) = batch else { break };
            let (base, _) = batch.place();
            if base != tail.base {
                sealed.push(std::mem::replace(tail, Builder::new(base)));
            }
            for record in batch.records() {
                scratch.clear();
                labeller.labels(record.payload, scratch);
                tail.add(record.offset, scratch);
            }
            if !sealed.is_empty() {
                // Written at once, so that a long catching up holds few of them.
                break;
            }
        }
        if sealed.is_empty() {
            return Ok(());
        }
        for builder in sealed {
            let marks = follower.marks(builder.base);
            let chain = chain_before(storage, builder.next)?;
            let _ = file::install(storage, &builder, &marks, builder.header(L::VERSION, chain));
        }
        self.catch_up(until)
    }

    /// Retention was faster than the index: what it had is not in the log any more.
    fn begin_at(&mut self, first: u64, until: u64) -> Result<(), ReadError> {
        self.tail = Builder::new(first);
        self.catch_up(until)
    }

    /// The newest `keep` offsets, ascending, of records in `from..until` that carry `label`.
    /// `until` must be durable.
    ///
    /// # Errors
    /// [`ReadError`]; `Gone` never: what retention has dropped is not found.
    pub fn find(
        &mut self,
        label: u64,
        from: u64,
        until: u64,
        keep: usize,
    ) -> Result<Vec<u64>, ReadError> {
        self.catch_up(until)?;
        let within = |offset: &u64| (from..until).contains(offset);
        let mut found: Vec<u64> = self.tail.offsets(label).filter(within).collect();
        let mut pieces = Vec::new();
        let mut count = found.len();
        for (base, end) in self.sealed()?.into_iter().rev() {
            if count >= keep || end <= from {
                break;
            }
            if base >= until {
                continue;
            }
            let mut piece = self.sealed_offsets(base, end, label)?;
            piece.retain(within);
            count += piece.len();
            pieces.push(piece);
        }
        pieces.reverse();
        let tail = std::mem::take(&mut found);
        found = pieces.concat();
        found.extend(tail);
        found.drain(..found.len().saturating_sub(keep));
        Ok(found)
    }

    /// How many records in `from..until` carry `label`. `until` must be durable.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn count(&mut self, label: u64, from: u64, until: u64) -> Result<u64, ReadError> {
        self.catch_up(until)?;
        let within = |offset: &u64| (from..until).contains(offset);
        let mut count = self.tail.offsets(label).filter(within).count() as u64;
        for (base, end) in self.sealed()?.into_iter().rev() {
            if end <= from || base >= until {
                continue;
            }
            let whole = from <= base && end <= until;
            let known = whole.then(|| self.valid_file(base, end)?.count(label)).flatten();
            count += match known {
                Some(known) => known,
                None => {
                    let offsets = self.sealed_offsets(base, end, label)?;
                    offsets.iter().filter(|offset| within(offset)).count() as u64
                }
            };
        }
        Ok(count)
    }

    /// Reads the record at `offset`, which must be durable; none if it was dropped.
    ///
    /// # Errors
    /// [`ReadError`], or what `visit` returns.
    pub fn fetch<T>(
        &mut self,
        offset: u64,
        visit: impl FnOnce(Record<'_>) -> T,
    ) -> Result<Option<T>, ReadError> {
        self.teach(offset)?;
        let mut batches = match self.fetcher.read(offset, offset + 1) {
            Err(ReadError::Gone { .. }) => return Ok(None),
            batches => batches?,
        };
        let Some(batch) = batches.next_batch()? else { return Ok(None) };
        Ok(batch.records().next().map(visit))
    }

    /// The first offset whose batch has a time of `time_us` or later, at most `until`, which must
    /// be durable. Times that the caller gave must never go back along the log.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn offset_at(&mut self, time_us: i64, until: u64) -> Result<u64, ReadError> {
        let bases = segment::bases(&self.storage)?;
        let mut at = 0;
        let mut end = bases.len().saturating_sub(1);
        // The first segment that ends at or after the time: the header of the next one tells.
        while at < end {
            let middle = usize::midpoint(at, end);
            let next = segment::open(&self.storage, bases[middle + 1])?;
            if next.header.previous_time_us >= time_us { end = middle } else { at = middle + 1 }
        }
        let base = bases.get(at).copied().ok_or(ReadError::NoLog)?;
        self.teach(base)?;
        let marks = self.fetcher.marks(base);
        let earlier = marks.partition_point(|mark| mark.time_us < time_us).checked_sub(1);
        let from = earlier.map_or(base, |at| marks[at].offset);
        let mut batches = self.fetcher.read(from, until)?;
        while let Some(batch) = batches.next_batch()? {
            if batch.time_us() >= time_us {
                return Ok(batch.base_offset());
            }
        }
        Ok(until)
    }

    /// Base and end of each segment that another one follows, and that the tail has left.
    fn sealed(&self) -> Result<Vec<(u64, u64)>, ReadError> {
        let bases = segment::bases(&self.storage)?;
        let pairs = bases.windows(2).map(|pair| (pair[0], pair[1]));
        Ok(pairs.filter(|(base, _)| *base < self.tail.base).collect())
    }

    /// The index file of a sealed segment, if there is one that fits to it.
    fn valid_file(&self, base: u64, end: u64) -> Option<IndexFile<S::File>> {
        let file = IndexFile::open(&self.storage, base)?;
        let next = segment::open(&self.storage, end).ok()?;
        let fits = file.header.end == end
            && file.header.labelling == L::VERSION
            && file.header.chain == next.header.previous_crc;
        fits.then_some(file)
    }

    fn sealed_offsets(&mut self, base: u64, end: u64, label: u64) -> Result<Vec<u64>, ReadError> {
        if let Some(found) = self.valid_file(base, end).and_then(|file| file.offsets(label)) {
            return Ok(found);
        }
        match self.rebuild(base, end) {
            Ok(builder) => Ok(builder.offsets(label).collect()),
            Err(_) if self.is_dropped(base)? => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn is_dropped(&self, base: u64) -> Result<bool, ReadError> {
        Ok(segment::bases(&self.storage)?.first().is_none_or(|first| base < *first))
    }

    /// Makes the index of a sealed segment again.
    fn rebuild(&mut self, base: u64, end: u64) -> Result<Builder, ReadError> {
        let mut reader = LogReader::new(self.storage.clone());
        let mut builder = Builder::new(base);
        let mut batches = reader.read(base, end)?;
        while let Some(batch) = batches.next_batch()? {
            for record in batch.records() {
                self.scratch.clear();
                self.labeller.labels(record.payload, &mut self.scratch);
                builder.add(record.offset, &self.scratch);
            }
        }
        let chain = chain_before(&self.storage, end)?;
        let header = builder.header(L::VERSION, chain);
        let _ = file::install(&self.storage, &builder, &reader.marks(base), header);
        Ok(builder)
    }

    /// Lets the fetcher know places in the segment that holds `offset`.
    fn teach(&mut self, offset: u64) -> Result<(), ReadError> {
        if offset >= self.tail.base {
            let marks = self.follower.marks(self.tail.base);
            self.fetcher.learn(self.tail.base, &marks)?;
            return Ok(());
        }
        let bases = segment::bases(&self.storage)?;
        let at = bases.partition_point(|base| *base <= offset);
        let (Some(base), Some(end)) = (at.checked_sub(1).map(|at| bases[at]), bases.get(at)) else {
            return Ok(());
        };
        if self.fetcher.marks(base).is_empty()
            && let Some(file) = self.valid_file(base, *end)
        {
            let marks: Vec<Mark> = file.marks().collect();
            self.fetcher.learn(base, &marks)?;
        }
        Ok(())
    }
}

/// Checksum of the last frame before the segment at `base`.
fn chain_before<S: Storage>(storage: &S, base: u64) -> Result<u32, ReadError> {
    Ok(segment::open(storage, base)?.header.previous_crc)
}
