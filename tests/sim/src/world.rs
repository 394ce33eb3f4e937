//! The story: what happens next, by chance; faults in the first part, none in the tail.
//!
//! Each seed leaves out some kinds of faults, so that others come together. Must never decide
//! what is right: that is the oracle's.

use std::hash::{DefaultHasher, Hash, Hasher};

use aiflow_core::{Effect, Input};
use aiflow_log::testing::{CrashMode, Fault, MemoryStorage, Repeat, Rng};
use aiflow_model::record::Outcome;
use aiflow_model::state::RunStatus;
use aiflow_model::time::Span;
use aiflow_model::{AttemptId, Namespace, State, Timestamp};

use crate::Story;
use crate::bug::Bug;
use crate::clients::{Request, Spooled};
use crate::daemon::{Daemon, Departure, Stored, Time};
use crate::history::History;
use crate::host::Host;
use crate::oracle::{Oracle, check_log};
use crate::rules;

/// One workflow of every kind of rule that the oracle can work out by itself.
const DEFINITION: &str = "\
workflow: w
triggers: [{on: begin}]
late_after: 1m
on_late: {bash: x, retry: {attempts: 3, backoff: 1s}}
tasks:
  each: {bash: x, overlap: queue, parallel: 2, start: {on: go}, retry: {attempts: 3, backoff: 1s}}
  third: {bash: x, overlap: queue, start: {count: {of: {on: go}, n: 3}}}
  pair: {bash: x, overlap: queue, start: {all: [{on: go}, {on: other}]}}
  hourly: {bash: x, parallel: 2, start: {every: 1h, clock: {watermark: [f, w]}}}
  after: {bash: x, overlap: queue, start: {after: hourly}}
  beyond: {bash: x, overlap: queue, start: {after: w/hourly}}
  parts: {bash: x, overlap: queue, parallel: 2, for_each: value.parts,
    retry: {attempts: 2, backoff: 1s}, start: {on: parts}}
  joined: {bash: x, overlap: queue, start: {after: parts}}
  broken: {bash: x, overlap: queue, start: {after: {parts: failed}}}
  tick: {bash: x, start: {cron: \"* * * * *\"}}
  hang: {bash: x, timeout: 10s, retry: {attempts: 2, backoff: 1s}, start: {on: other}}
  stream: {kind: stream, bash: x, restart: {on: failure, backoff: 1s..4s}}
";
const FAULT_KINDS: u64 = 8;
/// Rounds of the tail within which all has to come to rest.
const ROUNDS_MAX: u32 = 5_000;

/// Everything.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) bug: Option<Bug>,
    pub(crate) time: Time,
    disk: MemoryStorage,
    host: Host,
    pub(crate) daemon: Option<Daemon>,
    /// A planted bug: one that was believed dead.
    ghost: Option<Daemon>,
    stored: Option<Stored>,
    /// What the last daemon knew when all of it was durable.
    left: Option<State>,
    pub(crate) requests: Vec<Request>,
    pub(crate) spool: Vec<Spooled>,
    /// The file of the spool that the daemon has taken and not had an answer for.
    pub(crate) draining: Option<usize>,
    pub(crate) oracle: Oracle,
    /// Kinds of faults that this seed has, as bits.
    faults: u64,
    pub(crate) is_tail: bool,
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
            ghost: None,
            stored: None,
            left: None,
            requests: Vec::new(),
            spool: Vec::new(),
            draining: None,
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

    pub(crate) fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.trace);
    }

    /// Whether a fault of this kind comes now: about once in `n` steps, in seeds that have it.
    pub(crate) fn fault(&mut self, kind: u64, n: u64) -> bool {
        let comes = self.rng.one_in(n);
        comes && !self.is_tail && self.faults >> (kind % FAULT_KINDS) & 1 == 1
    }

    fn step(&mut self) -> Result<(), String> {
        self.misfortune();
        if self.daemon.is_none() {
            if self.rng.one_in(3) {
                self.start_daemon()?;
            } else if self.rng.one_in(3) {
                self.new_request();
            }
        } else {
            match self.rng.below(8) {
                0 => self.new_request(),
                1 | 2 => self.send(),
                3 | 4 => self.commit()?,
                5 => self.look(),
                6 => self.pass_time(),
                _ => {
                    self.store();
                    self.drain();
                }
            }
        }
        self.release()?;
        self.haunt();
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
        if let Some(id) = self.host.any_alive(&mut self.rng) {
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
                let failed = Outcome::Unknown { reason: "no heartbeat".to_owned() };
                daemon.record_end(&id, failed, self.time);
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
        self.draining = None;
        if let Some(daemon) = self.daemon.take() {
            self.left = daemon.is_all_durable().then(|| daemon.engine.state().clone());
            self.oracle.durable = self.oracle.durable.max(daemon.durable);
            if self.bug == Some(Bug::NoLockOnTheHome) && how == "killed" {
                self.ghost = Some(daemon);
            }
        }
    }

    /// One that was believed dead finishes what it was at.
    fn haunt(&mut self) {
        let Some(ghost) = &mut self.ghost else { return };
        if self.rng.one_in(4) && ghost.commit().is_ok() {
            for departure in ghost.departures() {
                if let Departure::Effect(Effect::Launch(id)) = departure {
                    self.host.spawn(&id);
                }
            }
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
        self.ghost = None;
        for spooled in &mut self.spool {
            // A removal that was not synced may not have happened.
            spooled.is_gone &= self.rng.one_in(2);
        }
        if let Some((_, bytes)) = self.stored.as_mut().filter(|_| self.rng.one_in(8)) {
            // It may have been torn to nothing before.
            bytes.truncate(self.rng.below(bytes.len().max(1) as u64) as usize);
        }
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
        self.oracle.durable = self.oracle.durable.max(daemon.durable);
        if looks {
            check_log(&self.disk, daemon.durable, &mut self.oracle, &self.requests)?;
        }
        self.daemon = Some(daemon);
        // Nobody is served before the epoch is durable.
        self.commit()
    }

    fn commit(&mut self) -> Result<(), String> {
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        if daemon.commit().is_err() {
            self.end_daemon("failed write");
            return Ok(());
        }
        if self.fault(0, 50) {
            self.end_daemon("killed before it acts");
            return Ok(());
        }
        self.release()
    }

    /// Lets leave what may leave by now.
    fn release(&mut self) -> Result<(), String> {
        let departures = self.daemon.as_mut().map(Daemon::departures).unwrap_or_default();
        for departure in departures {
            match departure {
                Departure::Reply(number, answer) => self.reply(number, answer.as_ref())?,
                Departure::Effect(Effect::Launch(id)) => self.launch(id),
                Departure::Effect(Effect::Stop(id)) => self.stop(&id),
                Departure::Effect(Effect::DropLog(_) | Effect::ClearAway) => {}
            }
        }
        Ok(())
    }

    fn launch(&mut self, id: AttemptId) {
        let fails = self.fault(7, 30);
        // What shims are forked from dies over the order, before it forks or after.
        let is_unanswered = !fails && self.fault(7, 30);
        let is_forked = !fails && (!is_unanswered || self.rng.one_in(2));
        self.note(("launch", id.to_string(), is_unanswered, is_forked));
        let Some(daemon) = &mut self.daemon else { return };
        if is_forked {
            self.host.spawn(&id);
        }
        let failed = Outcome::SpawnFailed { reason: "no processes left".to_owned() };
        if fails && self.bug == Some(Bug::DropsALaunchThatFailed) {
            return;
        }
        if fails || is_unanswered && self.bug == Some(Bug::TakesAnOrderWithoutAnswerForFailed) {
            daemon.record_end(&id, failed, self.time);
        } else {
            daemon.watch(id, is_unanswered);
        }
    }

    fn stop(&mut self, id: &AttemptId) {
        match (self.bug, &mut self.daemon) {
            (Some(Bug::StopsWithoutLooking), Some(daemon)) => {
                daemon.record_end(id, Outcome::Signaled { signal: 15 }, self.time);
            }
            (Some(Bug::SignalsByNumber), _) => self.host.stop_by_number(id),
            _ => self.host.stop(id),
        }
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
        if !self.rng.one_in(30) {
            return;
        }
        let older = self.stored.as_ref().and_then(|(_, bytes)| State::from_stored(bytes).ok());
        let stored = match older.filter(|_| self.bug == Some(Bug::CheckpointSkipsEvents)) {
            Some(mut older) => {
                older.next_offset = daemon.engine.state().next_offset;
                older.to_stored()
            }
            None => daemon.engine.state().to_stored(),
        };
        if let Ok(bytes) = stored {
            self.stored = Some((daemon.durable, bytes));
        }
    }

    fn advance_host(&mut self) -> Result<(), String> {
        let Some(id) = self.host.any_alive(&mut self.rng) else { return Ok(()) };
        let ends = self.ending(&id);
        self.advance(&id, ends)
    }

    /// How a task that runs ends now, if it does.
    fn ending(&mut self, id: &AttemptId) -> Option<Outcome> {
        let chance = self.rng.below(8);
        match (id.execution.task.as_str(), chance) {
            // The first until it is told to end, by its timeout at the latest.
            ("hang", _) if id.number.0 == 1 => None,
            ("stream", 0) if !self.is_tail => Some(Outcome::Exited { code: 3 }),
            ("stream", _) => None,
            (_, 0) if !self.is_tail => Some(Outcome::Exited { code: 1 }),
            (_, 0..=4) => Some(Outcome::Exited { code: 0 }),
            _ => None,
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
            self.time.pass(50_000);
            self.tick();
            self.drain();
            if self.requests.iter().any(|request| !request.settled) {
                self.send();
            }
            for id in self.host.alive().clone() {
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

    /// Nothing is to be done any more, and nothing is alive but streams.
    fn is_at_rest(&self) -> bool {
        let Some(daemon) = &self.daemon else { return false };
        let state = daemon.engine.state();
        let is_stream = |id: &AttemptId| id.execution.task.as_str() == "stream";
        let tasks = state.runs.values().flat_map(|run| &run.tasks);
        let alive = tasks.map(|task| task.alive.len()).sum::<usize>();
        let streams = self.host.running().filter(|id| is_stream(id)).count();
        self.requests.iter().all(|request| request.settled)
            && self.spool.iter().all(|spooled| spooled.is_gone)
            && self.draining.is_none()
            && daemon.is_all_durable()
            && alive == streams
            && self.host.alive().len() == streams
            && state.runs.values().all(|run| run.status != RunStatus::Stopping)
    }

    fn check_at_rest(&mut self) -> Result<u64, String> {
        let now = match &mut self.daemon {
            Some(daemon) => daemon.tell_time(self.time),
            None => return Err("no daemon".to_owned()),
        };
        self.check_log()?;
        let history = History::read(&self.oracle.log);
        self.oracle.check_all_asked(&history, &self.requests)?;
        self.oracle.check_runs(&history, &self.requests)?;
        rules::check(&history, now)?;
        Ok(self.oracle.log.len() as u64)
    }

    fn check_log(&mut self) -> Result<(), String> {
        let Some(daemon) = &self.daemon else { return Err("no daemon".to_owned()) };
        self.oracle.durable = daemon.durable;
        check_log(&self.disk, daemon.durable, &mut self.oracle, &self.requests)
    }

    fn check_ended(&mut self, before: u64) -> Result<u64, String> {
        self.check_log()?;
        let history = History::read(&self.oracle.log);
        self.oracle.check_attempts(&history, &self.host)?;
        let length = self.oracle.log.len() as u64;
        if length < before {
            return Err("the log has become shorter".to_owned());
        }
        let Some(daemon) = &self.daemon else { return Err("no daemon".to_owned()) };
        let alive = daemon.engine.state().runs.values().find(|run| run.status.is_alive());
        match (alive, self.host.alive().first()) {
            (None, None) => Ok(length),
            (Some(run), _) => Err(format!("run {} never ends", run.id)),
            (None, Some(id)) => Err(format!("{id} is left behind")),
        }
    }
}
