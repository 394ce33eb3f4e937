//! A log of a plausible past, made by the real core and the real log.
//!
//! Must never be written past the core: each record is one that a daemon would have decided.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aiflow_core::{Answer, Engine, Input};
use aiflow_log::{DiskStorage, Frame, FrameBuilder, LogOptions, LogWriter};
use aiflow_model::record::{DaemonStarted, Outcome, Payload, Usage};
use aiflow_model::state::State;
use aiflow_model::wire::StartRun;
use aiflow_model::{
    AttemptId, EventKey, JsonText, LoggedRecord, Namespace, Record, Timestamp, WorkflowName,
};
use anyhow::{Context, anyhow, bail};

use crate::daemon::WAITING;

/// Records in the log, unless another number is asked for.
pub(crate) const RECORDS: u64 = 1_000_000;
/// Events that no rule waits for, between two that start a task: so that about one record in ten is
/// of a run.
const EVENTS_BETWEEN: u64 = 53;
/// Executions of a run before the next run begins.
const EXECUTIONS_PER_RUN: u64 = 100;
/// Frames that are written and synced together.
const FRAMES_PER_COMMIT: usize = 1024;
const FIRST_TIME: Timestamp = Timestamp(1_767_225_600_000_000);
const TIME_STEP_US: i64 = 1_000;
const EPOCH: u64 = 1;
const DEFINITION: &str = "workflow: history
tasks:
  train:
    bash: python3 train.py
    start: {on: go}
    overlap: queue
";

/// Where a home keeps its log.
pub(crate) fn log(home: &Path) -> PathBuf {
    home.join("log")
}

/// Builds a home whose log holds so many records; `key_of` names the event of that number.
pub(crate) fn build(home: &Path, records: u64, key_of: fn(u64) -> String) -> anyhow::Result<()> {
    build_keeping(home, records, key_of, aiflow_core::ENDED_RUNS_KEPT)
}

/// As [`build`], by a daemon that kept so many runs that had ended in its state.
pub(crate) fn build_keeping(
    home: &Path,
    records: u64,
    key_of: fn(u64) -> String,
    runs: usize,
) -> anyhow::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(log(home))?;
    let storage = DiskStorage::open(log(home))?;
    let (writer, _) = aiflow_log::open(storage, LogOptions::default())?;
    let mut engine = Engine::new(State::empty());
    engine.keep_runs(runs);
    let mut past =
        Past { engine, writer, frames: Vec::new(), now: FIRST_TIME, events: 0, records, key_of };
    let boot_id = "00000000-0000-0000-0000-000000000000".to_owned();
    past.take(Input::StartDaemon(DaemonStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch: EPOCH,
        boot_id,
        pid: 1,
    }))?;
    let namespace = Namespace::default_namespace();
    past.take(Input::Upload {
        namespace,
        source: format!("{DEFINITION}{WAITING}"),
        files: Vec::new(),
    })?;
    while past.length() < past.records {
        past.run()?;
    }
    past.commit()
}

struct Past {
    engine: Engine,
    writer: LogWriter<DiskStorage>,
    frames: Vec<Frame>,
    now: Timestamp,
    events: u64,
    records: u64,
    key_of: fn(u64) -> String,
}

impl Past {
    fn length(&self) -> u64 {
        self.engine.state().next_offset.0
    }

    /// One run with its executions, among events that do not concern it.
    fn run(&mut self) -> anyhow::Result<()> {
        let started = self.take(Input::StartRun(StartRun {
            namespace: Namespace::default_namespace(),
            workflow: WorkflowName::new("history")?,
            params: [].into(),
            request: None,
        }))?;
        let Answer::Run(run) = started else { bail!("the run did not start") };
        for sequence in 1..=EXECUTIONS_PER_RUN {
            if self.length() >= self.records {
                break;
            }
            for _ in 0..EVENTS_BETWEEN {
                let key = (self.key_of)(self.events + 1);
                self.emit(&key)?;
            }
            self.emit("go")?;
            let id: AttemptId =
                format!("{run}.train.{sequence}.1").parse().map_err(|_| anyhow!("an id"))?;
            self.take(Input::AttemptStarted(id.clone(), 4711))?;
            let usage = Usage { rss_bytes_max: 48 << 20, cpu_us: 812_345 };
            self.take(Input::AttemptEnded(id, Outcome::Exited { code: 0 }, usage))?;
        }
        self.take(Input::StopRun(run)).map(drop)
    }

    fn emit(&mut self, key: &str) -> anyhow::Result<()> {
        self.events += 1;
        let number = self.events;
        let value = format!(
            r#"{{"carrier":"UA","flight":{},"origin":"EWR","dest":"IAH","dep_delay":{}.0}}"#,
            number % 8_000,
            number % 60
        );
        let emit = Input::Emit {
            namespace: Namespace::default_namespace(),
            key: EventKey::new(key)?,
            value: JsonText::parse(&value)?,
            source: format!("airport-{}", number % 8),
            id: format!("2013-01-01/{number}"),
            execution: None,
            speaker: None,
        };
        self.take(emit).map(drop)
    }

    fn take(&mut self, input: Input) -> anyhow::Result<Answer> {
        self.now = Timestamp(self.now.0 + TIME_STEP_US);
        let decision =
            self.engine.decide(input, self.now).map_err(|refused| anyhow!("{refused}"))?;
        self.frames.push(encode(&decision.records)?);
        if self.frames.len() >= FRAMES_PER_COMMIT {
            self.commit()?;
        }
        Ok(decision.answer)
    }

    fn commit(&mut self) -> anyhow::Result<()> {
        self.writer.append(&mut self.frames)?;
        self.frames.clear();
        Ok(())
    }
}

/// One batch as a frame, as the daemon writes it.
fn encode(records: &[LoggedRecord]) -> anyhow::Result<Frame> {
    let first = records.first().context("an empty batch")?;
    let mut builder = FrameBuilder::new(first.offset.0, first.time.0, EPOCH);
    for logged in records {
        let payload: Payload<&Record> = Payload { cause: logged.cause, record: &logged.record };
        builder.try_record(|out| serde_json::to_writer(out, &payload))?;
    }
    Ok(builder.finish()?)
}
