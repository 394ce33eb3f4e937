//! One frame and one segment header: what decodes is what encoding gives.
//!
//! Never: a frame that holds and is not the one that its records make.

use aiflow_log::FrameBuilder;
use aiflow_log::format::{FrameHeader, SegmentHeader};

use crate::bytes::{
    FRAME_HEADER_BYTES, HEADER_BYTES, Input, frame_crc, put_u32, seal_header, u32_at,
};

/// The input: position (2), segment (8), then the bytes of a frame. They are tried as they are,
/// with the parts set right that random bytes never match, and as a segment header.
pub fn frame(bytes: &[u8]) {
    let mut input = Input(bytes);
    let (position, segment) = (input.short() as u64 * 8, input.long());
    let raw = input.0;
    check(raw, segment, position);
    check_header(raw);

    let mut fixed = raw.to_vec();
    fixed.resize(raw.len().max(FRAME_HEADER_BYTES + 8).next_multiple_of(8), 0);
    fixed[..4].copy_from_slice(&[0xF7, b'A', b'F', 0xFE]);
    put_u32(&mut fixed, 52, 0);
    let room = (fixed.len() - FRAME_HEADER_BYTES) as u32;
    let length = u32_at(&fixed, 8);
    // Mostly as long as it is; the first bit leaves it as it came.
    let length = if length & 1 == 0 { room - (length >> 1) % 8 } else { length >> 1 };
    put_u32(&mut fixed, 8, length);
    let crc = frame_crc(&fixed, segment, position);
    put_u32(&mut fixed, 4, crc);
    check(&fixed, segment, position);

    let mut header = raw.to_vec();
    header.resize(HEADER_BYTES, 0);
    header[..8].copy_from_slice(b"AIFLOWLG");
    header[9..12].fill(0);
    seal_header(&mut header);
    check_header(&header);
}

fn check(bytes: &[u8], segment: u64, position: u64) {
    let capacity = position + bytes.len() as u64;
    let Ok(header) = FrameHeader::decode(bytes, position, capacity) else { return };
    let whole = &bytes[..header.frame_bytes() as usize];
    if header.check(whole, segment, position).is_err() {
        return;
    }
    assert_eq!(header.crc, frame_crc(whole, segment, position), "a checksum that does not match");
    assert!(header.check(whole, segment.wrapping_add(1), position).is_err(), "elsewhere");
    assert!(header.check(whole, segment, position + 8).is_err(), "elsewhere");
    let mut builder = FrameBuilder::new(header.base_offset, header.time_us, header.epoch);
    let mut rest = Input(header.records_of(whole));
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest.take(4).try_into().unwrap()) as usize;
        let payload = rest.take(length);
        assert_eq!(payload.len(), length, "a record that goes beyond its frame");
        builder.record(|out| out.extend_from_slice(payload));
    }
    let made = builder.finish().unwrap();
    assert_eq!((made.end(), made.count()), (header.end(), header.count));
    let payloads = made.records().map(<[u8]>::len).sum::<usize>();
    assert_eq!(payloads + 4 * made.count() as usize, header.length as usize);
    let made = made.into_buffer();
    assert_eq!(made[8..40], whole[8..40], "another header");
    let end = FRAME_HEADER_BYTES + header.length as usize;
    assert_eq!(made[FRAME_HEADER_BYTES..end], whole[FRAME_HEADER_BYTES..end], "other records");
}

fn check_header(bytes: &[u8]) {
    let Ok((header, crc)) = SegmentHeader::decode(bytes) else { return };
    let (again, again_crc) = header.encode();
    assert_eq!(again, bytes[..HEADER_BYTES], "another header");
    assert_eq!(again_crc, crc);
}
