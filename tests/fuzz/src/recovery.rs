//! Segments of any content: opened exactly when, and with exactly what, the specification says.
//!
//! Never: a byte changed in a log that is refused, or a record lost or added by opening again.

use std::collections::BTreeMap;

use aiflow_log::testing::MemoryStorage;
use aiflow_log::{
    FrameBuilder, LogOptions, LogReader, OpenError, ReadError, Recovered, open, verify,
};

use crate::bytes::{FRAME_HEADER_BYTES, HEADER_BYTES, Input, frame_crc, put_u32, seal_header};
use crate::specification::{Content, Refusal, content};

/// Most bytes of one segment that an input can make.
const SEGMENT_BYTES_MAX: usize = 16 << 10;

/// The input: mode (1). Mode 0: the rest is a whole file. Otherwise one to three segments, each
/// made by a program: see `Segment::step`.
pub fn recovery(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mode = input.byte();
    let mut segments = BTreeMap::new();
    if mode == 0 {
        segments.insert(0, input.0.to_vec());
    } else {
        let mut segment = Segment::first();
        for _ in 0..mode % 3 {
            segment.run(&mut input);
            let next = segment.next();
            segments.insert(segment.base, segment.finish(0));
            segment = next;
        }
        segment.run(&mut input);
        segments.insert(segment.base, segment.finish(usize::from(mode) / 16));
    }
    let disk = MemoryStorage::new();
    for (base, file) in &segments {
        disk.overwrite(&format!("{base:020}.log"), file);
    }
    disk.overwrite("spare.tmp", b"left behind");
    compare(&disk, content(&segments));
    durable_from_a_snapshot(&disk, u64::from(mode) / 16);
}

fn options() -> LogOptions {
    LogOptions { segment_bytes: 1024, ..LogOptions::default() }
}

fn compare(disk: &MemoryStorage, expected: Result<Content, Refusal>) {
    let before = disk.files();
    let report = verify(disk);
    assert_eq!(disk.files(), before, "verifying wrote");
    let opened = open(disk.fork(), options());
    match (expected, opened) {
        (Err(Refusal::Newer), Err(OpenError::NewerVersion { .. })) => {
            assert!(matches!(report, Err(OpenError::NewerVersion { .. })));
        }
        (Err(Refusal::Damaged), Err(OpenError::Damaged(damage))) => {
            let report = report.unwrap();
            assert!(report.damage.contains(&damage), "{damage} is not among {:?}", report.damage);
        }
        (Ok(content), Ok((_, recovered))) => {
            let report = report.unwrap();
            assert!(report.damage.is_empty(), "{:?}", report.damage);
            assert_eq!(report.tail, recovered.cut);
            assert_eq!(report.next_offset, recovered.next_offset);
            go_on(&disk.fork(), &content, &recovered);
        }
        (expected, opened) => panic!("expected {expected:?}, opened: {:?}", opened.map(|it| it.1)),
    }
    let untouched = disk.fork();
    if open(untouched.clone(), options()).is_err() {
        assert_eq!(untouched.files(), before, "a log that is refused was changed");
    }
}

/// Opens for good, twice, and appends.
fn go_on(disk: &MemoryStorage, content: &Content, told: &Recovered) {
    let next = content.first + content.payloads.len() as u64;
    let cut = told.cut.as_ref().map(|cut| (cut.position, cut.position + cut.bytes));
    assert_eq!((told.first_offset, told.next_offset, cut), (content.first, next, content.torn));
    drop(open(disk.clone(), options()).unwrap());
    assert_eq!(read(disk, content.first, next), content.payloads);
    let settled = disk.files();

    let (mut writer, again) = open(disk.clone(), options()).unwrap();
    assert_eq!(again, Recovered { cut: None, ..told.clone() });
    assert_eq!(disk.files(), settled, "opening again changed something");
    // Offsets end at 2^64; no log comes near, but a header can say so.
    if next > u64::MAX - 8 {
        return;
    }
    let mut builder = FrameBuilder::new(next, -1, told.last_epoch);
    builder.record(|out| out.extend_from_slice(b"one")).record(|_| {});
    assert_eq!(writer.append(&mut [builder.finish().unwrap()]).unwrap(), next + 2);
    drop(writer);
    let (_, last) = open(disk.clone(), options()).unwrap();
    assert_eq!((last.next_offset, last.last_time_us, last.cut), (next + 2, -1, None));
    let mut expected = content.payloads.clone();
    expected.extend([b"one".to_vec(), vec![]]);
    assert_eq!(read(disk, content.first, next + 2), expected);
}

/// With a snapshot at `check_from`, a log that ends before it is never opened, and one that is
/// opened is whole from there on.
fn durable_from_a_snapshot(disk: &MemoryStorage, check_from: u64) {
    let plain = open(disk.fork(), options()).map(|opened| opened.1);
    let known = open(disk.fork(), LogOptions { check_from, ..options() });
    match (plain, known) {
        (Ok(plain), Ok((_, known))) => assert_eq!(plain, known),
        (Ok(plain), Err(_)) => assert!(plain.next_offset < check_from, "refused without a reason"),
        (Err(_), Ok((_, known))) => {
            assert!(known.next_offset >= check_from && known.first_offset < check_from);
        }
        (Err(_), Err(_)) => {}
    }
}

fn read(disk: &MemoryStorage, from: u64, until: u64) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut reader = LogReader::new(disk.clone());
    let records = reader.read(from, until).unwrap();
    let push = |record: aiflow_log::Record<'_>| {
        assert_eq!(record.offset, from + out.len() as u64);
        out.push(record.payload.to_vec());
        Ok::<(), ReadError>(())
    };
    records.for_each(push).unwrap();
    out
}

/// A segment that a program makes.
struct Segment {
    base: u64,
    file: Vec<u8>,
    /// What a right frame would have next.
    offset: u64,
    epoch: u64,
    durable: u64,
    chain: u32,
    time_us: i64,
    /// Where frames were put.
    frames: Vec<(usize, usize)>,
}

impl Segment {
    fn first() -> Self {
        Self::new(0, u64::MAX, 0, 0, 0)
    }

    fn new(base: u64, previous: u64, epoch: u64, time_us: i64, chain: u32) -> Self {
        let mut file = b"AIFLOWLG\x01\0\0\0\0\0\0\0".to_vec();
        for field in [base, 0, previous, epoch, time_us.cast_unsigned(), u64::from(chain)] {
            file.extend_from_slice(&field.to_le_bytes());
        }
        let mut segment = Self {
            base,
            file,
            offset: base,
            epoch,
            durable: base,
            chain: 0,
            time_us,
            frames: vec![],
        };
        segment.set_capacity(SEGMENT_BYTES_MAX);
        segment
    }

    /// The segment that rightly follows this one.
    fn next(&self) -> Self {
        Self::new(self.offset, self.base, self.epoch, self.time_us, self.chain)
    }

    /// Fits the header to a length, before a frame chains to it.
    fn set_capacity(&mut self, capacity: usize) {
        self.file[24..32].copy_from_slice(&(capacity as u64).to_le_bytes());
        seal_header(&mut self.file);
        self.chain = crate::bytes::u32_at(&self.file, 12);
    }

    fn run(&mut self, input: &mut Input<'_>) {
        // The length first, since every frame hangs on the header's checksum through the chain.
        let length = 64 + usize::from(input.byte()) * 64;
        self.set_capacity(length);
        while !input.is_empty() && self.file.len() < length && self.step(input) {}
        self.file.resize(length, 0);
    }

    /// One instruction; false ends the segment.
    fn step(&mut self, input: &mut Input<'_>) -> bool {
        match input.byte() % 16 {
            // Right frames are what most of a log is.
            0..6 => self.put(input, Wrong::Nothing),
            6 => self.durable = self.offset,
            7 => self.put(input, Wrong::Offset),
            8 => self.put(input, Wrong::Epoch),
            9 => self.put(input, Wrong::Chain),
            10 => self.put(input, Wrong::Field),
            11 => {
                let count = usize::from(input.byte());
                self.file.extend_from_slice(input.take(count));
                self.file.resize(self.file.len().next_multiple_of(8), 0);
            }
            12 => self.file.resize(self.file.len() + 8 * usize::from(input.byte()), 0),
            13 => self.repeat(input),
            14 => {
                let (at, bits) = (input.short() % self.file.len(), input.byte());
                self.file[at] ^= bits;
                if at < HEADER_BYTES && bits & 1 == 0 {
                    seal_header(&mut self.file);
                }
            }
            _ => return false,
        }
        true
    }

    fn put(&mut self, input: &mut Input<'_>, wrong: Wrong) {
        let shape = input.byte();
        self.epoch += u64::from(shape & 0x40 != 0);
        self.time_us = i64::from(shape) - 99;
        let offset = match wrong {
            Wrong::Offset => self.base + u64::from(input.byte()),
            _ => self.offset,
        };
        let epoch = match wrong {
            Wrong::Epoch => u64::from(input.byte()),
            _ => self.epoch,
        };
        let mut builder = FrameBuilder::new(offset, self.time_us, epoch);
        for _ in 0..=shape & 3 {
            let length = usize::from(input.byte());
            builder.record(|out| out.extend_from_slice(input.take(length)));
        }
        let frame = builder.finish().unwrap();
        let (start, end) = (self.file.len(), frame.end());
        self.file.extend_from_slice(&frame.into_buffer());
        let bytes = &mut self.file[start..];
        // Mostly what was durable when it was written; sometimes more, as far as it can be.
        let durable = if shape & 0x80 == 0 { self.durable } else { offset };
        bytes[40..48].copy_from_slice(&durable.to_le_bytes());
        put_u32(bytes, 48, self.chain ^ u32::from(matches!(wrong, Wrong::Chain)));
        if matches!(wrong, Wrong::Field) {
            let at = 8 + input.short() % (bytes.len() - 8);
            bytes[at] ^= input.byte();
        }
        self.seal(start, end);
    }

    fn seal(&mut self, start: usize, end: u64) {
        let crc = frame_crc(&self.file[start..], self.base, start as u64);
        put_u32(&mut self.file[start..], 4, crc);
        self.frames.push((start, self.file.len()));
        (self.chain, self.offset) = (crc, end);
    }

    /// A copy of an earlier frame, whose checksum is that of its old place or of its new one.
    fn repeat(&mut self, input: &mut Input<'_>) {
        let choice = usize::from(input.byte());
        if self.frames.is_empty() {
            return;
        }
        let (from, to) = self.frames[choice / 2 % self.frames.len()];
        let start = self.file.len();
        self.file.extend_from_within(from..to);
        if choice % 2 == 1 {
            let crc = frame_crc(&self.file[start..], self.base, start as u64);
            put_u32(&mut self.file[start..], 4, crc);
        }
    }

    /// The file, cut or lengthened so that its header may be wrong about it.
    fn finish(mut self, extra: usize) -> Vec<u8> {
        if extra == 15 {
            self.file.truncate(self.file.len() - FRAME_HEADER_BYTES.min(self.file.len()));
        }
        self.file
    }
}

/// What is wrong with a frame although its checksum is right.
#[derive(Clone, Copy)]
enum Wrong {
    Nothing,
    Offset,
    Epoch,
    Chain,
    /// Any byte.
    Field,
}
