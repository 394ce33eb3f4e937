//! Row: how long a new daemon takes to hold all tasks that the last one left running.
//!
//! Must never ask the daemon, which could answer before it has them: the kernel tells what it
//! holds.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use crate::bench::Bench;
use crate::daemon::Daemon;
use crate::figures::{Row, median, milliseconds};

const TASKS: usize = 200;
const ROUNDS: usize = 5;
const NANOSECONDS_MAX: f64 = 1e9;
const WAIT_MAX: Duration = Duration::from_secs(60);

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let home = bench.directory().join("adoption");
    let mut daemon = bench.daemon_on(&home)?;
    let run = start_tasks(bench, &daemon)?;
    let (mut ready, mut all) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        drop(daemon);
        let begin = Instant::now();
        daemon = bench.daemon_on(&home)?;
        wait_for("the tasks to be adopted", || Ok(held(daemon.pid())? >= TASKS))?;
        all.push(begin.elapsed().as_nanos() as f64);
        ready.push(daemon.ready_after.as_nanos() as f64);
    }
    let mut control = daemon.connect()?;
    control.call("execution.stop", &json!({"run": run}))?;
    control.wait_until_quiet(Duration::from_millis(10))?;
    let nanoseconds = median(&all);
    let mut row = Row {
        work: format!("restart until {TASKS} live tasks are adopted"),
        measured: milliseconds(nanoseconds),
        ..Row::default()
    };
    row.notes.push(format!("adoption: it serves after {}", milliseconds(median(&ready))));
    Ok(vec![row.judged("< 1 s", nanoseconds < NANOSECONDS_MAX)])
}

fn start_tasks(bench: &Bench, daemon: &Daemon) -> anyhow::Result<u64> {
    let mut control = daemon.connect()?;
    let exec = json!([bench.own(), "sleep"]);
    let run = control.start_run(&format!(
        "workflow: many\ntasks:\n  each:\n    exec: {exec}\n    parallel: {TASKS}\n    \
         overlap: queue\n    start: {{on: go}}\n"
    ))?;
    for id in 0..TASKS {
        let id = id.to_string();
        control.call("emit", &json!({"key": "go", "source": "bench", "id": id}))?;
    }
    wait_for("the tasks to run", || {
        let list = control.call("task.list", &json!({"run": run}))?;
        let views = list.as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(views.iter().filter(|view| view["status"] == "running").count() == TASKS)
    })?;
    Ok(run)
}

/// How many processes a process holds by descriptor.
fn held(pid: u32) -> anyhow::Result<usize> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"))?;
    // Some are gone by the time that they are looked at.
    let links = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    Ok(links.filter(|link| link.to_string_lossy().contains("pidfd")).count())
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !is_so()? {
        if begin.elapsed() > WAIT_MAX {
            bail!("waited in vain for {what}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
