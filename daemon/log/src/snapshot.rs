//! Snapshots: what a caller made of all records below an offset, kept beside the log.
//!
//! A snapshot is a cache that saves reading the log from its beginning, and a proof: it is made of
//! durable records only, so a log that ends before it has lost some. Never: be believed without its
//! checksums, or be seen before it is durable. `docs/log-format.md` is the specification.

use std::io;

use crc32c::{crc32c, crc32c_append};

use crate::error::StorageError;
use crate::segment;
use crate::storage::{Access, Storage, StorageFile};

/// The version written by this build.
const SNAPSHOT_VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"AIFLOWSN";
const HEADER_BYTES: usize = 64;
const TEMPORARY: &str = "snapshot.tmp";
const SUFFIX: &str = ".snapshot";

/// What was made of the records below `offset`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Offset of the first record that is not in it; the end of a batch.
    pub offset: u64,
    /// [`crate::Batch::checksum`] of the batch that ends there, which ties it to its log.
    pub checksum: u32,
    /// What the caller gave.
    pub content: Vec<u8>,
}

/// Why a snapshot is of no use. The log is whole all the same.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Another version of the program wrote it.
    #[error("{name} has version {found}, this program reads {SNAPSHOT_VERSION}")]
    Version {
        /// File name.
        name: String,
        /// Its version.
        found: u32,
    },
    /// The bytes are not what was written.
    #[error("{0} is damaged")]
    Damaged(String),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// File name of the snapshot at `offset`.
#[must_use]
pub fn name(offset: u64) -> String {
    format!("{offset:020}{SUFFIX}")
}

/// Offsets of all snapshots, ascending, whether they are good or not.
///
/// # Errors
/// If the directory cannot be listed.
pub fn offsets<S: Storage>(storage: &S) -> Result<Vec<u64>, StorageError> {
    segment::numbered(storage, &[SUFFIX])
}

impl Snapshot {
    /// Writes the snapshot; when this returns it is durable.
    ///
    /// # Errors
    /// What the system reports; the snapshots before stay as they are.
    pub fn install<S: Storage>(&self, storage: &S) -> io::Result<()> {
        segment::replace(storage, TEMPORARY, &name(self.offset), &self.encode())
    }

    /// Reads the snapshot at `offset` and checks every byte.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn load<S: Storage>(storage: &S, offset: u64) -> Result<Self, SnapshotError> {
        let name = name(offset);
        let file = storage.open(&name, Access::Read).map_err(StorageError::of("open", &name))?;
        let length = file.length().map_err(StorageError::of("measure", &name))?;
        let mut bytes = vec![0; length as usize];
        let n = file.read_full_at(&mut bytes, 0).map_err(StorageError::of("read", &name))?;
        bytes.truncate(n);
        Self::decode(bytes, offset, name)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.content.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&SNAPSHOT_VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&(self.content.len() as u64).to_le_bytes());
        out.extend_from_slice(&crc32c(&self.content).to_le_bytes());
        out.extend_from_slice(&self.checksum.to_le_bytes());
        out.resize(HEADER_BYTES, 0);
        let crc = header_crc(&out);
        out[12..16].copy_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&self.content);
        out
    }

    fn decode(mut bytes: Vec<u8>, offset: u64, name: String) -> Result<Self, SnapshotError> {
        let u32_at = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let u64_at = |at: usize| bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b));
        if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC || u32_at(12) != header_crc(&bytes) {
            return Err(SnapshotError::Damaged(name));
        }
        if u32_at(8) != SNAPSHOT_VERSION {
            return Err(SnapshotError::Version { name, found: u32_at(8) });
        }
        let (checksum, content_crc) = (u32_at(36), u32_at(32));
        let fits = u64_at(16) == offset && u64_at(24) == (bytes.len() - HEADER_BYTES) as u64;
        if !fits || crc32c(&bytes[HEADER_BYTES..]) != content_crc {
            return Err(SnapshotError::Damaged(name));
        }
        bytes.drain(..HEADER_BYTES);
        Ok(Self { offset, checksum, content: bytes })
    }
}

fn header_crc(bytes: &[u8]) -> u32 {
    crc32c_append(crc32c(&bytes[..12]), &bytes[16..HEADER_BYTES])
}

/// Removes all but the newest `keep` snapshots, the oldest first.
///
/// # Errors
/// If one cannot be removed; the newer ones are all there.
pub fn prune<S: Storage>(storage: &S, keep: usize) -> Result<(), StorageError> {
    let offsets = offsets(storage)?;
    for offset in &offsets[..offsets.len().saturating_sub(keep)] {
        let name = name(*offset);
        storage.remove(&name).map_err(StorageError::of("remove", &name))?;
    }
    Ok(())
}
