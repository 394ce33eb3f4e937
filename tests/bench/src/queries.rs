//! Rows: events by key over the socket, from a log that no cache holds, and the restart before.
//!
//! Must never take an answer for good without looking whether it is all that was asked for.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use aiflow_model::Timestamp;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::daemon::{Connection, Daemon};
use crate::figures::{Row, number, rate};
use crate::history;

const ROUNDS: usize = 7;
const QUERY_NS_MAX: f64 = 50e6;
const RESTART_NS_MAX: f64 = 1e9;
/// Events from one of the rare key to the next: about one in each segment.
const RARE_EVERY: u64 = 200_000;
const RARE: &str = "rare.spread";
const COMMON: &str = "flight.3";
const COMMON_KEYS: u64 = 20;
const NEWEST: usize = 100;
/// Longest wait for the snapshot of a log of 10,000,000.
const SETTLE_MAX: Duration = Duration::from_secs(300);

fn key_of(event: u64) -> String {
    if event.is_multiple_of(RARE_EVERY) {
        return RARE.to_owned();
    }
    format!("flight.{}", event % COMMON_KEYS)
}

/// A question: its name, its method and parameters, and what the answer must hold.
struct Question {
    name: &'static str,
    method: &'static str,
    params: Value,
    expected: usize,
}

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let home = bench.directory().join("queries");
    history::build(&home, bench.records, key_of)?;
    let first = bench.daemon_on(&home)?;
    let first_start = first.ready_after;
    // Makes the indexes that a daemon would have made while it wrote the log.
    ask(&mut first.connect()?, &newest_common())?;
    first.connect()?.call("event.count", &json!({"key": COMMON}))?;
    settle(&home)?;
    drop(first);
    let mut rows = rounds(bench, &home, "")?;
    rows[0].notes.push(note(&home, bench.records, drop_caches(), first_start)?);
    compact(bench, &home)?;
    rows.extend(rounds(bench, &home, ", compressed")?);
    std::fs::remove_dir_all(&home)?;
    Ok(rows)
}

/// Lets every segment but the last be compressed, as retention does behind two snapshots.
fn compact(bench: &Bench, home: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(bench.own().with_file_name("aiflowd"));
    let output = command.arg("--home").arg(home).args(["log", "compact"]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// All restarts and questions; `form` says what the log is like.
fn rounds(bench: &Bench, home: &Path, form: &str) -> anyhow::Result<Vec<Row>> {
    let (mut restarts, mut first_queries) = (Vec::new(), Vec::new());
    let mut daemon = None;
    for _ in 0..ROUNDS {
        drop(daemon.take());
        drop_caches();
        let restarted = bench.daemon_on(home)?;
        restarts.push(ns(restarted.ready_after));
        first_queries.push(ask(&mut restarted.connect()?, &newest_common())?);
        daemon = Some(restarted);
    }
    let daemon = daemon.context("a daemon was started")?;
    let mut rows = vec![
        Row::timed(&format!("restart with a snapshot{form}"), &restarts, "< 1 s", RESTART_NS_MAX),
        Row::timed(
            &format!("query: first after a start{form}"),
            &first_queries,
            "< 50 ms",
            QUERY_NS_MAX,
        ),
    ];
    for question in questions(&daemon, bench.records)? {
        let mut connection = daemon.connect()?;
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            drop_caches();
            times.push(ask(&mut connection, &question)?);
        }
        let work = format!("{}{form}", question.name);
        rows.push(Row::timed(&work, &times, "< 50 ms", QUERY_NS_MAX));
    }
    Ok(rows)
}

fn newest_common() -> Question {
    Question {
        name: "query: the newest 100 of a common key",
        method: "event.list",
        params: json!({"key": COMMON, "limit": NEWEST}),
        expected: NEWEST,
    }
}

fn questions(daemon: &Daemon, records: u64) -> anyhow::Result<Vec<Question>> {
    let mut connection = daemon.connect()?;
    let rare = json!({"key": RARE, "limit": 1000});
    let all = connection.call("event.list", &rare)?;
    let all = all["events"].as_array().context("a list")?;
    // As many as the log must hold: nine of ten records are events with a key of ours.
    let least = (records / RARE_EVERY * 8 / 10) as usize;
    ensure!(all.len() >= least.max(1), "{} events of the rare key", all.len());
    let middle = records / 2;
    let later = all.iter().filter(|event| event["offset"].as_u64() >= Some(middle)).count();
    let middle_time = &all.get(all.len() - later).context("a later event")?["time"];
    let since: Timestamp = middle_time.as_str().context("a time")?.parse()?;
    let list = |name, params, expected| Question { name, method: "event.list", params, expected };
    Ok(vec![
        newest_common(),
        list("query: all of a rare key, in each segment one", rare, all.len()),
        list(
            "query: a rare key since an offset",
            json!({"key": RARE, "limit": 1000, "from": middle}),
            later,
        ),
        list(
            "query: a rare key since a time",
            json!({"key": RARE, "limit": 1000, "since": since}),
            later,
        ),
        list("query: a key never seen", json!({"key": "never.seen"}), 0),
        Question {
            name: "query: how many of a common key",
            method: "event.count",
            params: json!({"key": COMMON}),
            expected: (records / COMMON_KEYS * 8 / 10) as usize,
        },
    ])
}

/// Asks once; gives the nanoseconds.
fn ask(connection: &mut Connection, question: &Question) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let answer = connection.call(question.method, &question.params)?;
    let took = ns(begin.elapsed());
    let (expected, name) = (question.expected, question.name);
    match (answer["events"].as_array(), answer["count"].as_u64()) {
        (Some(events), _) => ensure!(events.len() == expected, "{name}: {} events", events.len()),
        (None, Some(count)) => ensure!(count as usize >= expected, "{name}: {count}"),
        (None, None) => bail!("{name}: {answer:.200}"),
    }
    Ok(took)
}

fn note(home: &Path, records: u64, cold: bool, first: Duration) -> anyhow::Result<String> {
    let bytes: u64 = std::fs::read_dir(history::log(home))?
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|suffix| suffix == "log"))
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum();
    let cache = if cold { "dropped before each" } else { "warm: it may not be dropped" };
    Ok(format!(
        "queries: {records} records in {} MiB; page cache {cache}; kill -9 before each restart; the first start, without a snapshot: {:.2} s, {}",
        bytes >> 20,
        first.as_secs_f64(),
        rate(number(records) / first.as_secs_f64()),
    ))
}

/// Waits until the state has its snapshot.
pub(crate) fn settle(home: &Path) -> anyhow::Result<()> {
    let begin = Instant::now();
    loop {
        let mut entries = std::fs::read_dir(history::log(home))?.flatten();
        if entries.any(|entry| entry.path().extension().is_some_and(|s| s == "snapshot")) {
            return Ok(());
        }
        ensure!(begin.elapsed() < SETTLE_MAX, "there is no snapshot");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether the system let go of what it holds of files.
fn drop_caches() -> bool {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
}

pub(crate) fn ns(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
