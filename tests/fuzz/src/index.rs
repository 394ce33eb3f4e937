//! Bytes as an index file: what is asked of the index is answered as without the file.
//!
//! Never: a record missed, or one given that does not carry the label.

use std::sync::OnceLock;

use aiflow_log::testing::MemoryStorage;
use aiflow_log::{FrameBuilder, LabelIndex, Labeller, LogOptions, open};

use crate::bytes::{
    HEADER_BYTES, Input, change, header_holds, put_u32, put_u64, seal_header, u32_at, u64_at,
};

/// Records in the log, two a batch.
const RECORDS: u64 = 190;
/// The first records are large, so that an index file holds a place within its segment.
const LARGE: u64 = 16;
const SEGMENT_BYTES: u64 = 72 << 10;
const KEYS: u64 = 7;
const MARK_BYTES: usize = 40;
const MARKS_PER_GROUP: usize = 64;
const GROUP_BYTES: usize = 24;
const BUCKET_BYTES: usize = 16;
const ENTRY_BYTES: usize = 32;

struct ByKey;

impl Labeller for ByKey {
    const VERSION: u32 = 3;

    fn labels(&mut self, payload: &[u8], out: &mut Vec<u64>) {
        out.extend(payload.first().map(|key| label(u64::from(*key))));
    }
}

/// Spread over all 64 bits, as hashes are.
fn label(key: u64) -> u64 {
    key.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Which key a record has: all of them in each segment, not in a row.
fn key(offset: u64) -> u64 {
    offset * offset % KEYS
}

/// A log with good index files, and the name and the bytes of one of them.
struct World {
    disk: MemoryStorage,
    name: String,
    file: Vec<u8>,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let disk = MemoryStorage::new();
        let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
        let (mut writer, _) = open(disk.clone(), options).unwrap();
        for base in (0..RECORDS).step_by(2) {
            let mut builder = FrameBuilder::new(base, base as i64, 1);
            for offset in [base, base + 1] {
                let length = if offset < LARGE { 4300 } else { 1 + offset as usize % 5 };
                builder.record(|out| out.resize(out.len() + length, key(offset) as u8));
            }
            writer.append(&mut [builder.finish().unwrap()]).unwrap();
        }
        // Asking makes the index files.
        ask(&mut LabelIndex::new(disk.clone(), ByKey).unwrap());
        let made = disk.files().into_iter().find(|(name, _)| name.ends_with(".index"));
        let (name, file) = made.unwrap();
        assert!(u32_at(&file, 44) > 0, "no place in the index file");
        World { disk, name, file }
    })
}

/// The input: mode (1), then the file, or changes to the good one. In every second mode the
/// checksums are set right afterwards.
pub fn index(bytes: &[u8]) {
    let World { disk, name, file: good } = world();
    let mut input = Input(bytes);
    let mode = input.byte();
    let mut file = if mode & 1 == 0 { input.0.to_vec() } else { good.clone() };
    if mode & 1 != 0 {
        change(&mut file, &mut input);
    }
    if mode & 2 != 0 {
        fix(&mut file, good, mode & 4 != 0);
    }
    let disk = disk.fork();
    disk.overwrite(name, &file);
    // Checksums that were set right on purpose: then the answers may be wrong, but not fatal. The
    // header may even be as it was: equal changes in two parts can cancel out in the checksum over
    // the checksums of both, since CRCs are linear.
    let is_forged = mode & 2 != 0 && header_holds(&file) && file != *good;
    let mut index = LabelIndex::new(disk.clone(), ByKey).unwrap();
    if is_forged {
        ask_a_forgery(&mut index);
    } else {
        ask(&mut index);
        // What did not hold was made again, unless no question came to it.
        ask(&mut LabelIndex::new(disk, ByKey).unwrap());
    }
}

fn ask(index: &mut LabelIndex<MemoryStorage, ByKey>) {
    for each in 0..=KEYS {
        let all: Vec<u64> = (0..RECORDS).filter(|offset| key(*offset) == each).collect();
        let wanted = label(each);
        assert_eq!(index.count(wanted, 0, RECORDS).unwrap(), all.len() as u64, "key {each}");
        assert_eq!(index.find(wanted, 0, RECORDS, usize::MAX).unwrap(), all, "key {each}");
        let some: Vec<_> = all.iter().copied().filter(|at| (20..90).contains(at)).collect();
        assert_eq!(index.find(wanted, 20, 90, usize::MAX).unwrap(), some, "key {each}");
        assert_eq!(index.count(wanted, 20, 90).unwrap(), some.len() as u64, "key {each}");
    }
    for at in (0..RECORDS).step_by(13) {
        let found = index.fetch(at, |record| (record.offset, record.payload[0])).unwrap();
        assert_eq!(found, Some((at, key(at) as u8)));
        let batch = at.next_multiple_of(2);
        assert_eq!(index.offset_at(at as i64, RECORDS).unwrap(), batch);
    }
}

fn ask_a_forgery(index: &mut LabelIndex<MemoryStorage, ByKey>) {
    for each in 0..=KEYS {
        let _ = index.count(label(each), 0, RECORDS).unwrap();
        let found = index.find(label(each), 20, 90, usize::MAX).unwrap();
        assert!(found.iter().all(|offset| (20..90).contains(offset)));
    }
    for at in (0..RECORDS).step_by(13) {
        // A place that is a lie is caught by the checksum of what stands there.
        if let Ok(found) = index.fetch(at, |record| (record.offset, record.payload[0])) {
            assert!(found.is_none_or(|found| found == (at, key(at) as u8)));
        }
        let _ = index.offset_at(at as i64, RECORDS);
    }
}

/// Where the parts of an index file are, as its header says.
struct Parts {
    buckets: usize,
    marks: usize,
    labels: usize,
}

impl Parts {
    fn of(file: &[u8]) -> Self {
        let count = |at| u32_at(file, at) as usize;
        Self { buckets: count(40), marks: count(44), labels: count(52) }
    }

    fn groups_at(&self) -> usize {
        HEADER_BYTES + self.buckets * BUCKET_BYTES
    }

    fn entries_at(&self) -> usize {
        self.groups_at() + self.marks.div_ceil(MARKS_PER_GROUP) * GROUP_BYTES
    }

    fn marks_at(&self) -> usize {
        self.entries_at() + self.labels * ENTRY_BYTES
    }
}

/// Sets every checksum right that can be found, from the inmost to the header's, and with
/// `header_too` the fields of the header that tie the file to its segment.
fn fix(file: &mut Vec<u8>, good: &[u8], header_too: bool) {
    file.resize(file.len().max(HEADER_BYTES), 0);
    if header_too {
        file[..12].copy_from_slice(&good[..12]);
        file[16..40].copy_from_slice(&good[16..40]);
        fit_counts(file);
    }
    let parts = Parts::of(file);
    let (groups_at, entries_at) = (parts.groups_at(), parts.entries_at());
    if entries_at > file.len() {
        return seal_header(file);
    }
    for bucket in (HEADER_BYTES..groups_at).step_by(BUCKET_BYTES) {
        fix_bucket(file, bucket, entries_at);
    }
    for (number, group) in (groups_at..entries_at).step_by(GROUP_BYTES).enumerate() {
        let first = number * MARKS_PER_GROUP;
        let marks = (parts.marks - first).min(MARKS_PER_GROUP);
        let at = parts.marks_at() + first * MARK_BYTES;
        if let Some(bytes) = file.get(at..at + marks * MARK_BYTES) {
            let crc = crc32c::crc32c(bytes);
            put_u32(file, group + 16, crc);
        }
    }
    let crc = crc32c::crc32c(&file[HEADER_BYTES..entries_at]);
    put_u32(file, 48, crc);
    seal_header(file);
}

/// Lowers the counts of the header to what fits in the file.
fn fit_counts(file: &mut [u8]) {
    let mut rest = file.len() - HEADER_BYTES;
    let fits = (rest / BUCKET_BYTES).max(1);
    let mut buckets = (u32_at(file, 40) as usize).clamp(1, fits).next_power_of_two();
    buckets = if buckets > fits { buckets / 2 } else { buckets };
    put_u32(file, 40, buckets as u32);
    rest = rest.saturating_sub(buckets * BUCKET_BYTES);
    let marks = (u32_at(file, 44) as usize).min(rest / (MARK_BYTES + GROUP_BYTES));
    put_u32(file, 44, marks as u32);
    rest -= marks * MARK_BYTES + marks.div_ceil(MARKS_PER_GROUP) * GROUP_BYTES;
    let labels = (u32_at(file, 52) as usize).min(rest / ENTRY_BYTES);
    put_u32(file, 52, labels as u32);
}

fn fix_bucket(file: &mut [u8], bucket: usize, directory_end: usize) {
    let at = usize::try_from(u64_at(file, bucket)).unwrap_or(usize::MAX);
    let count = u32_at(file, bucket + 8) as usize;
    if at < directory_end || at > file.len() || count > (file.len() - at) / ENTRY_BYTES {
        // Entries that overlap the directory could not be set right after it.
        return;
    }
    for entry in (at..at + count * ENTRY_BYTES).step_by(ENTRY_BYTES) {
        let position = u64_at(file, entry + 8) % (file.len() as u64 + 1);
        let length = (u32_at(file, entry + 16) as usize).min(file.len() - position as usize);
        put_u64(file, entry + 8, position);
        put_u32(file, entry + 16, length as u32);
        let crc = crc32c::crc32c(&file[position as usize..position as usize + length]);
        put_u32(file, entry + 24, crc);
    }
    let crc = crc32c::crc32c(&file[at..at + count * ENTRY_BYTES]);
    put_u32(file, bucket + 12, crc);
}
