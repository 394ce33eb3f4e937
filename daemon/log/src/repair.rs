//! Making a damaged log usable again, at the price of what is damaged: `aiflowd log repair`.
//!
//! Planned first and carried out only when somebody has agreed. Never: lose more than the plan
//! says, remove a byte for good (what is taken out is renamed), or touch a log of a newer version.

use std::io;

use crate::error::{DamageReason, OpenError, StorageError};
use crate::index;
use crate::scan::{Cursor, Step};
use crate::segment::{self, Source};
use crate::snapshot;
use crate::storage::{Storage, StorageFile};
use crate::verify::{Report, verify};

const TEMPORARY: &str = "repair.tmp";
const COPY_BYTES: usize = 256 << 10;

/// What has to be given up so that the log can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: the log can be opened as it is.
    Nothing,
    /// All damage lies before a snapshot that holds what came of it: the log begins later.
    DropHead {
        /// First offset that is kept.
        first: u64,
    },
    /// The log ends before the damage. Good records behind it are given up too, since what came in
    /// between is not known.
    CutTail {
        /// Offset after the last record that is kept.
        end: u64,
        /// Offset after the last record that was found, or that a snapshot proves.
        lost_until: u64,
    },
    /// Not one record can be kept.
    Hopeless,
}

/// Looks at the whole log. `usable` is the offset of the newest snapshot that is good and fits to
/// the log, if there is one.
///
/// # Errors
/// [`OpenError`]; nothing is written in any case.
pub fn plan<S: Storage>(storage: &S, usable: Option<u64>) -> Result<(Report, Plan), OpenError> {
    let report = verify(storage)?;
    let newest = snapshot::offsets(storage)?.last().copied().unwrap_or(0);
    let bases = segment::bases(storage)?;
    let plan = match (report.damage.first(), report.damage.last()) {
        (Some(first), Some(last)) => {
            let next = bases.iter().copied().find(|base| *base > last.offset);
            // The batch that ends at the snapshot must stay, to prove whose snapshot it is.
            match next.filter(|next| usable.is_some_and(|offset| offset > *next)) {
                Some(first) => Plan::DropHead { first },
                None => {
                    Plan::CutTail { end: first.offset, lost_until: report.next_offset.max(newest) }
                }
            }
        }
        _ if newest > report.next_offset => {
            Plan::CutTail { end: report.next_offset, lost_until: newest }
        }
        _ => Plan::Nothing,
    };
    let first = bases.first().copied().unwrap_or(u64::MAX);
    let is_empty = matches!(plan, Plan::CutTail { end, .. } if end <= first);
    Ok(if is_empty { (report, Plan::Hopeless) } else { (report, plan) })
}

/// Does what was planned; gives the new names of the files that were taken out. Interrupted, it
/// leaves a log that can be planned for again.
///
/// # Errors
/// [`OpenError`], the log being as it was or on its way.
pub fn carry_out<S: Storage>(storage: &S, plan: &Plan) -> Result<Vec<String>, OpenError> {
    let mut removed = Vec::new();
    match plan {
        Plan::Nothing | Plan::Hopeless => {}
        Plan::DropHead { first } => {
            // Oldest first, so that there is never a gap.
            for base in segment::bases(storage)?.into_iter().filter(|base| base < first) {
                take_out(storage, base, &mut removed)?;
            }
        }
        Plan::CutTail { end, .. } => {
            let bases = segment::bases(storage)?;
            for base in bases.iter().rev().filter(|base| *base >= end) {
                take_out(storage, *base, &mut removed)?;
            }
            if let Some(last) = bases.iter().rfind(|base| *base < end) {
                cut(storage, *last, *end, &mut removed)?;
            }
            // Last: they prove that something is missing, until it is settled what.
            for offset in snapshot::offsets(storage)?.into_iter().filter(|offset| offset > end) {
                set_aside(storage, &snapshot::name(offset), &mut removed)?;
            }
            sync_dir(storage)?;
        }
    }
    Ok(removed)
}

/// Takes a whole segment out.
fn take_out<S: Storage>(
    storage: &S,
    base: u64,
    removed: &mut Vec<String>,
) -> Result<(), StorageError> {
    for name in [segment::name(base), segment::compressed_name(base)] {
        set_aside(storage, &name, removed)?;
    }
    sync_dir(storage)?;
    // A cache; one that stays behind is of no harm.
    let _ = storage.remove(&index::file_name(base));
    Ok(())
}

/// Lets the segment at `base` be the last one, ending at `end`. The segment is there whole, as it
/// was or cut, whenever a crash comes.
fn cut<S: Storage>(
    storage: &S,
    base: u64,
    end: u64,
    removed: &mut Vec<String>,
) -> Result<(), OpenError> {
    let position = end_of(storage, base, end)?;
    let opened = segment::open(storage, base)?;
    let (plain, capacity) = (segment::name(base), opened.header.capacity);
    remove_unfinished(storage)?;
    copy(storage, &opened.file, position, capacity, TEMPORARY)?;
    if !opened.file.is_compressed() {
        let aside = free_name(storage, &plain)?;
        copy(storage, &opened.file, capacity, capacity, &aside)?;
        removed.push(aside);
    }
    storage.rename(TEMPORARY, &plain).map_err(StorageError::of("rename to", &plain))?;
    sync_dir(storage)?;
    // From now on the plain file is the segment.
    set_aside(storage, &segment::compressed_name(base), removed)?;
    sync_dir(storage)?;
    let _ = storage.remove(&index::file_name(base));
    Ok(())
}

/// Position behind the last frame below `end`.
fn end_of<S: Storage>(storage: &S, base: u64, end: u64) -> Result<u64, OpenError> {
    let mut cursor = Cursor::new(segment::open(storage, base)?);
    while cursor.mark.offset < end {
        if let Step::Stop(fault) = cursor.step()? {
            return Err(cursor.damage(DamageReason::Frame(fault)).into());
        }
    }
    Ok(cursor.mark.position)
}

/// A durable plain file of the segment's bytes up to `end` and zeros up to `capacity`.
fn copy<S: Storage>(
    storage: &S,
    from: &impl Source,
    end: u64,
    capacity: u64,
    name: &str,
) -> Result<(), StorageError> {
    let write = || {
        let to = storage.create(name)?;
        let mut buffer = vec![0; COPY_BYTES];
        let mut position = 0;
        while position < end {
            let n = (end - position).min(COPY_BYTES as u64) as usize;
            let n = from.read_segment_at(&mut buffer[..n], position)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            to.write_all_at(&buffer[..n], position)?;
            position += n as u64;
        }
        segment::write_zeros(&to, end, capacity)?;
        to.sync_data()
    };
    write().map_err(StorageError::of("copy to", name))
}

/// Gives a file that is there a name that is not the log's.
fn set_aside<S: Storage>(
    storage: &S,
    name: &str,
    removed: &mut Vec<String>,
) -> Result<(), StorageError> {
    let aside = free_name(storage, name)?;
    match storage.rename(name, &aside) {
        Ok(()) => removed.push(aside),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(StorageError::of("rename to", &aside)(error)),
    }
    Ok(())
}

/// `NAME.removed-N` with the first number that is free.
fn free_name<S: Storage>(storage: &S, name: &str) -> Result<String, StorageError> {
    let names = storage.list().map_err(StorageError::of("list", "the directory"))?;
    let candidates = (1..).map(|number| format!("{name}.removed-{number}"));
    Ok(candidates.into_iter().find(|name| !names.contains(name)).unwrap_or_default())
}

/// Removes what an interrupted repair left.
fn remove_unfinished<S: Storage>(storage: &S) -> Result<(), StorageError> {
    match storage.remove(TEMPORARY) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::of("remove", TEMPORARY)(error))
        }
        _ => Ok(()),
    }
}

fn sync_dir<S: Storage>(storage: &S) -> Result<(), StorageError> {
    storage.sync_dir().map_err(StorageError::of("sync", "the directory"))
}
