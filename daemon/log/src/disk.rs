//! The storage that the daemon runs on: one directory of a real file system.
//!
//! Never: create the directory, follow a name out of it, or hide an error.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};

use crate::storage::{Access, Storage, StorageFile};

/// A directory on disk. Clones share the open directory.
#[derive(Debug, Clone)]
pub struct DiskStorage {
    directory: Arc<Directory>,
}

#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Kept open, so that a sync reaches the directory that was checked.
    handle: File,
}

impl DiskStorage {
    /// Opens an existing directory.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, or what the system reports.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        let handle = File::open(&path)?;
        if !handle.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { directory: Arc::new(Directory { path, handle }) })
    }

    /// The directory's path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.directory.path
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path.join(name)
    }
}

impl Storage for DiskStorage {
    type File = DiskFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.path())? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn open(&self, name: &str, access: Access) -> io::Result<DiskFile> {
        let write = access == Access::Write;
        OpenOptions::new().read(true).write(write).open(self.at(name)).map(DiskFile)
    }

    fn create(&self, name: &str) -> io::Result<DiskFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        options.open(self.at(name)).map(DiskFile)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.at(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.at(from), self.at(to))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.directory.handle.sync_all()
    }
}

/// A file on disk.
#[derive(Debug)]
pub struct DiskFile(File);

impl StorageFile for DiskFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.0.write_at(bytes, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        // Not the standard library's `sync_data`, which repeats an interrupted sync.
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    fn drop_cache(&self) {
        // Advice: a file system without a disk behind it has nothing to drop.
        let _ = fadvise(&self.0, 0, None, Advice::DontNeed);
    }

    fn prefetch(&self, position: u64, length: u64) {
        // Advice: what is not fetched ahead is fetched when it is read.
        let _ = fadvise(&self.0, position, NonZeroU64::new(length), Advice::WillNeed);
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        Ok(fallocate(&self.0, FallocateFlags::empty(), 0, length)?)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fallback of `segment` and the meaning of low space hang on these two.
    #[test]
    fn errors_of_fallocate_have_the_kinds_that_are_asked_for() {
        let kind = |errno: rustix::io::Errno| io::Error::from(errno).kind();
        assert_eq!(kind(rustix::io::Errno::OPNOTSUPP), io::ErrorKind::Unsupported);
        assert_eq!(kind(rustix::io::Errno::NOSYS), io::ErrorKind::Unsupported);
        assert_eq!(kind(rustix::io::Errno::NOSPC), io::ErrorKind::StorageFull);
    }
}
