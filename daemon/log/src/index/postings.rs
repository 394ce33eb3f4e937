//! Offsets of the records that carry a label, gathered in order and kept as differences.
//!
//! Never: hold an offset twice, or one below the base.

use std::collections::HashMap;

use super::file::IndexHeader;

/// Ascending offsets as variable-length differences (LEB128), the first one from the base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Postings {
    pub(super) count: u32,
    last: u64,
    pub(super) bytes: Vec<u8>,
}

impl Postings {
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
}

impl Builder {
    pub(super) fn new(base: u64) -> Self {
        Self { base, next: base, labels: HashMap::new() }
    }

    /// Adds the record at `offset` with its labels.
    pub(super) fn add(&mut self, offset: u64, labels: &[u64]) {
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

    /// The header for a file that holds all this.
    pub(super) fn header(&self, labelling: u32, chain: u32) -> IndexHeader {
        IndexHeader { base: self.base, end: self.next, labelling, chain }
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
        assert_eq!(builder.labels[&1].count, 6);
        assert_eq!(builder.offsets(3).count(), 0);
    }

    #[test]
    fn bytes_that_are_never_written_end_the_list() {
        assert_eq!(offsets(5, &[1, 0x80]).collect::<Vec<_>>(), [6]);
        assert_eq!(offsets(5, &[0xFF; 32]).count(), 0);
    }
}
