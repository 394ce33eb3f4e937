//! Segment files: their names, how one comes into being, and reading their headers.
//!
//! A segment gets its name only when its header and its space are durable, so a named segment is
//! always whole, and its name proves that everything before its base offset was safe. A sealed one
//! may be compressed. Never: write into a named file.

use std::io;

use crate::compressed::Compressed;
use crate::error::{Damage, DamageReason, OpenError, ReadError, StorageError};
use crate::format::{FORMAT_VERSION, HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::storage::{Access, Storage, StorageFile, uninterrupted};

/// Name of the file that becomes the next segment. Worth nothing after a crash.
pub(crate) const SPARE_NAME: &str = "spare.tmp";
const SUFFIX: &str = ".log";
const COMPRESSED_SUFFIX: &str = ".log.zst";
const DIGITS: usize = 20;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// File name of the segment that starts at offset `base`.
pub(crate) fn name(base: u64) -> String {
    format!("{base:020}{SUFFIX}")
}

/// File name of the compressed segment that starts at offset `base`.
pub(crate) fn compressed_name(base: u64) -> String {
    format!("{base:020}{COMPRESSED_SUFFIX}")
}

/// The base offsets of all segments, ascending. Other names are not the log's and are left alone.
pub(crate) fn bases<S: Storage>(storage: &S) -> Result<Vec<u64>, StorageError> {
    numbered(storage, &[SUFFIX, COMPRESSED_SUFFIX])
}

/// The numbers of all files named by one and one of `suffixes`, ascending, each once.
pub(crate) fn numbered<S: Storage>(
    storage: &S,
    suffixes: &[&str],
) -> Result<Vec<u64>, StorageError> {
    let names = storage.list().map_err(StorageError::of("list", "the directory"))?;
    let parse = |name: &String| {
        let digits = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix))?;
        let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse().ok() } else { None }
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(parse).collect();
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// Removes what an earlier process prepared as its next segment.
pub(crate) fn remove_spare<S: Storage>(storage: &S) -> Result<(), StorageError> {
    match storage.remove(SPARE_NAME) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::of("remove", SPARE_NAME)(error))
        }
        _ => Ok(()),
    }
}

/// Creates the file for a next segment, with all its space. On failure no file is left behind, so
/// that a disk without space is not filled by the attempt.
pub(crate) fn create_spare<S: Storage>(
    storage: &S,
    capacity: u64,
) -> Result<S::File, StorageError> {
    remove_spare(storage)?;
    let file = storage.create(SPARE_NAME).map_err(StorageError::of("create", SPARE_NAME))?;
    match reserve(&file, capacity) {
        Ok(()) => Ok(file),
        Err(error) => {
            drop(file);
            // The next attempt, or the next opening, removes it if this did not.
            let _ = remove_spare(storage);
            Err(StorageError::of("allocate", SPARE_NAME)(error))
        }
    }
}

/// Where the file system cannot reserve, zeros are written: slower, and the same promise on file
/// systems that overwrite in place.
fn reserve<F: StorageFile>(file: &F, capacity: u64) -> io::Result<()> {
    match uninterrupted(|| file.allocate(capacity)) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        result => return result,
    }
    write_zeros(file, 0, capacity)?;
    // Delayed allocation reports a full disk only now.
    file.sync_data()
}

/// Overwrites the bytes from `position` to `end` with zeros; not yet durable.
pub(crate) fn write_zeros<F: StorageFile>(file: &F, position: u64, end: u64) -> io::Result<()> {
    let mut at = position;
    while at < end {
        let n = (end - at).min(ZEROS.len() as u64);
        file.write_all_at(&ZEROS[..n as usize], at)?;
        at += n;
    }
    Ok(())
}

/// Turns the spare file into the segment that `header` describes; returns the header's checksum.
/// When this returns, the segment is durable. A crash before leaves no segment, or an empty one.
pub(crate) fn publish<S: Storage>(
    storage: &S,
    file: &S::File,
    header: &SegmentHeader,
) -> Result<u32, StorageError> {
    let (bytes, crc) = header.encode();
    let name = name(header.base);
    file.write_all_at(&bytes, 0).map_err(StorageError::of("write", SPARE_NAME))?;
    file.sync_data().map_err(StorageError::of("sync", SPARE_NAME))?;
    storage.rename(SPARE_NAME, &name).map_err(StorageError::of("rename to", &name))?;
    storage.sync_dir().map_err(StorageError::of("sync", "the directory"))?;
    Ok(crc)
}

/// Writes a file beside the segments and gives it its name when it is durable, so that it is there
/// whole or not at all. For caches: a crash may also leave the one before it.
pub(crate) fn replace<S: Storage>(
    storage: &S,
    temporary: &str,
    name: &str,
    bytes: &[u8],
) -> io::Result<()> {
    match storage.remove(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = storage.create(temporary)?;
    let written = file.write_all_at(bytes, 0).and_then(|()| file.sync_data());
    if let Err(error) = written {
        // A disk without space must not be filled by the attempt.
        let _ = storage.remove(temporary);
        return Err(error);
    }
    storage.rename(temporary, name)?;
    storage.sync_dir()
}

/// A segment that was opened and whose header holds.
#[derive(Debug)]
pub(crate) struct Opened<F> {
    pub(crate) file: F,
    pub(crate) header: SegmentHeader,
    /// Checksum of the header, which the first frame chains to.
    pub(crate) crc: u32,
}

/// Why a segment cannot be used.
#[derive(Debug)]
pub(crate) enum SegmentError {
    Newer { segment: String, found: u32 },
    Damaged(Damage),
    Storage(StorageError),
}

impl From<StorageError> for SegmentError {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<SegmentError> for OpenError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Newer { segment, found } => {
                Self::NewerVersion { segment, found, supported: FORMAT_VERSION }
            }
            SegmentError::Damaged(damage) => damage.into(),
            SegmentError::Storage(error) => error.into(),
        }
    }
}

impl From<SegmentError> for ReadError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Newer { segment, found } => {
                Self::NewerVersion { segment, found, supported: FORMAT_VERSION }
            }
            SegmentError::Damaged(damage) => damage.into(),
            SegmentError::Storage(error) => error.into(),
        }
    }
}

/// Where the bytes of a segment are read, whether they are compressed or not.
pub(crate) trait Source {
    /// As [`StorageFile::read_full_at`].
    fn read_segment_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;

    /// Length of the segment in bytes.
    fn segment_bytes(&self) -> io::Result<u64>;

    /// Name of the file, being that of the segment at `base`.
    fn file_name(&self, base: u64) -> String;
}

impl<F: StorageFile> Source for F {
    fn read_segment_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.read_full_at(buffer, position)
    }

    fn segment_bytes(&self) -> io::Result<u64> {
        self.length()
    }

    fn file_name(&self, base: u64) -> String {
        name(base)
    }
}

/// The file of a segment that is only read.
#[derive(Debug)]
pub(crate) enum SegmentFile<F> {
    Plain(F),
    Compressed(Compressed<F>),
}

impl<F> SegmentFile<F> {
    pub(crate) const fn is_compressed(&self) -> bool {
        matches!(self, Self::Compressed(_))
    }
}

impl<F: StorageFile> Source for SegmentFile<F> {
    fn read_segment_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read_full_at(buffer, position),
            Self::Compressed(file) => file.read_full_at(buffer, position),
        }
    }

    fn segment_bytes(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => file.length(),
            Self::Compressed(file) => Ok(file.length()),
        }
    }

    fn file_name(&self, base: u64) -> String {
        if self.is_compressed() { compressed_name(base) } else { name(base) }
    }
}

/// Opens the segment at `base` for reading and checks its header, name and length.
pub(crate) fn open<S: Storage>(
    storage: &S,
    base: u64,
) -> Result<Opened<SegmentFile<S::File>>, SegmentError> {
    check(open_file(storage, base)?, base)
}

/// Opens the file of a segment whose header was checked before.
pub(crate) fn open_file<S: Storage>(
    storage: &S,
    base: u64,
) -> Result<SegmentFile<S::File>, SegmentError> {
    // In this order: the plain file goes only when the compressed one is there.
    match storage.open(&name(base), Access::Read) {
        Ok(file) => Ok(SegmentFile::Plain(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => open_compressed(storage, base),
        Err(error) => Err(StorageError::of("open", &name(base))(error).into()),
    }
}

fn open_compressed<S: Storage>(
    storage: &S,
    base: u64,
) -> Result<SegmentFile<S::File>, SegmentError> {
    let name = compressed_name(base);
    let file = storage.open(&name, Access::Read).map_err(StorageError::of("open", &name))?;
    match Compressed::open(file) {
        Ok(file) => Ok(SegmentFile::Compressed(file)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let reason = DamageReason::Compressed(error.to_string());
            Err(SegmentError::Damaged(Damage { segment: name, position: 0, offset: base, reason }))
        }
        Err(error) => Err(StorageError::of("read", &name)(error).into()),
    }
}

/// Opens the segment at `base`, which no other follows, for writing, and checks it as [`open`].
pub(crate) fn open_last<S: Storage>(
    storage: &S,
    base: u64,
) -> Result<Opened<S::File>, SegmentError> {
    let name = name(base);
    match storage.open(&name, Access::Write) {
        Ok(file) => check(file, base),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Only sealed segments are compressed: another one followed it.
            let opened = open(storage, base)?;
            let (segment, reason) = (opened.file.file_name(base), DamageReason::NotLast);
            Err(SegmentError::Damaged(Damage { segment, position: 0, offset: base, reason }))
        }
        Err(error) => Err(StorageError::of("open", &name)(error).into()),
    }
}

/// Checks the header, the name and the length.
fn check<R: Source>(file: R, base: u64) -> Result<Opened<R>, SegmentError> {
    let name = file.file_name(base);
    let damaged = |reason| {
        SegmentError::Damaged(Damage { segment: name.clone(), position: 0, offset: base, reason })
    };
    let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
    let n = match file.read_segment_at(&mut bytes, 0) {
        Ok(n) => n,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(damaged(DamageReason::Compressed(error.to_string())));
        }
        Err(error) => return Err(StorageError::of("read", &name)(error).into()),
    };
    let length = file.segment_bytes().map_err(StorageError::of("measure", &name))?;
    let (header, crc) = match SegmentHeader::decode(&bytes[..n]) {
        Ok(decoded) => decoded,
        Err(HeaderFault::Newer(found)) => {
            return Err(SegmentError::Newer { segment: name, found });
        }
        Err(fault) => return Err(damaged(DamageReason::Header(fault))),
    };
    if header.base != base {
        return Err(damaged(DamageReason::Name(header.base)));
    }
    if header.capacity != length {
        let expected = header.capacity;
        return Err(damaged(DamageReason::Length { found: length, expected }));
    }
    Ok(Opened { file, header, crc })
}
