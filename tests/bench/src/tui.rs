//! Rows: the terminal interface at 200x60: how long a frame takes while 10,000 events a second come
//! in, what it writes, how soon it shows a large home and a large log, what it takes at rest.
//!
//! Must never emit while what is at rest is measured.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aiflow_test_support::Terminal;
use anyhow::{Context, bail};
use serde_json::json;

use crate::bench::Bench;
use crate::daemon::{Connection, Daemon, WAITING};
use crate::figures::{Row, mebibytes, number, percentile};
use crate::history;
use crate::processes::{cpu_seconds, field};

const COLUMNS: u16 = 200;
const ROWS: u16 = 60;
/// Events a second, emitted in so many pieces.
const PER_SECOND: u64 = 10_000;
const PIECES: u64 = 100;
const SECONDS: u64 = 10;
const REST: Duration = Duration::from_secs(60);
const FRAME_MS_MAX: f64 = 4.0;
const OPEN_MS_MAX: f64 = 300.0;
/// Output of a task whose log is opened.
const LOG_BYTES: u64 = 5 << 30;
const WAIT_MAX: Duration = Duration::from_secs(300);

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let mut rows = busy(bench)?;
    rows.extend(large_home(bench)?);
    rows.push(large_log(bench)?);
    Ok(rows)
}

fn open(bench: &Bench, home: &Path, frames: Option<&Path>) -> Terminal {
    let mut command = Command::new(bench.own().with_file_name("aiflow"));
    command.arg("--home").arg(home).arg("tui");
    if let Some(frames) = frames {
        command.arg("--frames").arg(frames);
    }
    command.env_remove("AIFLOW_SOCKET");
    Terminal::run(&command, COLUMNS, ROWS)
}

/// Until the screen shows something; how long that took.
fn until(terminal: &Terminal, what: &str, begin: Instant) -> anyhow::Result<Duration> {
    while !terminal.text().contains(what) {
        if begin.elapsed() > WAIT_MAX {
            bail!("the screen does not show {what}:\n{}", terminal.text());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(begin.elapsed())
}

fn home_of(daemon: &Daemon) -> anyhow::Result<&Path> {
    daemon.socket_path().parent().context("the socket lies in the home")
}

fn busy(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let daemon = bench.daemon()?;
    let mut control = daemon.connect()?;
    control.start_run(&format!(
        "workflow: busy\ntasks:\n  each:\n    exec: [\"true\"]\n    start: {{every: 1h, clock: \
         {{watermark: [a.mark, b.mark]}}}}\n{WAITING}"
    ))?;
    let file = bench.directory().join("frames");
    let mut terminal = open(bench, home_of(&daemon)?, Some(&file));
    until(&terminal, "● live", Instant::now())?;
    let written = terminal.bytes();
    let cpu = cpu_seconds(terminal.pid())?;
    let begin = Instant::now();
    emit(&mut daemon.connect()?)?;
    let took = begin.elapsed().as_secs_f64();
    let used = (cpu_seconds(terminal.pid())? - cpu) / took;
    let written = terminal.bytes() - written;
    // What still comes is shown, and then nothing more.
    std::thread::sleep(Duration::from_secs(75));
    let (before, at) = (cpu_seconds(terminal.pid())?, terminal.bytes());
    std::thread::sleep(REST);
    let at_rest = cpu_seconds(terminal.pid())? - before;
    let bytes_at_rest = terminal.bytes() - at;
    let resident = field(terminal.pid(), "status", "VmRSS")?;
    terminal.keys("q");
    terminal.ended();
    let frames = frames(&file)?;
    let (p50, p99) = (percentile(&frames, 50), percentile(&frames, 99));
    let row =
        |work: &str, measured: String| Row { work: work.to_owned(), measured, ..Row::default() };
    let mut first = row("interface, a frame at 10,000 events/s, p50", format!("{p50:.2} ms"))
        .judged("<= 4 ms", p50 <= FRAME_MS_MAX);
    let count = frames.len();
    first
        .notes
        .push(format!("interface: {count} frames of {COLUMNS}x{ROWS}; {used:.2} of a processor"));
    let per_frame = written.checked_div(count as u64).unwrap_or(0);
    Ok(vec![
        first,
        row("interface, a frame at 10,000 events/s, p99", format!("{p99:.2} ms"))
            .judged("<= 4 ms", p99 <= FRAME_MS_MAX),
        row("interface, bytes a frame", per_frame.to_string()),
        row("interface, processor time in 60 s at rest", format!("{at_rest:.2} s"))
            .judged("0", at_rest < 0.015),
        row("interface, bytes in 60 s at rest", bytes_at_rest.to_string()),
        row("interface, RSS after 100,000 events", mebibytes(resident)),
    ])
}

/// Emits at a steady pace, without waiting for answers.
fn emit(connection: &mut Connection) -> anyhow::Result<()> {
    let begin = Instant::now();
    for piece in 0..SECONDS * PIECES {
        let mut lines = String::new();
        for index in 0..PER_SECOND / PIECES {
            let id = piece * (PER_SECOND / PIECES) + index;
            let params = json!({"key": "noise", "value": {"n": id}, "source": "bench", "id": id.to_string()});
            let line = json!({"jsonrpc": "2.0", "method": "emit", "params": params});
            lines.push_str(&format!("{line}\n"));
        }
        connection.send(lines.as_bytes())?;
        let due = Duration::from_micros((piece + 1) * 1_000_000 / PIECES);
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
    }
    Ok(())
}

/// Milliseconds of each frame.
fn frames(file: &Path) -> anyhow::Result<Vec<f64>> {
    let text = std::fs::read_to_string(file).context("no frames were written")?;
    let read = |line: &str| Ok(number(line.parse()?) / 1_000.0);
    text.lines().map(read).collect()
}

fn large_home(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let home = bench.directory().join("large");
    history::build(&home, bench.records, |_| "flight.departed".to_owned())?;
    let daemon = bench.daemon_on(&home)?;
    let begin = Instant::now();
    let terminal = open(bench, home_of(&daemon)?, None);
    let first = until(&terminal, "aiflow", begin)?;
    let live = until(&terminal, "● live", begin)?;
    let row = |what: &str, took: Duration| {
        let work = format!("interface, a home of {} records {what}", bench.records);
        opened(work, took)
    };
    Ok(vec![row("until the first frame", first), row("until it is live", live)])
}

fn large_log(bench: &mut Bench) -> anyhow::Result<Row> {
    let daemon = bench.daemon()?;
    let mut control = daemon.connect()?;
    control.start_run(&format!(
        "workflow: large\ntasks:\n  write:\n    bash: yes a line of output of some length | head -c {LOG_BYTES}\n    \
         limits: {{output: 1TiB}}\n{WAITING}"
    ))?;
    control.wait_until_quiet(Duration::from_millis(20))?;
    let mut terminal = open(bench, home_of(&daemon)?, None);
    until(&terminal, "● live", Instant::now())?;
    let begin = Instant::now();
    terminal.keys("l");
    let took = until(&terminal, "a line of output", begin)?;
    let mut row = opened("interface, the log of a task that wrote 5 GiB".to_owned(), took);
    let kept = kept_output(home_of(&daemon)?)?;
    row.notes.push(format!("log of a task: {kept} bytes of output are kept, with their times"));
    Ok(row)
}

/// Bytes of the only attempt's output.
fn kept_output(home: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(home.join("runs/1/attempts/write.1.1"))? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with("output.log") {
            bytes += file.metadata()?.len();
        }
    }
    Ok(bytes)
}

fn opened(work: String, took: Duration) -> Row {
    let took = took.as_secs_f64() * 1_000.0;
    let row = Row { work, measured: format!("{took:.0} ms"), ..Row::default() };
    row.judged("< 300 ms", took < OPEN_MS_MAX)
}
