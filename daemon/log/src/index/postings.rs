//! Offsets of the records that carry a label, gathered in order and kept as differences, and the
//! places that lead to them.
//!
//! Never: hold an offset twice, or one below the base.

use std::collections::HashMap;

use super::Labeller;
use crate::format::SEGMENT_HEADER_BYTES;
use crate::reader::Batch;
use crate::scan::Mark;

/// Distance of the places remembered, in bytes: a record is found by reading about half of that.
const PLACE_STEP: u64 = 16 << 10;

/// What an index is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexHeader {
    /// Offset of the segment's first record.
    pub(super) base: u64,
    /// Offset after the last record that was looked at, the end of a frame.
    pub(super) end: u64,
    /// Version of the caller's way to give labels.
    pub(super) labelling: u32,
    /// Checksum of the frame that ends there, so that the index of another segment with the same
    /// base is not taken for this one's.
    pub(super) chain: u32,
}

/// Ascending offsets as variable-length differences (LEB128), the first one from the base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Postings {
    pub(super) count: u32,
    last: u64,
    pub(super) bytes: Vec<u8>,
}

impl Postings {
    /// Takes what was written earlier; `None` if it is not that.
    pub(super) fn read(base: u64, bytes: &[u8], count: u32) -> Option<Self> {
        let (found, last) = offsets(base, bytes).fold((0, base), |(n, _), last| (n + 1, last));
        (found == count).then(|| Self { count, last, bytes: bytes.to_vec() })
    }

    /// Adds `offset`, which is `base` or above and not below one added before.
    fn push(&mut self, base: u64, offset: u64) {
        if self.count > 0 && self.last == offset {
            return;
        }
        let before = if self.count == 0 { base } else { self.last };
        let mut rest = offset - before;
        while rest >= 0x80 {
            self.bytes.push((rest as u8) | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
        self.last = offset;
        self.count += 1;
    }
}

/// Reads what [`Postings`] wrote; ends early on bytes that it never writes.
pub(super) fn offsets(base: u64, bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    let mut rest = bytes.iter();
    let mut last = base;
    std::iter::from_fn(move || {
        let (mut value, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = rest.next()?;
            value |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
        }
        last = last.checked_add(value)?;
        Some(last)
    })
}

/// The labels of the records of one segment, as far as they were looked at.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) base: u64,
    /// Offset of the next record to look at.
    pub(super) next: u64,
    pub(super) labels: HashMap<u64, Postings>,
    /// Places between frames, ascending.
    pub(super) marks: Vec<Mark>,
    /// The place behind the last frame that was looked at to its end.
    pub(super) end: Option<Mark>,
}

impl Builder {
    pub(super) fn new(base: u64) -> Self {
        Self { base, next: base, labels: HashMap::new(), marks: Vec::new(), end: None }
    }

    /// Adds the records of the next batch, as far as they lie in its range.
    pub(super) fn take<L: Labeller>(
        &mut self,
        batch: &Batch<'_>,
        labeller: &mut L,
        scratch: &mut Vec<u64>,
    ) {
        if let Some(mark) = self.end.filter(|mark| mark.offset == batch.base_offset()) {
            let last = self.marks.last().map_or(SEGMENT_HEADER_BYTES, |last| last.position);
            if mark.position >= last + PLACE_STEP {
                self.marks.push(mark);
            }
        }
        for record in batch.records() {
            scratch.clear();
            labeller.labels(record.payload, scratch);
            self.add(record.offset, scratch);
        }
        if self.next == batch.end() {
            self.end = Some(batch.after());
        }
    }

    fn add(&mut self, offset: u64, labels: &[u64]) {
        for label in labels {
            self.labels.entry(*label).or_default().push(self.base, offset);
        }
        self.next = offset + 1;
    }

    /// Takes `label`'s offsets so far.
    pub(super) fn offsets(&self, label: u64) -> impl Iterator<Item = u64> + '_ {
        let bytes = self.labels.get(&label).map_or(&[][..], |postings| &postings.bytes);
        offsets(self.base, bytes)
    }

    /// The last place of which `is_before` holds, which must hold up to one of them.
    pub(super) fn last_place(&self, is_before: impl Fn(&Mark) -> bool) -> Option<Mark> {
        self.marks[..self.marks.partition_point(is_before)].last().copied()
    }

    /// The header for a file that holds all this; `None` while the last frame is not complete.
    pub(super) fn header(&self, labelling: u32) -> Option<IndexHeader> {
        let Mark { offset, chain, .. } = self.end.filter(|mark| mark.offset == self.next)?;
        Some(IndexHeader { base: self.base, end: offset, labelling, chain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_come_back_as_they_were_added() {
        let given = [7_u64, 8, 135, 136, 20_000, 1 << 40];
        let mut builder = Builder::new(7);
        for offset in given {
            builder.add(offset, &[1, 1, 2]);
        }
        let read: Vec<u64> = builder.offsets(1).collect();
        assert_eq!(read, given);
        let kept = &builder.labels[&1];
        assert_eq!(kept.count, 6);
        assert_eq!(Postings::read(7, &kept.bytes, 6).as_ref(), Some(kept));
        assert_eq!(Postings::read(7, &kept.bytes, 5), None);
        assert_eq!(builder.offsets(3).count(), 0);
    }

    #[test]
    fn bytes_that_are_never_written_end_the_list() {
        assert_eq!(offsets(5, &[1, 0x80]).collect::<Vec<_>>(), [6]);
        assert_eq!(offsets(5, &[0xFF; 32]).count(), 0);
    }
}
