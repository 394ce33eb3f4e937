//! Bytes as a snapshot file: refused, or exactly what the specification says they are.
//!
//! Never: a content whose checksum does not hold.

use aiflow_log::testing::MemoryStorage;
use aiflow_log::{Snapshot, snapshot as files};

use crate::bytes::{HEADER_BYTES, Input, change, put_u32, put_u64, seal_header, u32_at, u64_at};

/// The input: mode (1), offset (1), then the file, or changes to a good one. In every second mode
/// the checksums are set right afterwards.
pub fn snapshot(bytes: &[u8]) {
    let mut input = Input(bytes);
    let (mode, offset) = (input.byte(), u64::from(input.byte()));
    let mut file = if mode & 1 == 0 { input.0.to_vec() } else { changed(offset, &mut input) };
    if mode & 2 != 0 {
        fix(&mut file, offset, mode & 4 != 0);
    }
    let disk = MemoryStorage::new();
    disk.overwrite(&files::name(offset), &file);
    let Ok(loaded) = Snapshot::load(&disk, offset) else { return };

    assert_eq!(loaded.offset, offset);
    assert_eq!(loaded.offset, u64_at(&file, 16));
    assert_eq!(loaded.content, file[HEADER_BYTES..], "not what stands in the file");
    assert_eq!(crc32c::crc32c(&loaded.content), u32_at(&file, 32), "a checksum that fails");
    assert_eq!(loaded.checksum, u32_at(&file, 36));
    loaded.install(&disk).unwrap();
    let again = &disk.files()[&files::name(offset)];
    // The last 24 bytes of the header are reserved: not looked at, and written as zeros.
    assert_eq!(again[16..40], file[16..40]);
    assert_eq!(Snapshot::load(&disk, offset).unwrap(), loaded);
}

fn changed(offset: u64, input: &mut Input<'_>) -> Vec<u8> {
    let disk = MemoryStorage::new();
    let length = u64::from(input.byte());
    let content = (0..length).map(|at| (at * 7) as u8).collect();
    Snapshot { offset, checksum: input.byte().into(), content }.install(&disk).unwrap();
    let mut file = disk.files()[&files::name(offset)].clone();
    change(&mut file, input);
    file
}

fn fix(file: &mut Vec<u8>, offset: u64, lengths_too: bool) {
    file.resize(file.len().max(HEADER_BYTES), 0);
    file[..8].copy_from_slice(b"AIFLOWSN");
    let content = &file[HEADER_BYTES..];
    let (length, crc) = (content.len() as u64, crc32c::crc32c(content));
    put_u32(file, 32, crc);
    if lengths_too {
        put_u32(file, 8, 1);
        put_u64(file, 16, offset);
        put_u64(file, 24, length);
    }
    seal_header(file);
}
