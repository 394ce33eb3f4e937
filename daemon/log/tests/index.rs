//! The key index against a plain list: whatever became of its files, the answers are the same.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]
#![expect(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aiflow_log::testing::{CrashMode, Fault, MemoryStorage, Repeat, Rng};
use aiflow_log::{
    FrameBuilder, LabelIndex, Labeller, LogWriter, Storage, StorageFile, open, retention,
};
use common::{options, scale};

/// The first byte of a payload is its key; records of key 0 carry no label.
struct ByKey;

/// The same, and counts the records it is shown.
struct Counting(Arc<AtomicU64>);

impl Labeller for Counting {
    const VERSION: u32 = ByKey::VERSION;

    fn labels(&mut self, payload: &[u8], out: &mut Vec<u64>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        ByKey.labels(payload, out);
    }
}

impl Labeller for ByKey {
    const VERSION: u32 = 1;

    fn labels(&mut self, payload: &[u8], out: &mut Vec<u64>) {
        match payload.first() {
            None | Some(0) => {}
            // All keys share a second label.
            Some(key) => out.extend([label(*key), u64::MAX]),
        }
    }
}

/// The same with other labels.
struct ByKeyAnew;

impl Labeller for ByKeyAnew {
    const VERSION: u32 = 2;

    fn labels(&mut self, payload: &[u8], out: &mut Vec<u64>) {
        out.extend(payload.first().map(|key| label(*key).rotate_left(7)));
    }
}

/// Spread over all 64 bits, as hashes are.
fn label(key: u8) -> u64 {
    u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A log of random records and what is in it: each record's key and time.
struct World {
    disk: MemoryStorage,
    writer: LogWriter<MemoryStorage>,
    records: Vec<(u8, i64)>,
    time_us: i64,
}

impl World {
    fn new() -> Self {
        Self::with_segments(2048)
    }

    fn with_segments(bytes: u64) -> Self {
        let disk = MemoryStorage::new();
        let (writer, _) = open(disk.clone(), options(bytes)).unwrap();
        Self { disk, writer, records: vec![], time_us: 0 }
    }

    fn append(&mut self, rng: &mut Rng, batches: usize) {
        for _ in 0..batches {
            self.time_us += rng.below(4) as i64;
            let base = self.records.len() as u64;
            let mut builder = FrameBuilder::new(base, self.time_us, 1);
            for _ in 0..=rng.below(4) {
                let key = rng.below(12) as u8;
                let filling = rng.below(60);
                builder.record(|out| {
                    out.push(key);
                    out.resize(out.len() + filling as usize, key);
                });
                self.records.push((key, self.time_us));
            }
            self.writer.append(&mut [builder.finish().unwrap()]).unwrap();
        }
    }

    fn index(&self) -> LabelIndex<MemoryStorage, ByKey> {
        LabelIndex::new(self.disk.clone(), ByKey).unwrap()
    }

    fn expected(&self, key: u8, from: u64, until: u64) -> Vec<u64> {
        let offsets = (0_u64..).zip(&self.records);
        let wanted = offsets.filter(|(offset, (found, _))| {
            (from..until).contains(offset) && (*found == key || key == u8::MAX && *found != 0)
        });
        wanted.map(|(offset, _)| offset).collect()
    }

    /// Asks for every key over the whole log and a random part of it.
    fn check<L: Labeller>(
        &self,
        index: &mut LabelIndex<MemoryStorage, L>,
        rng: &mut Rng,
        label: impl Fn(u8) -> u64,
        first: u64,
    ) {
        let end = self.records.len() as u64;
        let from = first.max(rng.below(end + 1));
        let until = from + rng.below(end - from + 1);
        for key in 1..13_u8 {
            for (from, until) in [(first, end), (from, until)] {
                let expected = self.expected(key, from, until);
                let found = index.find(label(key), from, until, usize::MAX).unwrap();
                assert_eq!(found, expected, "key {key} in {from}..{until}");
                let count = index.count(label(key), from, until).unwrap();
                assert_eq!(count, expected.len() as u64);
                assert_eq!(
                    index.first(label(key), from, until).unwrap(),
                    expected.first().copied()
                );
                let keep = rng.below(5) as usize;
                let newest = index.find(label(key), from, until, keep).unwrap();
                assert_eq!(newest, expected[expected.len().saturating_sub(keep)..]);
            }
        }
        let mut offset = first;
        while offset < end {
            let key = index.fetch(offset, |record| record.payload[0]).unwrap();
            assert_eq!(key, Some(self.records[offset as usize].0), "record {offset}");
            // Ahead in small steps, so that reading goes on from where it was.
            offset += 1 + rng.below(40);
        }
        self.check_newest(index, rng, &label, first);
    }

    /// Reads the newest records of a key.
    fn check_newest<L: Labeller>(
        &self,
        index: &mut LabelIndex<MemoryStorage, L>,
        rng: &mut Rng,
        label: &impl Fn(u8) -> u64,
        first: u64,
    ) {
        let end = self.records.len() as u64;
        let key = 1 + rng.below(11) as u8;
        let keep = rng.below(100) as usize;
        let expected = self.expected(key, first, end);
        let seen = |record: aiflow_log::Record<'_>| {
            assert_eq!(record.time_us, self.records[record.offset as usize].1);
            Some((record.offset, record.payload[0]))
        };
        let newest = index.newest(label(key), first, end, keep, seen).unwrap();
        let expected = &expected[expected.len().saturating_sub(keep)..];
        assert!(newest.iter().copied().eq(expected.iter().map(|offset| (*offset, key))));
    }

    fn index_files(&self) -> Vec<String> {
        self.disk.files().into_keys().filter(|name| name.ends_with(".index")).collect()
    }
}

#[test]
fn the_index_answers_as_the_log_would() {
    for seed in 0..20 * scale() {
        let mut rng = Rng::new(seed);
        let mut world = World::new();
        let mut index = world.index();
        for _ in 0..12 {
            let batches = rng.below(30) as usize;
            world.append(&mut rng, batches);
            world.check(&mut index, &mut rng, label, 0);
            assert_eq!(index.next_offset(), world.records.len() as u64);
            let shared = index.find(u64::MAX, 0, index.next_offset(), usize::MAX).unwrap();
            assert_eq!(shared, world.expected(u8::MAX, 0, u64::MAX));
            if rng.below(3) == 0 {
                // As after a restart.
                index = world.index();
            }
        }
        assert!(!world.index_files().is_empty(), "no segment was left behind");
    }
}

#[test]
fn times_lead_to_the_first_batch_that_is_not_earlier() {
    for seed in 0..20 * scale() {
        let mut rng = Rng::new(seed);
        let mut world = World::new();
        world.append(&mut rng, 300);
        let mut index = world.index();
        let end = world.records.len() as u64;
        for time_us in -1..=world.time_us + 1 {
            let expected = world.records.iter().position(|(_, time)| *time >= time_us);
            let expected = expected.map_or(end, |at| at as u64);
            assert_eq!(index.offset_at(time_us, end).unwrap(), expected, "time {time_us}");
        }
    }
}

#[test]
fn files_that_are_missing_damaged_or_of_another_labelling_are_made_again() {
    let mut rng = Rng::new(1);
    let mut world = World::new();
    world.append(&mut rng, 400);
    world.check(&mut world.index(), &mut rng, label, 0);
    let names = world.index_files();
    let whole = world.disk.files();
    assert!(names.len() > 3);
    for name in &names {
        world.disk.remove(name).unwrap();
    }
    world.check(&mut world.index(), &mut rng, label, 0);
    assert_eq!(world.index_files(), names, "made again");
    assert_eq!(world.disk.files(), whole, "and the same");

    world.check(
        &mut LabelIndex::new(world.disk.clone(), ByKeyAnew).unwrap(),
        &mut rng,
        |key| label(key).rotate_left(7),
        0,
    );
    world.check(&mut world.index(), &mut rng, label, 0);

    // The index of another segment under this one's name.
    let other = world.disk.files()[&names[1]].clone();
    world.disk.overwrite(&names[0], &other);
    world.check(&mut world.index(), &mut rng, label, 0);
}

#[test]
fn no_flipped_bit_and_no_cut_of_an_index_changes_an_answer() {
    let mut rng = Rng::new(2);
    let mut world = World::new();
    world.append(&mut rng, 60);
    let mut index = world.index();
    world.check(&mut index, &mut rng, label, 0);
    let name = world.index_files()[0].clone();
    let good = world.disk.files()[&name].clone();
    let end = index.next_offset();
    for bit in 0..good.len() * 8 {
        world.disk.overwrite(&name, &good);
        world.disk.flip_bit(&name, bit);
        world.check(&mut index, &mut rng, label, 0);
        index.find(u64::MAX, 0, end, usize::MAX).unwrap();
        assert!(world.disk.files()[&name] == good, "bit {bit} is not noticed");
    }
    for length in 0..good.len() {
        world.disk.overwrite(&name, &good[..length]);
        world.check(&mut index, &mut rng, label, 0);
    }
}

/// Places in a segment are kept for long ones only.
#[test]
fn no_flipped_bit_in_the_places_of_an_index_leads_astray() {
    no_flipped_bit_leads_astray(256 << 10);
}

#[test]
fn no_flipped_bit_in_the_places_kept_of_the_last_segment_leads_astray() {
    no_flipped_bit_leads_astray(512 << 10);
}

fn no_flipped_bit_leads_astray(segment_bytes: u64) {
    const RECORDS: u64 = 80;
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(segment_bytes)).unwrap();
    let key = |offset: u64| 1 + (offset % 3) as u8;
    for offset in 0..RECORDS {
        let mut builder = FrameBuilder::new(offset, offset as i64 * 10, 1);
        builder.record(|out| out.resize(4000, key(offset)));
        writer.append(&mut [builder.finish().unwrap()]).unwrap();
    }
    let ask = || {
        let mut index = LabelIndex::new(disk.clone(), ByKey).unwrap();
        // Takes what was kept of the last segment.
        index.catch_up(RECORDS).unwrap();
        for time_us in (0..600).step_by(55) {
            let expected = (time_us as u64).div_ceil(10);
            assert_eq!(index.offset_at(time_us, RECORDS).unwrap(), expected, "time {time_us}");
        }
        for offset in [0, 20, 50] {
            let found = index.fetch(offset, |record| (record.offset, record.payload[0])).unwrap();
            assert_eq!(found, Some((offset, key(offset))));
        }
        index.find(label(1), 0, RECORDS, usize::MAX).unwrap()
    };
    let found = ask();
    let name = disk.files().into_keys().find(|name| name.ends_with(".index")).unwrap();
    let good = disk.files()[&name].clone();
    let (buckets, places) = (good[40] as usize, good[44] as usize);
    assert!(places >= 3, "{places} places");
    let start = 64 + buckets * 16;
    for bit in start * 8..(start + places * 40) * 8 {
        disk.overwrite(&name, &good);
        disk.flip_bit(&name, bit);
        assert_eq!(ask(), found, "bit {bit}");
    }
}

/// A disk writes and loses whole pieces, which a checksum of nothing may still fit to.
#[test]
fn no_zeroed_or_misplaced_piece_of_an_index_changes_an_answer() {
    const PIECE: usize = 16;
    for segment_bytes in [2 << 10, 16 << 10] {
        let mut rng = Rng::new(8);
        let mut world = World::with_segments(segment_bytes);
        world.append(&mut rng, 60);
        world.check(&mut world.index(), &mut rng, label, 0);
        // Of a sealed segment, and what was kept of the last one.
        let name = world.index_files()[0].clone();
        let good = world.disk.files()[&name].clone();
        for at in (0..good.len() - PIECE).step_by(PIECE) {
            for from in [None, Some(at + PIECE), at.checked_sub(PIECE)] {
                let mut bytes = good.clone();
                match from {
                    None => bytes[at..at + PIECE].fill(0),
                    Some(from) => bytes.copy_within(from..(from + PIECE).min(good.len()), at),
                }
                world.disk.overwrite(&name, &bytes);
                world.check(&mut world.index(), &mut rng, label, 0);
            }
        }
    }
}

/// A log of records of one key, all of the same size.
fn uniform(key: u8, segment_bytes: u64, records: u64) -> World {
    let mut world = World::with_segments(segment_bytes);
    for offset in 0..records {
        let mut builder = FrameBuilder::new(offset, 0, 1);
        builder.record(|out| out.resize(100, key));
        world.records.push((key, 0));
        world.writer.append(&mut [builder.finish().unwrap()]).unwrap();
    }
    world
}

#[test]
fn labels_that_were_kept_of_another_history_are_not_believed() {
    let (one, other) = (uniform(1, 16 << 10, 40), uniform(2, 16 << 10, 40));
    other.check(&mut other.index(), &mut Rng::new(5), label, 0);
    let [name] = &other.index_files()[..] else { panic!("{:?}", other.index_files()) };
    one.disk.overwrite(name, &other.disk.files()[name]);
    one.check(&mut one.index(), &mut Rng::new(6), label, 0);
}

/// Two logs whose segments begin and end at the same offsets, with other keys.
#[test]
fn the_index_of_another_history_is_made_again() {
    let (one, other) = (uniform(1, 2048, 60), uniform(2, 2048, 60));
    one.check(&mut one.index(), &mut Rng::new(5), label, 0);
    other.check(&mut other.index(), &mut Rng::new(5), label, 0);
    let names = one.index_files();
    assert!(names.len() > 2 && names == other.index_files());
    for name in names {
        one.disk.overwrite(&name, &other.disk.files()[&name]);
    }
    one.check(&mut one.index(), &mut Rng::new(6), label, 0);
}

#[test]
fn what_retention_dropped_is_not_found() {
    let mut rng = Rng::new(3);
    let mut world = World::new();
    world.append(&mut rng, 200);
    let mut index = world.index();
    world.check(&mut index, &mut rng, label, 0);
    let first = retention::drop_before(&world.disk, world.records.len() as u64 / 2).unwrap();
    assert!(first > 0);
    assert!(world.index_files().iter().all(|name| name.as_str() >= &*format!("{first:020}")));
    world.check(&mut index, &mut rng, label, first);
    world.check(&mut world.index(), &mut rng, label, first);
    let found = index.find(label(3), 0, first, usize::MAX).unwrap();
    assert_eq!(found, Vec::<u64>::new());
}

#[test]
fn an_index_that_retention_has_overtaken_goes_on_where_the_log_begins() {
    for taken_in in [1, 20, 100] {
        let mut rng = Rng::new(taken_in);
        let mut world = World::new();
        // Made while the log is short: it begins with the last segment.
        let mut index = world.index();
        world.append(&mut rng, 300);
        index.catch_up(taken_in).unwrap();
        assert_eq!(index.next_offset(), taken_in);
        let first = retention::drop_before(&world.disk, world.records.len() as u64 / 2).unwrap();
        assert!(first > taken_in);
        let gone = index.first(99, first - 1, world.records.len() as u64).unwrap_err();
        assert!(gone.to_string().contains("is gone"), "{gone}");
        world.check(&mut index, &mut rng, label, first);
    }
}

#[test]
fn a_crash_or_a_failing_disk_costs_an_index_and_nothing_else() {
    for seed in 0..4 * scale() {
        let mut rng = Rng::new(seed);
        let mut world = World::new();
        world.append(&mut rng, 120);
        let clean = world.disk.fork();
        clean.record_history();
        let mut index = LabelIndex::new(clean.clone(), ByKey).unwrap();
        let end = world.records.len() as u64;
        index.find(label(1), 0, end, usize::MAX).unwrap();
        for (_, state) in clean.history() {
            for mode in [CrashMode::LoseUnsynced, CrashMode::Subset(seed), CrashMode::Scrambled(1)]
            {
                let disk = state.crash(mode);
                let mut index = LabelIndex::new(disk, ByKey).unwrap();
                let found = index.find(label(1), 0, end, usize::MAX).unwrap();
                assert_eq!(found, world.expected(1, 0, end));
            }
        }
        for call in 0..clean.calls() {
            let disk = world.disk.fork();
            disk.fail_call(call, Fault::Enospc, Repeat::Sticky);
            let mut index = LabelIndex::new(disk, ByKey).unwrap();
            let found = index.find(label(1), 0, end, usize::MAX).unwrap();
            assert_eq!(found, world.expected(1, 0, end), "no space from call {call} on");
        }
    }
}

#[test]
fn an_index_of_a_newer_version_is_made_again() {
    let mut rng = Rng::new(4);
    let mut world = World::new();
    world.append(&mut rng, 60);
    world.check(&mut world.index(), &mut rng, label, 0);
    let name = world.index_files()[0].clone();
    let mut bytes = world.disk.files()[&name].clone();
    bytes[8] = 3;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..64]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    world.disk.overwrite(&name, &bytes);
    world.check(&mut world.index(), &mut rng, label, 0);
    let file = world.disk.open(&name, aiflow_log::Access::Read).unwrap();
    let mut version = [0; 4];
    file.read_full_at(&mut version, 8).unwrap();
    assert_eq!(version, [2, 0, 0, 0]);
}

#[test]
fn a_start_goes_on_from_the_labels_that_were_kept() {
    for seed in 0..10 * scale() {
        let mut rng = Rng::new(seed);
        let mut world = World::with_segments(64 << 10);
        let mut shown = 0;
        for _ in 0..40 {
            world.append(&mut rng, 20);
            let end = world.records.len() as u64;
            world.index().catch_up(end).unwrap();
            let counter = Arc::default();
            let mut index =
                LabelIndex::new(world.disk.clone(), Counting(Arc::clone(&counter))).unwrap();
            index.catch_up(end).unwrap();
            shown = shown.max(counter.load(Ordering::Relaxed));
            world.check(&mut index, &mut rng, label, 0);
        }
        let segments = world.disk.files().into_keys().filter(|name| name.ends_with(".log"));
        assert!(segments.count() > 1);
        // A segment holds about 640 records, an eighth of it is read again.
        assert!(shown < 200, "seed {seed}: {shown} records were looked at again");
    }
}

#[test]
fn labels_that_were_kept_are_not_believed_unless_they_fit() {
    let mut rng = Rng::new(5);
    let mut world = World::with_segments(4 << 10);
    world.append(&mut rng, 16);
    world.check(&mut world.index(), &mut rng, label, 0);
    let [name] = &world.index_files()[..] else { panic!("{:?}", world.index_files()) };
    let good = world.disk.files()[name].clone();
    for bit in 0..good.len() * 8 {
        world.disk.overwrite(name, &good);
        world.disk.flip_bit(name, bit);
        world.check(&mut world.index(), &mut rng, label, 0);
    }
    for length in 0..good.len() {
        world.disk.overwrite(name, &good[..length]);
        world.check(&mut world.index(), &mut rng, label, 0);
    }
    // Another log with the same offsets.
    let mut other = World::with_segments(4 << 10);
    other.append(&mut rng, 40);
    other.disk.overwrite(name, &good);
    other.check(&mut other.index(), &mut rng, label, 0);
    // A question about less than what they hold.
    world.disk.overwrite(name, &good);
    let mut index = world.index();
    assert_eq!(index.find(label(1), 0, 3, 9).unwrap(), world.expected(1, 0, 3));
    assert_eq!(index.next_offset(), 3, "no record behind what was asked for is looked at");
    world.check(&mut index, &mut rng, label, 0);
    // The segment is full now; the labels of its beginning are not those of all of it.
    world.append(&mut rng, 200);
    world.disk.overwrite(name, &good);
    world.check(&mut world.index(), &mut rng, label, 0);
}

#[test]
fn what_was_read_of_a_growing_segment_is_read_again() {
    for seed in 0..20 * scale() {
        let mut rng = Rng::new(seed);
        let mut world = World::new();
        let mut index = world.index();
        for _ in 0..60 {
            let next = world.records.len();
            let batches = 1 + rng.below(12) as usize;
            world.append(&mut rng, batches);
            index.catch_up(world.records.len() as u64).unwrap();
            // Only ever ahead, so that each reading begins where the one before ended.
            for offset in [next, world.records.len() - 1] {
                let key = index.fetch(offset as u64, |record| record.payload[0]).unwrap();
                assert_eq!(key, Some(world.records[offset].0), "seed {seed}: record {offset}");
            }
        }
    }
}

#[test]
fn an_empty_segment_may_be_replaced_by_a_larger_one() {
    let mut rng = Rng::new(6);
    let mut world = World::new();
    let mut index = world.index();
    assert_eq!(index.offset_at(1, 0).unwrap(), 0);
    assert_eq!(index.find(label(1), 0, 0, 1).unwrap(), Vec::<u64>::new());
    (world.writer, _) = open(world.disk.clone(), options(16 << 10)).unwrap();
    let mut builder = FrameBuilder::new(0, 0, 1);
    builder.record(|out| out.resize(4 << 10, 1));
    world.writer.append(&mut [builder.finish().unwrap()]).unwrap();
    world.records.push((1, 0));
    world.check(&mut index, &mut rng, label, 0);
}
