//! Rows: what runs that have ended cost those that come after them: memory and time.
//!
//! Must never end a run in another way than a client can: each is started and stopped by request.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;

use crate::bench::Bench;
use crate::daemon::{Connection, Daemon, WAITING};
use crate::figures::{Row, mebibytes, median, milliseconds, number, rate};
use crate::processes::field;

/// Runs that have ended before the first look: until then what is bounded grows, the runs and
/// requests that are known and the labels of the segment that is written.
const BEFORE: u64 = 600_000;
/// Those of a young home, whose memory is told beside.
const YOUNG: u64 = 10_000;
/// Requests that are under way at once.
const DEPTH: u64 = 500;
/// Runs that are started and stopped one after the other at each look.
const TIMED: usize = 500;
/// What the daemon needs to give back what a burst took, and the history to catch up.
const SETTLE: Duration = Duration::from_secs(5);
const MEMORY_MAX: f64 = 1.2;
const TIME_MAX: f64 = 1.2;

/// Memory and times of a daemon.
struct Look {
    resident_kib: u64,
    anonymous_kib: u64,
    start_ns: f64,
    stop_ns: f64,
}

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let daemon = bench.daemon()?;
    let mut control = daemon.connect()?;
    let definition = format!("workflow: finished\ntasks:\n{WAITING}");
    control.start_run(&definition)?;
    let mut next = 2;
    let begin = Instant::now();
    end_runs(&mut control, &mut next, YOUNG)?;
    let young = look(&daemon, &mut control, &mut next)?;
    end_runs(&mut control, &mut next, BEFORE - YOUNG)?;
    let before = look(&daemon, &mut control, &mut next)?;
    end_runs(&mut control, &mut next, bench.records)?;
    let seconds = begin.elapsed().saturating_sub(2 * SETTLE).as_secs_f64();
    let speed = number(bench.records + BEFORE) / seconds;
    let after = look(&daemon, &mut control, &mut next)?;
    let work = |what: &str| format!("{what}, {next} ended runs beside {BEFORE}");
    let memory = Row {
        work: work("memory"),
        measured: mebibytes(after.resident_kib),
        bare: mebibytes(before.resident_kib),
        notes: vec![
            format!("ended runs: {} started and stopped", rate(speed)),
            format!(
                "memory of the daemon: {} after {YOUNG} ended runs, {} of it anonymous; {} in the end",
                mebibytes(young.resident_kib),
                mebibytes(young.anonymous_kib),
                mebibytes(after.anonymous_kib)
            ),
        ],
        ..Row::default()
    };
    let (now, then) = (number(after.resident_kib), number(before.resident_kib));
    let memory = memory.compared(now, then).judged("<= 1.20x", now <= MEMORY_MAX * then);
    let time = |what: &str, now: f64, then: f64| {
        let (measured, bare) = (milliseconds(now), milliseconds(then));
        let row = Row { work: work(what), measured, bare, ..Row::default() };
        row.compared(now, then).judged("<= 1.20x", now <= TIME_MAX * then)
    };
    Ok(vec![
        memory,
        time("starting a run", after.start_ns, before.start_ns),
        time("stopping a run", after.stop_ns, before.stop_ns),
    ])
}

/// Starts and stops runs, many requests under way at once.
fn end_runs(control: &mut Connection, next: &mut u64, count: u64) -> anyhow::Result<()> {
    let until = *next + count;
    while *next < until {
        let runs = *next..until.min(*next + DEPTH);
        let mut lines = String::new();
        for run in runs.clone() {
            let start = json!({"jsonrpc": "2.0", "id": run, "method": "execution.start",
                "params": {"workflow": "finished", "request": format!("r{run}")}});
            let stop = json!({"jsonrpc": "2.0", "id": run, "method": "execution.stop",
                "params": {"run": run}});
            writeln!(lines, "{start}\n{stop}")?;
        }
        control.send(lines.as_bytes())?;
        for _ in runs.clone().chain(runs.clone()) {
            control.receive()?;
        }
        *next = runs.end;
    }
    Ok(())
}

fn look(daemon: &Daemon, control: &mut Connection, next: &mut u64) -> anyhow::Result<Look> {
    std::thread::sleep(SETTLE);
    let resident_kib = field(daemon.pid(), "status", "VmRSS")?;
    let anonymous_kib = field(daemon.pid(), "status", "RssAnon")?;
    let (mut starts, mut stops) = (Vec::new(), Vec::new());
    let ns = |begin: Instant| number(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
    for _ in 0..TIMED {
        let begin = Instant::now();
        let started = control.call("execution.start", &json!({"workflow": "finished"}))?;
        starts.push(ns(begin));
        let run = started["run"].as_u64().context("a run has a number")?;
        let begin = Instant::now();
        control.call("execution.stop", &json!({"run": run}))?;
        stops.push(ns(begin));
        *next = run + 1;
    }
    Ok(Look { resident_kib, anonymous_kib, start_ns: median(&starts), stop_ns: median(&stops) })
}
