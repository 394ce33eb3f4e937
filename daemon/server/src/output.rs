//! Reads the output of attempts, piece by piece, also while it grows and is rotated.
//!
//! A position is opaque to clients: it names one file of the rotation by its inode, and a place in
//! it, so that it stays true when the file gets another name. Must never load a whole file.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use aiflow_model::AttemptId;
use aiflow_model::wire::{LOG_PIECE_BYTES_MAX, LogPiece};
use aiflow_supervise::output_file_name;

const PLACE_BITS: u32 = 40;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const INODE_MASK: u64 = (1 << 23) - 1;

/// One file of the rotation.
struct Kept {
    file: File,
    inode: u64,
    bytes: u64,
}

/// Reads a piece. `position`: 0 for the beginning, negative for so many bytes before the end, else
/// what an earlier piece gave as `next`. `ended`: the attempt is over, so nothing will be added.
///
/// # Errors
/// What the system reports; no output at all is an empty piece.
pub(crate) fn read(
    directory: &Path,
    id: &AttemptId,
    position: i64,
    bytes_max: Option<u64>,
    ended: bool,
) -> io::Result<LogPiece> {
    let files = kept_files(directory)?;
    let limit = bytes_max.unwrap_or(LOG_PIECE_BYTES_MAX).clamp(1, LOG_PIECE_BYTES_MAX);
    let (mut at, mut place) = find(&files, position);
    let mut text = Vec::new();
    let start = files.get(at).map_or(0, |kept| pack(kept, place));
    while let Some(kept) = files.get(at) {
        let room = limit - text.len() as u64;
        let count = room.min(kept.bytes.saturating_sub(place));
        let mut piece = vec![0; usize::try_from(count).unwrap_or(0)];
        kept.file.read_exact_at(&mut piece, place)?;
        text.extend_from_slice(&piece);
        place += count;
        if place < kept.bytes || at + 1 == files.len() {
            break;
        }
        (at, place) = (at + 1, 0);
    }
    // Whole lines only, unless one line fills the piece: the shim keeps lines shorter than that.
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let is_partial = whole > 0 || (text.len() as u64) < limit;
    if is_partial {
        place -= (text.len() - whole) as u64;
        text.truncate(whole);
    }
    let at_end = files.get(at).is_none_or(|kept| place >= kept.bytes) && at + 1 >= files.len();
    Ok(LogPiece {
        attempt: id.to_string(),
        position: start,
        next: files.get(at).map_or(start, |kept| pack(kept, place)),
        text: String::from_utf8_lossy(&text).into_owned(),
        ended: ended && at_end,
    })
}

/// The files of the rotation, oldest first.
fn kept_files(directory: &Path) -> io::Result<Vec<Kept>> {
    let mut files = Vec::new();
    for age in 0.. {
        match File::open(directory.join(output_file_name(age))) {
            Ok(file) => {
                let metadata = file.metadata()?;
                files.push(Kept { inode: metadata.ino(), bytes: metadata.len(), file });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    files.reverse();
    Ok(files)
}

fn pack(kept: &Kept, place: u64) -> u64 {
    ((kept.inode & INODE_MASK) << PLACE_BITS) | (place & PLACE_MASK)
}

/// Which file and where in it; a file that was rotated away gives the oldest that is left.
fn find(files: &[Kept], position: i64) -> (usize, u64) {
    if position < 0 {
        let mut back = position.unsigned_abs();
        for (at, kept) in files.iter().enumerate().rev() {
            if kept.bytes >= back {
                return (at, line_start(kept, kept.bytes - back));
            }
            back -= kept.bytes;
        }
        return (0, 0);
    }
    let packed = position.unsigned_abs();
    let (inode, place) = (packed >> PLACE_BITS, packed & PLACE_MASK);
    let found = files.iter().position(|kept| kept.inode & INODE_MASK == inode);
    found.map_or((0, 0), |at| (at, place.min(files[at].bytes)))
}

/// The first beginning of a line at or after a place.
fn line_start(kept: &Kept, place: u64) -> u64 {
    if place == 0 {
        return 0;
    }
    let mut buffer = vec![0; 16 << 10];
    let from = place - 1;
    let count = kept.file.read_at(&mut buffer, from).unwrap_or(0);
    let newline = buffer[..count].iter().position(|byte| *byte == b'\n');
    newline.map_or(place, |at| from + at as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(directory: &Path, mut position: i64, step: u64) -> (String, i64) {
        let id: AttemptId = "1.a.1.1".parse().unwrap();
        let mut text = String::new();
        loop {
            let piece = read(directory, &id, position, Some(step), true).unwrap();
            text.push_str(&piece.text);
            position = i64::try_from(piece.next).unwrap();
            if piece.ended {
                return (text, position);
            }
        }
    }

    #[test]
    fn pieces_join_over_rotation_while_reading() {
        let directory = tempfile::tempdir().unwrap();
        let path = |age| directory.path().join(output_file_name(age));
        std::fs::write(path(1), "1 o one\n2 o two\n").unwrap();
        std::fs::write(path(0), "3 e three\n").unwrap();
        let (text, end) = all(directory.path(), 0, 12);
        assert_eq!(text, "1 o one\n2 o two\n3 e three\n");
        std::fs::rename(path(1), path(2)).unwrap();
        std::fs::rename(path(0), path(1)).unwrap();
        std::fs::write(path(0), "4 o four\n").unwrap();
        assert_eq!(all(directory.path(), end, 100).0, "4 o four\n", "nothing twice, nothing lost");
        assert_eq!(all(directory.path(), -12, 100).0, "4 o four\n", "from the last line's start");
    }

    #[test]
    fn no_output_is_an_empty_piece() {
        let directory = tempfile::tempdir().unwrap();
        let id: AttemptId = "1.a.1.1".parse().unwrap();
        let piece = read(directory.path(), &id, 0, None, true).unwrap();
        assert!(piece.text.is_empty() && piece.ended);
    }
}
