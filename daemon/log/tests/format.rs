//! The bytes: what is encoded is decoded, old logs stay readable, newer ones are left alone.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]
#![expect(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use std::path::{Path, PathBuf};

use aiflow_log::format::FrameHeader;
use aiflow_log::testing::MemoryStorage;
use aiflow_log::{
    DiskStorage, FrameBuilder, FrameError, FrameFault, LogReader, OpenError, ReadError, open,
    verify,
};
use common::{frames, options, read, try_read};
use proptest::prelude::*;

const FIRST: &str = "00000000000000000000.log";
const HEADER_VERSION: usize = 8;
const HEADER_CRC: usize = 12;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1")
}

/// What the fixture holds: batch `i` has `i % 3 + 1` records, time `1000 i - 5000`, epoch `i / 4`.
fn fixture_batches() -> Vec<(i64, u64, Vec<Vec<u8>>)> {
    let record = |i: u64, n: u64| match n {
        0 => format!("{{\"batch\":{i}}}").into_bytes(),
        1 => Vec::new(),
        _ => (0..=255).collect(),
    };
    (0..12)
        .map(|i| (1000 * i as i64 - 5000, i / 4, (0..=i % 3).map(|n| record(i, n)).collect()))
        .collect()
}

fn write_fixture(disk: &MemoryStorage) {
    let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
    for pair in fixture_batches().chunks(2) {
        let mut next = writer.next_offset();
        let mut frames = Vec::new();
        for (time_us, epoch, records) in pair {
            let mut builder = FrameBuilder::new(next, *time_us, *epoch);
            for record in records {
                builder.record(|out| out.extend_from_slice(record));
            }
            next = builder.next_offset();
            frames.push(builder.finish().unwrap());
        }
        writer.append(&mut frames).unwrap();
    }
}

#[test]
fn a_log_of_version_1_stays_readable() {
    let storage = DiskStorage::open(fixture()).unwrap();
    let report = verify(&storage).unwrap();
    assert_eq!((report.damage.len(), report.tail, report.records), (0, None, 24));
    assert_eq!(report.segments.len(), 3);
    let mut reader = LogReader::new(storage);
    let mut batches = reader.read(0, 24).unwrap();
    for (time_us, epoch, records) in fixture_batches() {
        let batch = batches.next_batch().unwrap().unwrap();
        assert_eq!((batch.time_us(), batch.epoch()), (time_us, epoch));
        assert!(batch.records().map(|record| record.payload).eq(records.iter()));
    }
    assert!(batches.next_batch().unwrap().is_none());
}

/// The writer still writes the same bytes; if this fails, the format version must go up.
#[test]
fn a_log_of_version_1_is_written_byte_by_byte_as_before() {
    let disk = MemoryStorage::new();
    write_fixture(&disk);
    let mut files = disk.files();
    files.remove("spare.tmp");
    if std::env::var_os("AIFLOW_LOG_WRITE_FIXTURE").is_some() {
        std::fs::create_dir_all(fixture()).unwrap();
        for (name, bytes) in &files {
            std::fs::write(fixture().join(name), bytes).unwrap();
        }
    }
    for (name, bytes) in files {
        assert!(std::fs::read(fixture().join(&name)).unwrap() == bytes, "{name}");
    }
}

#[test]
fn a_newer_version_is_refused_and_no_byte_changes() {
    let disk = MemoryStorage::new();
    write_fixture(&disk);
    let last = disk.files().into_keys().rfind(|name| name.ends_with(".log")).unwrap();
    let mut bytes = disk.files()[&last].clone();
    bytes[HEADER_VERSION..HEADER_VERSION + 4].copy_from_slice(&9_u32.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..HEADER_CRC]), &bytes[16..64]);
    bytes[HEADER_CRC..HEADER_CRC + 4].copy_from_slice(&crc.to_le_bytes());
    disk.overwrite(&last, &bytes);
    // A newer version may also have damage in the eyes of this one.
    disk.flip_bit(FIRST, 5);
    let before = disk.files();
    let error = open(disk.clone(), options(1024)).unwrap_err();
    assert!(matches!(&error, OpenError::NewerVersion { found: 9, supported: 1, .. }), "{error}");
    let text = format!("{last} has format version 9, this program reads up to 1");
    assert_eq!(error.to_string(), text);
    assert_eq!(disk.files(), before);
    assert!(matches!(verify(&disk), Err(OpenError::NewerVersion { .. })));
    disk.flip_bit(FIRST, 5);
    assert!(matches!(try_read(disk, 0, 24), Err(ReadError::NewerVersion { .. })));
}

#[test]
fn names_that_are_not_the_logs_are_left_alone() {
    let disk = MemoryStorage::new();
    for name in
        ["lock", "1.log", "0000000000000000000x.log", "snapshot", "+0000000000000000000.log"]
    {
        disk.overwrite(name, b"mine");
    }
    disk.overwrite("99999999999999999999.log", b"larger than any offset");
    let before = disk.files();
    let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
    writer.append(&mut frames(0, &[vec![vec![1]]])).unwrap();
    let after = disk.files();
    assert!(before.iter().all(|(name, bytes)| after.get(name) == Some(bytes)));
    assert_eq!(after.len(), before.len() + 1);
}

#[test]
fn a_batch_is_refused_before_it_is_written() {
    assert_eq!(FrameBuilder::new(0, 0, 0).finish(), Err(FrameError::Empty));
    let mut large = FrameBuilder::new(0, 0, 0).with_limit(80);
    large.record(|out| out.extend_from_slice(&[0; 21]));
    assert_eq!(large.finish(), Err(FrameError::TooLarge { bytes: 88, limit: 80 }));
    let mut fits = FrameBuilder::new(0, 0, 0).with_limit(80);
    fits.record(|out| out.extend_from_slice(&[0; 20]));
    assert_eq!(fits.finish().map(|frame| frame.size()), Ok(80));
    let mut short = FrameBuilder::new(0, 0, 0);
    short.record(Vec::clear);
    assert_eq!(short.finish(), Err(FrameError::Shortened));
    let mut failing = FrameBuilder::new(0, 0, 0);
    failing.record(|out| out.push(1));
    let failed = failing.try_record(|out| {
        out.push(2);
        Err("no")
    });
    assert_eq!(failed, Err("no"));
    let frame = failing.finish().unwrap();
    assert_eq!((frame.count(), frame.records().next()), (1, Some(&[1_u8][..])));
}

/// Lengths and counts come from the disk: they are compared with what there can be before anything
/// is read or allocated for them.
#[test]
fn a_frame_header_with_a_length_or_count_that_cannot_be_is_refused() {
    const POSITION: u64 = 64;
    const CAPACITY: u64 = 1024;
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(CAPACITY)).unwrap();
    writer.append(&mut frames(0, &[vec![vec![1; 20], vec![2; 30]]])).unwrap();
    let good = disk.files()[FIRST][POSITION as usize..].to_vec();
    let decode = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        FrameHeader::decode(&bytes, POSITION, CAPACITY)
    };
    const LENGTH: usize = 8;
    const COUNT: usize = 12;
    let most = (CAPACITY - POSITION) as u32 - 56;
    for length in [8, 58, most - 8, most] {
        assert_eq!(decode(LENGTH, length).map(|header| header.length), Ok(length));
    }
    for length in [0, 7, most + 1, most + 8, 1 << 20, u32::MAX - 63, u32::MAX] {
        assert_eq!(decode(LENGTH, length), Err(FrameFault::Header), "length {length}");
    }
    for count in [1, 2, 14] {
        assert_eq!(decode(COUNT, count).map(|header| header.count), Ok(count));
    }
    for count in [0, 15, 1 << 30, (1 << 30) + 2, u32::MAX] {
        assert_eq!(decode(COUNT, count), Err(FrameFault::Header), "count {count}");
    }
}

#[test]
fn segment_sizes_out_of_range_are_refused() {
    for bytes in [0, 1016, 1025, (1 << 30) + 8] {
        let error = open(MemoryStorage::new(), options(bytes)).unwrap_err();
        assert!(matches!(error, OpenError::SegmentBytes(found) if found == bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded(
        commits in prop::collection::vec(
            prop::collection::vec(
                prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5),
                1..4,
            ),
            0..12,
        ),
        segment in prop::sample::select(vec![2048_u64, 4096, 65536]),
        from in 0.0..1.0_f64,
        until in 0.0..1.0_f64,
    ) {
        let disk = MemoryStorage::new();
        let (mut writer, _) = open(disk.clone(), options(segment)).unwrap();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for commit in &commits {
            let end = writer.append(&mut frames(model.len() as u64, commit)).unwrap();
            model.extend(commit.iter().flatten().cloned());
            prop_assert_eq!(end, model.len() as u64);
        }
        let end = model.len() as u64;
        prop_assert_eq!(read(disk.clone(), 0, end), model.clone());
        let (from, until) = ((end as f64 * from) as u64, (end as f64 * until) as u64);
        let part = model.get(from as usize..until as usize).unwrap_or_default();
        prop_assert_eq!(read(disk.clone(), from, until), part);
        let report = verify(&disk).unwrap();
        prop_assert_eq!((report.records, report.next_offset), (end, end));
        prop_assert!(report.damage.is_empty() && report.tail.is_none());
    }
}
