//! Row: tasks started and ended per second, eight at once, beside bare spawns of the same program.
//!
//! Must never count by anything but the records: from the first attempt that was queued to the last
//! that ended.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use aiflow_model::wire::{Records, Status};
use aiflow_model::{Offset, Record, Timestamp};
use anyhow::ensure;
use serde_json::json;

use crate::bare;
use crate::bench::Bench;
use crate::daemon::{Daemon, WAITING};
use crate::figures::{Row, median, rate};
use crate::processes;

const ROUNDS: usize = 3;
const TASKS: u32 = 1_000;
const WARM_UP: u32 = 40;
const RATIO_MIN: f64 = 0.5;
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let daemon = bench.daemon()?;
    let exec = json!([bench.own(), "nothing"]);
    daemon.connect()?.start_run(&format!(
        "workflow: starts\ntasks:\n  nothing:\n    exec: {exec}\n    start: {{on: go}}\n    overlap: queue\n    parallel: 8\n{WAITING}"
    ))?;
    round(&daemon, "warm-up", WARM_UP)?;
    let (mut measured, mut bare, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..ROUNDS {
        let (rate, share) = round(&daemon, &format!("round-{number}"), TASKS)?;
        measured.push(rate);
        shares.push(share);
        bare.push(bare::spawns_per_second(bench.own(), TASKS)?);
    }
    let (ours, theirs) = (median(&measured), median(&bare));
    let note = format!(
        "task starts: {TASKS} events at once, {ROUNDS} rounds; the daemon itself used {:.2} of a processor",
        median(&shares)
    );
    let row = Row {
        work: "task starts, 8 at once".to_owned(),
        measured: rate(ours),
        bare: rate(theirs),
        notes: vec![note],
        ..Row::default()
    };
    Ok(vec![row.compared(ours, theirs).judged(">= 0.50x", ours >= RATIO_MIN * theirs)])
}

/// Tasks per second, and the daemon's share of a processor.
fn round(daemon: &Daemon, name: &str, tasks: u32) -> anyhow::Result<(f64, f64)> {
    let mut control = daemon.connect()?;
    let before = control.status()?;
    let cpu = processes::cpu_seconds(daemon.pid())?;
    emit(daemon, name, tasks)?;
    let after = control.wait_until_quiet(PAUSE)?;
    let cpu = processes::cpu_seconds(daemon.pid())? - cpu;
    let (begin, end, ended) = span(daemon, &before, &after)?;
    ensure!(ended == tasks, "{ended} of {tasks} tasks ended");
    let seconds = end.since(begin).to_std().as_secs_f64();
    Ok((f64::from(tasks) / seconds, cpu / seconds))
}

fn emit(daemon: &Daemon, name: &str, tasks: u32) -> anyhow::Result<()> {
    let mut emitter = daemon.connect()?;
    let mut lines = String::new();
    for id in 0..tasks {
        let params = json!({"key": "go", "source": name, "id": id.to_string()});
        let line = json!({"jsonrpc": "2.0", "id": id, "method": "emit", "params": params});
        writeln!(lines, "{line}")?;
    }
    let mut stream = emitter.stream()?;
    // Replies are read meanwhile: who does not read is not read from.
    let writer = std::thread::spawn(move || stream.write_all(lines.as_bytes()));
    for _ in 0..tasks {
        emitter.receive()?;
    }
    Ok(writer.join().unwrap_or(Ok(()))?)
}

/// First queued, last ended, and how many ended between two states of the log.
fn span(
    daemon: &Daemon,
    before: &Status,
    after: &Status,
) -> anyhow::Result<(Timestamp, Timestamp, u32)> {
    let mut follower = daemon.connect()?;
    follower.call("follow", &json!({"from": before.durable}))?;
    let (mut begin, mut end, mut ended) = (None, Timestamp(0), 0);
    let mut next = Offset(0);
    while next < after.durable {
        let line = follower.receive()?["params"].take();
        let records: Records = serde_json::from_value(line)?;
        next = records.next;
        for logged in records.records {
            match logged.record {
                Record::AttemptQueued { .. } => begin = begin.or(Some(logged.time)),
                Record::AttemptEnded { .. } => {
                    end = end.max(logged.time);
                    ended += 1;
                }
                _ => {}
            }
        }
    }
    Ok((begin.unwrap_or(end), end, ended))
}
