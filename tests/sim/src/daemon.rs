//! One life of the daemon: the real core over the real log, in the order in which the server does
//! things.
//!
//! Decide, take into the state, append and sync; only then replies and effects. Must never know
//! what the oracle knows.

use std::collections::{BTreeMap, VecDeque};

use aiflow_core::{Answer, Effect, Engine, Input, effect_of, outstanding};
use aiflow_daemon::records;
use aiflow_log::testing::MemoryStorage;
use aiflow_log::{Frame, LogOptions, LogReader, LogWriter, open};
use aiflow_model::record::{DaemonStarted, Outcome, Usage};
use aiflow_model::time::Span;
use aiflow_model::{AttemptId, ErrorCode, Rejection, State, Timestamp};

use crate::bug::Bug;
use crate::host::{Evidence, Host};

/// Small, so that a story has several.
const SEGMENT_BYTES: u64 = 64 << 10;
/// So few that most runs leave the state soon.
const ENDED_RUNS_KEPT: usize = 1;
/// After so many looks a watcher that is planted to die has died.
const LOOKS_OF_A_WATCHER: u64 = 50;

/// What a clock could show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    /// The time of the wall, which may be set to anything.
    pub(crate) wall: Timestamp,
    /// Microseconds that have passed since the beginning, whatever the wall shows.
    pub(crate) passed: u64,
}

impl Time {
    pub(crate) fn pass(&mut self, span: u64) {
        self.passed += span;
        self.wall = self.wall.plus(Span(span));
    }
}

/// What leaves the daemon once its records are durable.
#[derive(Debug)]
pub(crate) enum Departure {
    /// The answer to the request with this number; none when it was refused.
    Reply(usize, Option<Answer>),
    /// Work on a process.
    Effect(Effect),
}

/// How an attempt is looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watch {
    recovered: bool,
    before_reboot: bool,
    told_started: bool,
}

/// One life.
#[derive(Debug)]
pub(crate) struct Daemon {
    pub(crate) engine: Engine,
    writer: LogWriter<MemoryStorage>,
    waiting: Vec<Frame>,
    pending: VecDeque<(u64, Departure)>,
    watches: BTreeMap<AttemptId, Watch>,
    epoch: u64,
    now: Timestamp,
    /// How much time had passed when it was looked at last.
    seen: u64,
    /// How often attempts were looked at.
    looks: u64,
    pub(crate) durable: u64,
    bug: Option<Bug>,
}

/// A stored state and the offset that it is of.
pub(crate) type Stored = (u64, Vec<u8>);

impl Daemon {
    /// Opens the log and takes over, as the server does at its start. `left`: what the last daemon
    /// knew; `compares`: whether the log is replayed without the snapshot, too.
    ///
    /// # Errors
    /// What is wrong: on a disk without faults nothing may be.
    pub(crate) fn start(
        disk: &MemoryStorage,
        stored: Option<&Stored>,
        left: Option<State>,
        (host, compares): (&Host, bool),
        time: Time,
        bug: Option<Bug>,
    ) -> Result<Self, String> {
        let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
        let (writer, recovered) =
            open(disk.clone(), options).map_err(|error| format!("the log is refused: {error}"))?;
        let until = recovered.next_offset;
        let replay = |state: State| {
            records::replay(&mut LogReader::new(disk.clone()), state, until)
                .map_err(|error| error.to_string())
        };
        let stored = match stored {
            Some((offset, _)) if *offset > until => {
                return Err(format!("a snapshot of {offset} records, the log ends at {until}"));
            }
            Some((_, bytes)) => match State::from_stored(bytes) {
                Ok(state) => Some(state),
                Err(error) if bug == Some(Bug::RefusesATornSnapshot) => {
                    return Err(format!("a torn snapshot is refused: {error}"));
                }
                // A cache that is damaged is passed over.
                Err(_) => None,
            },
            None => None,
        };
        let has_stored = stored.is_some();
        let mut engine = replay(stored.unwrap_or_default())?;
        if left.is_some_and(|left| left != *engine.state()) {
            return Err("replay gives another state than the last daemon had".to_owned());
        }
        if has_stored && compares && replay(State::empty())?.state() != engine.state() {
            return Err("a snapshot and the tail give another state than the log".to_owned());
        }
        engine.keep_runs(ENDED_RUNS_KEPT);
        let mut daemon = Self {
            engine,
            writer,
            waiting: Vec::new(),
            pending: VecDeque::new(),
            watches: BTreeMap::new(),
            epoch: recovered.last_epoch + 1,
            now: Timestamp(recovered.last_time_us),
            seen: time.passed,
            looks: 0,
            durable: until,
            bug,
        };
        let started = DaemonStarted {
            version: "simulated".to_owned(),
            epoch: daemon.epoch,
            boot_id: host.boot_id(),
            pid: 1,
        };
        daemon.decide(Input::StartDaemon(started), time).map_err(|error| error.to_string())?;
        daemon.take_over();
        Ok(daemon)
    }

    /// Looks after what earlier daemons have launched.
    fn take_over(&mut self) {
        let state = self.engine.state();
        let last_start = state.alive_attempts().filter_map(|(_, a)| a.started_at).max();
        let is_forgotten = |id: &AttemptId| {
            let Some(attempt) = state.attempt(id) else { return false };
            match self.bug {
                Some(Bug::ForgetsWhatWasOutstanding) => true,
                Some(Bug::WatchesOnlyWhatRuns) => attempt.pid.is_none(),
                Some(Bug::TakesLowerForDone) => {
                    attempt.pid.is_none() && last_start > Some(attempt.queued_at)
                }
                _ => false,
            }
        };
        let unfinished: Vec<_> =
            outstanding(state).into_iter().filter(|(id, _)| !is_forgotten(id)).collect();
        for (id, stopping) in unfinished {
            let attempt = self.engine.state().attempt(&id);
            let before_reboot = attempt.is_some_and(|attempt| attempt.before_reboot);
            let watch = Watch { recovered: true, before_reboot, told_started: false };
            self.watches.insert(id.clone(), watch);
            if self.bug == Some(Bug::StartsAgainAfterARestart) {
                self.pending.push_back((0, Departure::Effect(Effect::Launch(id.clone()))));
            }
            if stopping && self.bug != Some(Bug::ForgetsStopsAtRestart) {
                self.pending.push_back((0, Departure::Effect(Effect::Stop(id))));
            }
        }
    }

    /// The time that decisions are made at: as the server's clock, it goes on at the pace of time
    /// that passes, whatever is done to the wall.
    pub(crate) fn tell_time(&mut self, time: Time) -> Timestamp {
        let passed = time.passed.saturating_sub(self.seen);
        self.seen = time.passed;
        self.now = self.now.plus(Span(passed)).max(time.wall);
        if self.bug == Some(Bug::BelievesTheWallClock) {
            self.now = time.wall;
        }
        self.now
    }

    /// Decides an input; its frame waits for the next commit.
    pub(crate) fn decide(&mut self, input: Input, time: Time) -> Result<Answer, Rejection> {
        let now = self.tell_time(time);
        let decision = self.engine.decide(input, now)?;
        if !decision.records.is_empty() {
            let end = self.engine.state().next_offset.0;
            let parts = if self.bug == Some(Bug::SplitsABatch) { 1 } else { usize::MAX };
            for part in decision.records.chunks(parts) {
                let frame = records::encode(part, self.epoch)
                    .map_err(|error| Rejection::new(ErrorCode::Internal, error.to_string()))?;
                self.waiting.push(frame);
            }
            for logged in &decision.records {
                if let Some(effect) = effect_of(self.engine.state(), &logged.record) {
                    let at = if self.bug == Some(Bug::ActsBeforeItIsDurable) { 0 } else { end };
                    self.pending.push_back((at, Departure::Effect(effect)));
                }
            }
        }
        Ok(decision.answer)
    }

    /// Decides a request; its answer waits until it is durable, and so does a refusal, which tells
    /// of a state that may not be.
    pub(crate) fn request(&mut self, number: usize, input: Input, time: Time) {
        let answer = match self.decide(input, time) {
            Ok(answer) => Some(answer),
            // It may be there in a moment: the client goes on asking.
            Err(refused) if refused.code == ErrorCode::UnknownWorkflow => return,
            Err(_) => None,
        };
        let end = self.engine.state().next_offset.0;
        let at = if self.bug == Some(Bug::AnswersBeforeItIsDurable) { 0 } else { end };
        self.pending.push_back((at, Departure::Reply(number, answer)));
    }

    /// Writes and syncs what waits.
    ///
    /// # Errors
    /// The daemon ends; the log tells at the next start what is there.
    pub(crate) fn commit(&mut self) -> Result<(), String> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        if self.bug == Some(Bug::LosesTheLastOfABatch) && self.waiting.len() > 1 {
            self.waiting.pop();
        }
        let mut frames = std::mem::take(&mut self.waiting);
        self.durable = self.writer.append(&mut frames).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// What may leave by now.
    pub(crate) fn departures(&mut self) -> Vec<Departure> {
        let (durable, mut gone) = (self.durable, Vec::new());
        let mut kept = VecDeque::new();
        for (at, departure) in self.pending.drain(..) {
            if at <= durable {
                gone.push(departure);
            } else {
                kept.push_back((at, departure));
            }
        }
        self.pending = kept;
        gone
    }

    /// Looks after an attempt that it has launched, or of which its directory has to tell.
    pub(crate) fn watch(&mut self, id: AttemptId, recovered: bool) {
        let watch = Watch { recovered, before_reboot: false, told_started: false };
        self.watches.entry(id).or_insert(watch);
    }

    /// Whether all that it knows is durable.
    pub(crate) fn is_all_durable(&self) -> bool {
        self.waiting.is_empty() && self.engine.state().next_offset.0 == self.durable
    }

    /// Attempts that are looked after.
    pub(crate) fn watched(&self) -> Vec<AttemptId> {
        self.watches.keys().cloned().collect()
    }

    /// Looks at one attempt: what is new about it becomes an input.
    pub(crate) fn look_at(&mut self, id: &AttemptId, host: &mut Host, time: Time) {
        let Some(watch) = self.watches.get(id).copied() else { return };
        self.looks += 1;
        if self.bug == Some(Bug::TheWatcherDies) && self.looks > LOOKS_OF_A_WATCHER {
            return;
        }
        if !watch.recovered && host.is_released(id) && !watch.told_started {
            self.tell_started(id, time);
            return;
        }
        if !watch.recovered && !host.is_over(id) {
            return;
        }
        let outcome = match host.inspect(id) {
            Evidence::Running => {
                if host.is_released(id) && !watch.told_started {
                    self.tell_started(id, time);
                }
                return;
            }
            Evidence::Ended(outcome) if self.bug == Some(Bug::IgnoresTheExitCode) => {
                drop(outcome);
                Outcome::Exited { code: 0 }
            }
            Evidence::Ended(outcome) => outcome,
            Evidence::NeverStarted
                if watch.before_reboot && self.bug != Some(Bug::TrustsWhatWasNotSynced) =>
            {
                Outcome::Interrupted
            }
            Evidence::NeverStarted => Outcome::NeverStarted,
            Evidence::Interrupted => Outcome::Interrupted,
            Evidence::Lost if watch.recovered && self.bug == Some(Bug::AdoptsTheDead) => return,
            Evidence::Lost if self.bug == Some(Bug::TakesLostForNeverStarted) => {
                Outcome::NeverStarted
            }
            Evidence::Lost => Outcome::Unknown { reason: "its shim was gone".to_owned() },
        };
        self.record_end(id, outcome, time);
    }

    fn tell_started(&mut self, id: &AttemptId, time: Time) {
        if let Some(watch) = self.watches.get_mut(id) {
            watch.told_started = true;
        }
        let _ = self.decide(Input::AttemptStarted(id.clone(), 7), time);
    }

    /// Records an end: the truth, or what a planted bug takes for it. Now and then it is told
    /// twice, as by who cannot know what was told before.
    pub(crate) fn record_end(&mut self, id: &AttemptId, outcome: Outcome, time: Time) {
        self.watches.remove(id);
        let ended = Input::AttemptEnded(id.clone(), outcome, Usage::default());
        let times = if self.looks.is_multiple_of(8) { 2 } else { 1 };
        for _ in 0..times {
            // What the daemon tells itself is never refused.
            let _ = self.decide(ended.clone(), time);
        }
    }
}
