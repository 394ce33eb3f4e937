//! The key index: which records carry a label, found without reading the log.
//!
//! A *label* is a hash that the caller computes from a record: of its key, its run, whatever is to
//! be asked for. So a stream of records is a label, and this file knows nothing of either. Sealed
//! segments have an index file each; the labels of the last segment are in memory, and now and then
//! in a file as well, so that a start need not gather all of them again. All are caches. Two things
//! with the same hash share a label: the caller looks at what it gets.
//!
//! Never: miss a record that is durable and carries the label, or read what is not durable.

mod fetch;
mod file;
mod layout;
mod postings;
mod tail;

use std::collections::BTreeMap;

use file::IndexFile;
use postings::Builder;

pub(crate) use layout::name as file_name;

use crate::error::ReadError;
use crate::format::SegmentHeader;
use crate::reader::LogReader;
use crate::scan::Mark;
use crate::segment;
use crate::storage::Storage;

/// Segments that are asked at once, after the newest, so that the disk is busy with all of them.
const SEGMENTS_AT_ONCE: usize = 16;
/// Index files that stay open within one question.
const OPENED_MAX: usize = 64;

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
    /// End of what the file of the tail's labels holds; `None` before it was looked for.
    kept: Option<Mark>,
    /// Header and its checksum of each segment: what never changes is read once.
    headers: BTreeMap<u64, (SegmentHeader, u32)>,
    /// The segment among them that had no frame yet, so that a larger one may take its place.
    unsettled: Option<u64>,
    /// Index files that hold, while a question is being answered.
    opened: BTreeMap<u64, IndexFile<S::File>>,
    scratch: Vec<u64>,
}

/// A segment that another one follows: base and end.
type Sealed = (u64, u64);

impl<S: Storage + Clone, L: Labeller> LabelIndex<S, L> {
    /// An index over the log in `storage`. Reads nothing but names yet.
    ///
    /// # Errors
    /// `NoLog` or `Storage`.
    pub fn new(storage: S, labeller: L) -> Result<Self, ReadError> {
        let base = segment::bases(&storage)?.last().copied().ok_or(ReadError::NoLog)?;
        Ok(Self {
            labeller,
            follower: LogReader::new(storage.clone()),
            fetcher: LogReader::new(storage.clone()),
            tail: Builder::new(base),
            kept: None,
            headers: BTreeMap::new(),
            unsettled: None,
            opened: BTreeMap::new(),
            scratch: Vec::new(),
            storage,
        })
    }

    /// Offset of the first record that is not indexed in memory or on disk yet.
    #[must_use]
    pub fn next_offset(&self) -> u64 {
        self.tail.next
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
        let found = self.find_known(label, from, until, keep);
        self.opened.clear();
        found
    }

    /// As [`Self::find`], and leaves index files open for whoever reads the records.
    fn find_known(
        &mut self,
        label: u64,
        from: u64,
        until: u64,
        keep: usize,
    ) -> Result<Vec<u64>, ReadError> {
        let within = |offset: &u64| (from..until).contains(offset);
        let tail: Vec<u64> = self.tail.offsets(label).filter(within).collect();
        let mut count = tail.len();
        let mut pieces = vec![tail];
        let sealed = self.sealed(from, until)?;
        let mut rest = &sealed[..];
        let mut at_once = 1;
        while count < keep && !rest.is_empty() {
            let (older, group) = rest.split_at(rest.len().saturating_sub(at_once));
            self.open_files(group, Some(label))?;
            for segment in group.iter().rev() {
                let mut piece = self.sealed_offsets(*segment, label)?;
                piece.retain(within);
                if piece.is_empty() || self.opened.len() > OPENED_MAX {
                    self.opened.remove(&segment.0);
                }
                count += piece.len();
                pieces.push(piece);
            }
            (rest, at_once) = (older, SEGMENTS_AT_ONCE);
        }
        pieces.reverse();
        let mut found = pieces.concat();
        found.drain(..found.len().saturating_sub(keep));
        Ok(found)
    }

    /// The first offset in `from..until` of a record that carries `label`, which lets a reader skip
    /// what does not. `until` must be durable.
    ///
    /// # Errors
    /// [`ReadError`]; `Gone` if `from` lies before the beginning of the log.
    pub fn first(&mut self, label: u64, from: u64, until: u64) -> Result<Option<u64>, ReadError> {
        self.catch_up(until)?;
        let found = self.first_known(label, from, until);
        self.opened.clear();
        found
    }

    fn first_known(&mut self, label: u64, from: u64, until: u64) -> Result<Option<u64>, ReadError> {
        let within = |offset: &u64| (from..until).contains(offset);
        let mut at_once = 1;
        let sealed = self.sealed(from, until)?;
        let mut rest = &sealed[..];
        while !rest.is_empty() {
            let (group, later) = rest.split_at(at_once.min(rest.len()));
            self.opened.clear();
            self.open_files(group, Some(label))?;
            for segment in group {
                let found = self.sealed_offsets(*segment, label)?.into_iter().find(within);
                if found.is_some() {
                    return Ok(found);
                }
            }
            (rest, at_once) = (later, SEGMENTS_AT_ONCE);
        }
        // Looked at last, so that nothing was dropped that was not looked at.
        match segment::bases(&self.storage)?.first() {
            Some(first) if from < *first => Err(ReadError::Gone { from, first: *first }),
            _ => Ok(self.tail.offsets(label).find(within)),
        }
    }

    /// How many records in `from..until` carry `label`. `until` must be durable.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn count(&mut self, label: u64, from: u64, until: u64) -> Result<u64, ReadError> {
        self.catch_up(until)?;
        let counted = self.count_known(label, from, until);
        self.opened.clear();
        counted
    }

    fn count_known(&mut self, label: u64, from: u64, until: u64) -> Result<u64, ReadError> {
        let within = |offset: &u64| (from..until).contains(offset);
        let mut count = self.tail.offsets(label).filter(within).count() as u64;
        for group in self.sealed(from, until)?.chunks(SEGMENTS_AT_ONCE) {
            self.open_files(group, Some(label))?;
            for (base, end) in group {
                let whole = from <= *base && *end <= until;
                let file = self.opened.get(base).filter(|_| whole);
                count += match file.and_then(|file| file.count(label)) {
                    Some(known) => known,
                    None => {
                        let offsets = self.sealed_offsets((*base, *end), label)?;
                        offsets.iter().filter(|offset| within(offset)).count() as u64
                    }
                };
            }
            self.opened.clear();
        }
        Ok(count)
    }

    /// The sealed segments, the tail has left them, that hold any of `from..until`.
    fn sealed(&mut self, from: u64, until: u64) -> Result<Vec<Sealed>, ReadError> {
        self.list()?;
        let bases: Vec<u64> = self.headers.keys().copied().collect();
        let pairs = bases.windows(2).map(|pair| (pair[0], pair[1]));
        let wanted = |(base, end): &Sealed| *base < self.tail.base && *base < until && *end > from;
        Ok(pairs.filter(wanted).collect())
    }

    /// Brings what is known of segments up to date.
    fn list(&mut self) -> Result<(), ReadError> {
        let bases = segment::bases(&self.storage)?;
        let unsettled = self.unsettled.take();
        self.headers
            .retain(|base, _| bases.binary_search(base).is_ok() && Some(*base) != unsettled);
        for base in &bases {
            if !self.headers.contains_key(base) {
                match segment::open(&self.storage, *base) {
                    Ok(opened) => {
                        self.headers.insert(*base, (opened.header, opened.crc));
                    }
                    Err(_) if self.is_dropped(*base)? => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let has_frames = |base: &u64| *base == self.tail.base && self.tail.end.is_some();
        self.unsettled = bases.last().copied().filter(|base| !has_frames(base));
        Ok(())
    }

    /// Checksum of the last frame before the segment at `base`.
    fn chain_before(&self, base: u64) -> Option<u32> {
        self.headers.get(&base).map(|(header, _)| header.previous_crc)
    }

    /// Opens the index files of some segments, as far as they hold, and lets the system fetch what
    /// is needed for a label.
    fn open_files(&mut self, segments: &[Sealed], label: Option<u64>) -> Result<(), ReadError> {
        let missing = segments.iter().filter(|(base, _)| !self.opened.contains_key(base));
        let begun: Vec<_> =
            missing.map(|segment| (*segment, file::begin(&self.storage, segment.0))).collect();
        let mut opened = Vec::new();
        for ((base, end), file) in begun {
            let file = file.and_then(|file| IndexFile::open(file, base));
            let fits = |file: &IndexFile<S::File>| {
                file.header.end == end
                    && file.header.labelling == L::VERSION
                    && Some(file.header.chain) == self.chain_before(end)
            };
            if let Some(file) = file.filter(fits) {
                label.into_iter().for_each(|label| file.prefetch_entry(label));
                opened.push((base, file));
            }
        }
        for (_, file) in &opened {
            label.into_iter().for_each(|label| file.prefetch_offsets(label));
        }
        self.opened.extend(opened);
        Ok(())
    }

    fn sealed_offsets(&mut self, (base, end): Sealed, label: u64) -> Result<Vec<u64>, ReadError> {
        if let Some(found) = self.opened.get(&base).and_then(|file| file.offsets(label)) {
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
        self.opened.remove(&base);
        let mut reader = LogReader::new(self.storage.clone());
        let mut builder = Builder::new(base);
        let mut batches = reader.read(base, end)?;
        while let Some(batch) = batches.next_batch()? {
            builder.take(&batch, &mut self.labeller, &mut self.scratch);
        }
        if let Some(header) = builder.header(L::VERSION) {
            let _ = layout::install(&self.storage, &builder, header);
        }
        Ok(builder)
    }
}
