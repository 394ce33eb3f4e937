//! Every call of the storage failing in every way, once and for good.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]
#![expect(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use aiflow_log::testing::{CrashMode, Fault, MemoryStorage, Repeat, Rng};
use aiflow_log::{CommitError, LogOptions, Space, open, retention};
use common::{Payload, commit, each_seed, frames, options, read, scale};

const FAULTS: [Fault; 5] =
    [Fault::Eio, Fault::Enospc, Fault::Eintr, Fault::Short, Fault::FsyncError];

/// Workloads, and the calls that fail in them, at least.
const SEEDS: u64 = 110;
const INJECTIONS_MIN: u64 = 50_000;

/// What one run of a workload was told.
struct Run {
    acknowledged: u64,
    asked: u64,
    records: Vec<Payload>,
}

/// Opens, appends, opens again and appends, giving up at the first error as the daemon does.
fn run(disk: &MemoryStorage, seed: u64, options: LogOptions) -> Run {
    let mut rng = Rng::new(seed);
    let mut run = Run { acknowledged: 0, asked: 0, records: vec![] };
    for _ in 0..2 {
        let Ok((mut writer, recovered)) = open(disk.clone(), options) else { return run };
        assert_eq!(recovered.next_offset, run.acknowledged, "no failure came before");
        for _ in 0..6 {
            let base = run.records.len() as u64;
            let commit = commit(&mut rng);
            let mut frames = frames(base, &commit);
            run.records.extend(commit.into_iter().flatten());
            run.asked = run.records.len() as u64;
            match writer.append(&mut frames) {
                Ok(end) => run.acknowledged = end,
                Err(error) => {
                    assert!(matches!(error, CommitError::Storage(_)), "{error}");
                    let before = disk.files();
                    let again = writer.append(&mut frames).unwrap_err();
                    assert!(matches!(again, CommitError::Poisoned), "{again}");
                    assert_eq!(disk.files(), before, "written after a failure");
                    return run;
                }
            }
        }
    }
    run
}

#[test]
fn no_failing_call_leads_to_a_wrong_acknowledgement() {
    let injections = each_seed(SEEDS * scale(), |seed| {
        let mut injections = 0;
        let clean = MemoryStorage::new();
        run(&clean, seed, options(1024));
        for call in 0..clean.calls() {
            for fault in FAULTS {
                for repeat in [Repeat::Once, Repeat::Sticky] {
                    let disk = MemoryStorage::new();
                    disk.fail_call(call, fault, repeat);
                    let told = run(&disk, seed, options(1024));
                    injections += u64::from(disk.hits() > 0);
                    disk.clear_faults();
                    let what = format!("seed {seed}, call {call}, {fault:?}, {repeat:?}");
                    if repeat == Repeat::Once && matches!(fault, Fault::Eintr | Fault::Short) {
                        assert_eq!(told.acknowledged, told.asked, "{what}: not carried on");
                    }
                    for disk in [disk.fork(), disk.crash(CrashMode::LoseUnsynced)] {
                        let (_, recovered) = open(disk.clone(), options(1024)).unwrap();
                        let next = recovered.next_offset;
                        let allowed = told.acknowledged..=told.asked;
                        assert!(allowed.contains(&next), "{what}: {next} not in {allowed:?}");
                        assert!(read(disk, 0, next) == told.records[..next as usize], "{what}");
                    }
                }
            }
        }
        injections
    });
    println!("{injections} calls failed");
    assert!(injections >= INJECTIONS_MIN * scale(), "only {injections} injections");
}

/// A disk that fills up: reported while half a segment is free, no byte lost, and over as soon as
/// there is space again.
#[test]
fn a_full_disk_is_noticed_early_and_passes_by_itself() {
    let disk = MemoryStorage::new();
    disk.limit_space(Some(4096 + 2048));
    let (mut writer, _) = open(disk.clone(), options(4096)).unwrap();
    let mut next = 0;
    let mut low_at = None;
    let mut append = |writer: &mut aiflow_log::LogWriter<MemoryStorage>| {
        let done = writer.append(&mut frames(next, &[vec![vec![7; 100]]]));
        next += u64::from(done.is_ok());
        done
    };
    for n in 0..15 {
        append(&mut writer).unwrap();
        if writer.space() != Space::Enough && low_at.is_none() {
            low_at = Some(n);
        }
    }
    assert_eq!(low_at, Some(12), "half of the segment is 12 frames of 160 bytes and a bit");
    let kind = std::io::ErrorKind::StorageFull;
    assert_eq!(writer.space(), Space::Low { kind });
    disk.limit_space(None);
    assert_eq!(writer.reserve(), Space::Enough);
    for _ in 0..40 {
        append(&mut writer).unwrap();
        assert_eq!(writer.space(), Space::Enough);
    }
    // Now for good: the reserve is used up, then the log stops, and nothing is lost.
    disk.limit_space(Some(0));
    let error = loop {
        if let Err(error) = append(&mut writer) {
            break error;
        }
    };
    let CommitError::Storage(error) = error else { panic!("{error}") };
    assert_eq!((error.source.kind(), error.operation), (kind, "allocate"));
    assert!(writer.is_poisoned());
    let (mut writer, recovered) = open(disk.clone(), options(4096)).unwrap();
    assert_eq!(recovered.next_offset, next);
    assert_eq!(writer.space(), Space::Low { kind });
    disk.limit_space(None);
    writer.append(&mut frames(next, &[vec![vec![8; 100]]])).unwrap();
    assert_eq!(read(disk, 0, next + 1).len() as u64, next + 1);
}

#[test]
fn a_file_system_that_cannot_reserve_gets_zeros() {
    let disk = MemoryStorage::new();
    disk.forbid_allocate();
    let clean = MemoryStorage::new();
    for seed in 0..5 {
        run(&disk.fork(), seed, options(1024));
        let (with, without) = (clean.fork(), disk.fork());
        without.forbid_allocate();
        let (a, b) = (run(&with, seed, options(1024)), run(&without, seed, options(1024)));
        assert_eq!((a.acknowledged, a.asked), (b.acknowledged, b.asked));
        assert_eq!(with.files(), without.files());
    }
}

/// An empty segment that is too small for a frame gives its name to a larger one.
#[test]
fn a_larger_segment_size_takes_effect_at_once() {
    let disk = MemoryStorage::new();
    open(disk.clone(), options(1024)).unwrap();
    disk.record_history();
    let (mut writer, _) = open(disk.clone(), options(4096)).unwrap();
    let commit = [vec![vec![5; 3000]]];
    assert_eq!(writer.append(&mut frames(0, &commit)).unwrap(), 1);
    for (_, state) in disk.history() {
        for seed in 0..8 {
            let after = state.crash(CrashMode::Scrambled(seed));
            let (_, recovered) = open(after.clone(), options(1024)).unwrap();
            let next = recovered.next_offset;
            assert!(read(after, 0, next) == commit[0][..next as usize]);
        }
    }
    let (_, recovered) = open(disk.clone(), options(1024)).unwrap();
    assert_eq!(recovered.next_offset, 1);
    assert_eq!(
        disk.files().into_values().map(|bytes| bytes.len()).collect::<Vec<_>>(),
        [4096, 1024]
    );
}

/// The same behind other segments: the replacement still names the segment before it.
#[test]
fn an_empty_segment_is_replaced_without_breaking_the_chain() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
    writer.append(&mut frames(0, &[vec![vec![1; 800]]])).unwrap();
    // The second segment comes into being, and the first write to it fails.
    let publish = 4;
    disk.fail_call(disk.calls() + publish, Fault::Eio, Repeat::Once);
    writer.append(&mut frames(1, &[vec![vec![2; 800]]])).unwrap_err();
    assert_eq!(disk.files().len(), 2, "{:?}", disk.files().keys());
    let (mut writer, recovered) = open(disk.clone(), options(4096)).unwrap();
    assert_eq!((recovered.next_offset, recovered.cut.is_some()), (1, true));
    writer.append(&mut frames(1, &[vec![vec![3; 3000]]])).unwrap();
    let (_, recovered) = open(disk.clone(), options(4096)).unwrap();
    assert_eq!(recovered.next_offset, 2);
    assert_eq!(read(disk, 0, 2), [vec![1; 800], vec![3; 3000]]);
}

#[test]
fn a_callers_mistake_writes_nothing_and_does_no_harm() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
    writer.append(&mut frames(0, &[vec![vec![1]; 20]])).unwrap();
    let before = disk.files();
    let error = writer.append(&mut frames(21, &[vec![vec![1]]])).unwrap_err();
    assert!(matches!(error, CommitError::Offset { expected: 20, found: 21 }));
    let mut builder = aiflow_log::FrameBuilder::new(20, 0, 0);
    builder.record(|out| out.push(1));
    writer.append(&mut frames(20, &[vec![vec![1]; 10]])).unwrap();
    let epoch = writer.append(&mut [builder.finish().unwrap()]).unwrap_err();
    assert!(matches!(epoch, CommitError::Offset { expected: 30, found: 20 }));
    let mut builder = aiflow_log::FrameBuilder::new(30, 0, 1);
    builder.record(|out| out.push(1));
    let epoch = writer.append(&mut [builder.finish().unwrap()]).unwrap_err();
    assert!(matches!(epoch, CommitError::Epoch { current: 2, found: 1 }));
    let large = writer.append(&mut frames(30, &[vec![vec![1; 1024 - 64 - 56 - 4 + 1]]]));
    assert!(matches!(large, Err(CommitError::FrameTooLarge { bytes: 968, limit: 960 })));
    assert_ne!(disk.files(), before);
    let before = disk.files();
    let fits = writer.append(&mut frames(30, &[vec![vec![1; 1024 - 64 - 56 - 4]]])).unwrap();
    assert_eq!(fits, 31);
    assert_ne!(disk.files(), before);
}

#[test]
fn retention_drops_whole_segments_and_a_crash_leaves_no_gap() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(1024)).unwrap();
    let mut next = 0;
    for _ in 0..40 {
        next = writer.append(&mut frames(next, &[vec![vec![3; 90]; 2]])).unwrap();
    }
    disk.record_history();
    let first = retention::drop_before(&disk, 41).unwrap();
    assert!((20..=41).contains(&first), "{first}");
    for (_, state) in disk.history() {
        for mode in [CrashMode::LoseUnsynced, CrashMode::KeepAll, CrashMode::Subset(1)] {
            let after = state.crash(mode);
            let (_, recovered) = open(after.clone(), options(1024)).unwrap();
            assert!(recovered.first_offset <= first);
            assert_eq!(recovered.next_offset, next);
            let there = read(after, recovered.first_offset, next);
            assert_eq!(there.len() as u64, next - recovered.first_offset);
        }
    }
    let gone = common::try_read(disk.clone(), 0, next).unwrap_err();
    assert!(gone.to_string().starts_with("offset 0 is gone, the log starts at"), "{gone}");
    let last = retention::drop_before(&disk, u64::MAX).unwrap();
    assert!(last < next);
    assert_eq!(read(disk, last, next).len() as u64, next - last);
}
