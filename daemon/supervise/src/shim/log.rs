//! Writes `output.log`, batched, and turns it over when a file is full.
//!
//! It must never end or hold up the task because of the disk beyond the time of a write: what
//! cannot be written is counted and dropped. It leaves no half record behind.

use std::io::Write as _;
use std::os::fd::OwnedFd;

use rustix::fs::{fstat, ftruncate};
use rustix::io::Errno;

use crate::directory::{AttemptDirectory, write_all};
use crate::output::{PIECE_BYTES_MAX, output_file_name};

/// Records are collected up to this many bytes before they are written.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// The longest record: time, tag, separators, a whole piece.
const RECORD_BYTES_MAX: usize = 20 + 4 + PIECE_BYTES_MAX;

/// The output log of one attempt.
pub(crate) struct Log<'a> {
    directory: &'a AttemptDirectory,
    file: Option<OwnedFd>,
    /// Bytes in the current file.
    size: u64,
    bytes_max: u64,
    files_max: u32,
    batch: Vec<u8>,
    /// Bytes of the task's output that the batch stands for.
    batch_payload: u64,
    dropped: u64,
}

impl<'a> Log<'a> {
    pub(crate) fn new(directory: &'a AttemptDirectory, bytes_max: u64, files_max: u32) -> Self {
        Self {
            directory,
            file: None,
            size: 0,
            bytes_max,
            files_max,
            batch: Vec::new(),
            batch_payload: 0,
            dropped: 0,
        }
    }

    /// Adds one record. Nothing is written before [`Log::flush`], except when the batch is full.
    pub(crate) fn add(&mut self, unix_micros: u64, tag: u8, text: &[u8], line_ends: bool) {
        let full = self.batch.len() + RECORD_BYTES_MAX > BATCH_BYTES_MAX;
        let would_be = self.size + (self.batch.len() + RECORD_BYTES_MAX) as u64;
        if full || would_be > self.bytes_max {
            self.flush();
        }
        // Writing to a Vec cannot fail.
        let _ = write!(self.batch, "{unix_micros} {} ", char::from(tag));
        self.batch.extend_from_slice(text);
        self.batch.push(b'\n');
        self.batch_payload += text.len() as u64 + u64::from(line_ends);
    }

    /// Writes what was added.
    pub(crate) fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if self.write_batch().is_err() {
            self.dropped += self.batch_payload;
        }
        self.batch.clear();
        self.batch_payload = 0;
    }

    /// Bytes of the task's output that were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn write_batch(&mut self) -> Result<(), Errno> {
        if self.size > 0 && self.size + self.batch.len() as u64 > self.bytes_max {
            self.turn_over()?;
        }
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let file = self.directory.open_append(&output_file_name(0))?;
                self.size = u64::try_from(fstat(&file)?.st_size).unwrap_or(0);
                file
            }
        };
        let result = write_all(&file, &self.batch);
        match result {
            Ok(()) => self.size += self.batch.len() as u64,
            // Part of the batch may be in the file: leave whole records only.
            Err(_) => ftruncate(&file, self.size)?,
        }
        self.file = Some(file);
        result
    }

    /// `output.log` becomes `output.log.1` and so on; what would be one too many is overwritten.
    fn turn_over(&mut self) -> Result<(), Errno> {
        self.file = None;
        self.size = 0;
        if self.files_max == 1 {
            return self.directory.remove(&output_file_name(0));
        }
        for age in (0..self.files_max - 1).rev() {
            match self.directory.rename(&output_file_name(age), &output_file_name(age + 1)) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::parse_piece;

    fn directory() -> (tempfile::TempDir, AttemptDirectory) {
        let parent = tempfile::tempdir().unwrap();
        let directory = AttemptDirectory::open_or_create(&parent.path().join("a")).unwrap();
        (parent, directory)
    }

    fn sizes(parent: &tempfile::TempDir) -> Vec<(String, u64)> {
        let mut sizes: Vec<_> = std::fs::read_dir(parent.path().join("a"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())
            })
            .collect();
        sizes.sort();
        sizes
    }

    #[test]
    fn files_turn_over_at_the_cap_and_the_oldest_goes() {
        let (parent, directory) = directory();
        let mut log = Log::new(&directory, 32 * 1024, 3);
        for _ in 0..1000 {
            log.add(1, b'o', &[b'x'; 1000], true);
        }
        log.flush();
        let names: Vec<_> = sizes(&parent).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["output.log", "output.log.1", "output.log.2"]);
        assert!(sizes(&parent).iter().all(|(_, size)| *size <= 32 * 1024));
        assert_eq!(log.dropped(), 0);
    }

    #[test]
    fn one_file_is_started_over() {
        let (parent, directory) = directory();
        let mut log = Log::new(&directory, 32 * 1024, 1);
        for _ in 0..100 {
            log.add(1, b'e', &[b'x'; 8192], false);
            log.flush();
        }
        assert_eq!(sizes(&parent).len(), 1);
        assert!(sizes(&parent)[0].1 <= 32 * 1024);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_writing_goes_on_later() {
        let (parent, directory) = directory();
        let mut log = Log::new(&directory, 32 * 1024, 2);
        let path = parent.path().join("a/output.log");
        std::fs::create_dir(&path).unwrap();
        log.add(1, b'o', b"lost", true);
        log.add(1, b'o', b"too", false);
        log.flush();
        assert_eq!(log.dropped(), 8);
        std::fs::remove_dir(&path).unwrap();
        log.add(2, b'o', b"kept", true);
        log.flush();
        let content = std::fs::read(&path).unwrap();
        assert_eq!(parse_piece(&content).unwrap().text, b"kept");
        assert_eq!(log.dropped(), 8);
    }
}
