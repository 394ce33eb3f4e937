//! The log on a real file system.

use std::sync::{Arc, Mutex};

use aiflow_log::{
    CommitOutcome, Committer, DirectoryLock, DiskStorage, Frame, FrameBuilder, LockError,
    LogOptions, LogReader, ReadError, open,
};

fn frame(base: u64, payloads: &[&[u8]]) -> Frame {
    let mut builder = FrameBuilder::new(base, 7, 1);
    for payload in payloads {
        builder.record(|out| out.extend_from_slice(payload));
    }
    builder.finish().unwrap()
}

fn read_all(storage: DiskStorage, from: u64, until: u64) -> Vec<(u64, Vec<u8>)> {
    let mut reader = LogReader::new(storage);
    let mut out = Vec::new();
    let batches = reader.read(from, until).unwrap();
    batches
        .for_each(|record| {
            out.push((record.offset, record.payload.to_vec()));
            Ok::<(), ReadError>(())
        })
        .unwrap();
    out
}

#[test]
fn what_is_appended_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(dir.path()).unwrap();
    let options = LogOptions { segment_bytes: 4096, ..LogOptions::default() };
    let (mut writer, recovered) = open(storage.clone(), options).unwrap();
    assert_eq!(recovered.next_offset, 0);
    let mut expected = Vec::new();
    let mut next = 0;
    for i in 0..200_u32 {
        let text = format!("record {i}");
        let mut frames = [frame(next, &[text.as_bytes(), b""])];
        expected.push((next, text.into_bytes()));
        expected.push((next + 1, Vec::new()));
        next = writer.append(&mut frames).unwrap();
    }
    assert_eq!(read_all(storage.clone(), 0, next), expected);
    drop(writer);
    let (writer, recovered) = open(storage.clone(), options).unwrap();
    assert_eq!((recovered.next_offset, recovered.cut), (400, None));
    assert_eq!((recovered.last_epoch, recovered.last_time_us), (1, 7));
    assert_eq!(writer.next_offset(), 400);
    assert_eq!(read_all(storage.clone(), 0, next), expected);
    assert_eq!(read_all(storage, 133, 256), expected[133..256]);
}

#[test]
fn a_committer_reports_every_frame_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let storage = DiskStorage::open(dir.path()).unwrap();
    let options = LogOptions { segment_bytes: 64 << 10, ..LogOptions::default() };
    let (writer, _) = open(storage.clone(), options).unwrap();
    let ends = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&ends);
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
        for thread in 0..8_u8 {
            let (committer, next) = (&committer, &next);
            scope.spawn(move || {
                for _ in 0..250 {
                    let mut next = next.lock().unwrap();
                    let frame = frame(*next, &[&[thread; 100]]);
                    *next = frame.end();
                    committer.submit(frame).unwrap();
                }
            });
        }
    });
    committer.close();
    assert_eq!(*ends.lock().unwrap(), (1..=2000).collect::<Vec<_>>());
    let records = read_all(storage, 0, 2000);
    for thread in 0..8_u8 {
        assert_eq!(records.iter().filter(|(_, bytes)| bytes == &[thread; 100]).count(), 250);
    }
}

#[test]
fn a_second_lock_is_refused_with_the_holders_pid() {
    let dir = tempfile::tempdir().unwrap();
    let first = DirectoryLock::acquire(dir.path()).unwrap();
    let error = DirectoryLock::acquire(dir.path()).unwrap_err();
    assert!(matches!(error, LockError::Held { pid: Some(pid), .. } if pid == std::process::id()));
    assert!(error.to_string().contains(&format!("process {}", std::process::id())));
    drop(first);
    DirectoryLock::acquire(dir.path()).unwrap();
}
