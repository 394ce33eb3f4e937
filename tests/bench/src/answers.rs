//! Rows: what is asked of the past over the socket: states at random offsets, a backtest of every
//! event, what became of an event, how two runs differ.
//!
//! Must never take an answer for good without looking whether it is what was asked for.

use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::daemon::Connection;
use crate::figures::{Row, milliseconds, number, progress, rate};
use crate::history;
use crate::queries::{ns, settle};

/// Runs of 100 executions that had ended and stay in each state: what a state takes to tell is in
/// proportion to what is in it.
const RUNS_KEPT: usize = 100;
/// States that are asked for.
const OFFSETS: usize = 50;
const STATE_NS_MAX: f64 = 200e6;
/// A definition that the log knows nothing of, so that every event of it is given to it.
const DEFINITION: &str = "workflow: other
tasks:
  train: {bash: x, start: {on: go}, overlap: queue}
  busy: {bash: x, start: {count: {of: {on: flight.departed, if: value.dep_delay > 58}, n: 100}}}
";

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Row>> {
    let home = bench.directory().join("answers");
    let key_of = |_| "flight.departed".to_owned();
    history::build_keeping(&home, bench.records, key_of, RUNS_KEPT)?;
    let daemon = bench.daemon_on(&home)?;
    let mut connection = daemon.connect()?;
    connection.call("event.count", &json!({"key": "go"}))?;
    settle(&home)?;
    let end = connection.status()?.durable.0;
    progress("  states");
    let (tail, _) = state_at(&mut connection, end)?;
    // Once, so that what can be kept of the past is kept, as after some days of a daemon's life.
    state_at(&mut connection, end - 1)?;
    let (mut times, mut bytes) = (Vec::new(), 0);
    for at in random_offsets(end) {
        let (took, length) = state_at(&mut connection, at)?;
        times.push(took);
        bytes = bytes.max(length);
    }
    let mut state = Row::timed("state.at: a random offset", &times, "< 200 ms", STATE_NS_MAX);
    state.notes.push(format!(
        "state.at: {end} records, {RUNS_KEPT} ended runs kept; the largest answer {} KiB; the first question of all, at the end: {}",
        bytes >> 10,
        milliseconds(tail),
    ));
    let rows = vec![
        state,
        backtest(&mut connection)?,
        receipts(&mut connection, end)?,
        differences(&mut connection)?,
    ];
    drop(daemon);
    std::fs::remove_dir_all(&home)?;
    Ok(rows)
}

/// Offsets all over the log, the same ones in each run.
fn random_offsets(end: u64) -> impl Iterator<Item = u64> {
    let mut random = 0x5EED_u64;
    std::iter::repeat_with(move || {
        random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (random >> 33) % end
    })
    .take(OFFSETS)
}

/// Nanoseconds, and bytes of the state.
fn state_at(connection: &mut Connection, at: u64) -> anyhow::Result<(f64, usize)> {
    let (took, answer) = ask(connection, "state.at", &json!({"offset": at}))?;
    ensure!(answer["state"]["next_offset"] == at, "the state of another offset than {at}");
    Ok((took, answer["state"].to_string().len()))
}

fn ask(connection: &mut Connection, method: &str, params: &Value) -> anyhow::Result<(f64, Value)> {
    let begin = Instant::now();
    let answer = connection.call(method, params)?;
    Ok((ns(begin.elapsed()), answer))
}

/// Every event of the log through a definition.
fn backtest(connection: &mut Connection) -> anyhow::Result<Row> {
    progress("  backtest");
    let counted = connection.call("event.count", &json!({}))?["count"].as_u64();
    let counted = counted.context("a count")?;
    let (took, answer) = ask(connection, "backtest", &json!({"source": DEFINITION}))?;
    let events = answer["events"].as_u64().context("a count")?;
    ensure!(events == counted, "{events} of {counted} events were given");
    ensure!(answer["only_new"].as_array().is_some_and(|fired| !fired.is_empty()), "nothing fired");
    let per_second = number(events) / (took / 1e9);
    Ok(Row {
        work: "backtest: events through a definition".to_owned(),
        measured: rate(per_second),
        notes: vec![format!(
            "backtest: {events} events in {:.2} s, of 1,000,000 it would be {:.2} s",
            took / 1e9,
            1e6 / per_second,
        )],
        ..Row::default()
    })
}

/// What became of events all over the log.
fn receipts(connection: &mut Connection, end: u64) -> anyhow::Result<Row> {
    progress("  receipts");
    let page = connection.call("event.list", &json!({"key": "go", "limit": 10_000}))?;
    let events = page["events"].as_array().context("a list")?;
    ensure!(!events.is_empty(), "no event that a rule looks at");
    let mut times = Vec::new();
    for at in random_offsets(end) {
        let event = &events[at as usize % events.len()]["offset"];
        let (took, receipt) = ask(connection, "event.show", &json!({"offset": event}))?;
        ensure!(receipt["rules"][0]["fate"] == "consumed", "{receipt:.200}");
        times.push(took);
    }
    Ok(Row::timed("event.show: what became of an event", &times, "< 200 ms", STATE_NS_MAX))
}

/// Two whole runs side by side.
fn differences(connection: &mut Connection) -> anyhow::Result<Row> {
    progress("  differences");
    let mut times = Vec::new();
    for _ in 0..OFFSETS / 5 {
        let asked = json!({"run": 2, "against": 1});
        let (took, diff) = ask(connection, "execution.diff", &asked)?;
        ensure!(diff["runs"][1]["run"] == 2, "{diff:.200}");
        times.push(took);
    }
    Ok(Row::timed("execution.diff: two runs of 100 executions", &times, "< 200 ms", STATE_NS_MAX))
}
