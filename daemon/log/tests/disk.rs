//! The log on a real file system, the thread of the committer, and readers beside it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it must be")]
#![expect(dead_code, reason = "each test file uses a part of what they share")]

mod common;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use aiflow_log::testing::{Fault, MemoryStorage, Repeat, Rng};
use aiflow_log::{
    CommitError, CommitOutcome, Committer, DirectoryLock, DiskStorage, Frame, LockError, LogReader,
    ReadError, Space, Storage, open, verify,
};
use common::{Payload, commit, frame, frames, options, read};

/// Longest wait for what comes by itself within seconds.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Spawns a committer whose outcomes arrive in a channel.
fn spawn<S: Storage + 'static>(storage: S, segment: u64) -> (Committer, Receiver<CommitOutcome>)
where
    S::File: 'static,
{
    let (writer, _) = open(storage, options(segment)).unwrap();
    let (sender, outcomes) = channel();
    let committer = Committer::spawn(writer, move |outcome| sender.send(outcome).unwrap());
    (committer.unwrap(), outcomes)
}

#[test]
fn what_is_appended_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(dir.path()).unwrap();
    let mut rng = Rng::new(1);
    let mut expected: Vec<Payload> = Vec::new();
    for _ in 0..4 {
        let (mut writer, recovered) = open(storage.clone(), options(4096)).unwrap();
        assert_eq!((recovered.next_offset, recovered.cut), (expected.len() as u64, None));
        for _ in 0..30 {
            let commit = commit(&mut rng);
            let end = writer.append(&mut frames(expected.len() as u64, &commit)).unwrap();
            expected.extend(commit.into_iter().flatten());
            assert_eq!(end, expected.len() as u64);
        }
        assert_eq!(read(storage.clone(), 0, expected.len() as u64), expected);
    }
    assert_eq!(read(storage.clone(), 133, 256), expected[133..256]);
    let report = verify(&storage).unwrap();
    assert_eq!((report.records, report.damage.len()), (expected.len() as u64, 0));
    assert!(report.segments.len() > 4);
}

#[test]
fn a_torn_tail_on_disk_is_zeroed_and_told() {
    use std::os::unix::fs::FileExt;
    let dir = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(dir.path()).unwrap();
    let (mut writer, _) = open(storage.clone(), options(4096)).unwrap();
    writer.append(&mut [frame(0, &[vec![1; 10]])]).unwrap();
    drop(writer);
    let path = dir.path().join("00000000000000000000.log");
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(b"half of a frame", 1000).unwrap();
    let (_, recovered) = open(storage, options(4096)).unwrap();
    let cut = recovered.cut.unwrap();
    assert_eq!((recovered.next_offset, cut.position, cut.bytes), (1, 136, 1015 - 136));
    assert!(std::fs::read(path).unwrap()[136..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_directory_must_exist_and_be_one() {
    let dir = tempfile::tempdir().unwrap();
    let missing = DiskStorage::open(dir.path().join("no")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    std::fs::write(dir.path().join("file"), "").unwrap();
    let file = DiskStorage::open(dir.path().join("file")).unwrap_err();
    assert_eq!(file.kind(), ErrorKind::NotADirectory);
}

#[test]
fn a_commit_of_many_frames_is_one_write_and_one_sync() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(8192)).unwrap();
    for n in [1_u64, 7, 12] {
        let before = disk.calls();
        let commit: Vec<_> = (0..n).map(|i| vec![vec![i as u8; 20]]).collect();
        writer.append(&mut frames(writer.next_offset(), &commit)).unwrap();
        assert_eq!(disk.calls() - before, 2);
    }
}

#[test]
fn frames_that_come_during_a_commit_share_the_next_one() {
    let (writer, _) = open(MemoryStorage::new(), options(8192)).unwrap();
    let (started, is_started) = channel();
    let (go, may_go) = channel();
    let committer = Committer::spawn(writer, move |outcome| {
        let CommitOutcome::Durable { end, frames, .. } = outcome else { panic!("failed") };
        started.send((end, frames.len())).unwrap();
        may_go.recv().unwrap();
    })
    .unwrap();
    committer.submit(frame(0, &[vec![0]])).unwrap();
    assert_eq!(is_started.recv().unwrap(), (1, 1));
    for base in 1..11 {
        committer.submit(frame(base, &[vec![1]])).unwrap();
    }
    assert_eq!(committer.queued_bytes(), 10 * 64);
    go.send(()).unwrap();
    assert_eq!(is_started.recv().unwrap(), (11, 10));
    assert_eq!(committer.queued_bytes(), 0);
    go.send(()).unwrap();
    committer.close();
}

#[test]
fn many_threads_submit_and_each_frame_is_reported_once_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(dir.path()).unwrap();
    let (writer, _) = open(storage.clone(), options(64 << 10)).unwrap();
    let reported = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reported);
    let committer = Committer::spawn(writer, move |outcome| match outcome {
        CommitOutcome::Durable { end, frames, .. } => {
            assert_eq!(frames.last().unwrap().end(), end);
            sink.lock().unwrap().extend(frames.iter().map(Frame::end));
        }
        CommitOutcome::Failed(error) => panic!("{error}"),
    })
    .unwrap();
    let next = Mutex::new(0_u64);
    std::thread::scope(|scope| {
        for thread in 0..16_u8 {
            let (committer, next) = (&committer, &next);
            scope.spawn(move || {
                for _ in 0..250 {
                    let mut next = next.lock().unwrap();
                    let frame = frame(*next, &[vec![thread; 100]]);
                    *next = frame.end();
                    committer.submit(frame).unwrap();
                }
            });
        }
    });
    committer.close();
    assert_eq!(*reported.lock().unwrap(), (1..=4000).collect::<Vec<_>>());
    let mut counts = BTreeMap::new();
    for record in read(storage, 0, 4000) {
        *counts.entry(record).or_insert(0) += 1;
    }
    assert!(counts.len() == 16 && counts.values().all(|count| *count == 250), "{counts:?}");
}

#[test]
fn readers_follow_while_the_log_is_written() {
    const RECORDS: u64 = 3000;
    let dir = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(dir.path()).unwrap();
    let (writer, _) = open(storage.clone(), options(16 << 10)).unwrap();
    let durable = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&durable);
    let committer = Committer::spawn(writer, move |outcome| {
        let CommitOutcome::Durable { end, .. } = outcome else { panic!("failed") };
        told.store(end, Ordering::Release);
    })
    .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (mut reader, durable) = (LogReader::new(storage.clone()), &durable);
            scope.spawn(move || {
                let mut next = 0;
                while next < RECORDS {
                    let until = durable.load(Ordering::Acquire);
                    let batches = reader.read(next, until).unwrap();
                    batches
                        .for_each(|record| {
                            assert_eq!(record.offset, next);
                            assert_eq!(record.payload, next.to_string().repeat(9).as_bytes());
                            next += 1;
                            Ok::<(), ReadError>(())
                        })
                        .unwrap();
                    assert_eq!(next, until.max(next));
                    std::thread::yield_now();
                }
            });
        }
        for base in 0..RECORDS {
            committer.submit(frame(base, &[base.to_string().repeat(9).into_bytes()])).unwrap();
        }
    });
    committer.close();
}

/// What a reader has read ahead of the end was not written yet.
#[test]
fn a_reader_does_not_believe_what_it_read_behind_the_end() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(64 << 10)).unwrap();
    let mut reader = LogReader::new(disk);
    for base in 0..20 {
        writer.append(&mut [frame(base, &[vec![base as u8; 40]])]).unwrap();
        let mut batches = reader.read(base, base + 1).unwrap();
        let batch = batches.next_batch().unwrap().unwrap();
        let found: Vec<_> = batch.records().map(|record| record.payload).collect();
        assert_eq!((batch.base_offset(), found), (base, vec![&[base as u8; 40][..]]));
    }
}

#[test]
fn a_failure_is_the_last_thing_that_is_told() {
    let disk = MemoryStorage::new();
    let (committer, outcomes) = spawn(disk.clone(), 8192);
    committer.submit(frame(0, &[vec![1]])).unwrap();
    assert!(matches!(outcomes.recv().unwrap(), CommitOutcome::Durable { end: 1, .. }));
    disk.fail_call(disk.calls() + 1, Fault::FsyncError, Repeat::Once);
    committer.submit(frame(1, &[vec![2]])).unwrap();
    let CommitOutcome::Failed(CommitError::Storage(error)) = outcomes.recv().unwrap() else {
        panic!("not told")
    };
    assert_eq!((error.operation, error.name.as_str()), ("sync", "00000000000000000000.log"));
    let calls = disk.calls();
    assert!(committer.submit(frame(2, &[vec![3]])).is_err());
    committer.close();
    assert!(outcomes.recv().is_err());
    assert_eq!(disk.calls(), calls, "the storage was used after a failure");
}

/// Frames that still wait when a commit fails are neither written nor reported.
#[test]
fn nothing_follows_a_failure_even_if_more_is_queued() {
    let disk = MemoryStorage::new();
    let (writer, _) = open(disk.clone(), options(32 << 20)).unwrap();
    let (told, outcomes) = channel();
    let (go, may_go) = channel::<()>();
    let committer = Committer::spawn(writer, move |outcome| {
        told.send(matches!(outcome, CommitOutcome::Durable { .. })).unwrap();
        let _ = may_go.recv();
    })
    .unwrap();
    committer.submit(frame(0, &[vec![0]])).unwrap();
    assert!(outcomes.recv().unwrap());
    // Too much for one commit, so that the second frame waits while the first one fails.
    for base in 1..3 {
        committer.submit(frame(base, &[vec![1; 5 << 20]])).unwrap();
    }
    disk.fail_call(disk.calls() + 1, Fault::FsyncError, Repeat::Once);
    drop(go);
    assert!(!outcomes.recv().unwrap());
    committer.close();
    assert!(outcomes.recv().is_err());
    let (_, recovered) = open(disk, options(32 << 20)).unwrap();
    assert!(recovered.next_offset <= 2);
}

/// One reader, asked for ranges all over segments that are long enough to remember places in.
#[test]
fn any_range_is_found_in_any_order() {
    let disk = MemoryStorage::new();
    let (mut writer, _) = open(disk.clone(), options(2 << 20)).unwrap();
    let record = |offset: u64| offset.to_le_bytes().repeat(100);
    let mut next = 0;
    while next < 6000 {
        let commit: Vec<_> = (next..next + 300).map(|offset| vec![record(offset)]).collect();
        next = writer.append(&mut frames(next, &commit)).unwrap();
    }
    let mut rng = Rng::new(3);
    let mut reader = LogReader::new(disk.clone());
    assert_eq!(reader.first_offset().unwrap(), 0);
    for _ in 0..60 {
        let mut at = rng.below(next);
        let until = (at + rng.below(40)).min(next);
        let batches = reader.read(at, until).unwrap();
        batches
            .for_each(|found| {
                assert!(found.offset == at && found.payload == record(at));
                at += 1;
                Ok::<(), ReadError>(())
            })
            .unwrap();
        assert!(at >= until);
    }
    // A second pass over what is known reads a part of the file only.
    let calls = disk.calls();
    assert!(reader.read(2600, 2601).unwrap().next_batch().unwrap().is_some());
    assert!(disk.calls() - calls < 12, "{} calls", disk.calls() - calls);
}

#[test]
fn closing_and_dropping_commit_what_is_queued() {
    let disk = MemoryStorage::new();
    for (base, close) in [(0, true), (5, false)] {
        let (committer, outcomes) = spawn(disk.clone(), 8192);
        for offset in base..base + 5 {
            committer.submit(frame(offset, &[vec![1]])).unwrap();
        }
        if close {
            committer.close()
        } else {
            drop(committer)
        }
        let told = outcomes.iter().map(|outcome| match outcome {
            CommitOutcome::Durable { frames, .. } => frames.len(),
            CommitOutcome::Failed(error) => panic!("{error}"),
        });
        assert_eq!(told.sum::<usize>(), 5);
    }
    assert_eq!(read(disk, 0, 10).len(), 10);
}

#[test]
fn a_panic_in_the_callback_closes_the_queue_and_is_handed_on() {
    let (writer, _) = open(MemoryStorage::new(), options(8192)).unwrap();
    let committer = Committer::spawn(writer, |_| panic!("in the callback")).unwrap();
    let mut base = 0;
    while committer.submit(frame(base, &[vec![1]])).is_ok() {
        base += 1;
        std::thread::yield_now();
    }
    let closed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| committer.close()));
    assert_eq!(closed.unwrap_err().downcast_ref::<&str>(), Some(&"in the callback"));
}

#[test]
fn space_is_asked_for_again_without_new_frames() {
    let disk = MemoryStorage::new();
    disk.limit_space(Some(1024));
    let (committer, outcomes) = spawn(disk.clone(), 1024);
    let mut seen = Vec::new();
    for base in 0..8 {
        committer.submit(frame(base, &[vec![1]])).unwrap();
        let CommitOutcome::Durable { space, .. } = outcomes.recv().unwrap() else { panic!() };
        seen.push(space);
    }
    assert_eq!((seen[0], seen[7]), (Space::Enough, Space::Low { kind: ErrorKind::StorageFull }));
    disk.limit_space(None);
    let outcome = outcomes.recv_timeout(PATIENCE).unwrap();
    let CommitOutcome::Durable { end: 8, frames, space: Space::Enough, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(frames.is_empty());
    committer.close();
}

#[test]
fn a_second_lock_is_refused_with_the_holders_pid() {
    let dir = tempfile::tempdir().unwrap();
    let first = DirectoryLock::acquire(dir.path()).unwrap();
    let error = DirectoryLock::acquire(dir.path()).unwrap_err();
    assert!(matches!(error, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()));
    let text = format!("{} is in use by process {}", dir.path().display(), std::process::id());
    assert_eq!(error.to_string(), text);
    drop(first);
    DirectoryLock::acquire(dir.path()).unwrap();
    let missing = DirectoryLock::acquire(&dir.path().join("no")).unwrap_err();
    assert!(matches!(missing, LockError::Storage { .. }));
}
