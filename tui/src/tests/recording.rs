//! A recorded run of a workflow like the example: two streams, hourly windows, a failure, a queue.
//!
//! Made by the real core; attempts end when the story says so. Must never read a clock.

use std::collections::VecDeque;

use aiflow_core::{Answer, Effect, Engine, Input, effect_of};
use aiflow_model::record::{DaemonStarted, Outcome, Usage};
use aiflow_model::time::Span;
use aiflow_model::wire::StartRun;
use aiflow_model::{
    AttemptId, EventKey, JsonText, LoggedRecord, Namespace, RunId, State, Timestamp,
};

pub(super) const DEFINITION: &str = "
workflow: flight_delays
tasks:
  ingest:
    kind: stream
    bash: exec python3 ingest.py
    restart: {on: failure, backoff: 1s..1m}
  observe:
    kind: stream
    bash: exec python3 observe.py
    restart: {on: failure, backoff: 1s..1m}
  train:
    bash: exec python3 train.py
    start:
      every: 1h
      clock: {watermark: [flights.watermark, weather.watermark]}
      from: 2013-01-02T18:00:00Z
    retry: {attempts: 2, backoff: 2s..1m}
    timeout: 10m
  validate:
    bash: exec python3 validate.py
    start: {after: train}
  deploy:
    bash: exec python3 deploy.py
    start: {on: model.validated, if: value.mae < 15.0}
    overlap: queue
";

/// The core, what it recorded, and the clock of the story.
pub(super) struct Recording {
    pub(super) engine: Engine,
    pub(super) log: Vec<LoggedRecord>,
    pub(super) now: Timestamp,
    launched: VecDeque<AttemptId>,
    events: u32,
    pid: u32,
}

impl Recording {
    /// A daemon that has just started.
    pub(super) fn empty() -> Self {
        let mut recording = Self {
            engine: Engine::new(State::empty()),
            log: Vec::new(),
            now: "2026-11-23T12:00:00Z".parse().unwrap(),
            launched: VecDeque::new(),
            events: 0,
            pid: 4100,
        };
        recording.give(Input::StartDaemon(DaemonStarted {
            version: "0.1.0".to_owned(),
            epoch: 1,
            boot_id: "boot".to_owned(),
            pid: 4000,
        }));
        recording
    }

    /// The workflow is there and nothing runs.
    pub(super) fn uploaded() -> Self {
        let mut recording = Self::empty();
        recording.upload(DEFINITION);
        recording
    }

    pub(super) fn upload(&mut self, source: &str) {
        let (namespace, source) = (Namespace::default_namespace(), source.to_owned());
        self.give(Input::Upload { namespace, source, files: vec![] });
    }

    /// Twelve hours into the story: windows done, one failed, one running, one retrying, and the
    /// flights three hours behind the weather.
    pub(super) fn story() -> Self {
        let mut recording = Self::uploaded();
        recording.run("flight_delays");
        recording.start_all();
        recording.weather("2013-01-03T00:00:00Z");
        for hour in 19..=23 {
            recording.hour(&format!("2013-01-02T{hour}:00:00Z"), &format!("2013-01-02T{hour}"));
        }
        recording.weather("2013-01-03T08:00:00Z");
        for hour in 0..=4 {
            recording.hour(&format!("2013-01-03T0{hour}:00:00Z"), &format!("2013-01-03T0{hour}"));
        }
        recording.emit("model.sunk", r#"{"reason": "日本語 and ✈"}"#, "tests", None);
        // A jump of two hours: one window runs, one waits its turn.
        recording.flights("2013-01-03T06:00:00Z");
        recording.start_all();
        recording.pass("400ms");
        recording
    }

    /// One hour of flights: train, validate, deploy. The seventh window fails twice.
    fn hour(&mut self, watermark: &str, hour: &str) {
        self.flights(watermark);
        let fails = hour.ends_with("T01");
        self.start_all();
        self.pass("600ms");
        self.end("train", i32::from(fails));
        if fails {
            self.pass("3s");
            self.give(Input::Tick);
            self.start_all();
            self.pass("600ms");
            self.end("train", 3);
            return;
        }
        self.start_all();
        let value = format!(r#"{{"mae": 11.8, "window": "{hour}:00:00Z"}}"#);
        self.emit("model.trained", &value, "flight_delays/train", Some(RunId(1)));
        self.pass("200ms");
        self.end("validate", 0);
        self.emit("model.validated", &value, "flight_delays/validate", Some(RunId(1)));
        self.start_all();
        self.pass("100ms");
        self.end("deploy", 0);
    }

    fn flights(&mut self, to: &str) {
        self.pass("700ms");
        let value = format!(r#"{{"watermark": "{to}", "waiting_for": "UA 1545 EWR-IAH"}}"#);
        self.emit("flights.watermark", &value, "flights", Some(RunId(1)));
    }

    fn weather(&mut self, to: &str) {
        self.pass("300ms");
        self.emit("weather.watermark", &format!("\"{to}\""), "weather", Some(RunId(1)));
    }

    pub(super) fn run(&mut self, workflow: &str) -> RunId {
        let start = StartRun {
            namespace: Namespace::default_namespace(),
            workflow: workflow.parse().unwrap(),
            params: [].into(),
            request: None,
        };
        let Answer::Run(run) = self.give(Input::StartRun(start)) else { panic!("no run") };
        run
    }

    pub(super) fn emit(&mut self, key: &str, value: &str, source: &str, run: Option<RunId>) {
        self.events += 1;
        self.give(Input::Emit {
            namespace: Namespace::default_namespace(),
            key: EventKey::new(key).unwrap(),
            value: JsonText::parse(value).unwrap(),
            source: source.to_owned(),
            id: format!("event-{}", self.events),
            execution: run,
            speaker: None,
        });
    }

    /// Processes of everything that was launched run.
    pub(super) fn start_all(&mut self) {
        for id in self.launched.clone() {
            let is_new = self.engine.state().attempt(&id).is_some_and(|a| a.started_at.is_none());
            if is_new {
                self.pid += 1;
                self.give(Input::AttemptStarted(id, self.pid));
            }
        }
    }

    /// The running attempt of a task ends.
    pub(super) fn end(&mut self, task: &str, code: i32) {
        let at = self.launched.iter().position(|id| id.execution.task.as_str() == task).unwrap();
        let id = self.launched.remove(at).unwrap();
        let outcome = Outcome::Exited { code };
        self.give(Input::AttemptEnded(id, outcome, Usage::default()));
    }

    pub(super) fn pass(&mut self, span: &str) {
        self.now = self.now.plus(span.parse::<Span>().unwrap());
    }

    pub(super) fn give(&mut self, input: Input) -> Answer {
        let decision = self.engine.decide(input, self.now).unwrap();
        for record in &decision.records {
            if let Some(Effect::Launch(id)) = effect_of(self.engine.state(), &record.record) {
                self.launched.push_back(id);
            }
        }
        self.log.extend(decision.records);
        decision.answer
    }
}
