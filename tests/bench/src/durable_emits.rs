//! Row: durable emits per second, beside a bare loop that writes and syncs the same bytes in
//! commits of the same size.
//!
//! Must never take the size of commits from anything but the daemon's own count of the same round.

use std::time::Duration;

use crate::bare::SyncedFile;
use crate::bench::Bench;
use crate::daemon::Daemon;
use crate::figures::{Row, median, number, rate};
use crate::{load, processes};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_millis(1000);
const BARE_ROUND: Duration = Duration::from_millis(500);
const WARM_UP: Duration = Duration::from_millis(300);
/// Emitters, requests under way of each, whether the budget is meant for it.
const SHAPES: [(usize, usize, bool); 4] =
    [(1, 1, false), (16, 1, false), (256, 1, true), (16, 64, false)];
const RATIO_MIN: f64 = 0.5;

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let daemon = bench.daemon()?;
    let mut file = SyncedFile::create(bench.directory())?;
    load::run(daemon.socket_path(), 16, 1, WARM_UP, "warm-up")?;
    SHAPES
        .into_iter()
        .map(|(emitters, depth, is_judged)| {
            let mut rounds = Vec::new();
            for number in 0..ROUNDS {
                let name = format!("e{emitters}-{depth}-{number}");
                rounds.push(round(&daemon, &mut file, (emitters, depth), &name)?);
            }
            Ok(row((emitters, depth), &rounds, is_judged))
        })
        .collect()
}

struct Round {
    emits: f64,
    bare_records: f64,
    records_per_commit: f64,
    bytes_per_record: f64,
    client_share: f64,
    daemon_share: f64,
    commit_us: f64,
}

fn round(
    daemon: &Daemon,
    file: &mut SyncedFile,
    (emitters, depth): (usize, usize),
    name: &str,
) -> anyhow::Result<Round> {
    let mut control = daemon.connect()?;
    let before = control.status()?;
    let cpu = processes::cpu_seconds(daemon.pid())?;
    let load = load::run(daemon.socket_path(), emitters, depth, ROUND, name)?;
    let cpu = processes::cpu_seconds(daemon.pid())? - cpu;
    let after = control.status()?;
    let commits = number(after.commits - before.commits).max(1.0);
    let records = number(after.committed_records - before.committed_records);
    let bytes = after.committed_bytes - before.committed_bytes;
    let records_per_commit = records / commits;
    let bytes_per_commit = usize::try_from(bytes / (after.commits - before.commits).max(1))?;
    let bare_commits = file.commits_per_second(bytes_per_commit, BARE_ROUND)?;
    Ok(Round {
        emits: number(load.emits) / load.seconds,
        bare_records: bare_commits * records_per_commit,
        records_per_commit,
        bytes_per_record: number(bytes) / records.max(1.0),
        client_share: load.cpu_seconds / load.seconds,
        daemon_share: cpu / load.seconds,
        commit_us: number(after.commit_us_p50),
    })
}

fn row((emitters, depth): (usize, usize), rounds: &[Round], is_judged: bool) -> Row {
    let of = |figure: fn(&Round) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
    let (emits, bare) = (of(|round| round.emits), of(|round| round.bare_records));
    let work = match depth {
        1 => format!("durable emits, {emitters} emitters"),
        _ => format!("durable emits, {emitters} emitters, {depth} requests each"),
    };
    let note = format!(
        "{work}: {:.1} records a commit, {:.0} B each, commit p50 {:.0} us; processors used: daemon {:.2}, emitters {:.2}",
        of(|round| round.records_per_commit),
        of(|round| round.bytes_per_record),
        of(|round| round.commit_us),
        of(|round| round.daemon_share),
        of(|round| round.client_share),
    );
    let row =
        Row { work, measured: rate(emits), bare: rate(bare), notes: vec![note], ..Row::default() };
    let row = row.compared(emits, bare);
    if is_judged { row.judged(">= 0.50x", emits >= RATIO_MIN * bare) } else { row }
}
