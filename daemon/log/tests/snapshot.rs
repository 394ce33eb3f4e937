//! Snapshots: whole or not there, never believed when damaged, and a proof against a lost tail.
#![expect(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use aiflow_log::testing::{CrashMode, Fault, MemoryStorage, Repeat};
use aiflow_log::{DamageReason, LogOptions, OpenError, Snapshot, SnapshotError, open, snapshot};
use common::{frame, options};

fn made(offset: u64, length: usize) -> Snapshot {
    let content = (0..length).map(|at| (at as u8) ^ (offset as u8)).collect();
    Snapshot { offset, checksum: 77, content }
}

#[test]
fn snapshots_are_kept_listed_and_pruned() {
    let disk = MemoryStorage::new();
    for offset in [5, 300, 70] {
        made(offset, 2000).install(&disk).unwrap();
    }
    assert_eq!(snapshot::offsets(&disk).unwrap(), [5, 70, 300]);
    assert_eq!(Snapshot::load(&disk, 70).unwrap(), made(70, 2000));
    made(70, 10).install(&disk).unwrap();
    assert_eq!(Snapshot::load(&disk, 70).unwrap(), made(70, 10), "the later one");
    snapshot::prune(&disk, 2).unwrap();
    assert_eq!(snapshot::offsets(&disk).unwrap(), [70, 300]);
    assert!(matches!(Snapshot::load(&disk, 5), Err(SnapshotError::Storage(_))));
}

#[test]
fn no_flipped_bit_cut_or_renamed_snapshot_is_believed() {
    let disk = MemoryStorage::new();
    let whole = made(9, 300);
    whole.install(&disk).unwrap();
    let name = snapshot::name(9);
    let bytes = disk.files()[&name].clone();
    for bit in 0..bytes.len() * 8 {
        disk.overwrite(&name, &bytes);
        disk.flip_bit(&name, bit);
        assert!(Snapshot::load(&disk, 9).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        disk.overwrite(&name, &bytes[..length]);
        assert!(Snapshot::load(&disk, 9).is_err(), "cut at {length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    disk.overwrite(&name, &longer);
    assert!(Snapshot::load(&disk, 9).is_err());
    disk.overwrite(&snapshot::name(10), &bytes);
    assert!(matches!(Snapshot::load(&disk, 10), Err(SnapshotError::Damaged(_))));
    disk.overwrite(&name, &bytes);
    assert_eq!(Snapshot::load(&disk, 9).unwrap(), whole);
}

#[test]
fn a_snapshot_of_another_version_is_named_and_not_loaded() {
    let disk = MemoryStorage::new();
    made(9, 300).install(&disk).unwrap();
    let name = snapshot::name(9);
    for version in [0, 2, 9] {
        let mut bytes = disk.files()[&name].clone();
        bytes[8] = version;
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..64]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        disk.overwrite(&name, &bytes);
        let error = Snapshot::load(&disk, 9).unwrap_err();
        let found = u32::from(version);
        assert!(matches!(error, SnapshotError::Version { found: f, .. } if f == found), "{error}");
    }
}

#[test]
fn a_crash_leaves_a_snapshot_whole_or_not_at_all() {
    let disk = MemoryStorage::new();
    made(1, 1500).install(&disk).unwrap();
    disk.record_history();
    made(2, 1500).install(&disk).unwrap();
    let acknowledged = disk.calls();
    let mut states = 0;
    for (calls, state) in disk.history() {
        for mode in [CrashMode::LoseUnsynced, CrashMode::KeepAll]
            .into_iter()
            .chain((0..40).map(CrashMode::Subset))
            .chain((0..40).map(CrashMode::Scrambled))
            .chain((0..1600).step_by(100).map(CrashMode::TornAt))
        {
            let crashed = state.crash(mode);
            assert_eq!(Snapshot::load(&crashed, 1).unwrap(), made(1, 1500));
            let found = snapshot::offsets(&crashed).unwrap().contains(&2);
            assert!(found || calls < acknowledged, "installed, and gone after {mode:?}");
            if found {
                assert_eq!(Snapshot::load(&crashed, 2).unwrap(), made(2, 1500), "{mode:?}");
            }
            states += 1;
        }
    }
    assert!(states > 300);
}

#[test]
fn a_failing_call_leaves_the_snapshot_before() {
    let clean = MemoryStorage::new();
    made(1, 900).install(&clean).unwrap();
    let before = clean.fork();
    made(2, 900).install(&before.fork()).unwrap();
    for call in 0..8 {
        for fault in [Fault::Eio, Fault::Enospc, Fault::Eintr, Fault::Short, Fault::FsyncError] {
            for repeat in [Repeat::Once, Repeat::Sticky] {
                let disk = before.fork();
                disk.fail_call(call, fault, repeat);
                let installed = made(2, 900).install(&disk);
                disk.clear_faults();
                assert_eq!(Snapshot::load(&disk, 1).unwrap(), made(1, 900));
                if installed.is_ok() {
                    let crashed = disk.crash(CrashMode::LoseUnsynced);
                    assert_eq!(Snapshot::load(&crashed, 2).unwrap(), made(2, 900));
                }
            }
        }
    }
}

#[test]
fn a_log_that_ends_before_its_snapshot_is_damaged_and_stays_untouched() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(4096)).unwrap();
    for base in 0..6 {
        writer.append(&mut [frame(base, &[vec![base as u8; 20]])]).unwrap();
    }
    drop(writer);
    let name = format!("{:020}.log", 0);
    let mut bytes = disk.files()[&name].clone();
    // The last commit decays: without the snapshot this looks like a commit that was torn.
    let last = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[last] ^= 1;
    disk.overwrite(&name, &bytes);
    let known = LogOptions { check_from: 6, ..options(4096) };
    let Err(OpenError::Damaged(damage)) = open(disk.clone(), known) else { panic!("opened") };
    assert_eq!(damage.offset, 5);
    assert!(matches!(damage.reason, DamageReason::Short { durable: 6, .. }), "{damage}");
    assert_eq!(disk.files()[&name], bytes, "nothing was written");
    let shorter = LogOptions { check_from: 5, ..options(4096) };
    let (_, recovered) = open(disk, shorter).unwrap();
    assert_eq!(recovered.next_offset, 5);
}
