//! The story: what happens next, by chance; faults in the first part, none in the tail.
//!
//! Each seed leaves out some kinds of faults, so that others come together. Must never decide
//! what is right: that is the oracle's.

use std::hash::{DefaultHasher, Hash, Hasher};

use aiflow_core::{Answer, Effect, Input};
use aiflow_log::testing::{CrashMode, Fault, MemoryStorage, Repeat, Rng};
use aiflow_model::record::Outcome;
use aiflow_model::state::RunStatus;
use aiflow_model::time::Span;
use aiflow_model::wire::StartRun;
use aiflow_model::{AttemptId, JsonText, Namespace, State, Timestamp};

use crate::Story;
use crate::bug::Bug;
use crate::daemon::{Daemon, Departure, Stored, Time};
use crate::host::Host;
use crate::oracle::{Oracle, check_log};

/// One workflow of every kind of rule that the oracle can work out by itself.
const DEFINITION: &str = "\
workflow: w
triggers: [{on: begin}]
tasks:
  each: {bash: x, overlap: queue, parallel: 2, start: {on: go}, retry: {attempts: 3, backoff: 1s}}
  third: {bash: x, overlap: queue, start: {count: {of: {on: go}, n: 3}}}
  pair: {bash: x, overlap: queue, start: {all: [{on: go}, {on: other}]}}
  hourly: {bash: x, parallel: 2, start: {every: 1h, clock: {watermark: [f, w]}}}
  after: {bash: x, overlap: queue, start: {after: hourly}}
  tick: {bash: x, start: {cron: \"* * * * *\"}}
  stream: {kind: stream, bash: x, restart: {on: failure, backoff: 1s..4s}}
";
const FAULT_KINDS: u64 = 8;
/// Rounds of the tail within which all has to come to rest.
const ROUNDS_MAX: u32 = 20_000;

/// One request of a client, repeated until it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) input: Input,
    pub(crate) answer: Option<Answer>,
    /// The client believes that it was taken.
    settled: bool,
    tries: u64,
}

/// Everything.
pub(crate) struct World {
    rng: Rng,
    bug: Option<Bug>,
    time: Time,
    disk: MemoryStorage,
    host: Host,
    daemon: Option<Daemon>,
    stored: Option<Stored>,
    /// What the last daemon knew when all of it was durable.
    left: Option<State>,
    requests: Vec<Request>,
    oracle: Oracle,
    /// Kinds of faults that this seed has, as bits.
    faults: u64,
    is_tail: bool,
    lives: u64,
    trace: DefaultHasher,
}

impl World {
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut rng = Rng::new(seed);
        let faults = rng.next_u64() | if bug.is_some() { u64::MAX } else { 0 };
        let mut host = Host::default();
        host.ignores_claims = bug == Some(Bug::StartsAgainAfterARestart);
        let mut world = Self {
            rng,
            bug,
            time: Time { wall: Timestamp(1_800_000_000_000_000), passed: 0 },
            disk: MemoryStorage::new(),
            host,
            daemon: None,
            stored: None,
            left: None,
            requests: Vec::new(),
            oracle: Oracle::default(),
            faults,
            is_tail: false,
            lives: 0,
            trace: DefaultHasher::new(),
        };
        let namespace = Namespace::default_namespace();
        world.ask(Input::Upload { namespace, source: DEFINITION.to_owned(), files: vec![] });
        world
    }

    pub(crate) fn tell(mut self, steps: u64) -> Result<Story, String> {
        for step in 0..steps {
            self.step().map_err(|broken| format!("step {step}: {broken}"))?;
        }
        self.is_tail = true;
        self.disk.clear_faults();
        self.rest().map_err(|broken| format!("tail: {broken}"))?;
        let records = self.check_at_rest()?;
        self.stop_runs();
        self.rest().map_err(|broken| format!("after the stop: {broken}"))?;
        let records = self.check_ended(records)?;
        let executed = self.oracle.executed.len() as u64;
        Ok(Story { trace: self.trace.finish(), records, executed, lives: self.lives })
    }

    fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.trace);
    }

    /// Whether a fault of this kind comes now: about once in `n` steps, in seeds that have it.
    fn fault(&mut self, kind: u64, n: u64) -> bool {
        let comes = self.rng.one_in(n);
        comes && !self.is_tail && self.faults >> (kind % FAULT_KINDS) & 1 == 1
    }

    fn ask(&mut self, input: Input) {
        self.requests.push(Request { input, answer: None, settled: false, tries: 0 });
    }

    fn step(&mut self) -> Result<(), String> {
        self.misfortune();
        if self.daemon.is_none() {
            if self.rng.one_in(3) {
                self.start_daemon()?;
            }
        } else {
            match self.rng.below(8) {
                0 => self.new_request(),
                1 | 2 => self.send(),
                3 | 4 => self.commit()?,
                5 => self.look(),
                6 => self.pass_time(),
                _ => self.store(),
            }
        }
        self.release()?;
        self.advance_host()?;
        self.oracle.check_running(&self.host, self.daemon.as_ref())
    }

    /// What may go wrong before the next step.
    fn misfortune(&mut self) {
        if self.fault(0, 60) {
            self.end_daemon("killed");
        }
        if self.fault(1, 150) {
            self.cut_power();
        }
        let alive = self.host.alive();
        let victim = alive.get(self.rng.below(alive.len().max(1) as u64) as usize).cloned();
        if let Some(id) = victim {
            if self.fault(2, 80) {
                self.note(("shim killed", id.to_string()));
                self.host.kill_shim(&id);
            }
            if self.fault(3, 60) {
                self.note(("task killed", id.to_string()));
                self.host.kill_task(&id);
            }
            if self.bug == Some(Bug::FailsByTheClockAlone)
                && self.rng.one_in(50)
                && let Some(daemon) = &mut self.daemon
            {
                daemon.give_up(&id, self.time);
            }
        }
        if self.fault(4, 80) {
            let kinds = [Fault::Eio, Fault::FsyncError, Fault::Short, Fault::Enospc, Fault::Eintr];
            let fault = kinds[self.rng.below(5) as usize];
            let call = self.disk.calls() + self.rng.below(6);
            self.disk.fail_call(call, fault, Repeat::Once);
        }
        if self.fault(5, 100) {
            let jump = self.rng.below(7_200_000_000);
            self.time.wall = if self.rng.one_in(2) {
                self.time.wall.minus(Span(jump))
            } else {
                self.time.wall.plus(Span(jump / 10))
            };
        }
    }

    fn end_daemon(&mut self, how: &str) {
        self.note(how);
        if let Some(daemon) = self.daemon.take() {
            self.left = daemon.is_all_durable().then(|| daemon.engine.state().clone());
            self.oracle.durable = self.oracle.durable.max(daemon.durable);
        }
    }

    fn cut_power(&mut self) {
        self.end_daemon("power cut");
        self.left = None;
        let (bytes, changes) = self.disk.unsynced();
        let mode = match self.rng.below(4) {
            0 => CrashMode::TornAt(self.rng.below(bytes as u64 + 1) as usize),
            1 => CrashMode::KeepChanges(self.rng.below(changes as u64 + 1) as usize),
            2 => CrashMode::Subset(self.rng.next_u64()),
            _ => CrashMode::Scrambled(self.rng.next_u64()),
        };
        self.disk = self.disk.crash(mode);
        self.host.cut_power(&mut self.rng);
    }

    fn start_daemon(&mut self) -> Result<(), String> {
        self.note("start");
        self.disk.clear_faults();
        self.lives += 1;
        let stored = self.stored.as_ref();
        let left = self.left.take();
        // The whole log is looked at now and then; at the end in any case.
        let looks = self.rng.one_in(6);
        let host = (&self.host, looks);
        let daemon = Daemon::start(&self.disk, stored, left, host, self.time, self.bug)?;
        if looks {
            check_log(&self.disk, daemon.durable, &mut self.oracle, &self.requests)?;
        }
        self.daemon = Some(daemon);
        // Nobody is served before the epoch is durable.
        self.commit()
    }

    fn new_request(&mut self) {
        let namespace = Namespace::default_namespace();
        if self.requests.len() < 3 || self.rng.one_in(150) {
            let request = Some(format!("run-{}", self.requests.len()));
            let (workflow, params) = (crate::oracle::name("w"), [].into());
            self.ask(Input::StartRun(StartRun { namespace, workflow, params, request }));
            return;
        }
        let number = self.requests.len();
        let (key, value) = match self.rng.below(40) {
            0 => ("begin", format!("{{\"n\":{number}}}")),
            1..=15 => ("go", format!("{{\"n\":{number}}}")),
            16..=23 => ("other", format!("{{\"n\":{number}}}")),
            which => {
                let hours = self.rng.below(40) * 1_800_000_000;
                let time = Timestamp(1_700_000_000_000_000).plus(Span(hours));
                let key = if which % 2 == 0 { "f" } else { "w" };
                (key, format!("{{\"n\":{number},\"watermark\":\"{time}\"}}"))
            }
        };
        self.ask(Input::Emit {
            namespace,
            key: crate::oracle::key(key),
            value: JsonText::parse(&value).unwrap_or_else(|_| JsonText::null()),
            source: "client".to_owned(),
            id: format!("event-{number}"),
            execution: None,
            speaker: None,
        });
    }

    /// A client sends what was not answered yet: new, or again.
    fn send(&mut self) {
        let open: Vec<usize> =
            (0..self.requests.len()).filter(|number| !self.requests[*number].settled).collect();
        let Some(number) = open.get(self.rng.below(open.len().max(1) as u64) as usize).copied()
        else {
            return;
        };
        self.note(("send", number));
        let request = &mut self.requests[number];
        request.tries += 1;
        let mut input = request.input.clone();
        if let Input::Emit { id, .. } = &mut input
            && self.bug == Some(Bug::RepeatsUnderANewIdentity)
        {
            *id = format!("{id}-{}", request.tries);
        }
        if self.bug == Some(Bug::TakesSilenceForYes) && request.tries > 1 {
            request.settled = true;
            return;
        }
        if let Some(daemon) = &mut self.daemon {
            daemon.request(number, input, self.time);
        }
    }

    fn commit(&mut self) -> Result<(), String> {
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        if daemon.commit().is_err() {
            self.end_daemon("failed write");
            return Ok(());
        }
        self.release()
    }

    /// Lets leave what may leave by now.
    fn release(&mut self) -> Result<(), String> {
        let departures = self.daemon.as_mut().map(Daemon::departures).unwrap_or_default();
        for departure in departures {
            match departure {
                Departure::Reply(number, answer) => self.reply(number, &answer)?,
                Departure::Effect(Effect::Launch(id)) => {
                    self.note(("launch", id.to_string()));
                    self.host.spawn(&id);
                    if let Some(daemon) = &mut self.daemon {
                        daemon.watch(id);
                    }
                }
                Departure::Effect(Effect::Stop(id)) => self.host.stop(&id),
                Departure::Effect(Effect::DropLog(_) | Effect::ClearAway) => {}
            }
        }
        Ok(())
    }

    fn reply(&mut self, number: usize, answer: &Answer) -> Result<(), String> {
        if self.fault(6, 4) {
            return Ok(());
        }
        self.note(("reply", number));
        let request = &mut self.requests[number];
        request.settled = true;
        let known = request.answer.get_or_insert_with(|| answer.clone());
        self.oracle.check_same(known, answer)
    }

    fn look(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let watched = daemon.watched();
        let Some(id) = watched.get(self.rng.below(watched.len().max(1) as u64) as usize) else {
            return;
        };
        daemon.look_at(id, &mut self.host, self.time);
    }

    fn pass_time(&mut self) {
        self.time.pass(self.rng.below(3_000_000));
        self.tick();
    }

    fn tick(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let now = daemon.tell_time(self.time);
        while daemon.engine.next_deadline().is_some_and(|due| due <= now) {
            // Time is never refused.
            let _ = daemon.decide(Input::Tick, self.time);
        }
    }

    fn store(&mut self) {
        let Some(daemon) = self.daemon.as_ref().filter(|daemon| daemon.is_all_durable()) else {
            return;
        };
        if self.rng.one_in(30)
            && let Ok(bytes) = daemon.engine.state().to_stored()
        {
            self.stored = Some((daemon.durable, bytes));
        }
    }

    fn advance_host(&mut self) -> Result<(), String> {
        let alive = self.host.alive();
        let Some(id) = alive.get(self.rng.below(alive.len().max(1) as u64) as usize).cloned()
        else {
            return Ok(());
        };
        let ends = self.ending(&id);
        self.advance(&id, ends)
    }

    /// How a task that runs ends now, if it does.
    fn ending(&mut self, id: &AttemptId) -> Option<Outcome> {
        let is_stream = id.execution.task.as_str() == "stream";
        match (is_stream, self.rng.below(8)) {
            (true, 0) if !self.is_tail => Some(Outcome::Exited { code: 3 }),
            (true, _) => None,
            (false, 0) if !self.is_tail => Some(Outcome::Exited { code: 1 }),
            (false, 0..=4) => Some(Outcome::Exited { code: 0 }),
            (false, _) => None,
        }
    }

    fn advance(&mut self, id: &AttemptId, ends: Option<Outcome>) -> Result<(), String> {
        self.host.advance(id, ends);
        self.note(("advance", id.to_string(), self.host.executed(id)));
        self.oracle.check_executed(&self.host, id)
    }

    fn stop_runs(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let runs = daemon.engine.state().runs.values();
        let alive: Vec<_> = runs.filter(|r| r.status == RunStatus::Running).map(|r| r.id).collect();
        for run in alive {
            self.ask(Input::StopRun(run));
        }
    }

    /// Lets all come to rest: every request answered, every task that ends ended.
    fn rest(&mut self) -> Result<(), String> {
        for _ in 0..ROUNDS_MAX {
            if self.daemon.is_none() {
                self.start_daemon()?;
            }
            self.time.pass(20_000);
            self.tick();
            if self.requests.iter().any(|request| !request.settled) {
                self.send();
            }
            for id in self.host.alive() {
                let ends = self.ending(&id);
                self.advance(&id, ends)?;
            }
            if let Some(daemon) = &mut self.daemon {
                for id in daemon.watched() {
                    daemon.look_at(&id, &mut self.host, self.time);
                }
            }
            self.commit()?;
            self.oracle.check_running(&self.host, self.daemon.as_ref())?;
            if self.is_at_rest() {
                return Ok(());
            }
        }
        let open = self.requests.iter().filter(|request| !request.settled).count();
        let alive = self.daemon.iter().flat_map(|d| d.engine.state().alive_attempts());
        let alive: Vec<String> = alive.take(5).map(|(id, _)| id.to_string()).collect();
        let lives: Vec<String> =
            self.host.alive().iter().take(5).map(ToString::to_string).collect();
        Err(format!(
            "not all comes to rest: {open} requests open, recorded as alive {alive:?}, on the host {lives:?}"
        ))
    }

    fn is_at_rest(&self) -> bool {
        let Some(daemon) = &self.daemon else { return false };
        let state = daemon.engine.state();
        let living = state.runs.values().flat_map(|run| &run.tasks);
        let busy = living.flat_map(|task| task.alive_executions()).count();
        let streams = self.host.alive().iter().filter(|id| self.host.runs(id)).count();
        let stopping = state.runs.values().any(|run| run.status == RunStatus::Stopping);
        self.requests.iter().all(|request| request.settled)
            && daemon.is_all_durable()
            && busy == state.runs.values().filter(|run| run.status.is_alive()).count()
            && busy == streams
            && !stopping
    }

    fn check_at_rest(&mut self) -> Result<u64, String> {
        let Some(daemon) = &self.daemon else { return Err("no daemon".to_owned()) };
        self.oracle.durable = daemon.durable;
        let log = check_log(&self.disk, daemon.durable, &mut self.oracle, &self.requests)?;
        self.oracle.check_all_asked(&log, &self.requests)?;
        self.oracle.check_rules(&log, daemon.engine.state())?;
        Ok(log.len() as u64)
    }

    fn check_ended(&mut self, before: u64) -> Result<u64, String> {
        let Some(daemon) = &self.daemon else { return Err("no daemon".to_owned()) };
        self.oracle.durable = daemon.durable;
        let log = check_log(&self.disk, daemon.durable, &mut self.oracle, &self.requests)?;
        self.oracle.check_attempts(&log, &self.host)?;
        if log.len() as u64 <= before {
            return Err("the stop is not in the log".to_owned());
        }
        let alive = daemon.engine.state().runs.values().find(|run| run.status.is_alive());
        match (alive, self.host.alive().first()) {
            (None, None) => Ok(log.len() as u64),
            (Some(run), _) => Err(format!("run {} never ends", run.id)),
            (None, Some(id)) => Err(format!("{id} is left behind")),
        }
    }
}
