//! The bytes of an index file, and writing one. `docs/log-format.md` is the specification.
//!
//! Never: let anything depend on the order in which labels came.

use crc32c::{crc32c, crc32c_append};

use super::postings::{Builder, IndexHeader};
use crate::scan::Mark;
use crate::storage::Storage;

/// The version written by this build. Another one is made again, whether older or newer.
pub(super) const INDEX_VERSION: u32 = 2;
pub(super) const MAGIC: [u8; 8] = *b"AIFLOWIX";
pub(super) const HEADER_BYTES: usize = 64;
pub(super) const BUCKET_BYTES: usize = 16;
pub(super) const GROUP_BYTES: usize = 24;
pub(super) const ENTRY_BYTES: usize = 32;
pub(super) const MARK_BYTES: usize = 40;
/// Labels in one bucket, about: what a search reads to find one.
const LABELS_PER_BUCKET: usize = 64;
/// Places in one group, but for the last: what a search reads to find one.
pub(super) const MARKS_PER_GROUP: usize = 64;
const TEMPORARY: &str = "index.tmp";

/// File name of the index of the segment at `base`.
pub(crate) fn name(base: u64) -> String {
    format!("{base:020}.index")
}

/// How many of each there are, which says where all stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    /// A power of two.
    pub(super) buckets: usize,
    pub(super) labels: usize,
    pub(super) marks: usize,
}

impl Counts {
    /// Buckets and groups of places, behind the header.
    pub(super) fn directory_bytes(&self) -> usize {
        self.buckets * BUCKET_BYTES + self.marks.div_ceil(MARKS_PER_GROUP) * GROUP_BYTES
    }

    pub(super) fn groups_at(&self) -> usize {
        HEADER_BYTES + self.buckets * BUCKET_BYTES
    }

    pub(super) fn entries_at(&self) -> usize {
        HEADER_BYTES + self.directory_bytes()
    }

    pub(super) fn marks_at(&self) -> usize {
        self.entries_at() + self.labels * ENTRY_BYTES
    }

    pub(super) fn postings_at(&self) -> usize {
        self.marks_at() + self.marks * MARK_BYTES
    }
}

/// The bytes of a whole index file.
fn encode(builder: &Builder, header: IndexHeader) -> Vec<u8> {
    let mut labels: Vec<_> = builder.labels.iter().collect();
    labels.sort_unstable_by_key(|(label, _)| **label);
    let buckets = (labels.len() / LABELS_PER_BUCKET).max(1).next_power_of_two();
    let counts = Counts { buckets, labels: labels.len(), marks: builder.marks.len() };
    let mut postings_at = counts.postings_at();
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
        let position = counts.entries_at() + first * ENTRY_BYTES;
        push(&mut directory, &(position as u64).to_le_bytes());
        push(&mut directory, &(count as u32).to_le_bytes());
        push(&mut directory, &crc32c(bytes).to_le_bytes());
        first += count;
    }
    let marks = groups_and_marks(&builder.marks, &mut directory);
    let mut out = encode_header(header, counts, crc32c(&directory));
    for mut part in [directory, entries, marks, postings] {
        out.append(&mut part);
    }
    out
}

/// Appends the groups to the directory and gives the places themselves.
fn groups_and_marks(marks: &[Mark], directory: &mut Vec<u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(marks.len() * MARK_BYTES);
    for group in marks.chunks(MARKS_PER_GROUP) {
        let begin = out.len();
        for mark in group {
            push(&mut out, &mark.position.to_le_bytes());
            push(&mut out, &mark.offset.to_le_bytes());
            push(&mut out, &mark.time_us.to_le_bytes());
            push(&mut out, &mark.epoch.to_le_bytes());
            push(&mut out, &mark.chain.to_le_bytes());
            push(&mut out, &[0; 4]);
        }
        push(directory, &group[0].offset.to_le_bytes());
        push(directory, &group[0].time_us.to_le_bytes());
        push(directory, &crc32c(&out[begin..]).to_le_bytes());
        push(directory, &[0; 4]);
    }
    out
}

fn encode_header(header: IndexHeader, counts: Counts, directory_crc: u32) -> Vec<u8> {
    let mut out = Vec::new();
    push(&mut out, &MAGIC);
    push(&mut out, &INDEX_VERSION.to_le_bytes());
    push(&mut out, &[0; 4]);
    push(&mut out, &header.base.to_le_bytes());
    push(&mut out, &header.end.to_le_bytes());
    push(&mut out, &header.labelling.to_le_bytes());
    push(&mut out, &header.chain.to_le_bytes());
    push(&mut out, &(counts.buckets as u32).to_le_bytes());
    push(&mut out, &(counts.marks as u32).to_le_bytes());
    push(&mut out, &directory_crc.to_le_bytes());
    push(&mut out, &(counts.labels as u32).to_le_bytes());
    out.resize(HEADER_BYTES, 0);
    let crc = header_crc(&out);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    out
}

fn push(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

pub(super) fn header_crc(header: &[u8]) -> u32 {
    crc32c_append(crc32c(&header[..12]), &header[16..HEADER_BYTES])
}

/// Labels are hashes, so their highest bits spread them evenly. `buckets` is a power of two.
pub(super) fn bucket_of(label: u64, buckets: usize) -> usize {
    let bits = buckets.trailing_zeros();
    label.checked_shr(64 - bits).map_or(0, |bucket| bucket as usize)
}

/// Writes the index beside its segment, whole or not at all.
///
/// # Errors
/// What the system reports. The index is missing then, which costs time only.
pub(super) fn install<S: Storage>(
    storage: &S,
    builder: &Builder,
    header: IndexHeader,
) -> std::io::Result<()> {
    crate::segment::replace(storage, TEMPORARY, &name(header.base), &encode(builder, header))
}
