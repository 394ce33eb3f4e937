//! The bare counterparts: system calls without AIFlow.
//!
//! Must never do less than the comparison names, or lie on another disk.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::fs::{FallocateFlags, fallocate, fdatasync};

use crate::figures::number;

/// As much as a segment of the log, which makes a new one when one is full as well: blocks that
/// were written before are synced faster than new ones.
const FILE_BYTES: u64 = 64 << 20;
/// Threads that spawn at once.
const SPAWNERS: u32 = 8;

/// A preallocated file that grows as the log does: written at its end, synced each time.
#[derive(Debug)]
pub(crate) struct SyncedFile {
    path: PathBuf,
    file: File,
    position: u64,
}

impl SyncedFile {
    pub(crate) fn create(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("bare");
        Ok(Self { file: preallocated(&path)?, path, position: 0 })
    }

    /// One write and one sync. At the end of the file there is a new one.
    pub(crate) fn commit(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if self.position + bytes.len() as u64 > FILE_BYTES {
            self.file = preallocated(&self.path)?;
            self.position = 0;
        }
        self.file.write_all_at(bytes, self.position)?;
        fdatasync(&self.file)?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    /// Commits per second of so many bytes each.
    pub(crate) fn commits_per_second(
        &mut self,
        bytes: usize,
        time: Duration,
    ) -> anyhow::Result<f64> {
        let buffer = vec![b'x'; bytes];
        let begin = Instant::now();
        let mut commits = 0;
        while begin.elapsed() < time {
            self.commit(&buffer)?;
            commits += 1;
        }
        Ok(number(commits) / begin.elapsed().as_secs_f64())
    }
}

fn preallocated(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, FILE_BYTES).context("fallocate")?;
    file.sync_all()?;
    Ok(file)
}

/// Spawns per second of a program that does nothing, eight at once, each waited for.
pub(crate) fn spawns_per_second(program: &Path, spawns: u32) -> anyhow::Result<f64> {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let spawners: Vec<_> = (0..SPAWNERS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..spawns / SPAWNERS {
                        let mut command = Command::new(program);
                        command.arg("nothing").stdin(Stdio::null()).status()?;
                    }
                    std::io::Result::Ok(())
                })
            })
            .collect();
        spawners.into_iter().try_for_each(|spawner| spawner.join().unwrap_or(Ok(())))
    })?;
    Ok(f64::from(spawns / SPAWNERS * SPAWNERS) / begin.elapsed().as_secs_f64())
}
