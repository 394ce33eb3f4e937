//! `power-writer`: one life of a log, until the power is cut. Opens the log with all that opening
//! does, then several writers, a maker of snapshots, the key index, and what compresses and drops
//! old segments work at once. Tells the judge over its standard output what happened, after it
//! happened.
//!
//! Never: tell that something is durable before the log said so.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, PoisonError};

use aiflow_log::retention::{self, Limits, compress, droppable, segments};
use aiflow_log::testing::Rng;
use aiflow_log::{
    CommitOutcome, Committer, DiskStorage, FrameBuilder, LabelIndex, LogOptions, LogReader,
    LogWriter, OpenError, ReadError, Snapshot, open, snapshot,
};
use aiflow_power::{
    ByFirstByte, KEPT_BYTES, Message, SNAPSHOTS_KEPT, content, label, now_ns, payload,
};

const WRITERS: u64 = 4;
/// The writers wait while so much is submitted and not durable, so that commits stay in sight.
const QUEUED_BYTES_MAX: u64 = 192 << 10;
/// Records between two snapshots, at least.
const SNAPSHOT_STEP: u64 = 60;

/// What was asked for on the command line.
struct Life {
    directory: String,
    seed: u64,
    number: u64,
    segment_bytes: u64,
}

/// Why a life ends before the power does.
enum End {
    Failed,
    Refused(String),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Failed
    }
}

impl From<aiflow_log::StorageError> for End {
    fn from(_: aiflow_log::StorageError) -> Self {
        Self::Failed
    }
}

impl From<OpenError> for End {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Storage(_) => Self::Failed,
            other => Self::Refused(format!("opening: {other}")),
        }
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Storage(_) => Self::Failed,
            other => Self::Refused(format!("reading: {other}")),
        }
    }
}

/// Tells the judge. Unbuffered: what is told is out of this process.
struct Teller(File);

impl Teller {
    fn tell(&self, message: Message) {
        // Without a judge there is nothing to go on for.
        if (&self.0).write_all(&message.encode()).is_err() {
            std::process::exit(3);
        }
    }

    /// Ends this life.
    fn end(&self, end: End) -> ! {
        match end {
            End::Failed => self.tell(Message::Failed),
            End::Refused(why) => {
                let _ = writeln!(io::stderr(), "power-writer: {why}");
                self.tell(Message::Refused);
            }
        }
        std::process::exit(1)
    }
}

/// The durable end, and who waits for it.
struct Durable {
    end: Mutex<u64>,
    moved: Condvar,
}

impl Durable {
    fn set(&self, end: u64) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
        self.moved.notify_all();
    }

    /// Waits until the end is `at_least`.
    fn wait(&self, at_least: u64) -> u64 {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.moved.wait_while(end, |end| *end < at_least);
        *waited.unwrap_or_else(PoisonError::into_inner)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse().ok());
    let (Some(directory), Some(seed), Some(life), Some(segment_bytes)) =
        (arguments.first().cloned(), number(1), number(2), number(3))
    else {
        let _ = writeln!(io::stderr(), "usage: power-writer DIRECTORY SEED LIFE SEGMENT_BYTES");
        std::process::exit(2);
    };
    let Ok(out) = io::stdout().as_fd().try_clone_to_owned() else { std::process::exit(3) };
    let teller = Teller(File::from(out));
    let life = Life { directory, seed, number: life, segment_bytes };
    if let Err(end) = live(&life, &teller) {
        teller.end(end);
    }
}

fn live(life: &Life, teller: &Teller) -> Result<(), End> {
    let storage = DiskStorage::open(&life.directory)?;
    let check_from = newest_snapshot(&storage)?;
    let options = LogOptions { segment_bytes: life.segment_bytes, check_from };
    let (writer, recovered) = open(storage.clone(), options)?;
    let first = recovered.next_offset;
    teller.tell(Message::Opened(first));
    let durable = Durable { end: Mutex::new(first), moved: Condvar::new() };
    std::thread::scope(|scope| {
        let durable = &durable;
        let old = storage.clone();
        scope.spawn(move || {
            let rng = Rng::new(life.seed ^ life.number << 8 ^ WRITERS);
            let Err(end) = tend(&old, durable, rng, teller);
            teller.end(end);
        });
        scope.spawn(move || {
            let Err(end) = make_snapshots(&storage, durable, life.seed, teller);
            teller.end(end);
        });
        let index = DiskStorage::open(&life.directory);
        scope.spawn(move || {
            let Err(end) = index.map_err(End::from).and_then(|storage| ask(storage, durable));
            teller.end(end);
        });
        write(life, writer, durable, teller)
    })
}

/// What can be trusted without reading, as the daemon finds it.
fn newest_snapshot(storage: &DiskStorage) -> Result<u64, End> {
    let offsets = snapshot::offsets(storage)?;
    let newest = offsets.iter().rev().find(|at| Snapshot::load(storage, **at).is_ok());
    Ok(newest.copied().unwrap_or(0))
}

/// All writers. Never returns: after a failure the process ends.
fn write(
    life: &Life,
    writer: LogWriter<DiskStorage>,
    durable: &Durable,
    teller: &Teller,
) -> Result<(), End> {
    let next = Mutex::new(writer.next_offset());
    // The committer's thread lives as long as the process, so what it uses is handed over.
    let (outcomes, told) = std::sync::mpsc::channel();
    let pipe = Teller(teller.0.try_clone()?);
    let committer = Committer::spawn(writer, move |outcome| match outcome {
        CommitOutcome::Durable { end, .. } => {
            pipe.tell(Message::Durable(end, now_ns()));
            let _ = outcomes.send(end);
        }
        CommitOutcome::Failed(_) => pipe.end(End::Failed),
    })?;
    std::thread::scope(|scope| {
        for thread in 0..WRITERS {
            let (committer, next) = (&committer, &next);
            let rng = Rng::new(life.seed ^ life.number << 8 ^ thread);
            scope.spawn(move || write_batches(life, rng, committer, next, teller));
        }
        told.iter().for_each(|end| durable.set(end));
    });
    Ok(())
}

fn write_batches(
    life: &Life,
    mut rng: Rng,
    committer: &Committer,
    next: &Mutex<u64>,
    teller: &Teller,
) {
    loop {
        if committer.queued_bytes() > QUEUED_BYTES_MAX {
            std::thread::yield_now();
            continue;
        }
        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
        let time_us = (*next).cast_signed();
        let mut builder = FrameBuilder::new(*next, time_us, life.number);
        let mut bytes = 0;
        for at in 0..1 + rng.below(6) {
            let record = payload(life.seed, life.number, *next + at);
            bytes += record.len() as u64 + 4;
            // The first always fits: the smallest segment is larger than the largest record.
            if at > 0 && bytes + 64 > committer.frame_limit() {
                break;
            }
            builder.record(|out| out.extend_from_slice(&record));
        }
        let Ok(frame) = builder.finish() else { std::process::exit(4) };
        teller.tell(Message::Submitting(frame.end()));
        *next = frame.end();
        if committer.submit(frame).is_err() {
            return;
        }
    }
}

/// Installs snapshots of what is durable, for ever.
fn make_snapshots(
    storage: &DiskStorage,
    durable: &Durable,
    seed: u64,
    teller: &Teller,
) -> Result<std::convert::Infallible, End> {
    let mut reader = LogReader::new(storage.clone());
    let mut last = durable.wait(0);
    loop {
        let offset = durable.wait(last + SNAPSHOT_STEP);
        let mut batches = reader.read(offset - 1, offset)?;
        let Some(batch) = batches.next_batch()? else { return Err(missing(offset)) };
        let checksum = batch.checksum();
        if batch.end() != offset {
            return Err(End::Refused(format!("{offset} was told durable inside of a batch")));
        }
        let made = Snapshot { offset, checksum, content: content(seed, offset, checksum) };
        teller.tell(Message::Installing(offset));
        made.install(storage)?;
        teller.tell(Message::Installed(offset, now_ns()));
        snapshot::prune(storage, SNAPSHOTS_KEPT)?;
        last = offset;
    }
}

/// Compresses and drops what the older of two snapshots has left behind, as the daemon does, for
/// ever. One segment is compressed at a time, any of them, so that a short life comes to all.
fn tend(
    storage: &DiskStorage,
    durable: &Durable,
    mut rng: Rng,
    teller: &Teller,
) -> Result<std::convert::Infallible, End> {
    let mut last = 0;
    loop {
        last = durable.wait(last + 1);
        let offsets = snapshot::offsets(storage)?;
        let oldest = offsets.len().checked_sub(SNAPSHOTS_KEPT).map(|at| offsets[at]);
        // The batch that ends at the snapshot stays: it proves whose snapshot that is.
        let Some(safe) = oldest.map(|oldest| oldest.saturating_sub(1)) else { continue };
        let mut there = segments(storage)?;
        if rng.one_in(4) {
            // Now and then all that may go.
            let bytes = if rng.one_in(4) { 0 } else { KEPT_BYTES };
            let limits = Limits { bytes: Some(bytes), since_us: None };
            let Some(before) = droppable(&there, limits, safe) else { continue };
            teller.tell(Message::Dropping(before));
            let first = retention::drop_before(storage, before)?;
            teller.tell(Message::Dropped(first, now_ns()));
        } else {
            there.retain(|s| !s.is_compressed && s.end.is_some_and(|end| end <= safe));
            let Some(one) = there.get(rng.below(there.len().max(1) as u64) as usize) else {
                continue;
            };
            teller.tell(Message::Compressing(one.base));
            compress(storage, one.base)?;
            teller.tell(Message::Compressed(one.base, now_ns()));
        }
    }
}

/// Asks the key index, which makes its files, for ever.
fn ask(storage: DiskStorage, durable: &Durable) -> Result<std::convert::Infallible, End> {
    let mut index = LabelIndex::new(storage, ByFirstByte)?;
    let mut last = 0;
    loop {
        let end = durable.wait(last + 1);
        if index.find(label(end), 0, end, 10)?.iter().any(|offset| *offset >= end) {
            return Err(End::Refused("the index found what is not durable".to_owned()));
        }
        last = end;
    }
}

fn missing(offset: u64) -> End {
    End::Refused(format!("the record before {offset} was told durable and is not there"))
}
