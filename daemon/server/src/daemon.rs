//! The loop: one writer over one closed set of inputs.
//!
//! Each input is decided, its records go to the log, and what follows from them (replies, effects,
//! published records) waits until they are durable. While one commit syncs, the next inputs are
//! decided. Must never wait for anything but its inputs.

use std::rc::Rc;
use std::sync::Arc;

use aiflow_core::{Decision, Effect, Engine, Input, effect_of, launch_plan, outstanding};
use aiflow_log::{CommitOutcome, Committer, DiskStorage, LogWriter, Space};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::record::TrimReason;
use aiflow_model::time::Span;
use aiflow_model::wire::{Call, Queues};
use aiflow_model::{Timestamp, exit_code};
use aiflow_supervise::{BootId, ForkServer};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::attempts::{Attempts, News};
use crate::clock::Clock;
use crate::connection::{Gate, Reply};
use crate::event_index::{self, EventIndex};
use crate::failure::Failure;
use crate::files::FileStore;
use crate::history::{History, Place};
use crate::home::Home;
use crate::hosts::{Heard, Hosts};
use crate::meters::Meters;
use crate::parked::{Asking, Purpose};
use crate::pending::{Departure, Pending};
use crate::question::Questions;
use crate::recent::RecentEvents;
use crate::retention::Trim;
use crate::snapshots::Snapshots;
use crate::sweep::{Leftover, Sweeper};
use crate::token::TokenKey;
use crate::{follow, records, retention, socket, spool, sweep};

/// Requests that wait for the loop. With fewer, connections spend their time waiting for a place: a
/// quarter of it made healthy clients of the flood trial wait ten times as long.
const REQUESTS_MAX: usize = 1024;
/// Requests decided before the loop looks at anything else.
const REQUESTS_PER_TURN: usize = 256;
/// Bytes on their way to the disk beyond which no request is taken.
const UNCOMMITTED_BYTES_MAX: u64 = 64 << 20;
/// Replies that may be unwritten: those of every connection, so that none waits for another's
/// client.
const UNWRITTEN_MAX: u32 =
    socket::CONNECTIONS_MAX as u32 * crate::connection::UNANSWERED_MAX as u32;
/// Longest sleep while something is due later, so that a wall clock set forward is noticed.
const SLEEP_MAX: std::time::Duration = std::time::Duration::from_secs(60);

/// All that the loop holds.
pub(crate) struct Daemon {
    pub(crate) home: Home,
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    pub(crate) epoch: u64,
    pub(crate) started_at: Timestamp,
    pub(crate) meters: Meters,
    pub(crate) space: Space,
    pub(crate) storage: DiskStorage,
    pub(crate) index: EventIndex,
    /// End of what the index was last told to take in.
    index_asked: u64,
    snapshots: Snapshots,
    sweeper: Sweeper,
    pub(crate) durable: watch::Sender<u64>,
    pub(crate) subscriptions: u64,
    pub(crate) stopping: bool,
    committer: Committer,
    pending: Pending,
    pub(crate) questions: Questions,
    pub(crate) history: History,
    recent: RecentEvents,
    attempts: Rc<Attempts>,
    pub(crate) tokens: TokenKey,
    gate: Option<Rc<Gate>>,
    unwritten: Arc<Semaphore>,
    pub(crate) asking: Asking,
    inputs: Inputs,
}

/// What looks after what is kept on the disk.
pub(crate) struct Upkeep {
    pub(crate) snapshots: Snapshots,
    pub(crate) trims: mpsc::UnboundedReceiver<Trim>,
    pub(crate) keep_output: Span,
    pub(crate) places: Vec<Place>,
}

/// Where inputs come from.
struct Inputs {
    requests: mpsc::Receiver<(Call, Reply)>,
    news: mpsc::UnboundedReceiver<News>,
    trims: mpsc::UnboundedReceiver<Trim>,
    leftovers: mpsc::Receiver<Vec<Leftover>>,
    heard: mpsc::UnboundedReceiver<Heard>,
    outcomes: mpsc::UnboundedReceiver<CommitOutcome>,
}

/// One turn's input.
enum Turn {
    Request(Call, Reply),
    News(News),
    Outcome(CommitOutcome),
    Trim(Trim),
    Leftovers(Vec<Leftover>),
    Heard(Heard),
    Deadline,
    Signal,
}

impl Daemon {
    pub(crate) fn new(
        home: Home,
        engine: Engine,
        writer: LogWriter<DiskStorage>,
        clock: Clock,
        epoch: u64,
        boot_id: BootId,
        Upkeep { snapshots, trims, keep_output, places }: Upkeep,
    ) -> Result<Self, Failure> {
        let (durable, _) = watch::channel(writer.next_offset());
        let space = writer.space();
        let (outcome_sender, outcomes) = mpsc::unbounded_channel();
        let committer = Committer::spawn(writer, move |outcome| {
            // The loop ends only after the committer.
            let _ = outcome_sender.send(outcome);
        })
        .map_err(|error| {
            Failure::new(exit_code::OPERATING, "cannot start the log's thread").because(error)
        })?;
        let storage = home.open_log()?;
        let index = EventIndex::new(storage.clone()).map_err(|error| {
            Failure::new(exit_code::OPERATING, "cannot read the log").because(error)
        })?;
        let (request_sender, requests) = mpsc::channel(REQUESTS_MAX);
        let (news_sender, news) = mpsc::unbounded_channel();
        let files = FileStore::new(&home);
        let unwritten = Arc::new(Semaphore::new(UNWRITTEN_MAX as usize));
        let gate = Gate {
            requests: request_sender,
            files: files.clone(),
            unwritten: Arc::clone(&unwritten),
            outboxes: Arc::default(),
        };
        let (heard_sender, heard) = mpsc::unbounded_channel();
        let hosts = Hosts::new(home.clone(), files.clone(), heard_sender);
        let tokens = TokenKey::open(&home.token_key())?;
        let launching = (shims(&home)?, tokens.clone());
        let attempts =
            Attempts::new(home.clone(), files, boot_id, launching, storage.clone(), news_sender);
        // One batch at a time: who looks the disk through waits for the loop.
        let (leftover_sender, leftovers) = mpsc::channel(1);
        let sweeper = Sweeper::new(home.clone(), keep_output, leftover_sender);
        let history = History::follow(&places, &home.history(), &storage, &durable);
        let history = history.map_err(|error| {
            Failure::new(exit_code::OPERATING, "cannot start the history's thread").because(error)
        })?;
        let started_at = clock.now();
        Ok(Self {
            home,
            engine,
            clock,
            epoch,
            started_at,
            meters: Meters::default(),
            space,
            storage,
            index,
            index_asked: 0,
            snapshots,
            sweeper,
            durable,
            subscriptions: 0,
            stopping: false,
            committer,
            pending: Pending::default(),
            questions: Questions::default(),
            history,
            recent: RecentEvents::default(),
            attempts: Rc::new(attempts),
            tokens,
            gate: Some(Rc::new(gate)),
            unwritten,
            asking: Asking::new(hosts),
            inputs: Inputs { requests, news, trims, leftovers, heard, outcomes },
        })
    }

    /// Serves until asked to stop. `first` is the decision that this daemon has started.
    pub(crate) async fn serve(mut self, first: Decision) -> Result<(), Failure> {
        let failed =
            |error| Failure::new(exit_code::OPERATING, "cannot listen to signals").because(error);
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        self.log(&first)?;
        let unfinished = outstanding(self.engine.state());
        // Nobody is served, and nothing of an earlier daemon is touched, before the epoch is
        // durable.
        while *self.durable.borrow() < self.engine.state().next_offset.0 {
            let Some(outcome) = self.inputs.outcomes.recv().await else { break };
            self.committed(outcome)?;
        }
        for (id, stopping) in unfinished {
            let before_reboot =
                self.engine.state().attempt(&id).is_some_and(|attempt| attempt.before_reboot);
            self.attempts.recover(id, stopping, before_reboot);
        }
        self.open_gate()?;
        self.catch_up_index();
        let now = self.clock.now();
        self.snapshots.advance(*self.durable.borrow(), now);
        // What was decided and not done when the last daemon ended.
        retention::drop_log(self.storage.clone(), self.engine.state().first_offset.0);
        self.sweeper.start();
        while !self.stopping {
            let turn = tokio::select! {
                turn = self.next_turn() => turn,
                _ = terminate.recv() => Turn::Signal,
                _ = interrupt.recv() => Turn::Signal,
            };
            self.take(turn)?;
            for _ in 0..REQUESTS_PER_TURN {
                if self.is_congested() {
                    break;
                }
                let Ok((call, reply)) = self.inputs.requests.try_recv() else { break };
                self.take(Turn::Request(call, reply))?;
            }
        }
        self.shut_down().await
    }

    fn open_gate(&mut self) -> Result<(), Failure> {
        let Some(gate) = &self.gate else { return Ok(()) };
        let path = self.home.socket();
        let listener = socket::bind(&path)?;
        tokio::task::spawn_local(socket::accept(listener, Rc::clone(gate)));
        tokio::task::spawn_local(spool::drain(self.home.spool(), Rc::clone(gate)));
        announce(&path);
        Ok(())
    }

    async fn next_turn(&mut self) -> Turn {
        let is_congested = self.is_congested();
        let due = self.engine.next_deadline().filter(|_| !self.asking.holds_tick());
        let sleep = due.map(|due| self.time_until(due));
        if sleep.is_some_and(|sleep| sleep.is_zero()) {
            // What is due comes before requests, so that no flood of them holds it up; and
            // connections get their turn in between, so that no flood of it holds them up.
            tokio::task::yield_now().await;
            return self.inputs.outcomes.try_recv().map_or(Turn::Deadline, Turn::Outcome);
        }
        let is_due = tokio::time::sleep(sleep.unwrap_or_default());
        let inputs = &mut self.inputs;
        tokio::select! {
            biased;
            Some(outcome) = inputs.outcomes.recv() => Turn::Outcome(outcome),
            Some(news) = inputs.news.recv() => Turn::News(news),
            Some(trim) = inputs.trims.recv() => Turn::Trim(trim),
            Some(found) = inputs.leftovers.recv() => Turn::Leftovers(found),
            Some(heard) = inputs.heard.recv() => Turn::Heard(heard),
            Some((call, reply)) = inputs.requests.recv(), if !is_congested => {
                Turn::Request(call, reply)
            }
            () = is_due, if sleep.is_some() => Turn::Deadline,
        }
    }

    /// What waits.
    pub(crate) fn queues(&self) -> Queues {
        Queues {
            requests: self.inputs.requests.len(),
            attempts: self.inputs.news.len(),
            departures: self.pending.len(),
            uncommitted_bytes: self.committer.queued_bytes(),
            unread: (UNWRITTEN_MAX as usize).saturating_sub(self.unwritten.available_permits()),
        }
    }

    fn is_congested(&self) -> bool {
        self.committer.queued_bytes() > UNCOMMITTED_BYTES_MAX || self.asking.is_congested()
    }

    fn time_until(&self, due: Timestamp) -> std::time::Duration {
        // Rounded up, so that the sleep never ends just before the time.
        let wait = due.since(self.clock.now()).to_std();
        (wait + std::time::Duration::from_millis(u64::from(!wait.is_zero()))).min(SLEEP_MAX)
    }

    fn take(&mut self, turn: Turn) -> Result<(), Failure> {
        match turn {
            Turn::Request(call, reply) => self.request(call, reply),
            Turn::News(News::Started(id, pid)) => self.take_in_news(Input::AttemptStarted(id, pid)),
            Turn::News(News::Ended(id, outcome, usage)) => {
                self.sweeper.attempt_ended();
                self.take_in_news(Input::AttemptEnded(id, outcome, usage))
            }
            Turn::Outcome(outcome) => self.committed(outcome),
            Turn::Trim(trim) => self.trim(trim),
            Turn::Leftovers(found) => {
                // Judged before it is held: a later state may tell of ends that are not durable.
                let now = self.clock.now();
                let directories = self.sweeper.judge(self.engine.state(), now, &found);
                if !directories.is_empty() {
                    self.hold(Departure::ClearAway(directories));
                }
                Ok(())
            }
            Turn::Heard(heard) => self.heard(heard),
            Turn::Deadline => self.take_in_news(Input::Tick),
            Turn::Signal => {
                self.stopping = true;
                Ok(())
            }
        }
    }

    fn take_in_news(&mut self, input: Input) -> Result<(), Failure> {
        self.take_in(input, Purpose::News)
    }

    fn trim(&mut self, Trim { before, reason }: Trim) -> Result<(), Failure> {
        if reason == TrimReason::Retention
            && let Some((needed, by)) = self.engine.state().oldest_needed()
            && needed < before
        {
            tracing::warn!(%needed, %by, "old records are kept: one may still be asked for");
        }
        self.take_in_news(Input::TrimLog(before, reason))
    }

    /// New work is refused while the disk is short of room.
    pub(crate) fn check_room(&self, input: &Input) -> Result<(), Rejection> {
        let Space::Low { kind } = self.space else { return Ok(()) };
        if !input.is_new_work() {
            return Ok(());
        }
        let message = format!("the disk has no room for new work: {kind}; nothing was done");
        let hint = format!("free some space: df -h {}", self.home.root().display());
        Err(Rejection::new(ErrorCode::DiskFull, message).hint(hint))
    }

    /// Answers once everything that the state shows now is durable.
    pub(crate) fn answer(&mut self, reply: Reply, result: Result<String, Rejection>) {
        match result {
            Ok(result) => self.hold(Departure::Reply(reply, result)),
            Err(rejection) => reply.refuse(rejection),
        }
    }

    /// Lets a departure go when all that was decided so far is durable.
    pub(crate) fn hold(&mut self, departure: Departure) {
        self.pending.hold(self.engine.state().next_offset.0, departure);
        self.release();
    }

    pub(crate) fn log(&mut self, decision: &Decision) -> Result<(), Failure> {
        if decision.records.is_empty() {
            return Ok(());
        }
        let failed = |what: String| Failure::new(exit_code::OPERATING, what);
        let frame = records::encode(&decision.records, self.epoch)
            .map_err(|error| failed(format!("a batch cannot be encoded: {error}")))?;
        let end = frame.end();
        self.committer
            .submit(frame)
            .map_err(|error| failed("the log is closed".to_owned()).because(error))?;
        self.recent.note(&decision.records);
        for logged in &decision.records {
            if let Some(effect) = effect_of(self.engine.state(), &logged.record) {
                self.pending.hold(end, Departure::Effect(effect));
            }
        }
        Ok(())
    }

    fn committed(&mut self, outcome: CommitOutcome) -> Result<(), Failure> {
        match outcome {
            CommitOutcome::Durable { end, frames, space, took } => {
                if !frames.is_empty() {
                    self.meters.committed(&frames, took);
                }
                if space != self.space {
                    tracing::warn!(?space, "the room on the disk has changed");
                    self.space = space;
                }
                self.durable.send_replace(end);
                if end >= self.index_asked + event_index::STEP {
                    self.catch_up_index();
                }
                self.snapshots.advance(end, self.clock.now());
                self.release();
                Ok(())
            }
            CommitOutcome::Failed(error) => {
                // What was not acknowledged is told by the log when it is opened again.
                Err(Failure::new(
                    exit_code::OPERATING,
                    "the log cannot be written; the daemon ends",
                )
                .because(error)
                .hint("look at the disk, then start the daemon again: it re-reads the log"))
            }
        }
    }

    fn catch_up_index(&mut self) {
        self.index_asked = *self.durable.borrow();
        self.index.catch_up(self.index_asked);
    }

    fn release(&mut self) {
        let durable = *self.durable.borrow();
        while let Some(departure) = self.pending.release(durable) {
            match departure {
                Departure::Reply(reply, result) => reply.result(&result),
                Departure::Question(question) => self.questions.ask(question),
                Departure::Follow(reply, subscription) => {
                    let notifications = reply.notifications();
                    reply.result(&subscription.reply);
                    let Some(notifications) = notifications else { continue };
                    let (storage, durable) = (self.storage.clone(), self.durable.subscribe());
                    let index = self.index.clone();
                    let follower =
                        follow::follow(storage, index, subscription, durable, notifications);
                    tokio::task::spawn_local(follower);
                }
                Departure::Effect(Effect::Launch(id)) => {
                    match launch_plan(self.engine.state(), &id) {
                        Some(plan) => {
                            let known = self.recent.find(&plan.events);
                            self.attempts.launch(id, plan, known);
                        }
                        None => tracing::error!(%id, "there is no such attempt to launch"),
                    }
                }
                Departure::Effect(Effect::Stop(id)) => self.attempts.stop(&id),
                Departure::ClearAway(directories) => sweep::clear_away(directories),
                Departure::Effect(Effect::ClearAway) => self.sweeper.start(),
                Departure::Effect(Effect::DropLog(before)) => {
                    retention::drop_log(self.storage.clone(), before.0);
                }
            }
        }
    }

    /// Commits what was decided, answers it, and goes. Tasks go on.
    async fn shut_down(mut self) -> Result<(), Failure> {
        tracing::info!("going down; tasks go on");
        self.gate = None;
        self.refuse_waiting();
        self.inputs.requests.close();
        while *self.durable.borrow() < self.engine.state().next_offset.0 {
            let Some(outcome) = self.inputs.outcomes.recv().await else { break };
            self.committed(outcome)?;
        }
        while let Ok((_, reply)) = self.inputs.requests.try_recv() {
            let message = "the daemon is going down; nothing was done";
            reply.refuse(Rejection::new(ErrorCode::ShuttingDown, message));
        }
        let written = self.unwritten.acquire_many(UNWRITTEN_MAX);
        if tokio::time::timeout(std::time::Duration::from_secs(1), written).await.is_err() {
            tracing::warn!("some replies were not read by their clients");
        }
        if let Err(error) = std::fs::remove_file(self.home.socket()) {
            tracing::warn!(%error, "cannot remove the socket");
        }
        Ok(())
    }
}

/// Shims are forked from a program that stands beside the daemon.
fn shims(home: &Home) -> Result<ForkServer, Failure> {
    let own = std::env::current_exe().map_err(|error| {
        Failure::new(exit_code::OPERATING, "cannot find the daemon's own program").because(error)
    })?;
    let environment = vec![("AIFLOW_HOME".into(), home.root().into())];
    ForkServer::start(own.with_file_name("aiflow-shim"), environment).map_err(|error| {
        let what = format!("cannot start the program aiflow-shim beside {}", own.display());
        Failure::new(exit_code::OPERATING, what).because(error).hint(
            "cargo build --release --workspace --bins, or install all three programs together",
        )
    })
}

fn announce(path: &std::path::Path) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    // Whoever started the daemon may have gone; that is no reason to go as well.
    let _ = writeln!(stdout, "ready {}", path.display()).and_then(|()| stdout.flush());
}
