//! Torn tails and damage, byte by byte and bit by bit.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]
#![expect(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use aiflow_log::testing::{MemoryStorage, Rng};
use aiflow_log::{DamageReason, FrameFault, LogOptions, OpenError, ReadError, open, verify};
use common::{Payload, commit, each_seed, frames, options, read, try_read};

const FIRST: &str = "00000000000000000000.log";

/// A log of some commits; the offset at which each starts, and the position of the end.
struct Built {
    disk: MemoryStorage,
    records: Vec<Payload>,
    starts: Vec<u64>,
}

fn build(seed: u64, commits: usize, segment_bytes: u64) -> Built {
    let mut rng = Rng::new(seed);
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(segment_bytes)).unwrap();
    let mut built = Built { disk, records: vec![], starts: vec![] };
    for _ in 0..commits {
        let base = built.records.len() as u64;
        let commit = commit(&mut rng);
        writer.append(&mut frames(base, &commit)).unwrap();
        built.starts.push(base);
        built.records.extend(commit.into_iter().flatten());
    }
    built
}

/// End of the last byte of the only segment that is not zero.
fn used(disk: &MemoryStorage) -> usize {
    disk.files()[FIRST].iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn a_last_commit_that_is_cut_at_any_byte_is_cut_off_as_a_whole() {
    let mut rng = Rng::new(5);
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(4096)).unwrap();
    let kept = commit(&mut rng);
    let before = writer.append(&mut frames(0, &kept)).unwrap();
    let start = used(&disk).next_multiple_of(8);
    let payloads = vec![vec![9; 40], vec![], vec![255; 77]];
    let after = writer.append(&mut frames(before, &[payloads])).unwrap();
    let whole = disk.files()[FIRST].clone();
    let end = used(&disk);
    drop(writer);
    for torn in start..end {
        let copy = disk.fork();
        let mut bytes = whole.clone();
        bytes[torn..].fill(0);
        copy.overwrite(FIRST, &bytes);
        let (mut writer, recovered) = open(copy.clone(), options(4096)).unwrap();
        assert_eq!(recovered.next_offset, before, "torn at {torn}");
        assert_eq!(recovered.cut.is_some(), torn > start, "torn at {torn}");
        if let Some(cut) = recovered.cut {
            assert_eq!((cut.segment.as_str(), cut.position), (FIRST, start as u64));
            assert!(cut.bytes <= (torn - start) as u64);
        }
        let again = writer.append(&mut frames(before, &[vec![b"new".to_vec()]])).unwrap();
        assert_eq!(read(copy, before, again), [b"new"]);
    }
    let (_, recovered) = open(disk, options(4096)).unwrap();
    assert_eq!((recovered.next_offset, recovered.cut), (after, None));
}

#[test]
fn every_flipped_bit_is_found_or_changes_nothing() {
    let built = build(3, 9, 1024);
    let all = built.records.len() as u64;
    let last_commit = *built.starts.last().unwrap();
    let names: Vec<String> = built.disk.files().into_keys().collect();
    let segments: Vec<&String> = names.iter().filter(|name| name.ends_with(".log")).collect();
    assert!(segments.len() >= 3);
    let (mut found, mut cut, mut unused) = (0, 0, 0);
    for name in segments {
        for bit in 0..1024 * 8 {
            let disk = built.disk.fork();
            disk.flip_bit(name, bit);
            let before = disk.files();
            match open(disk.clone(), options(1024)) {
                Err(error) => {
                    assert!(matches!(error, OpenError::Damaged(_)), "{error}");
                    assert_eq!(disk.files(), before, "something was written");
                    assert_eq!(verify(&disk).unwrap().damage.len(), 1, "{name} bit {bit}");
                    found += 1;
                    continue;
                }
                Ok((_, recovered)) => {
                    let next = recovered.next_offset;
                    assert!(next == all || next >= last_commit, "{name} bit {bit}: {next}");
                    assert!(next == all || recovered.cut.is_some(), "{name} bit {bit}: silent");
                    assert!(read(disk, 0, next) == built.records[..next as usize]);
                    if next == all { unused += 1 } else { cut += 1 }
                }
            }
        }
    }
    assert!(found > 10_000 && cut > 100 && unused > 100, "{found} {cut} {unused}");
}

/// What a damaged copy of a one-segment log leads to: found, cut off as a torn last commit and
/// told, or of no consequence. Anything else fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Found,
    Cut,
    Unused,
}

fn fate(built: &Built, segment_bytes: u64, bytes: &[u8], what: &str) -> Fate {
    let disk = MemoryStorage::new();
    disk.overwrite(FIRST, bytes);
    let all = built.records.len() as u64;
    let next = match open(disk.clone(), options(segment_bytes)) {
        Err(error) => {
            assert!(matches!(error, OpenError::Damaged(_)), "{what}: {error}");
            assert_eq!(disk.files()[FIRST], bytes, "{what}: something was written");
            return Fate::Found;
        }
        Ok((_, recovered)) => {
            let next = recovered.next_offset;
            assert!(next == all || recovered.cut.is_some(), "{what}: cut in silence at {next}");
            next
        }
    };
    assert!(next >= *built.starts.last().unwrap(), "{what}: acknowledged records are gone: {next}");
    assert!(read(disk, 0, next) == built.records[..next as usize], "{what}: other records");
    if next == all { Fate::Unused } else { Fate::Cut }
}

#[test]
fn every_bit_of_a_large_segment_is_found_or_provably_padding() {
    const BYTES: u64 = 64 << 10;
    let built = build(11, 150, BYTES);
    let files = built.disk.files();
    assert_eq!(files.keys().filter(|name| name.ends_with(".log")).count(), 1, "one segment");
    let (whole, used) = (files[FIRST].clone(), used(&built.disk));
    assert!(used as u64 > BYTES * 3 / 4, "{used} bytes are used");
    let flipped = each_seed(BYTES, |byte| {
        let mut bytes = whole.clone();
        for bit in 0..8 {
            bytes[byte as usize] ^= 1 << bit;
            let fate = fate(&built, BYTES, &bytes, &format!("byte {byte} bit {bit}"));
            let is_padding = byte as usize >= used.next_multiple_of(8);
            assert!(fate != Fate::Unused || is_padding, "byte {byte} bit {bit} is not noticed");
            bytes[byte as usize] ^= 1 << bit;
        }
        8
    });
    assert_eq!(flipped, BYTES * 8);
    println!("{flipped} bits flipped");
}

#[test]
fn every_sector_of_a_large_segment_zeroed_scrambled_or_misplaced_is_found() {
    const BYTES: u64 = 64 << 10;
    const SECTOR: usize = 512;
    let built = build(11, 150, BYTES);
    let (whole, used) = (built.disk.files()[FIRST].clone(), used(&built.disk));
    let sectors = whole.len() / SECTOR;
    let changed = each_seed(sectors as u64, |sector| {
        let at = sector as usize * SECTOR;
        let mut rng = Rng::new(sector);
        let noise: Vec<u8> = (0..SECTOR).map(|_| rng.next_u64() as u8).collect();
        let others = (0..sectors).map(|other| whole[other * SECTOR..][..SECTOR].to_vec());
        let contents = others.chain([vec![0; SECTOR], noise]);
        let mut changed = 0;
        for content in contents.filter(|content| *content != whole[at..at + SECTOR]) {
            let mut bytes = whole.clone();
            bytes[at..at + SECTOR].copy_from_slice(&content);
            let fate = fate(&built, BYTES, &bytes, &format!("sector {sector}"));
            assert!(fate != Fate::Unused || at >= used, "sector {sector} is not noticed");
            changed += 1;
        }
        changed
    });
    println!("{changed} sectors changed");
    assert!(changed > 10_000);
}

#[test]
fn every_flipped_bit_is_found_by_a_reader() {
    let built = build(4, 6, 4096);
    let all = built.records.len() as u64;
    for bit in 0..used(&built.disk) * 8 {
        let disk = built.disk.fork();
        disk.flip_bit(FIRST, bit);
        let error = try_read(disk, 0, all).unwrap_err();
        assert!(matches!(error, ReadError::Damaged(_)), "bit {bit}: {error}");
    }
}

#[test]
fn a_zeroed_swapped_or_repeated_frame_before_a_later_commit_halts() {
    let built = build(8, 5, 8192);
    let bytes = built.disk.files()[FIRST].clone();
    let mut reader = aiflow_log::LogReader::new(built.disk.clone());
    let mut batches = reader.read(0, built.records.len() as u64).unwrap();
    let mut places = Vec::new();
    while let Some(batch) = batches.next_batch().unwrap() {
        places.push((batch.place().1 as usize, batch.base_offset()));
    }
    let last_commit = *built.starts.last().unwrap();
    for (at, pair) in places.windows(2).enumerate().filter(|(_, pair)| pair[1].1 <= last_commit) {
        let (start, end) = (pair[0].0, pair[1].0);
        let mut zeroed = bytes.clone();
        zeroed[start..end].fill(0);
        expect_damage(&built.disk, &zeroed, pair[0]);
        for (other, _) in places.iter().filter(|(other, _)| *other != start) {
            let n = (end - start).min(bytes.len() - other);
            let mut copied = bytes.clone();
            copied[start..start + n].copy_from_slice(&bytes[*other..other + n]);
            expect_damage(&built.disk, &copied, pair[0]);
        }
        assert!(at < places.len());
    }
}

fn expect_damage(disk: &MemoryStorage, bytes: &[u8], (position, offset): (usize, u64)) {
    let copy = disk.fork();
    copy.overwrite(FIRST, bytes);
    let before = copy.files();
    let error = open(copy.clone(), options(8192)).unwrap_err();
    let OpenError::Damaged(damage) = &error else { panic!("{error}") };
    assert_eq!((damage.position, damage.offset), (position as u64, offset), "{damage}");
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("{FIRST} is damaged at position {position}, offset {offset}"))
    );
    assert_eq!(copy.files(), before, "something was written");
}

/// A write that the disk confirmed and forgot leaves what was there before: a frame that is good
/// in itself and has the right offset.
#[test]
fn a_frame_from_an_earlier_life_at_the_same_place_halts() {
    let built = build(2, 1, 4096);
    let base = built.records.len() as u64;
    let commit = |content: u8, base| frames(base, &[vec![vec![content; 16]]]);
    let first = built.disk.fork();
    open(first.clone(), options(4096)).unwrap().0.append(&mut commit(1, base)).unwrap();
    let second = built.disk.fork();
    let (mut writer, _) = open(second.clone(), options(4096)).unwrap();
    let start = used(&second).next_multiple_of(8);
    writer.append(&mut commit(2, base)).unwrap();
    let end = used(&second).next_multiple_of(8);
    writer.append(&mut commit(3, base + 1)).unwrap();
    let mut bytes = second.files()[FIRST].clone();
    bytes[start..end].copy_from_slice(&first.files()[FIRST][start..end]);
    second.overwrite(FIRST, &bytes);
    let OpenError::Damaged(damage) = open(second, options(4096)).unwrap_err() else { panic!() };
    assert_eq!(damage.reason, DamageReason::Frame(FrameFault::Chain));
}

/// Records may hold frames, such as a copy of a log. One that is good where it was written proves
/// nothing where it was copied to: a torn commit around it is cut off, and does not halt the log.
#[test]
fn a_frame_inside_of_a_record_proves_nothing() {
    let long = build(8, 12, 8192);
    let whole = long.disk.files()[FIRST].clone();
    let built = build(8, 2, 8192);
    let (start, before) = (used(&built.disk).next_multiple_of(8), built.records.len() as u64);
    // From a frame that was written when much more was durable, to the end of the last one.
    let mut reader = aiflow_log::LogReader::new(long.disk.clone());
    let mut batches = reader.read(0, long.records.len() as u64).unwrap();
    let mut place = 0;
    while let Some(batch) = batches.next_batch().unwrap() {
        if batch.durable_before() > before + 10 {
            place = batch.place().1 as usize;
            break;
        }
    }
    assert!(place > start);
    for shift in 0..8 {
        let copy = [&[0; 8][..shift], &whole[place..used(&long.disk)]].concat();
        let disk = built.disk.fork();
        let (mut writer, _) = open(disk.clone(), options(8192)).unwrap();
        writer.append(&mut frames(before, &[vec![copy]])).unwrap();
        disk.flip_bit(FIRST, (start + 4) * 8);
        let (_, recovered) = open(disk.clone(), options(8192))
            .unwrap_or_else(|error| panic!("false halt, shift {shift}: {error}"));
        assert_eq!((recovered.next_offset, recovered.cut.is_some()), (before, true));
        assert!(read(disk, 0, before) == built.records);
    }
}

#[test]
fn a_missing_or_foreign_segment_halts() {
    let built = build(6, 12, 1024);
    let names: Vec<String> =
        built.disk.files().into_keys().filter(|name| name.ends_with(".log")).collect();
    assert!(names.len() >= 4);
    for missing in &names[1..names.len() - 1] {
        let disk = built.disk.fork();
        aiflow_log::Storage::remove(&disk, missing).unwrap();
        let error = open(disk.clone(), options(1024)).unwrap_err();
        assert!(error.to_string().contains("is missing"), "{error}");
        let damage = verify(&disk).unwrap().damage;
        assert!(damage.iter().any(|damage| matches!(damage.reason, DamageReason::Missing(_))));
        // Also where a snapshot saves reading what is left.
        let check_from = built.records.len() as u64;
        let known = LogOptions { check_from, ..options(1024) };
        let OpenError::Damaged(damage) = open(disk, known).unwrap_err() else { panic!() };
        assert!(matches!(damage.reason, DamageReason::Missing(_)), "{damage}");
    }
    let disk = built.disk.fork();
    disk.overwrite(&names[1], &built.disk.files()[&names[2]]);
    let error = open(disk, options(1024)).unwrap_err();
    assert!(error.to_string().contains("the segment header is that of offset"), "{error}");
    let disk = built.disk.fork();
    disk.overwrite(&names[1], &built.disk.files()[&names[1]][..1000]);
    let error = open(disk, options(1024)).unwrap_err();
    assert!(error.to_string().contains("the file has 1000 bytes"), "{error}");
}

#[test]
fn damage_in_a_sealed_segment_below_the_snapshot_is_left_to_the_reader() {
    let built = build(6, 12, 1024);
    built.disk.flip_bit(FIRST, 100 * 8);
    let end = built.records.len() as u64;
    let trusting = LogOptions { segment_bytes: 1024, check_from: end };
    let (_, recovered) = open(built.disk.clone(), trusting).unwrap();
    assert_eq!(recovered.next_offset, end);
    assert!(matches!(try_read(built.disk, 0, recovered.next_offset), Err(ReadError::Damaged(_))));
}

/// Segments that are good in themselves, each from another log of the same history up to there.
#[test]
fn segments_of_different_logs_are_not_joined() {
    let log = |batches: &[Payload]| {
        let disk = MemoryStorage::new();
        let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
        for batch in batches {
            writer.append(&mut frames(writer.next_offset(), &[vec![batch.clone()]])).unwrap();
        }
        disk
    };
    let second = "00000000000000000001.log";
    let (small, large) = (vec![1; 100], vec![2; 700]);
    let main = log(&[large.clone(), large.clone()]);
    let other = log(&[vec![3; 700], large.clone()]);
    let longer = log(&[small.clone(), small, large]);
    for (from, reason) in [(other, DamageReason::Link), (longer, DamageReason::Overlap)] {
        let mixed = main.fork();
        mixed.overwrite(FIRST, &from.files()[FIRST]);
        assert!(mixed.files().contains_key(second));
        let OpenError::Damaged(damage) = open(mixed.clone(), options(1024)).unwrap_err() else {
            panic!("another error")
        };
        assert_eq!(damage.reason, reason);
        assert_eq!(verify(&mixed).unwrap().damage, [damage]);
    }
    let mixed = main.fork();
    mixed.overwrite(FIRST, &log(&[vec![3; 700]]).files()[FIRST]);
    let ReadError::Damaged(damage) = try_read(mixed, 0, 2).unwrap_err() else { panic!() };
    assert_eq!((damage.reason, damage.segment.as_str()), (DamageReason::Link, second));
}
