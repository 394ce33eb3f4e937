//! Old segments are compressed or dropped: nothing that is kept changes, whatever fails or crashes
//! on the way, and what was dropped is said to be gone.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]

mod common;

use std::cell::Cell;
use std::io;
use std::sync::Barrier;

use aiflow_log::retention::{self, Limits, SegmentInfo, compress, droppable};
use aiflow_log::testing::{CrashMode, Fault, MemoryStorage, Repeat, Rng};
use aiflow_log::{
    Access, DamageReason, LogReader, OpenError, ReadError, Storage, StorageFile, open, verify,
};
use common::{commit, crash_modes, each_seed, frames, options, read, scale, try_read};

const SEGMENT_BYTES: u64 = 1 << 10;

/// A log of several segments, and what it holds.
struct World {
    disk: MemoryStorage,
    records: Vec<Vec<u8>>,
}

impl World {
    fn new(seed: u64, commits: u64) -> Self {
        let mut rng = Rng::new(seed);
        let disk = MemoryStorage::new();
        let (mut writer, _) = open(disk.clone(), options(SEGMENT_BYTES)).unwrap();
        let mut records = Vec::new();
        for _ in 0..commits {
            let commit = commit(&mut rng);
            writer.append(&mut frames(records.len() as u64, &commit)).unwrap();
            records.extend(commit.concat());
        }
        Self { disk, records }
    }

    fn end(&self) -> u64 {
        self.records.len() as u64
    }

    fn segments(&self) -> Vec<SegmentInfo> {
        retention::segments(&self.disk).unwrap()
    }

    fn compress_all(&self) -> usize {
        let sealed: Vec<u64> =
            self.segments().iter().filter(|s| s.end.is_some()).map(|s| s.base).collect();
        for base in &sealed {
            compress(&self.disk, *base).unwrap();
        }
        sealed.len()
    }
}

#[test]
fn a_compressed_segment_reads_as_before_and_goes_on_to_be_written_behind() {
    let mut world = World::new(1, 60);
    let plain = world.disk.files();
    let sealed = world.compress_all();
    assert!(sealed > 5, "{sealed}");
    let files = world.disk.files();
    for segment in world.segments() {
        assert_eq!(segment.is_compressed, segment.end.is_some(), "{segment:?}");
        let name = segment.name.trim_end_matches(".zst");
        if segment.is_compressed {
            assert!(!files.contains_key(name));
            // The tool of everyone gives the segment back, trailing zeros and all.
            let bytes = zstd::stream::decode_all(files[&segment.name].as_slice()).unwrap();
            assert_eq!(bytes, plain[name]);
        }
    }
    assert_eq!(read(world.disk.clone(), 0, world.end()), world.records);
    for from in 0..world.end() {
        assert_eq!(read(world.disk.clone(), from, from + 1), world.records[from as usize..][..1]);
    }
    assert_eq!(verify(&world.disk).unwrap().damage, vec![]);

    let (mut writer, recovered) = open(world.disk.clone(), options(SEGMENT_BYTES)).unwrap();
    assert_eq!((recovered.first_offset, recovered.next_offset), (0, world.end()));
    writer.append(&mut frames(world.end(), &[vec![vec![9; 500]; 1]])).unwrap();
    world.records.push(vec![9; 500]);
    assert_eq!(read(world.disk.clone(), 0, world.end()), world.records);
    // Doing it again changes nothing but what was sealed since.
    let before = world.disk.files();
    world.compress_all();
    let after = world.disk.files();
    assert!(before.iter().all(|(name, bytes)| after.get(name).is_none_or(|now| now == bytes)));
}

#[test]
fn what_repeats_takes_little_room() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(1 << 20)).unwrap();
    let text = br#"{"record":{"EventEmitted":{"namespace":"default","key":"k"}}}"#.to_vec();
    let mut next = 0;
    while retention::segments(&disk).unwrap().len() < 2 {
        next = writer.append(&mut frames(next, &[vec![text.clone(); 50]])).unwrap();
    }
    let (before, after) = compress(&disk, 0).unwrap();
    assert_eq!(before, 1 << 20);
    assert!(after * 10 < before, "{before} -> {after}");
    assert_eq!(read(disk, 0, next), vec![text; next as usize]);
}

#[test]
fn only_sealed_segments_are_compressed() {
    let world = World::new(2, 30);
    let last = world.segments().last().unwrap().base;
    for base in [last, 1, u64::MAX] {
        let error = compress(&world.disk, base).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput);
    }
    world.compress_all();
    let name = world.segments().last().unwrap().name.clone();
    world.disk.remove(&name).unwrap();
    let refused = open(world.disk.clone(), options(SEGMENT_BYTES)).unwrap_err();
    assert!(
        matches!(&refused, OpenError::Damaged(damage) if damage.reason == DamageReason::NotLast),
        "{refused}"
    );
    let damage = verify(&world.disk).unwrap().damage;
    assert!(damage.iter().any(|damage| damage.reason == DamageReason::NotLast), "{damage:?}");
}

/// Compresses the older half and drops the oldest quarter; gives the first offset that must stay.
fn compress_and_drop(disk: &MemoryStorage) -> Result<u64, Box<dyn std::error::Error>> {
    let segments = retention::segments(disk)?;
    let half = &segments[..segments.len() / 2];
    for segment in half {
        compress(disk, segment.base)?;
    }
    Ok(retention::drop_before(disk, half[half.len() / 2].base)?)
}

fn check_kept(disk: &MemoryStorage, world: &World, first_max: u64) {
    let (_, recovered) = open(disk.clone(), options(SEGMENT_BYTES)).unwrap();
    assert!(recovered.first_offset <= first_max, "{recovered:?}");
    assert_eq!(recovered.next_offset, world.end());
    let there = read(disk.clone(), recovered.first_offset, world.end());
    assert_eq!(there, world.records[recovered.first_offset as usize..]);
    assert_eq!(verify(disk).unwrap().damage, vec![]);
    assert!(!disk.files().contains_key("compress.tmp"));
}

#[test]
fn a_power_cut_at_any_moment_changes_no_record() {
    let states = each_seed(3 * scale(), |seed| {
        let mut states = 0;
        let world = World::new(seed, 40);
        let disk = world.disk.fork();
        disk.record_history();
        let first = compress_and_drop(&disk).unwrap();
        let mut rng = Rng::new(seed);
        for (_, state) in disk.history() {
            for mode in crash_modes(state.unsynced(), &mut rng) {
                check_kept(&state.crash(mode), &world, first);
                states += 1;
            }
        }
        // And what was begun is ended by the next try.
        for (_, state) in disk.history().into_iter().step_by(7) {
            let after = state.crash(CrashMode::LoseUnsynced);
            compress_and_drop(&after).unwrap();
            check_kept(&after, &world, world.end());
        }
        states
    });
    println!("{states} states after a power cut");
    assert!(states > 1_000, "{states}");
}

#[test]
fn a_failing_disk_changes_no_record() {
    let faults = [Fault::Eio, Fault::Enospc, Fault::Eintr, Fault::Short, Fault::FsyncError];
    let world = World::new(5, 40);
    let clean = world.disk.fork();
    let before = clean.calls();
    compress_and_drop(&clean).unwrap();
    let calls = clean.calls() - before;
    for call in 0..calls {
        for fault in faults {
            for repeat in [Repeat::Once, Repeat::Sticky] {
                let disk = world.disk.fork();
                disk.fail_call(disk.calls() + call, fault, repeat);
                let done = compress_and_drop(&disk);
                disk.clear_faults();
                check_kept(&disk.fork(), &world, done.unwrap_or(world.end()));
                check_kept(&disk.crash(CrashMode::LoseUnsynced), &world, world.end());
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_compressed_segment_is_found_or_means_nothing() {
    let world = World::new(7, 12);
    world.compress_all();
    let name = world.segments()[0].name.clone();
    let good = world.disk.files()[&name].clone();
    let (mut found, mut harmless) = (0, 0);
    for bit in 0..good.len() * 8 {
        world.disk.flip_bit(&name, bit);
        match try_read(world.disk.clone(), 0, world.end()) {
            Ok(records) => {
                assert_eq!(records, world.records, "bit {bit}");
                harmless += 1;
            }
            Err(ReadError::Damaged(damage)) => {
                assert_eq!(damage.segment, name, "bit {bit}: {damage}");
                assert!(!verify(&world.disk).unwrap().damage.is_empty(), "bit {bit}");
                found += 1;
            }
            Err(error) => assert!(matches!(error, ReadError::NewerVersion { .. }), "{error}"),
        }
        world.disk.overwrite(&name, &good);
    }
    println!("{found} of {} bits found, {harmless} mean nothing", good.len() * 8);
    assert!(found > 8 * harmless, "{found} {harmless}");
    for length in 0..good.len() {
        world.disk.overwrite(&name, &good[..length]);
        try_read(world.disk.clone(), 0, world.end()).unwrap_err();
    }
}

#[test]
fn a_reader_goes_on_while_the_segment_under_it_is_replaced_and_dropped() {
    let world = World::new(9, 60);
    let mut reader = LogReader::new(world.disk.clone());
    let mut got = Vec::new();
    for at in 0..world.end() {
        if at == world.end() / 4 {
            world.compress_all();
        }
        let mut batches = reader.read(at, at + 1).unwrap();
        let batch = batches.next_batch().unwrap().unwrap();
        got.push(batch.records().next().unwrap().payload.to_vec());
    }
    assert_eq!(got, world.records);
    let first = retention::drop_before(&world.disk, world.end() / 2).unwrap();
    assert!(first > 0);
    let mut stale = reader;
    for from in [0, first - 1] {
        let gone = stale.read(from, world.end()).map(drop).unwrap_err();
        assert!(
            matches!(gone, ReadError::Gone { from: f, first: s } if (f, s) == (from, first)),
            "{gone}"
        );
    }
    assert_eq!(read(world.disk.clone(), first, world.end()), world.records[first as usize..]);
}

#[test]
fn a_segment_that_is_compressed_while_it_is_dropped_leaves_no_hole() {
    let world = World::new(17, 40);
    let bases: Vec<u64> = world.segments().iter().map(|segment| segment.base).collect();
    let sealed = &bases[..bases.len() - 1];
    for turn in 0..300 {
        let disk = world.disk.fork();
        let both = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                for base in sealed {
                    match compress(&disk, *base) {
                        Ok(_) => {}
                        Err(error) => assert_eq!(error.source.kind(), io::ErrorKind::InvalidInput),
                    }
                }
            });
            both.wait();
            retention::drop_before(&disk, sealed[sealed.len() / 2]).unwrap();
        });
        let (_, recovered) = open(disk.clone(), options(SEGMENT_BYTES)).unwrap();
        assert_eq!(recovered.first_offset, sealed[sealed.len() / 2], "turn {turn}");
        let kept = &world.records[recovered.first_offset as usize..];
        assert_eq!(read(disk, recovered.first_offset, world.end()), kept);
    }
}

#[test]
fn what_may_be_dropped_is_what_a_limit_names_and_nothing_needs() {
    let segment = |base: u64, end: Option<u64>| SegmentInfo {
        name: String::new(),
        base,
        end,
        begin_time_us: base as i64,
        end_time_us: end.map(|end| end as i64 - 1),
        file_bytes: 100,
        is_compressed: false,
        is_indexed: true,
    };
    let log =
        [segment(0, Some(10)), segment(10, Some(20)), segment(20, Some(30)), segment(30, None)];
    let by_bytes = |bytes| Limits { bytes: Some(bytes), since_us: None };
    let since = |since_us| Limits { bytes: None, since_us: Some(since_us) };
    let both = Limits { bytes: Some(300), since_us: Some(20) };
    let cases = [
        (Limits::default(), u64::MAX, None),
        (by_bytes(400), u64::MAX, None),
        (by_bytes(399), u64::MAX, Some(10)),
        (by_bytes(200), u64::MAX, Some(20)),
        (by_bytes(0), u64::MAX, Some(30)),
        (by_bytes(0), 29, Some(20)),
        (by_bytes(0), 9, None),
        (since(9), u64::MAX, None),
        (since(10), u64::MAX, Some(10)),
        (since(i64::MAX), u64::MAX, Some(30)),
        (both, u64::MAX, Some(20)),
    ];
    for (limits, safe, expected) in cases {
        assert_eq!(droppable(&log, limits, safe), expected, "{limits:?} {safe}");
    }
    assert_eq!(droppable(&[], by_bytes(0), u64::MAX), None);
}

#[test]
fn dropping_before_any_offset_keeps_it() {
    let world = World::new(10, 30);
    let bases: Vec<u64> = world.segments().iter().map(|segment| segment.base).collect();
    for offset in 0..=world.end() {
        let disk = world.disk.fork();
        let first = retention::drop_before(&disk, offset).unwrap();
        let expected = *bases.iter().rfind(|base| **base <= offset).unwrap();
        assert_eq!(first, expected, "before {offset}");
        assert_eq!(read(disk, first, world.end()), world.records[first as usize..]);
    }
}

#[test]
fn a_reader_that_is_overtaken_while_it_reads_says_so() {
    for compressed in [false, true] {
        let world = World::new(11, 60);
        if compressed {
            world.compress_all();
        }
        let bases: Vec<u64> = world.segments().iter().map(|segment| segment.base).collect();
        let mut reader = LogReader::new(world.disk.clone());
        let mut fresh = LogReader::new(world.disk.clone());
        fresh.read(0, 1).unwrap().next_batch().unwrap().unwrap();
        let mut batches = reader.read(0, world.end()).unwrap();
        let mut next = batches.next_batch().unwrap().unwrap().end();
        let first = retention::drop_before(&world.disk, world.end() / 2).unwrap();
        assert!(first > bases[1] && next < bases[1]);
        // What is open stays readable; the segment after it is gone.
        let gone = loop {
            match batches.next_batch() {
                Ok(batch) => next = batch.unwrap().end(),
                Err(error) => break error,
            }
        };
        assert_eq!(next, bases[1]);
        let is_told = |error: &ReadError, at| match error {
            ReadError::Gone { from, first: found } => (*from, *found) == (at, first),
            _ => false,
        };
        assert!(is_told(&gone, next), "{gone}");
        // Where the segment has to be opened again.
        let gone = fresh.read(0, world.end()).map(drop).unwrap_err();
        assert!(is_told(&gone, 0), "{gone}");
        assert_eq!(read(world.disk.clone(), first, world.end()), world.records[first as usize..]);
    }
}

#[test]
fn a_reader_that_knows_nothing_of_later_segments_is_told_what_is_gone() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(SEGMENT_BYTES)).unwrap();
    writer.append(&mut frames(0, &[vec![vec![1; 90]]])).unwrap();
    let mut reader = LogReader::new(disk.clone());
    let mut batches = reader.read(0, u64::MAX).unwrap();
    batches.next_batch().unwrap().unwrap();
    let mut next = 1;
    for _ in 0..40 {
        next = writer.append(&mut frames(next, &[vec![vec![1; 90]]])).unwrap();
    }
    let first = retention::drop_before(&disk, next).unwrap();
    let gone = loop {
        if let Err(error) = batches.next_batch() {
            break error;
        }
    };
    assert!(matches!(gone, ReadError::Gone { first: f, .. } if f == first), "{gone}");
}

#[test]
fn while_both_forms_are_there_the_plain_one_is_the_segment() {
    let world = World::new(12, 30);
    let other = World::new(13, 30);
    other.compress_all();
    let packed = other.disk.files()[&other.segments()[0].name].clone();
    for bytes in [vec![1, 2, 3], packed] {
        let disk = world.disk.fork();
        let name = format!("{:020}.log.zst", 0);
        disk.overwrite(&name, &bytes);
        assert_eq!(verify(&disk).unwrap().damage, vec![]);
        open(disk.clone(), options(SEGMENT_BYTES)).unwrap();
        assert_eq!(read(disk.clone(), 0, world.end()), world.records);
        // And the next try replaces what was there.
        compress(&disk, 0).unwrap();
        assert!(!disk.files().contains_key(name.trim_end_matches(".zst")));
        assert_eq!(read(disk.clone(), 0, world.end()), world.records);
    }
}

#[test]
fn a_table_that_does_not_fit_to_its_file_is_not_believed() {
    let world = World::new(14, 12);
    world.compress_all();
    let name = world.segments()[0].name.clone();
    let good = world.disk.files()[&name].clone();
    // One block, so from the end: magic, descriptor, blocks, plain size, packed size, length.
    let cases = [
        (1, 0xFF, "the file does not end with a table of blocks"),
        (5, 0x80, "the file does not end with a table of blocks"),
        (9, 0x01, "the file does not end with a table of blocks"),
        (9, 0x02, "the table of blocks has another length than it says"),
        (6, 0x80, "the file is too short"),
        (10, 0x80, "the table holds a block of a size that is never written"),
        (11, 0x02, "the table holds a block of a size that is never written"),
        (14, 0x80, "the blocks do not fill the file"),
        (17, 0x01, "the blocks do not fill the file"),
        (18, 0x80, "the table of blocks has another length than it says"),
        (21, 0x04, "the table of blocks has another length than it says"),
    ];
    for (from_end, flip, expected) in cases {
        let mut bytes = good.clone();
        let at = bytes.len() - from_end;
        bytes[at] ^= flip;
        world.disk.overwrite(&name, &bytes);
        let damage = verify(&world.disk).unwrap().damage;
        let reason = DamageReason::Compressed(expected.to_owned());
        assert_eq!(damage[0].reason, reason, "{flip:#x} at {from_end} from the end");
        assert_eq!(damage[0].segment, name);
        try_read(world.disk.clone(), 0, world.end()).unwrap_err();
    }
}

#[test]
fn a_damaged_block_is_told_and_what_lies_before_it_is_read() {
    const BLOCK: u64 = 64 << 10;
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(5 * BLOCK)).unwrap();
    let mut rng = Rng::new(15);
    let mut records = Vec::new();
    while retention::segments(&disk).unwrap().len() < 2 {
        let record: Vec<u8> = (0..3_000).map(|_| rng.next_u64() as u8).collect();
        writer.append(&mut frames(records.len() as u64, &[vec![record.clone()]])).unwrap();
        records.push(record);
    }
    compress(&disk, 0).unwrap();
    let name = retention::segments(&disk).unwrap()[0].name.clone();
    let good = disk.files()[&name].clone();
    let magic = zstd::zstd_safe::MAGICNUMBER.to_le_bytes();
    let starts: Vec<usize> =
        good.windows(4).enumerate().filter(|(_, w)| *w == magic).map(|(at, _)| at).collect();
    assert_eq!(starts.len(), 5);
    for (block, start) in starts.into_iter().enumerate() {
        let mut bytes = good.clone();
        bytes[start] ^= 1;
        disk.overwrite(&name, &bytes);
        let damage = verify_or_error(&disk);
        let told = "cannot be decompressed";
        assert!(damage.contains(told), "block {block}: {damage}");
        // Frames are read in pieces, so some of those before are lost to a reader with them.
        let whole = (block as u64 * BLOCK).saturating_sub(2 * BLOCK) / 3_100;
        assert_eq!(read(disk.clone(), 0, whole), records[..whole as usize]);
        let error = try_read(disk.clone(), 0, records.len() as u64).unwrap_err();
        assert!(error.to_string().contains(told), "block {block}: {error}");
    }
}

/// The first damage that is found.
fn verify_or_error(disk: &MemoryStorage) -> String {
    match verify(disk) {
        Ok(report) => report.damage[0].to_string(),
        Err(error) => error.to_string(),
    }
}

/// A disk that gives back one byte of what is being compressed otherwise than it was written, once
/// the system has forgotten what it wrote.
#[derive(Debug)]
struct Forgetful {
    disk: MemoryStorage,
    bad: u64,
}

#[derive(Debug)]
struct ForgetfulFile {
    file: <MemoryStorage as Storage>::File,
    bad: Option<u64>,
    forgot: Cell<bool>,
}

impl Storage for Forgetful {
    type File = ForgetfulFile;

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str, access: Access) -> io::Result<ForgetfulFile> {
        let file = self.disk.open(name, access)?;
        Ok(ForgetfulFile { file, bad: None, forgot: Cell::new(false) })
    }

    fn create(&self, name: &str) -> io::Result<ForgetfulFile> {
        let file = self.disk.create(name)?;
        Ok(ForgetfulFile { file, bad: Some(self.bad), forgot: Cell::new(false) })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }
}

impl StorageFile for ForgetfulFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let n = self.file.read_at(buffer, position)?;
        let bad = self.bad.filter(|_| self.forgot.get()).and_then(|bad| bad.checked_sub(position));
        if let Some(byte) = bad.and_then(|at| buffer[..n].get_mut(at as usize)) {
            *byte ^= 0x10;
        }
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.file.write_at(bytes, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn drop_cache(&self) {
        self.file.drop_cache();
        self.forgot.set(true);
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.file.allocate(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }
}

#[test]
fn a_segment_stays_when_the_disk_gives_back_its_compressed_form_otherwise() {
    let world = World::new(16, 12);
    let plain = world.disk.files()[&world.segments()[0].name].clone();
    let packed = world.disk.fork();
    compress(&packed, 0).unwrap();
    let good = packed.files()[&format!("{:020}.log.zst", 0)].clone();
    let (mut refused, before) = (0, world.disk.files());
    for bad in 0..good.len() {
        let disk = world.disk.fork();
        match compress(&Forgetful { disk: disk.clone(), bad: bad as u64 }, 0) {
            Err(_) => {
                assert_eq!(disk.files(), before, "byte {bad}");
                refused += 1;
            }
            Ok(_) => {
                let mut bytes = good.clone();
                bytes[bad] ^= 0x10;
                let same = zstd::stream::decode_all(bytes.as_slice()).unwrap();
                assert!(same == plain, "byte {bad} is not noticed");
            }
        }
    }
    println!("{refused} of {} bad bytes are noticed", good.len());
    assert!(refused * 10 > good.len() * 9, "{refused} of {}", good.len());
}
