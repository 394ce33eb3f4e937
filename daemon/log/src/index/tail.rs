//! Following the end of the log: the labels of the last segment, and the file of each that is left.
//!
//! Never: write a file of labels that are not those of durable records.

use super::file::{self, IndexFile};
use super::postings::Builder;
use super::{LabelIndex, Labeller, layout};
use crate::error::ReadError;
use crate::reader::Place;
use crate::storage::Storage;

/// The labels of the last segment are written when it has grown by this part of its capacity: so
/// much of it a start has to read again.
const KEPT_PARTS: u64 = 8;

impl<S: Storage + Clone, L: Labeller> LabelIndex<S, L> {
    /// Takes in the records up to `until`, which must be durable. Writes the index of each segment
    /// that the log has left behind, and now and then that of the last one; if that fails the
    /// segment stays without one for now.
    ///
    /// # Errors
    /// [`ReadError`]; what was taken in before stays good.
    pub fn catch_up(&mut self, until: u64) -> Result<(), ReadError> {
        if self.tail.next == self.tail.base && self.tail.next < until {
            self.resume(until);
        }
        loop {
            match self.advance(until) {
                // Written at once, so that a long catching up holds few of them.
                Ok(Some(left)) => self.write(&left),
                Ok(None) => return self.keep_tail(),
                Err(ReadError::Gone { first, .. }) => {
                    // Retention was faster than the index: what it had is not in the log any more.
                    self.tail = Builder::new(first);
                    self.kept = None;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on up to `until`, or to the first batch of another segment: then gives the labels of
    /// the one before.
    fn advance(&mut self, until: u64) -> Result<Option<Builder>, ReadError> {
        let Self { labeller, follower, tail, scratch, kept, .. } = self;
        let mut batches = follower.read(tail.next, until)?;
        while let Some(batch) = batches.next_batch()? {
            let (base, _) = batch.place();
            let left = (base != tail.base).then(|| std::mem::replace(tail, Builder::new(base)));
            tail.take(&batch, labeller, scratch);
            if left.is_some() {
                *kept = None;
                return Ok(left);
            }
        }
        Ok(None)
    }

    /// Takes the labels of the last segment from its file, if that fits to what the log holds.
    fn resume(&mut self, until: u64) {
        if let Some(tail) = self.read_kept(until) {
            self.kept = tail.end;
            self.tail = tail;
        }
    }

    fn read_kept(&mut self, until: u64) -> Option<Builder> {
        let base = self.tail.base;
        let file = IndexFile::open(file::begin(&self.storage, base)?, base)?;
        let end = file.header.end;
        if file.header.labelling != L::VERSION || end > until || end <= base {
            return None;
        }
        let chain = file.header.chain;
        let mut builder = file.into_builder()?;
        self.list().ok()?;
        let (header, crc) = *self.headers.get(&base)?;
        let mark = builder.last_place(|mark| mark.offset < end);
        let place = Place { header, crc, mark, is_sealed: false };
        // The follower stands at the end then, and goes on from there.
        let mut batches = self.follower.read_from(place, end - 1, end).ok()?;
        let batch = batches.next_batch().ok()??;
        let fits = batch.end() == end && batch.checksum() == chain && batch.place().0 == base;
        builder.end = fits.then(|| batch.after());
        fits.then_some(builder)
    }

    /// Writes the labels of the last segment if it has grown enough.
    fn keep_tail(&mut self) -> Result<(), ReadError> {
        let Some(end) = self.tail.end else { return Ok(()) };
        if !self.headers.contains_key(&self.tail.base) {
            self.list()?;
        }
        let Some((header, _)) = self.headers.get(&self.tail.base) else { return Ok(()) };
        let kept = self.kept.map_or(0, |kept| kept.position);
        if end.position >= kept + header.capacity / KEPT_PARTS && end.offset == self.tail.next {
            self.kept = Some(end);
            self.write(&self.tail);
        }
        Ok(())
    }

    fn write(&self, builder: &Builder) {
        if let Some(header) = builder.header(L::VERSION) {
            let _ = layout::install(&self.storage, builder, header);
        }
    }
}
