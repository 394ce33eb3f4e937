//! Reading from a storage that fails, and from files that are not whole: told each time, and the
//! reader is as good as before.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]
#![expect(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use aiflow_log::format::HeaderFault;
use aiflow_log::testing::{Fault, MemoryStorage, Repeat, Rng};
use aiflow_log::{
    DamageReason, LogReader, OpenError, ReadError, Snapshot, SnapshotError, open, snapshot, verify,
};
use common::{Payload, commit, frames, options, read, try_read};

/// A log of some segments, and what is in it.
fn log() -> (MemoryStorage, Vec<Payload>) {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
    let (mut rng, mut records) = (Rng::new(7), vec![]);
    for _ in 0..15 {
        let commit = commit(&mut rng);
        writer.append(&mut frames(records.len() as u64, &commit)).unwrap();
        records.extend(commit.into_iter().flatten());
    }
    (disk, records)
}

fn read_all(reader: &mut LogReader<MemoryStorage>, end: u64) -> Result<Vec<Payload>, ReadError> {
    let mut out = vec![];
    reader.read(0, end)?.for_each(|record| {
        out.push(record.payload.to_vec());
        Ok::<(), ReadError>(())
    })?;
    Ok(out)
}

#[test]
fn a_failing_call_is_told_and_the_reader_goes_on() {
    let (disk, records) = log();
    let end = records.len() as u64;
    let mut told = 0;
    for call in 0.. {
        let disk = disk.fork();
        disk.fail_call(call, Fault::Eio, Repeat::Once);
        let mut reader = LogReader::new(disk.clone());
        match read_all(&mut reader, end) {
            Ok(found) => {
                assert_eq!(found, records);
                assert_eq!(disk.hits(), 0, "call {call} failed and nobody was told");
                break;
            }
            Err(ReadError::Storage(_)) => told += 1,
            Err(error) => panic!("call {call}: {error}"),
        }
        assert_eq!(read_all(&mut reader, end).unwrap(), records, "after call {call}");
    }
    assert!(told > 10, "{told} calls failed");
}

#[test]
fn what_cannot_be_read_is_not_verified() {
    let (disk, records) = log();
    let whole = verify(&disk).unwrap();
    assert_eq!(whole.next_offset, records.len() as u64);
    for call in 0.. {
        let disk = disk.fork();
        disk.fail_call(call, Fault::Eio, Repeat::Once);
        let report = verify(&disk);
        if disk.hits() == 0 {
            assert!(call > 10, "{call} calls");
            return;
        }
        assert!(matches!(report, Err(OpenError::Storage(_))), "call {call}: {report:?}");
    }
}

#[test]
fn a_file_shorter_than_its_header_is_damage_to_all_who_read_it() {
    let (disk, records) = log();
    let names: Vec<String> = disk.files().into_keys().filter(|n| n.ends_with(".log")).collect();
    let (first, end) = (&names[0], records.len() as u64);
    let bytes = disk.files()[first].clone();
    for length in 0..64 {
        disk.overwrite(first, &bytes[..length]);
        let short = DamageReason::Header(HeaderFault::Short);
        let Err(OpenError::Damaged(damage)) = open(disk.clone(), options(1024)) else {
            panic!("opened with {length} bytes");
        };
        assert_eq!((&damage.segment, &damage.reason), (first, &short));
        let Err(ReadError::Damaged(damage)) = try_read(disk.clone(), 0, end) else {
            panic!("read with {length} bytes");
        };
        assert_eq!(damage.reason, short);
        assert!(verify(&disk).unwrap().damage.contains(&damage));
    }
    disk.overwrite(first, &bytes);
    assert_eq!(read(disk, 0, end), records);
}

#[test]
fn a_batch_tells_its_chain_and_what_was_durable_before_it() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(4096)).unwrap();
    let two = frames(0, &[vec![vec![1]], vec![vec![2], vec![3]]]);
    assert_eq!(two.iter().map(aiflow_log::Frame::count).collect::<Vec<_>>(), [1, 2]);
    writer.append(&mut { two }).unwrap();
    writer.append(&mut frames(3, &[vec![vec![4]]])).unwrap();
    let bytes = disk.files().remove(&format!("{:020}.log", 0)).unwrap();
    let mut reader = LogReader::new(disk);
    let mut batches = reader.read(0, 4).unwrap();
    let mut durable = vec![];
    while let Some(batch) = batches.next_batch().unwrap() {
        durable.push((batch.base_offset(), batch.durable_before()));
        let at = batch.place().1 as usize + 4;
        assert_eq!(batch.checksum().to_le_bytes(), bytes[at..at + 4]);
    }
    // The first two are one commit.
    assert_eq!(durable, [(0, 0), (1, 0), (3, 3)]);
}

#[test]
fn a_snapshot_of_another_version_says_which() {
    let disk = MemoryStorage::new();
    Snapshot { offset: 4, checksum: 1, content: vec![9; 20] }.install(&disk).unwrap();
    let name = snapshot::name(4);
    let mut bytes = disk.files()[&name].clone();
    bytes[8] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..64]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    disk.overwrite(&name, &bytes);
    let refused = Snapshot::load(&disk, 4).unwrap_err();
    assert!(matches!(refused, SnapshotError::Version { found: 2, .. }), "{refused}");
}
