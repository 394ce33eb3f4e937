//! One daemon per directory: a lock that the kernel drops with the process, however it ends.
//!
//! Never: remove the lock file, since a lock on a removed name guards nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the lock file.
pub const LOCK_NAME: &str = "lock";

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{} is in use by {}", path.display(), holder(*pid))]
    Held {
        /// The directory.
        path: PathBuf,
        /// The holder, if it has written its process id yet.
        pid: Option<u32>,
    },
    /// The lock file cannot be opened, locked or written.
    #[error("cannot lock {}", path.display())]
    Storage {
        /// The lock file.
        path: PathBuf,
        /// What the system reports.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// Held for as long as the value lives.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock of an existing directory without waiting.
    ///
    /// # Errors
    /// [`LockError::Held`] if any other holder lives, in this process or another.
    pub fn acquire(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(LOCK_NAME);
        let storage = |source| LockError::Storage { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(storage)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file);
                return Err(LockError::Held { path: directory.to_path_buf(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(storage(source)),
        }
        file.set_len(0).map_err(storage)?;
        writeln!(file, "{}", std::process::id()).map_err(storage)?;
        Ok(Self { _file: file })
    }
}

/// For the message only: the lock itself is what counts, so anything unreadable is no pid.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
