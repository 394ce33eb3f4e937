//! Opening a log: what is believed after a crash, and what is not.
//!
//! Everything is read and judged before the first byte is written. Never: cut away a record that
//! may have been acknowledged, or write into a log that is damaged or of a newer version.

use crate::error::{Damage, DamageReason, OpenError, StorageError};
use crate::format::{FrameFault, NO_PREVIOUS, SegmentHeader};
use crate::retention;
use crate::scan::{Cursor, Mark, Rest, Step, search};
use crate::segment::{self, Opened, SegmentError, Source};
use crate::storage::{Storage, StorageFile};
use crate::writer::{LogOptions, LogWriter};

/// What was found when opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Offset of the first record that is there.
    pub first_offset: u64,
    /// Offset that the next record gets; everything from the first to it is durable.
    pub next_offset: u64,
    /// Epoch of the last frame, 0 for an empty log.
    pub last_epoch: u64,
    /// Time of the last frame in microseconds, 0 for an empty log.
    pub last_time_us: i64,
    /// What was cut off, if a crash had interrupted a commit.
    pub cut: Option<TornTail>,
}

/// The remains of a commit that was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// File name of the segment.
    pub segment: String,
    /// Position in the file where it starts, in bytes.
    pub position: u64,
    /// Bytes up to the last one that is not zero.
    pub bytes: u64,
}

/// The state of the last segment, judged but not yet repaired.
struct Tail<F> {
    cursor: Cursor<F>,
    rest: Rest,
}

/// Opens the log in `storage`, or starts one if there is no segment. On return everything below
/// `next_offset` is durable and nothing behind it can ever be read as a frame.
///
/// The caller makes sure that it is alone ([`crate::DirectoryLock`]).
///
/// # Errors
/// [`OpenError`]; except for `Storage`, nothing has been written.
pub fn open<S: Storage>(
    storage: S,
    options: LogOptions,
) -> Result<(LogWriter<S>, Recovered), OpenError> {
    if !options.is_valid() {
        return Err(OpenError::SegmentBytes(options.segment_bytes));
    }
    let bases = segment::bases(&storage)?;
    let (Some(first), Some(last)) = (bases.first(), bases.last()) else {
        return start(storage, options);
    };
    let headers = read_headers(&storage, &bases)?;
    check_links(&headers)?;
    for pair in headers.windows(2).filter(|pair| pair[1].base > options.check_from) {
        check_sealed(&storage, &pair[0], &pair[1])?;
    }
    let opened = segment::open_last(&storage, *last)?;
    settle(&opened)?;
    let tail = read_tail(opened, options.check_from)?;
    let cut = repair(&storage, &tail)?;
    let mark = tail.cursor.mark;
    let recovered = Recovered {
        first_offset: *first,
        next_offset: mark.offset,
        last_epoch: mark.epoch,
        last_time_us: mark.time_us,
        cut,
    };
    let Cursor { file, header, .. } = tail.cursor;
    Ok((LogWriter::new(storage, options, (file, header), mark), recovered))
}

fn start<S: Storage>(
    storage: S,
    options: LogOptions,
) -> Result<(LogWriter<S>, Recovered), OpenError> {
    let header = SegmentHeader {
        base: 0,
        capacity: options.segment_bytes,
        previous_base: NO_PREVIOUS,
        previous_epoch: 0,
        previous_time_us: 0,
        previous_crc: 0,
    };
    let file = segment::create_spare(&storage, options.segment_bytes)?;
    let crc = segment::publish(&storage, &file, &header)?;
    let mark = Mark::start(&header, crc);
    let recovered =
        Recovered { first_offset: 0, next_offset: 0, last_epoch: 0, last_time_us: 0, cut: None };
    Ok((LogWriter::new(storage, options, (file, header), mark), recovered))
}

/// Reads all headers. A newer version anywhere is told before damage anywhere, since what looks
/// like damage may be what that version means.
fn read_headers<S: Storage>(storage: &S, bases: &[u64]) -> Result<Vec<SegmentHeader>, OpenError> {
    let mut headers = Vec::with_capacity(bases.len());
    let mut damaged = None;
    for base in bases {
        match segment::open(storage, *base) {
            Ok(opened) => headers.push(opened.header),
            Err(SegmentError::Damaged(damage)) => {
                damaged.get_or_insert(damage);
            }
            Err(error) => return Err(error.into()),
        }
    }
    damaged.map_or(Ok(headers), |damage| Err(damage.into()))
}

fn check_links(headers: &[SegmentHeader]) -> Result<(), Damage> {
    for pair in headers.windows(2) {
        if pair[1].previous_base != pair[0].base {
            let reason = DamageReason::Missing(pair[1].previous_base);
            let (segment, offset) = (segment::name(pair[1].base), pair[1].base);
            return Err(Damage { segment, position: 0, offset, reason });
        }
    }
    Ok(())
}

/// Reads a segment that another one follows: its frames must lead exactly to the next.
pub(crate) fn check_sealed<S: Storage>(
    storage: &S,
    header: &SegmentHeader,
    next: &SegmentHeader,
) -> Result<(), OpenError> {
    let mut cursor = Cursor::new(segment::open(storage, header.base)?);
    let fault = loop {
        match cursor.step()? {
            Step::Frame(_) => {}
            Step::Stop(fault) => break fault,
        }
    };
    Ok(check_seal(&cursor, fault, next)?)
}

/// Judges the end of a sealed segment, where the cursor stopped because of `fault`.
pub(crate) fn check_seal<R: Source>(
    cursor: &Cursor<R>,
    fault: FrameFault,
    next: &SegmentHeader,
) -> Result<(), Damage> {
    let mark = cursor.mark;
    if mark.offset < next.base || !fault.may_be_torn() {
        return Err(cursor.damage(DamageReason::Frame(fault)));
    }
    if mark.offset > next.base {
        return Err(cursor.damage(DamageReason::Overlap));
    }
    let before = (next.previous_epoch, next.previous_time_us, next.previous_crc);
    if before != (mark.epoch, mark.time_us, mark.chain) {
        let (segment, offset) = (segment::name(next.base), next.base);
        return Err(Damage { segment, position: 0, offset, reason: DamageReason::Link });
    }
    Ok(())
}

/// Makes sure that what is read next is on the disk, and not only in the system's memory: first
/// what a killed process wrote and did not sync, then, by forgetting, what a failed sync lost.
/// Writing the frames again would do as well, but put acknowledged bytes at risk in a power cut.
fn settle<F: StorageFile>(opened: &Opened<F>) -> Result<(), StorageError> {
    let name = segment::name(opened.header.base);
    opened.file.sync_data().map_err(StorageError::of("sync", &name))?;
    opened.file.drop_cache();
    Ok(())
}

/// Reads the last segment up to its last good frame and judges what lies behind. Everything below
/// `durable` is known to have been acknowledged, so its lack is damage.
fn read_tail<F: StorageFile>(opened: Opened<F>, durable: u64) -> Result<Tail<F>, OpenError> {
    let mut cursor = Cursor::new(opened);
    let fault = loop {
        match cursor.step()? {
            Step::Frame(_) => {}
            Step::Stop(fault) => break fault,
        }
    };
    if cursor.mark.offset < durable {
        return Err(cursor.damage(DamageReason::Short { fault, durable }).into());
    }
    let rest = judge(&cursor, fault)?;
    Ok(Tail { cursor, rest })
}

/// Tells a commit that a crash interrupted from damage to one that was acknowledged.
pub(crate) fn judge<R: Source>(cursor: &Cursor<R>, fault: FrameFault) -> Result<Rest, OpenError> {
    if !fault.may_be_torn() {
        return Err(cursor.damage(DamageReason::Frame(fault)).into());
    }
    let rest = search(cursor)?;
    if let Some(frame) = rest.proof {
        let (proof, offset) = (frame.position, frame.header.durable_before);
        return Err(cursor.damage(DamageReason::Acknowledged { fault, proof, offset }).into());
    }
    Ok(rest)
}

/// Writes zeros over the torn tail, so that nothing of it can ever be read as a frame.
fn repair<S: Storage>(storage: &S, tail: &Tail<S::File>) -> Result<Option<TornTail>, StorageError> {
    let Tail { cursor, rest } = tail;
    let (file, name) = (&cursor.file, cursor.name());
    let position = cursor.mark.position;
    segment::remove_spare(storage)?;
    retention::remove_unfinished(storage)?;
    storage.sync_dir().map_err(StorageError::of("sync", "the directory"))?;
    if rest.dirty_end <= position {
        return Ok(None);
    }
    segment::write_zeros(file, position, rest.dirty_end)
        .map_err(StorageError::of("write", &name))?;
    file.sync_data().map_err(StorageError::of("sync", &name))?;
    Ok(Some(TornTail { segment: name, position, bytes: rest.dirty_end - position }))
}
