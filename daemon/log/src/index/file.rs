//! Reading the index of a segment from disk: a cache, which is made again from the segment at will.
//!
//! Reads only what a question needs. Never: be believed without its checksums.

use crc32c::crc32c;

use super::layout::{
    BUCKET_BYTES, Counts, ENTRY_BYTES, GROUP_BYTES, HEADER_BYTES, INDEX_VERSION, MAGIC, MARK_BYTES,
    MARKS_PER_GROUP, bucket_of, header_crc, name,
};
use super::postings::{Builder, IndexHeader, Postings, offsets};
use crate::scan::Mark;
use crate::storage::{Access, Storage, StorageFile};

/// Read at once when a file is opened: the directory of most, and all entries where labels are few.
const FIRST_READ: usize = 16 << 10;

type Entry = [u8; ENTRY_BYTES];

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn mark_of(bytes: &[u8]) -> Mark {
    Mark {
        position: u64_at(bytes, 0),
        offset: u64_at(bytes, 8),
        time_us: u64_at(bytes, 16).cast_signed(),
        epoch: u64_at(bytes, 24),
        chain: u32_at(bytes, 32),
    }
}

/// Opens the index of the segment at `base`, and lets the system fetch what is read of it first.
pub(super) fn begin<S: Storage>(storage: &S, base: u64) -> Option<S::File> {
    let file = storage.open(&name(base), Access::Read).ok()?;
    file.prefetch(0, FIRST_READ as u64);
    Some(file)
}

/// An index file whose header and directory hold.
#[derive(Debug)]
pub(super) struct IndexFile<F> {
    file: F,
    length: u64,
    pub(super) header: IndexHeader,
    counts: Counts,
    /// The first bytes of the file, the directory among them.
    head: Vec<u8>,
}

impl<F: StorageFile> IndexFile<F> {
    /// Goes on where [`begin`] stopped; `None` if the index is damaged or of another version.
    pub(super) fn open(file: F, base: u64) -> Option<Self> {
        let mut head = vec![0; FIRST_READ];
        let n = file.read_full_at(&mut head, 0).ok()?;
        head.truncate(n);
        let fixed = head.get(..HEADER_BYTES)?;
        let is_ours = fixed[..8] == MAGIC && u32_at(fixed, 12) == header_crc(fixed);
        if !is_ours || u32_at(fixed, 8) != INDEX_VERSION {
            return None;
        }
        let header = IndexHeader {
            base: u64_at(fixed, 16),
            end: u64_at(fixed, 24),
            labelling: u32_at(fixed, 32),
            chain: u32_at(fixed, 36),
        };
        let counts = Counts {
            buckets: u32_at(fixed, 40) as usize,
            marks: u32_at(fixed, 44) as usize,
            labels: u32_at(fixed, 52) as usize,
        };
        let crc = u32_at(fixed, 48);
        let length = file.length().ok()?;
        let fits = header.base == base
            && counts.buckets.is_power_of_two()
            && counts.postings_at() as u64 <= length;
        if !fits {
            return None;
        }
        let mut opened = Self { file, length, header, counts, head };
        opened.load(counts.entries_at())?;
        let directory = opened.head.get(HEADER_BYTES..counts.entries_at())?;
        (crc32c(directory) == crc).then_some(opened)
    }

    /// The offsets of the records with `label`; `None` if what is read does not hold.
    pub(super) fn offsets(&self, label: u64) -> Option<Vec<u64>> {
        let Some(entry) = self.entry(label)? else { return Some(Vec::new()) };
        let bytes = self.postings(&entry)?;
        let found: Vec<u64> = offsets(self.header.base, &bytes).collect();
        (found.len() == count_of(&entry)).then_some(found)
    }

    /// How many records carry `label`; `None` if what is read does not hold.
    pub(super) fn count(&self, label: u64) -> Option<u64> {
        Some(self.entry(label)?.map_or(0, |entry| count_of(&entry) as u64))
    }

    /// The last place of which `is_before` holds, given its offset and time; it must hold up to
    /// one of them. `None` if what is read does not hold.
    pub(super) fn last_place(&self, is_before: impl Fn(u64, i64) -> bool) -> Option<Option<Mark>> {
        let Some(group) = self.group_before(&is_before) else { return Some(None) };
        let (position, length) = self.group_range(group);
        let bytes = self.read(position, length)?;
        if crc32c(&bytes) != u32_at(self.group(group), 16) {
            return None;
        }
        let marks = bytes.chunks_exact(MARK_BYTES).map(mark_of);
        Some(marks.take_while(|mark| is_before(mark.offset, mark.time_us)).last())
    }

    /// Lets the system fetch what [`Self::entry`] reads.
    pub(super) fn prefetch_entry(&self, label: u64) {
        let (position, count) = self.bucket(label);
        self.prefetch(position, count as usize * ENTRY_BYTES);
    }

    /// Lets the system fetch what [`Self::offsets`] reads besides.
    pub(super) fn prefetch_offsets(&self, label: u64) {
        if let Some(entry) = self.entry(label).flatten() {
            self.prefetch(u64_at(&entry, 8), u32_at(&entry, 16) as usize);
        }
    }

    /// Lets the system fetch what [`Self::last_place`] reads.
    pub(super) fn prefetch_place(&self, is_before: impl Fn(u64, i64) -> bool) {
        if let Some(group) = self.group_before(&is_before) {
            let (position, length) = self.group_range(group);
            self.prefetch(position, length);
        }
    }

    /// All that the file holds; `None` if any of it does not hold.
    pub(super) fn into_builder(mut self) -> Option<Builder> {
        self.load(usize::try_from(self.length).ok()?)?;
        let mut builder = Builder::new(self.header.base);
        for bucket in 0..self.counts.buckets {
            let at = HEADER_BYTES + bucket * BUCKET_BYTES;
            for entry in self.entries(&self.head[at..at + BUCKET_BYTES])?.chunks_exact(ENTRY_BYTES)
            {
                let entry: &Entry = entry.first_chunk()?;
                let bytes = self.postings(entry)?;
                let postings = Postings::read(self.header.base, &bytes, u32_at(entry, 20))?;
                builder.labels.insert(u64_at(entry, 0), postings);
            }
        }
        for group in 0..self.counts.marks.div_ceil(MARKS_PER_GROUP) {
            let (position, length) = self.group_range(group);
            let bytes = self.read(position, length)?;
            if crc32c(&bytes) != u32_at(self.group(group), 16) {
                return None;
            }
            builder.marks.extend(bytes.chunks_exact(MARK_BYTES).map(mark_of));
        }
        builder.next = self.header.end;
        Some(builder)
    }

    fn bucket(&self, label: u64) -> (u64, u32) {
        let bucket = &self.head[self.bucket_at(label)..];
        (u64_at(bucket, 0), u32_at(bucket, 8))
    }

    fn bucket_at(&self, label: u64) -> usize {
        HEADER_BYTES + bucket_of(label, self.counts.buckets) * BUCKET_BYTES
    }

    fn entry(&self, label: u64) -> Option<Option<Entry>> {
        let at = self.bucket_at(label);
        let entries = self.entries(&self.head[at..at + BUCKET_BYTES])?;
        let mut each = entries.chunks_exact(ENTRY_BYTES);
        let found = each.find(|entry| u64_at(entry, 0) == label);
        Some(found.and_then(|entry| entry.first_chunk().copied()))
    }

    fn entries(&self, bucket: &[u8]) -> Option<Vec<u8>> {
        let length = (u32_at(bucket, 8) as usize).checked_mul(ENTRY_BYTES)?;
        let entries = self.read(u64_at(bucket, 0), length)?;
        (crc32c(&entries) == u32_at(bucket, 12)).then_some(entries)
    }

    fn postings(&self, entry: &Entry) -> Option<Vec<u8>> {
        let bytes = self.read(u64_at(entry, 8), u32_at(entry, 16) as usize)?;
        (crc32c(&bytes) == u32_at(entry, 24)).then_some(bytes)
    }

    /// The last group whose first place `is_before`.
    fn group_before(&self, is_before: impl Fn(u64, i64) -> bool) -> Option<usize> {
        let groups = &self.head[self.counts.groups_at()..self.counts.entries_at()];
        let firsts = groups.chunks_exact(GROUP_BYTES);
        let before = firsts.take_while(|g| is_before(u64_at(g, 0), u64_at(g, 8).cast_signed()));
        before.count().checked_sub(1)
    }

    fn group(&self, group: usize) -> &[u8] {
        &self.head[self.counts.groups_at() + group * GROUP_BYTES..]
    }

    /// Position and length of a group's places.
    fn group_range(&self, group: usize) -> (u64, usize) {
        let first = group * MARKS_PER_GROUP;
        let count = (self.counts.marks - first).min(MARKS_PER_GROUP);
        ((self.counts.marks_at() + first * MARK_BYTES) as u64, count * MARK_BYTES)
    }

    /// Makes `head` hold the first `length` bytes, which the file is known to have.
    fn load(&mut self, length: usize) -> Option<()> {
        let have = self.head.len();
        if have < length {
            self.head.resize(length, 0);
            let n = self.file.read_full_at(&mut self.head[have..], have as u64).ok()?;
            if have + n < length {
                return None;
            }
        }
        Some(())
    }

    /// Exactly these bytes, if the file has them: lengths are checked before memory is asked for.
    fn read(&self, position: u64, length: usize) -> Option<Vec<u8>> {
        let end = position.checked_add(length as u64)?;
        if end <= self.head.len() as u64 {
            return Some(self.head[position as usize..end as usize].to_vec());
        }
        if end > self.length {
            return None;
        }
        let mut bytes = vec![0; length];
        let n = self.file.read_full_at(&mut bytes, position).ok()?;
        (n == length).then_some(bytes)
    }

    fn prefetch(&self, position: u64, length: usize) {
        if position.saturating_add(length as u64) > self.head.len() as u64 && length > 0 {
            self.file.prefetch(position, length as u64);
        }
    }
}

fn count_of(entry: &Entry) -> usize {
    u32_at(entry, 20) as usize
}
