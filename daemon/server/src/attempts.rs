//! The processes of attempts: launched, adopted, stopped, and watched to their end.
//!
//! One task an attempt. What happens to it goes back to the loop as [`News`]; nothing is decided
//! here. Must never launch what has not been queued durably: the loop calls only after that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aiflow_core::LaunchPlan;
use aiflow_log::{DiskStorage, LogReader};
use aiflow_model::AttemptId;
use aiflow_model::record::{Outcome, Usage};
use aiflow_model::wire::EventView;
use aiflow_supervise::{
    BootId, Evidence, ForkServer, Launched, Report, ShimHandle, inspect, parse_report, read_outcome,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::failure::chain;
use crate::files::FileStore;
use crate::home::Home;
use crate::order::{Events, NotLaunched, Order};
use crate::readiness;
use crate::token::TokenKey;

/// Most launches at once: more would only wait for processors.
const LAUNCHES_MAX: usize = 4;
/// Pauses between looks at an attempt whose end cannot be told.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What happened to an attempt.
#[derive(Debug)]
pub(crate) enum News {
    /// Its process runs.
    Started(AttemptId, u32),
    /// It is over.
    Ended(AttemptId, Outcome, Usage),
}

/// All attempts that this daemon looks after.
#[derive(Debug)]
pub(crate) struct Attempts {
    home: Home,
    files: FileStore,
    boot_id: BootId,
    shims: Arc<ForkServer>,
    tokens: TokenKey,
    news: mpsc::UnboundedSender<News>,
    events: Arc<Mutex<LogReader<DiskStorage>>>,
    launches: Semaphore,
    /// For each attempt the way to ask for its end.
    stops: RefCell<BTreeMap<AttemptId, watch::Sender<bool>>>,
}

impl Attempts {
    pub(crate) fn new(
        home: Home,
        files: FileStore,
        boot_id: BootId,
        (shims, tokens): (ForkServer, TokenKey),
        storage: DiskStorage,
        news: mpsc::UnboundedSender<News>,
    ) -> Self {
        let events = Arc::new(Mutex::new(LogReader::new(storage)));
        let launches = Semaphore::new(LAUNCHES_MAX);
        let stops = RefCell::default();
        let shims = Arc::new(shims);
        Self { home, files, boot_id, shims, tokens, news, events, launches, stops }
    }

    /// Launches a queued attempt and looks after it. `known`: the events that fired it, when they
    /// are at hand.
    pub(crate) fn launch(
        self: &Rc<Self>,
        id: AttemptId,
        plan: LaunchPlan,
        known: Option<Vec<EventView>>,
    ) {
        let stop = self.register(&id, false);
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let order = this.order(&id, plan, known);
            let (outcome, usage) = this.launch_to_end(&id, order, stop).await;
            this.end(id, outcome, usage);
        });
    }

    /// Finds out what became of an attempt of an earlier daemon, and looks after it if it lives.
    pub(crate) fn recover(self: &Rc<Self>, id: AttemptId, stopping: bool, before_reboot: bool) {
        let stop = self.register(&id, stopping);
        let this = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let (outcome, usage) = match this.find_end(&id, stop).await {
                // What was not synced when the host went down proves nothing.
                (Outcome::NeverStarted, usage) if before_reboot => (Outcome::Interrupted, usage),
                end => end,
            };
            this.end(id, outcome, usage);
        });
    }

    /// Asks an attempt to end; asking again changes nothing.
    pub(crate) fn stop(&self, id: &AttemptId) {
        if let Some(stop) = self.stops.borrow().get(id) {
            stop.send_replace(true);
        }
    }

    fn register(&self, id: &AttemptId, stopping: bool) -> watch::Receiver<bool> {
        let (sender, receiver) = watch::channel(stopping);
        self.stops.borrow_mut().insert(id.clone(), sender);
        receiver
    }

    fn end(&self, id: AttemptId, outcome: Outcome, usage: Usage) {
        self.stops.borrow_mut().remove(&id);
        // The loop is gone only when the daemon is; the next one finds the same end.
        let _ = self.news.send(News::Ended(id, outcome, usage));
    }

    async fn launch_to_end(
        &self,
        id: &AttemptId,
        order: Order,
        stop: watch::Receiver<bool>,
    ) -> (Outcome, Usage) {
        if *stop.borrow() {
            return (Outcome::NeverStarted, Usage::default());
        }
        match self.carry_out(order).await {
            Ok(Launched { shim, report }) => {
                self.read_report(id, report).await;
                match wait_for_end(id, &shim, stop.clone()).await {
                    // What its own shim wrote is all the evidence there is, and reading it takes
                    // less than handing it to another thread.
                    Ok(()) => {
                        if let Ok(Some(exit)) = read_outcome(&self.home.attempt(id)) {
                            return translate(exit);
                        }
                    }
                    Err(reason) => {
                        tracing::warn!(%id, reason, "an attempt is looked for in its directory");
                    }
                }
            }
            Err(NotLaunched::Perhaps) => {}
            Err(NotLaunched::Failed(reason)) => {
                return (Outcome::SpawnFailed { reason }, Usage::default());
            }
        }
        self.find_end(id, stop).await
    }

    /// Only what may take long leaves the loop's thread: copying a run's files, and reading back
    /// events that are no longer at hand. The spawn itself takes less than handing it to another
    /// thread.
    async fn carry_out(&self, order: Order) -> Result<Launched, NotLaunched> {
        let is_own = order.plan.confinement.run_as.is_none();
        let has_placed = is_own && self.files.has_placed(order.id.execution.run);
        if order.events.is_at_hand() && has_placed {
            return order.carry_out();
        }
        let Ok(_permit) = self.launches.acquire().await else {
            return Err(NotLaunched::Failed("the daemon is going down".to_owned()));
        };
        let launched = tokio::task::spawn_blocking(move || order.carry_out()).await;
        launched.unwrap_or_else(|error| {
            // It may have gone far enough.
            tracing::error!(%error, "a launch broke off");
            Err(NotLaunched::Perhaps)
        })
    }

    fn order(&self, id: &AttemptId, plan: LaunchPlan, known: Option<Vec<EventView>>) -> Order {
        let events = match known {
            Some(events) => Events::AtHand(events),
            None => Events::InLog(Arc::clone(&self.events)),
        };
        Order {
            id: id.clone(),
            plan,
            home: self.home.clone(),
            files: self.files.clone(),
            shims: Arc::clone(&self.shims),
            tokens: self.tokens.clone(),
            events,
        }
    }

    /// Takes in the one line that the shim says when the task runs.
    async fn read_report(&self, id: &AttemptId, report: OwnedFd) {
        let line = match read_line(report).await {
            Ok(line) => line,
            Err(error) => {
                tracing::warn!(%id, %error, "the shim's report cannot be read");
                return;
            }
        };
        match parse_report(&line) {
            Ok(Report::Released(process)) => {
                let _ = self.news.send(News::Started(id.clone(), process.pid));
            }
            // The end says more, and comes at once.
            Ok(Report::Refused { .. } | Report::Failed { .. }) | Err(_) => {
                tracing::warn!(%id, line, "the task was not started");
            }
        }
    }

    /// Looks until there is evidence of how the attempt ended. While there is none, whatever the
    /// reason, it is not taken as ended: something of it may still run.
    async fn find_end(&self, id: &AttemptId, stop: watch::Receiver<bool>) -> (Outcome, Usage) {
        let mut pause = PAUSE_MIN;
        loop {
            let evidence = self.inspect(id).await;
            let looked = match evidence {
                Ok(Evidence::Running { shim, released }) => {
                    if let Some(released) = released {
                        let _ = self.news.send(News::Started(id.clone(), released.process.pid));
                    }
                    wait_for_end(id, &shim, stop.clone()).await
                }
                Ok(Evidence::Ended(exit)) => return translate(exit),
                Ok(Evidence::NeverStarted) => return (Outcome::NeverStarted, Usage::default()),
                Ok(Evidence::Interrupted) => return (Outcome::Interrupted, Usage::default()),
                Ok(Evidence::Lost { killed }) => {
                    let reason =
                        format!("its shim was gone; processes of it that were killed: {killed}");
                    return (Outcome::Unknown { reason }, Usage::default());
                }
                Err(reason) => Err(reason),
            };
            if let Err(reason) = looked {
                tracing::error!(%id, reason, "what became of an attempt cannot be told yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }

    async fn inspect(&self, id: &AttemptId) -> Result<Evidence, String> {
        let (directory, boot_id) = (self.home.attempt(id), self.boot_id.clone());
        let (parent, attempt) = (self.home.attempts(id.execution.run), id.to_string());
        let inspected = tokio::task::spawn_blocking(move || {
            // A daemon that died before it made any directory left none to inspect in.
            std::fs::create_dir_all(&parent).map_err(|error| error.to_string())?;
            inspect(&directory, &attempt, &boot_id).map_err(|error| chain(&error))
        });
        inspected.await.unwrap_or_else(|error| Err(format!("the inspection broke off: {error}")))
    }
}

/// Returns when the shim has ended and is reaped, passing on a request to stop.
///
/// # Errors
/// Why it cannot be waited for.
async fn wait_for_end(
    id: &AttemptId,
    shim: &ShimHandle,
    mut stop: watch::Receiver<bool>,
) -> Result<(), String> {
    let ended = shim.as_fd().try_clone_to_owned().and_then(readiness::watch);
    let ended = ended.map_err(|error| format!("its shim cannot be watched: {error}"))?;
    let mut told = false;
    loop {
        if *stop.borrow_and_update() && !told {
            told = true;
            if let Err(error) = shim.stop() {
                tracing::warn!(%id, %error, "a shim cannot be told to stop");
            }
        }
        tokio::select! {
            readable = ended.readable() => {
                readable.map_err(|error| format!("its shim cannot be watched: {error}"))?;
                return shim.reap().map_err(|error| format!("its shim cannot be reaped: {error}"));
            }
            changed = stop.changed() => if changed.is_err() {
                // The daemon goes down; the shim stays.
                std::future::pending::<()>().await;
            },
        }
    }
}

async fn read_line(report: OwnedFd) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(readiness::watch(report)?).read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

fn translate(exit: aiflow_supervise::Exit) -> (Outcome, Usage) {
    let usage = Usage {
        rss_bytes_max: exit.max_rss_bytes,
        cpu_us: exit.user_cpu_micros.saturating_add(exit.system_cpu_micros),
    };
    let outcome = match exit.outcome {
        aiflow_supervise::Outcome::Exited { code } => Outcome::Exited { code },
        aiflow_supervise::Outcome::Signaled { signal } => Outcome::Signaled { signal },
        aiflow_supervise::Outcome::SpawnFailed { message, .. } => {
            Outcome::SpawnFailed { reason: message }
        }
    };
    (outcome, usage)
}
