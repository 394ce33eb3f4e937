//! The index of a sealed segment on disk: a cache, which is made again from the segment at will.
//!
//! Never: be believed without its checksums. `docs/log-format.md` is the specification.

use crc32c::{crc32c, crc32c_append};

use super::postings::{Builder, offsets};
use crate::scan::Mark;
use crate::storage::{Access, Storage, StorageFile};

/// The version written by this build. Another one is made again, whether older or newer.
const INDEX_VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"AIFLOWIX";
const HEADER_BYTES: usize = 64;
const MARK_BYTES: usize = 40;
const BUCKET_BYTES: usize = 16;
const ENTRY_BYTES: usize = 32;
/// Labels in one bucket, about: what a search reads to find one.
const LABELS_PER_BUCKET: usize = 64;
/// Read at once when a file is opened: most directories end within it.
const FIRST_READ: usize = 4 << 10;
const TEMPORARY: &str = "index.tmp";

/// File name of the index of the segment at `base`.
pub(crate) fn name(base: u64) -> String {
    format!("{base:020}.index")
}

/// What an index is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexHeader {
    /// Offset of the segment's first record.
    pub(super) base: u64,
    /// Offset after its last record.
    pub(super) end: u64,
    /// Version of the caller's way to give labels.
    pub(super) labelling: u32,
    /// Checksum of the segment's last frame, so that the index of another segment with the same
    /// base is not taken for this one's.
    pub(super) chain: u32,
}

/// The bytes of a whole index file.
fn encode(builder: &Builder, marks: &[Mark], header: IndexHeader) -> Vec<u8> {
    let mut labels: Vec<_> = builder.labels.iter().collect();
    labels.sort_unstable_by_key(|(label, _)| **label);
    let buckets = (labels.len() / LABELS_PER_BUCKET).max(1).next_power_of_two();
    let entries_at = HEADER_BYTES + buckets * BUCKET_BYTES + marks.len() * MARK_BYTES;
    let mut postings_at = entries_at + labels.len() * ENTRY_BYTES;

    let (mut entries, mut postings) = (Vec::new(), Vec::new());
    for (label, found) in &labels {
        push(&mut entries, &label.to_le_bytes());
        push(&mut entries, &(postings_at as u64).to_le_bytes());
        push(&mut entries, &(found.bytes.len() as u32).to_le_bytes());
        push(&mut entries, &found.count.to_le_bytes());
        push(&mut entries, &crc32c(&found.bytes).to_le_bytes());
        push(&mut entries, &[0; 4]);
        postings.extend_from_slice(&found.bytes);
        postings_at += found.bytes.len();
    }
    let mut directory = Vec::new();
    let mut first = 0;
    for bucket in 0..buckets {
        let in_bucket = |(label, _): &&(&u64, _)| bucket_of(**label, buckets) == bucket;
        let count = labels[first..].iter().take_while(in_bucket).count();
        let bytes = &entries[first * ENTRY_BYTES..(first + count) * ENTRY_BYTES];
        push(&mut directory, &((entries_at + first * ENTRY_BYTES) as u64).to_le_bytes());
        push(&mut directory, &(count as u32).to_le_bytes());
        push(&mut directory, &crc32c(bytes).to_le_bytes());
        first += count;
    }
    for mark in marks {
        push(&mut directory, &mark.position.to_le_bytes());
        push(&mut directory, &mark.offset.to_le_bytes());
        push(&mut directory, &mark.time_us.to_le_bytes());
        push(&mut directory, &mark.epoch.to_le_bytes());
        push(&mut directory, &mark.chain.to_le_bytes());
        push(&mut directory, &[0; 4]);
    }
    let mut out = Vec::with_capacity(postings_at);
    push(&mut out, &MAGIC);
    push(&mut out, &INDEX_VERSION.to_le_bytes());
    push(&mut out, &[0; 4]);
    push(&mut out, &header.base.to_le_bytes());
    push(&mut out, &header.end.to_le_bytes());
    push(&mut out, &header.labelling.to_le_bytes());
    push(&mut out, &header.chain.to_le_bytes());
    push(&mut out, &(buckets as u32).to_le_bytes());
    push(&mut out, &(marks.len() as u32).to_le_bytes());
    push(&mut out, &crc32c(&directory).to_le_bytes());
    out.resize(HEADER_BYTES, 0);
    let crc = header_crc(&out);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    out.append(&mut directory);
    out.append(&mut entries);
    out.append(&mut postings);
    out
}

fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

fn header_crc(header: &[u8]) -> u32 {
    crc32c_append(crc32c(&header[..12]), &header[16..HEADER_BYTES])
}

/// Labels are hashes, so their highest bits spread them evenly. `buckets` is a power of two.
fn bucket_of(label: u64, buckets: usize) -> usize {
    let bits = buckets.trailing_zeros();
    label.checked_shr(64 - bits).map_or(0, |bucket| bucket as usize)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Writes the index beside its segment, whole or not at all.
///
/// # Errors
/// What the system reports. The index is missing then, which costs time only.
pub(super) fn install<S: Storage>(
    storage: &S,
    builder: &Builder,
    marks: &[Mark],
    header: IndexHeader,
) -> std::io::Result<()> {
    crate::segment::replace(storage, TEMPORARY, &name(header.base), &encode(builder, marks, header))
}

/// An index file whose header and directory hold.
#[derive(Debug)]
pub(super) struct IndexFile<F> {
    file: F,
    pub(super) header: IndexHeader,
    buckets: usize,
    /// Directory and marks.
    directory: Vec<u8>,
}

impl<F: StorageFile> IndexFile<F> {
    /// Opens the index of the segment at `base`; `None` if it is missing, damaged or of another
    /// version.
    pub(super) fn open<S: Storage<File = F>>(storage: &S, base: u64) -> Option<Self> {
        let file = storage.open(&name(base), Access::Read).ok()?;
        let mut bytes = vec![0; FIRST_READ];
        let n = file.read_full_at(&mut bytes, 0).ok()?;
        bytes.truncate(n);
        let head = bytes.get(..HEADER_BYTES)?;
        if head[..8] != MAGIC || u32_at(head, 12) != header_crc(head) {
            return None;
        }
        let header = IndexHeader {
            base: u64_at(head, 16),
            end: u64_at(head, 24),
            labelling: u32_at(head, 32),
            chain: u32_at(head, 36),
        };
        let (buckets, marks) = (u32_at(head, 40) as usize, u32_at(head, 44) as usize);
        let crc = u32_at(head, 48);
        if u32_at(head, 8) != INDEX_VERSION || header.base != base || !buckets.is_power_of_two() {
            return None;
        }
        let length = buckets * BUCKET_BYTES + marks * MARK_BYTES;
        if (HEADER_BYTES + length) as u64 > file.length().ok()? {
            return None;
        }
        let missing = (HEADER_BYTES + length).saturating_sub(bytes.len());
        let have = bytes.len();
        bytes.resize(have + missing, 0);
        let n = file.read_full_at(&mut bytes[have..], have as u64).ok()?;
        let directory = bytes.get(HEADER_BYTES..HEADER_BYTES + length)?.to_vec();
        (n == missing && crc32c(&directory) == crc).then_some(Self {
            file,
            header,
            buckets,
            directory,
        })
    }

    /// Places between frames, ascending.
    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> + '_ {
        self.directory[self.buckets * BUCKET_BYTES..].chunks_exact(MARK_BYTES).map(|bytes| Mark {
            position: u64_at(bytes, 0),
            offset: u64_at(bytes, 8),
            time_us: u64_at(bytes, 16).cast_signed(),
            epoch: u64_at(bytes, 24),
            chain: u32_at(bytes, 32),
        })
    }

    /// The offsets of the records with `label`; `None` if what is read does not hold.
    pub(super) fn offsets(&self, label: u64) -> Option<Vec<u64>> {
        let Some(entry) = self.entry(label)? else { return Some(Vec::new()) };
        let (position, length) = (u64_at(&entry, 8), u32_at(&entry, 16) as usize);
        let bytes = self.read(position, length)?;
        let found: Vec<u64> = offsets(self.header.base, &bytes).collect();
        let holds = crc32c(&bytes) == u32_at(&entry, 24) && found.len() == count_of(&entry);
        holds.then_some(found)
    }

    /// How many records carry `label`; `None` if what is read does not hold.
    pub(super) fn count(&self, label: u64) -> Option<u64> {
        Some(self.entry(label)?.map_or(0, |entry| count_of(&entry) as u64))
    }

    fn entry(&self, label: u64) -> Option<Option<[u8; ENTRY_BYTES]>> {
        let bucket = &self.directory[bucket_of(label, self.buckets) * BUCKET_BYTES..];
        let (position, count) = (u64_at(bucket, 0), u32_at(bucket, 8) as usize);
        let entries = self.read(position, count.checked_mul(ENTRY_BYTES)?)?;
        if crc32c(&entries) != u32_at(bucket, 12) {
            return None;
        }
        let mut each = entries.chunks_exact(ENTRY_BYTES);
        let found = each.find(|entry| u64_at(entry, 0) == label);
        Some(found.and_then(|entry| entry.first_chunk().copied()))
    }

    /// Exactly these bytes, if the file has them: lengths are checked before memory is asked for.
    fn read(&self, position: u64, length: usize) -> Option<Vec<u8>> {
        if position.checked_add(length as u64)? > self.file.length().ok()? {
            return None;
        }
        let mut bytes = vec![0; length];
        let n = self.file.read_full_at(&mut bytes, position).ok()?;
        (n == length).then_some(bytes)
    }
}

fn count_of(entry: &[u8; ENTRY_BYTES]) -> usize {
    u32_at(entry, 20) as usize
}
