//! Compressed segments: a sealed segment's bytes as zstd frames that can be read one by one.
//!
//! The file is what the *zstd seekable format* says (facebook/zstd, `contrib/seekable_format`): one
//! zstd frame a block, then a table of their sizes in a skippable frame. So `zstd -d` gives the
//! very bytes of the segment. Never: be believed further than the checksums inside it hold.

use std::cell::RefCell;
use std::io;

use crate::storage::StorageFile;

/// Bytes of the segment in one block: what is read and decompressed to see any byte of it.
const BLOCK_BYTES: u64 = 64 << 10;
/// zstd's own default: beyond it, time grows faster than what it saves.
const LEVEL: i32 = 3;
const SKIPPABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
const SKIPPABLE_HEADER_BYTES: u64 = 8;
const ENTRY_BYTES: u64 = 8;
const FOOTER_BYTES: u64 = 9;

/// A compressed segment that is open.
#[derive(Debug)]
pub(crate) struct Compressed<F> {
    file: F,
    /// Where each block starts in the file, and after the last one its end.
    starts: Vec<u64>,
    /// Length of what was compressed.
    length: u64,
    /// The block read last: frames are read in order, and several lie in one.
    latest: RefCell<Block>,
}

#[derive(Debug, Default)]
struct Block {
    /// Counted from 1; 0 is none.
    number: usize,
    bytes: Vec<u8>,
}

impl<F: StorageFile> Compressed<F> {
    /// Reads the table of blocks.
    ///
    /// # Errors
    /// `InvalidData` when the table is not one that [`write`] makes; what the system reports.
    pub(crate) fn open(file: F) -> io::Result<Self> {
        let end = file.length()?;
        let footer: [u8; FOOTER_BYTES as usize] = read(&file, end.checked_sub(FOOTER_BYTES))?;
        let (blocks, rest) = split_u32(&footer);
        let (descriptor, magic) = (rest[0], split_u32(&rest[1..]).0);
        if magic != SEEKABLE_MAGIC || descriptor != 0 || blocks == 0 {
            return Err(invalid("the file does not end with a table of blocks"));
        }
        let content = u64::from(blocks) * ENTRY_BYTES + FOOTER_BYTES;
        let table_at = end.checked_sub(content + SKIPPABLE_HEADER_BYTES);
        let header: [u8; SKIPPABLE_HEADER_BYTES as usize] = read(&file, table_at)?;
        let (magic, rest) = split_u32(&header);
        if magic != SKIPPABLE_MAGIC || u64::from(split_u32(rest).0) != content {
            return Err(invalid("the table of blocks has another length than it says"));
        }
        let table_at = table_at.unwrap_or_default();
        let mut table = vec![0; (u64::from(blocks) * ENTRY_BYTES) as usize];
        file.read_full_at(&mut table, table_at + SKIPPABLE_HEADER_BYTES)?;
        let mut starts = Vec::with_capacity(blocks as usize + 1);
        let (mut at, mut length) = (0, 0);
        for (number, entry) in table.chunks_exact(ENTRY_BYTES as usize).enumerate() {
            let (packed, rest) = split_u32(entry);
            let plain = u64::from(split_u32(rest).0);
            let is_last = number + 1 == blocks as usize;
            if plain > BLOCK_BYTES || plain == 0 || (plain < BLOCK_BYTES && !is_last) {
                return Err(invalid("the table holds a block of a size that is never written"));
            }
            starts.push(at);
            (at, length) = (at + u64::from(packed), length + plain);
        }
        starts.push(at);
        if at != table_at {
            return Err(invalid("the blocks do not fill the file"));
        }
        Ok(Self { file, starts, length, latest: RefCell::default() })
    }

    /// Length of what was compressed, in bytes.
    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    /// As [`StorageFile::read_full_at`], of what was compressed.
    ///
    /// # Errors
    /// `InvalidData` when a block cannot be decompressed; what the system reports.
    pub(crate) fn read_full_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut latest = self.latest.borrow_mut();
        let mut done = 0;
        while done < buffer.len() && position + (done as u64) < self.length {
            let at = position + done as u64;
            let number = (at / BLOCK_BYTES) as usize;
            if latest.number != number + 1 {
                self.decompress(number, &mut latest)?;
            }
            let from = (at % BLOCK_BYTES) as usize;
            let n = (latest.bytes.len() - from).min(buffer.len() - done);
            buffer[done..done + n].copy_from_slice(&latest.bytes[from..from + n]);
            done += n;
        }
        Ok(done)
    }

    fn decompress(&self, number: usize, into: &mut Block) -> io::Result<()> {
        into.number = 0;
        let plain = (self.length - number as u64 * BLOCK_BYTES).min(BLOCK_BYTES) as usize;
        let (start, end) = (self.starts[number], self.starts[number + 1]);
        let mut packed = vec![0; (end - start) as usize];
        self.file.read_full_at(&mut packed, start)?;
        into.bytes.resize(plain, 0);
        let n = zstd::bulk::decompress_to_buffer(&packed, &mut into.bytes)
            .map_err(|_| invalid("a block cannot be decompressed"))?;
        if n != plain {
            return Err(invalid("a block has another length than the table says"));
        }
        into.number = number + 1;
        Ok(())
    }
}

/// Compresses all of `from` into the empty file `to`; not yet durable.
///
/// # Errors
/// What the system reports; `to` is then of no use.
pub(crate) fn write<F: StorageFile>(from: &F, to: &F) -> io::Result<()> {
    let length = from.length()?;
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    let mut plain = vec![0; BLOCK_BYTES as usize];
    let mut packed = vec![0; zstd::zstd_safe::compress_bound(plain.len())];
    let (mut table, mut position, mut end) = (Vec::new(), 0, 0);
    while position < length {
        let n = (length - position).min(BLOCK_BYTES) as usize;
        if from.read_full_at(&mut plain[..n], position)? != n {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let size = compressor.compress_to_buffer(&plain[..n], &mut packed[..])?;
        to.write_all_at(&packed[..size], end)?;
        table.extend_from_slice(&(size as u32).to_le_bytes());
        table.extend_from_slice(&(n as u32).to_le_bytes());
        (position, end) = (position + n as u64, end + size as u64);
    }
    let blocks = table.len() as u64 / ENTRY_BYTES;
    let mut tail = SKIPPABLE_MAGIC.to_le_bytes().to_vec();
    tail.extend_from_slice(&((table.len() as u64 + FOOTER_BYTES) as u32).to_le_bytes());
    tail.append(&mut table);
    tail.extend_from_slice(&(blocks as u32).to_le_bytes());
    tail.push(0);
    tail.extend_from_slice(&SEEKABLE_MAGIC.to_le_bytes());
    to.write_all_at(&tail, end)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn read<const N: usize, F: StorageFile>(file: &F, position: Option<u64>) -> io::Result<[u8; N]> {
    let position = position.ok_or_else(|| invalid("the file is too short"))?;
    let mut bytes = [0; N];
    let n = file.read_full_at(&mut bytes, position)?;
    if n == N { Ok(bytes) } else { Err(invalid("the file is too short")) }
}

/// The first four bytes, little-endian, and the rest; missing bytes are zeros.
fn split_u32(bytes: &[u8]) -> (u32, &[u8]) {
    bytes.split_first_chunk().map_or((0, bytes), |(first, rest)| (u32::from_le_bytes(*first), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Access, Storage};
    use crate::testing::{MemoryStorage, Rng};

    #[test]
    fn a_block_that_failed_once_fails_again() {
        let disk = MemoryStorage::new();
        let mut rng = Rng::new(1);
        let bytes: Vec<u8> = (0..3 * BLOCK_BYTES).map(|_| rng.next_u64() as u8).collect();
        disk.overwrite("plain", &bytes);
        let (Ok(plain), Ok(packed)) = (disk.open("plain", Access::Read), disk.create("packed"))
        else {
            panic!("memory does not fail")
        };
        assert!(write(&plain, &packed).is_ok());
        let Ok(good) = Compressed::open(packed) else { panic!("what was written opens") };
        disk.flip_bit("packed", good.starts[1] as usize * 8);
        let mut buffer = [0; 16];
        for position in [0, BLOCK_BYTES, BLOCK_BYTES, 2 * BLOCK_BYTES, BLOCK_BYTES] {
            let read = good.read_full_at(&mut buffer, position);
            if position == BLOCK_BYTES {
                assert!(read.is_err());
            } else {
                assert_eq!(read.ok(), Some(16));
                assert_eq!(buffer, bytes[position as usize..][..16]);
            }
        }
    }
}
