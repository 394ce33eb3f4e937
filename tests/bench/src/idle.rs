//! Rows: what AIFlow takes when nothing is due: memory of the daemon and of a shim, wake-ups.
//!
//! Must never talk to a daemon while its wake-ups are counted.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use crate::bench::Bench;
use crate::daemon::Daemon;
use crate::figures::{Row, mebibytes};
use crate::processes::{self, field, sleeps, wake_ups};

/// Until then threads that were needed at the start have gone.
const SETTLE: Duration = Duration::from_secs(12);
const WATCH: Duration = Duration::from_secs(5);
const DAEMON_KIB_MAX: u64 = 15 << 10;
const SHIM_KIB_MAX: u64 = 1 << 10;

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let fresh = bench.daemon()?;
    let begin = Instant::now();
    let history = bench.history()?;
    let old = bench.daemon_on(&history)?;
    let shim = shim(bench)?;
    // Both have settled, and so has the older of the two.
    std::thread::sleep(SETTLE.saturating_sub(begin.elapsed()).max(Duration::from_secs(1)));
    let before = sleeps(fresh.pid())?;
    std::thread::sleep(WATCH);
    let woken = wake_ups(&before, &sleeps(fresh.pid())?);
    let memory = |work: &str, kib: u64, budget: &str, most: u64| {
        let row = Row { work: work.to_owned(), measured: mebibytes(kib), ..Row::default() };
        row.judged(budget, kib <= most)
    };
    let daemon = |work: &str, daemon: &Daemon| -> anyhow::Result<Row> {
        let resident = field(daemon.pid(), "status", "VmRSS")?;
        let mut row = memory(work, resident, "<= 15 MiB", DAEMON_KIB_MAX);
        let anonymous = mebibytes(field(daemon.pid(), "status", "RssAnon")?);
        let peak = mebibytes(field(daemon.pid(), "status", "VmHWM")?);
        row.notes.push(format!("{work}: {anonymous} of it anonymous; peak {peak}"));
        Ok(row)
    };
    let mut shim_row =
        memory("shim of a sleeping task, private", shim.private, "<= 1 MiB", SHIM_KIB_MAX);
    shim_row.notes.push(format!("shim: PSS {}", mebibytes(shim.proportional)));
    let wakes = Row {
        work: "idle daemon, wake-ups in 5 s".to_owned(),
        measured: woken.to_string(),
        ..Row::default()
    };
    Ok(vec![
        daemon("idle daemon, RSS, fresh home", &fresh)?,
        daemon("idle daemon, RSS, after 1,000,000 records", &old)?,
        shim_row,
        wakes.judged("0", woken == 0),
    ])
}

/// Memory of a shim, in KiB.
struct Shim {
    private: u64,
    proportional: u64,
}

fn shim(bench: &mut Bench) -> anyhow::Result<Shim> {
    let daemon = bench.daemon()?;
    let mut control = daemon.connect()?;
    let exec = json!([bench.own(), "sleep"]);
    let run =
        control.start_run(&format!("workflow: sleep\ntasks:\n  sleep:\n    exec: {exec}\n"))?;
    let begin = Instant::now();
    let task = loop {
        if let Some(pid) = running(&control.call("task.list", &json!({"run": run}))?) {
            break pid;
        }
        if begin.elapsed() > Duration::from_secs(10) {
            bail!("the task does not run");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let pid = processes::parent(task)?;
    let private =
        field(pid, "smaps_rollup", "Private_Clean")? + field(pid, "smaps_rollup", "Private_Dirty")?;
    let proportional = field(pid, "smaps_rollup", "Pss")?;
    control.call("execution.stop", &json!({"run": run}))?;
    control.wait_until_quiet(Duration::from_millis(10))?;
    Ok(Shim { private, proportional })
}

/// The process of the one execution, when it has one.
fn running(executions: &serde_json::Value) -> Option<u32> {
    let pid = executions[0]["attempts"][0]["pid"].as_u64()?;
    u32::try_from(pid).ok()
}
