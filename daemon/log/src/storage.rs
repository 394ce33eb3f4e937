//! What the log needs of one directory of files.
//!
//! Two implementations: [`crate::DiskStorage`] and [`crate::testing::MemoryStorage`]. The loops
//! over short and interrupted calls stand here, so that the faults of the second test the code
//! that runs over the first. Never: retry a failed sync.

use std::fmt::Debug;
use std::io;

/// Interruptions in a row after which a call is given up, so that no loop is without end.
const INTERRUPTIONS_MAX: u32 = 64;

/// What an opened file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// One directory. Names are plain file names without a separator.
pub trait Storage: Send + Debug {
    /// A file in the directory.
    type File: StorageFile;

    /// The names of all entries, in any order.
    ///
    /// # Errors
    /// What the system reports.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Opens an existing file.
    ///
    /// # Errors
    /// What the system reports.
    fn open(&self, name: &str, access: Access) -> io::Result<Self::File>;

    /// Creates a new file for reading and writing. After a crash the name exists surely only if
    /// [`Self::sync_dir`] came in between.
    ///
    /// # Errors
    /// `AlreadyExists`, or what the system reports.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Removes a file's name.
    ///
    /// # Errors
    /// What the system reports.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Gives a file another name, atomically.
    ///
    /// # Errors
    /// What the system reports.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes all creations, removals and renames so far durable. Never retried.
    ///
    /// # Errors
    /// What the system reports; then nothing is known about what is durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// One open file. The `*_at` calls may do less than asked; the provided methods loop.
pub trait StorageFile: Send + Debug {
    /// Reads up to `buffer.len()` bytes at `position`; 0 at the end of the file.
    ///
    /// # Errors
    /// What the system reports, `Interrupted` included.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Writes some of `bytes` at `position`. Durable only after [`Self::sync_data`].
    ///
    /// # Errors
    /// What the system reports, `Interrupted` included.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize>;

    /// Makes all writes so far durable, with the length. Never retried: after a failure the system
    /// may take lost writes for clean.
    ///
    /// # Errors
    /// What the system reports; then nothing is known about what is durable.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes later reads come from the disk as far as the system can do that, for bytes that are
    /// not waiting to be written. After a failed sync the system may show bytes that it lost.
    fn drop_cache(&self);

    /// Tells the system that these bytes are read soon, so that it fetches those of several files
    /// at once. Advice: does nothing where nothing is gained.
    fn prefetch(&self, _position: u64, _length: u64) {}

    /// Reserves space so that the file is `length` bytes long; new bytes read as zeros.
    ///
    /// # Errors
    /// `StorageFull`; `Unsupported` where the file system cannot do it; what the system reports.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// What the system reports.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` from `position` on; returns less than its length only at the file's end.
    ///
    /// # Errors
    /// What the system reports.
    fn read_full_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            let n = uninterrupted(|| self.read_at(rest, position + done as u64))?;
            if n == 0 {
                break;
            }
            done += n;
        }
        Ok(done)
    }

    /// Writes all of `bytes` at `position`.
    ///
    /// # Errors
    /// What the system reports; then any part may have been written.
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            let n = uninterrupted(|| self.write_at(rest, position + done as u64))?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            done += n;
        }
        Ok(())
    }
}

/// Repeats `call` while the system says that a signal interrupted it before it did anything.
pub(crate) fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut interruptions = 0;
    loop {
        match call() {
            Err(error)
                if error.kind() == io::ErrorKind::Interrupted
                    && interruptions < INTERRUPTIONS_MAX =>
            {
                interruptions += 1;
            }
            result => return result,
        }
    }
}
