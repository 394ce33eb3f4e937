//! Row: from just before an emit is written to its socket, to the first instruction of the task
//! that it starts.
//!
//! Must never let two samples overlap: each waits until its task has ended.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::bare::SyncedFile;
use crate::bench::Bench;
use crate::daemon::{Connection, WAITING};
use crate::figures::{Row, milliseconds, number, percentile};
use crate::tiny::monotonic_ns;

const WARM_UP: usize = 20;
const SAMPLES: usize = 200;
/// Bytes of the bare commit: what one small event takes.
const COMMIT_BYTES: usize = 200;
const RATIO_MAX: f64 = 2.0;
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let daemon = bench.daemon()?;
    let mut marks = Marks::bind(bench)?;
    let mut file = SyncedFile::create(bench.directory())?;
    let mut emitter = daemon.connect()?;
    let mut control = daemon.connect()?;
    let exec = json!([bench.own(), "mark", marks.path()?]);
    control.start_run(&format!(
        "workflow: first\ntasks:\n  mark:\n    exec: {exec}\n    start: {{on: go}}\n    overlap: queue\n{WAITING}"
    ))?;
    let (mut measured, mut bare) = (Vec::new(), Vec::new());
    for sample in 0..WARM_UP + SAMPLES {
        let ours = marks.emit(&mut emitter, sample)?;
        control.wait_until_quiet(PAUSE)?;
        let theirs = marks.spawn(bench.own(), &mut file)?;
        if sample >= WARM_UP {
            measured.push(ours);
            bare.push(theirs);
        }
    }
    Ok(rows(&measured, &bare))
}

fn rows(measured: &[f64], bare: &[f64]) -> Vec<Row> {
    let row = |percent: usize| {
        let (ours, theirs) = (percentile(measured, percent), percentile(bare, percent));
        let row = Row {
            work: format!("emit -> task's first instruction, p{percent}"),
            measured: milliseconds(ours),
            bare: milliseconds(theirs),
            ..Row::default()
        };
        (row.compared(ours, theirs), ours <= RATIO_MAX * theirs)
    };
    let (median, is_within) = row(50);
    let mut median = median.judged("<= 2x", is_within);
    median.notes.push(format!(
        "first instruction: {SAMPLES} samples; bare is one write and fdatasync of {COMMIT_BYTES} B, then two spawns in series, of this program"
    ));
    vec![median, row(99).0]
}

/// Where tasks tell when they started.
struct Marks {
    socket: UnixDatagram,
    directory: std::path::PathBuf,
}

impl Marks {
    fn bind(bench: &Bench) -> anyhow::Result<Self> {
        let directory = bench.directory().to_path_buf();
        let socket = UnixDatagram::bind(directory.join("marks"))?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { socket, directory })
    }

    fn path(&self) -> anyhow::Result<String> {
        let path = self.directory.join("marks").into_os_string().into_string();
        path.ok().context("the directory's name is not UTF-8")
    }

    /// Nanoseconds from `begin` to the next mark.
    fn since(&self, begin: u64) -> anyhow::Result<f64> {
        let mut bytes = [0; 8];
        self.socket.recv(&mut bytes).context("the task has not told that it started")?;
        Ok(number(u64::from_le_bytes(bytes).saturating_sub(begin)))
    }

    fn emit(&mut self, emitter: &mut Connection, sample: usize) -> anyhow::Result<f64> {
        let params =
            json!({"key": "go", "value": sample, "source": "bench", "id": sample.to_string()});
        let line = json!({"jsonrpc": "2.0", "id": sample, "method": "emit", "params": params});
        let line = format!("{line}\n");
        let begin = monotonic_ns();
        emitter.send(line.as_bytes())?;
        let took = self.since(begin)?;
        emitter.receive()?;
        Ok(took)
    }

    fn spawn(&self, own: &Path, file: &mut SyncedFile) -> anyhow::Result<f64> {
        let mut command = Command::new(own);
        command.arg("relay").arg(self.path()?).stdin(Stdio::null());
        let begin = monotonic_ns();
        file.commit(&[b'x'; COMMIT_BYTES])?;
        let mut relay = command.spawn()?;
        let took = self.since(begin)?;
        relay.wait()?;
        Ok(took)
    }
}
