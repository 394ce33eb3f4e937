//! Rows: what rules cost in the pure core: an event that none looks at, live runs, a chain.
//!
//! Must never touch a disk: the core alone is measured.

use std::time::Instant;

use aiflow_core::{Engine, Input};
use aiflow_model::record::{DaemonStarted, Outcome, Usage};
use aiflow_model::wire::{AddTrigger, StartRun};
use aiflow_model::{JsonText, Namespace, State, Timestamp};
use anyhow::{Context, Result, anyhow};

use crate::bench::Bench;
use crate::figures::{Row, mebibytes};
use crate::processes::field;

const EVENTS: u32 = 50_000;
const RULES: [u32; 2] = [10, 100_000];
const LIVE_RUNS: u32 = 100_000;
const LIVE_KIB_MAX: u64 = 500 << 10;
const CHAIN: u32 = 1_000;
const NOW: Timestamp = Timestamp(1_767_225_600_000_000);

pub(crate) fn measure(_: &mut Bench) -> Result<Vec<Row>> {
    let [few, many] = [unmatched(RULES[0])?, unmatched(RULES[1])?];
    let row = Row {
        work: "event that none of 100,000 rules looks at".to_owned(),
        measured: format!("{many:.2} us"),
        bare: format!("{few:.2} us with 10"),
        ..Row::default()
    };
    let unmatched = row.compared(many, few).judged("the same", many <= few * 1.5);
    Ok(vec![unmatched, live_runs()?, chain()?])
}

fn engine(definition: &str) -> Result<Engine> {
    let mut engine = Engine::new(State::empty());
    let (version, boot_id) = ("bench".to_owned(), "bench".to_owned());
    give(&mut engine, Input::StartDaemon(DaemonStarted { version, epoch: 1, boot_id, pid: 1 }))?;
    let (namespace, source) = (Namespace::default_namespace(), definition.to_owned());
    give(&mut engine, Input::Upload { namespace, source, files: Vec::new() })?;
    Ok(engine)
}

fn give(engine: &mut Engine, input: Input) -> Result<()> {
    engine.decide(input, NOW).map(drop).map_err(|rejection| anyhow!("{rejection}"))
}

fn start(engine: &mut Engine) -> Result<()> {
    let namespace = Namespace::default_namespace();
    let workflow = "w".parse().context("a name")?;
    let start = StartRun { namespace, workflow, params: [].into(), request: None };
    give(engine, Input::StartRun(start))
}

/// Microseconds for one event, beside so many rules on other keys.
fn unmatched(rules: u32) -> Result<f64> {
    let mut engine = engine("workflow: w\ntasks: {t: {bash: x}}\n")?;
    for rule in 0..rules {
        let namespace = Namespace::default_namespace();
        let workflow = "w".parse().context("a name")?;
        let condition = format!("{{on: key.{rule}}}");
        let add = AddTrigger { namespace, workflow, condition, request: None };
        give(&mut engine, Input::AddTrigger(add))?;
    }
    let key: aiflow_model::EventKey = "nobody.looks".parse().context("a key")?;
    let begin = Instant::now();
    for event in 0..EVENTS {
        let emit = Input::Emit {
            namespace: Namespace::default_namespace(),
            key: key.clone(),
            value: JsonText::null(),
            source: "bench".to_owned(),
            id: event.to_string(),
            execution: None,
            speaker: None,
        };
        give(&mut engine, emit)?;
    }
    Ok(begin.elapsed().as_secs_f64() * 1e6 / f64::from(EVENTS))
}

fn live_runs() -> Result<Row> {
    let definition = "workflow: w\ntasks:\n  feed: {kind: stream, bash: x}\n  job: {bash: x, start: {count: {of: {on: data}, n: 3}}}\n";
    let mut engine = engine(definition)?;
    let before = field(std::process::id(), "status", "VmRSS")?;
    for _ in 0..LIVE_RUNS {
        start(&mut engine)?;
    }
    let grown = field(std::process::id(), "status", "VmRSS")?.saturating_sub(before);
    let alive = engine.state().runs.len();
    let mut row = Row {
        work: format!("{alive} live runs of two tasks, RSS"),
        measured: mebibytes(grown),
        ..Row::default()
    };
    row.notes.push(format!("live runs: {} bytes each", grown * 1024 / u64::from(LIVE_RUNS)));
    Ok(row.judged("<= 500 MiB", grown <= LIVE_KIB_MAX))
}

fn chain() -> Result<Row> {
    let next = |n: u32| format!("  t{n}: {{bash: x, start: {{after: t{}}}}}\n", n - 1);
    let tasks: String = (1..CHAIN).map(next).collect();
    let mut engine = engine(&format!("workflow: w\ntasks:\n  t0: {{bash: x}}\n{tasks}"))?;
    start(&mut engine)?;
    let begin = Instant::now();
    for n in 0..CHAIN {
        let id: aiflow_model::AttemptId = format!("1.t{n}.1.1").parse().context("an id")?;
        give(&mut engine, Input::AttemptStarted(id.clone(), 1))?;
        let ended = Outcome::Exited { code: 0 };
        give(&mut engine, Input::AttemptEnded(id, ended, Usage::default()))?;
    }
    let hop = begin.elapsed().as_secs_f64() * 1e6 / f64::from(CHAIN);
    Ok(Row {
        work: "a chain of 1,000 tasks in the core, one hop".to_owned(),
        measured: format!("{hop:.1} us"),
        ..Row::default()
    })
}
