//! What becomes of old segments: compressed, or dropped from the beginning of the log.
//!
//! Works beside the writer and the readers, on sealed segments only. Never: touch the segment being
//! written, remove a segment before what replaces it is durable and read back, leave a gap between
//! two segments, or decide what may go: the caller says below which offset.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::compressed::{self, Compressed};
use crate::error::{OpenError, StorageError};
use crate::index;
use crate::segment::{self, Source};
use crate::storage::{Access, Storage, StorageFile};

const TEMPORARY: &str = "compress.tmp";
/// Bytes compared at once when a compressed segment is read back.
const COMPARE_BYTES: usize = 256 << 10;
/// Held while files of segments are replaced or removed: one that is being compressed must not come
/// back when it and those after it are dropped.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One segment, as its own header and that of the next tell without reading it whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// File name.
    pub name: String,
    /// Offset of its first record.
    pub base: u64,
    /// Offset after its last record; none for the segment being written.
    pub end: Option<u64>,
    /// Time of the last batch before it, in microseconds; 0 if there was none.
    pub begin_time_us: i64,
    /// Time of its last batch, in microseconds; none for the segment being written.
    pub end_time_us: Option<i64>,
    /// Bytes that the file takes, space reserved for later records included.
    pub file_bytes: u64,
    /// Whether it is compressed.
    pub is_compressed: bool,
    /// Whether a file lists its labels.
    pub is_indexed: bool,
}

/// All segments, ascending, from their headers.
///
/// # Errors
/// [`OpenError`] when a header does not hold.
pub fn segments<S: Storage>(storage: &S) -> Result<Vec<SegmentInfo>, OpenError> {
    let names = storage.list().map_err(StorageError::of("list", "the directory"))?;
    let mut segments: Vec<SegmentInfo> = Vec::new();
    for base in segment::bases(storage)? {
        let opened = segment::open(storage, base)?;
        if let Some(before) = segments.last_mut() {
            before.end = Some(base);
            before.end_time_us = Some(opened.header.previous_time_us);
        }
        let name = opened.file.file_name(base);
        let file = storage.open(&name, Access::Read).map_err(StorageError::of("open", &name))?;
        segments.push(SegmentInfo {
            base,
            end: None,
            begin_time_us: opened.header.previous_time_us,
            end_time_us: None,
            file_bytes: file.length().map_err(StorageError::of("measure", &name))?,
            is_compressed: opened.file.is_compressed(),
            is_indexed: names.contains(&index::file_name(base)),
            name,
        });
    }
    Ok(segments)
}

/// How much of a log is kept. Without a limit, everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Most bytes that the files of all segments take.
    pub bytes: Option<u64>,
    /// Batches with an earlier time, in microseconds, may go.
    pub since_us: Option<i64>,
}

/// The offset before which whole segments may be dropped: from the oldest on, as long as a limit
/// is passed and all records of the segment lie below `safe`. None if nothing may go.
#[must_use]
pub fn droppable(segments: &[SegmentInfo], limits: Limits, safe: u64) -> Option<u64> {
    let mut bytes: u64 = segments.iter().map(|segment| segment.file_bytes).sum();
    let mut before = None;
    for segment in segments {
        let (Some(end), Some(time)) = (segment.end, segment.end_time_us) else { break };
        let is_over = limits.bytes.is_some_and(|most| bytes > most);
        let is_old = limits.since_us.is_some_and(|since| time < since);
        if end > safe || !(is_over || is_old) {
            break;
        }
        bytes -= segment.file_bytes;
        before = Some(end);
    }
    before
}

/// Removes the segments that hold only records below `offset`, oldest first; never the one being
/// written. Returns the first offset that is left. Waits for another thread that compresses.
///
/// # Errors
/// [`StorageError`]; some segments may be gone, the rest is whole.
pub fn drop_before<S: Storage>(storage: &S, offset: u64) -> Result<u64, StorageError> {
    let _turn = turn();
    let bases = segment::bases(storage)?;
    let mut first = bases.first().copied().unwrap_or(0);
    for pair in bases.windows(2).take_while(|pair| pair[1] <= offset) {
        for name in [segment::name(pair[0]), segment::compressed_name(pair[0])] {
            remove(storage, &name)?;
        }
        // One by one, so that a crash never leaves a gap between two segments.
        storage.sync_dir().map_err(StorageError::of("sync", "the directory"))?;
        // A cache; one that stays behind is of no harm.
        let _ = storage.remove(&index::file_name(pair[0]));
        first = pair[1];
    }
    Ok(first)
}

/// Compresses the sealed segment at `base`, unless it is. Returns the bytes of its file before and
/// after. The plain file goes only when what replaces it is durable and reads the same. Waits for
/// another thread that compresses or drops.
///
/// # Errors
/// [`StorageError`]; the segment is then there, plain, compressed or both.
/// A `base` that is no sealed segment is one of kind `InvalidInput`.
pub fn compress<S: Storage>(storage: &S, base: u64) -> Result<(u64, u64), StorageError> {
    let _turn = turn();
    let (plain_name, name) = (segment::name(base), segment::compressed_name(base));
    let bases = segment::bases(storage)?;
    if !bases.contains(&base) || bases.last() == Some(&base) {
        let kind = io::ErrorKind::InvalidInput;
        return Err(StorageError::of("compress", &plain_name)(kind.into()));
    }
    let plain = match storage.open(&plain_name, Access::Read) {
        Ok(plain) => plain,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let packed = storage.open(&name, Access::Read);
            let length = packed.and_then(|file| file.length());
            let length = length.map_err(StorageError::of("open", &name))?;
            return Ok((length, length));
        }
        Err(error) => return Err(StorageError::of("open", &plain_name)(error)),
    };
    let sizes = pack(storage, &plain, &name).map_err(StorageError::of("compress", &plain_name));
    if sizes.is_err() {
        // A disk without space must not be filled by the attempt.
        let _ = storage.remove(TEMPORARY);
    }
    let sizes = sizes?;
    remove(storage, &plain_name)?;
    storage.sync_dir().map_err(StorageError::of("sync", "the directory"))?;
    Ok(sizes)
}

/// Writes the compressed file, durable and under its name; gives both lengths.
fn pack<S: Storage>(storage: &S, plain: &S::File, name: &str) -> io::Result<(u64, u64)> {
    remove_unfinished(storage).map_err(|error| error.source)?;
    let file = storage.create(TEMPORARY)?;
    compressed::write(plain, &file)?;
    file.sync_data()?;
    file.drop_cache();
    let sizes = (plain.length()?, file.length()?);
    if !is_same(plain, &Compressed::open(file)?)? {
        let what = "what was compressed does not read the same";
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    storage.rename(TEMPORARY, name)?;
    storage.sync_dir()?;
    Ok(sizes)
}

fn is_same<F: StorageFile>(plain: &F, compressed: &Compressed<F>) -> io::Result<bool> {
    let length = plain.length()?;
    let (mut one, mut other) = (vec![0; COMPARE_BYTES], vec![0; COMPARE_BYTES]);
    let mut position = 0;
    while position < length {
        let n = plain.read_full_at(&mut one, position)?;
        let m = compressed.read_full_at(&mut other, position)?;
        if n == 0 || one[..n] != other[..m] {
            return Ok(false);
        }
        position += n as u64;
    }
    Ok(compressed.length() == length)
}

/// Removes what an interrupted compression left.
pub(crate) fn remove_unfinished<S: Storage>(storage: &S) -> Result<(), StorageError> {
    remove(storage, TEMPORARY)
}

fn remove<S: Storage>(storage: &S, name: &str) -> Result<(), StorageError> {
    match storage.remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::of("remove", name)(error))
        }
        _ => Ok(()),
    }
}
