//! The processes of attempts: launched, adopted, stopped, and watched to their end.
//!
//! One task an attempt. What happens to it goes back to the loop as [`News`]; nothing is decided
//! here. Must never launch what has not been queued durably: the loop calls only after that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use aiflow_core::LaunchPlan;
use aiflow_log::{DiskStorage, LogReader};
use aiflow_model::record::{Outcome, Record, Usage};
use aiflow_model::wire::EventView;
use aiflow_model::{AttemptId, Offset};
use aiflow_supervise::{
    BootId, Evidence, Launch, LaunchError, Launched, Report, ShimHandle, inspect, launch,
    parse_report,
};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::environment;
use crate::failure::chain;
use crate::files::FileStore;
use crate::home::Home;
use crate::{readiness, records};

/// Most launches at once: more would only wait for processors.
const LAUNCHES_MAX: usize = 4;
/// Output kept of an attempt: so many files of so many bytes.
const LOG_BYTES_MAX: u64 = 16 << 20;
const LOG_FILES_MAX: u32 = 4;
/// `AIFLOW_EVENT` longer than this goes to a file: the kernel takes 128 KiB a variable.
const EVENT_VARIABLE_BYTES_MAX: usize = 32 << 10;

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
    shim: PathBuf,
    news: mpsc::UnboundedSender<News>,
    events: Arc<Mutex<LogReader<DiskStorage>>>,
    launches: Semaphore,
    /// For each attempt the way to ask for its end.
    stops: RefCell<BTreeMap<AttemptId, watch::Sender<bool>>>,
}

/// An attempt that could not be launched.
enum NotLaunched {
    /// It was before: its directory tells what became of it.
    Before,
    /// Nothing of it ran.
    Failed(String),
}

impl Attempts {
    pub(crate) fn new(
        home: Home,
        files: FileStore,
        boot_id: BootId,
        shim: PathBuf,
        storage: DiskStorage,
        news: mpsc::UnboundedSender<News>,
    ) -> Self {
        let events = Arc::new(Mutex::new(LogReader::new(storage)));
        let launches = Semaphore::new(LAUNCHES_MAX);
        Self { home, files, boot_id, shim, news, events, launches, stops: RefCell::default() }
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
        let failed = |reason| (Outcome::SpawnFailed { reason }, Usage::default());
        let launched = match self.carry_out(order).await {
            Ok(launched) => launched,
            Err(reason) => return failed(reason),
        };
        match launched {
            Ok(Launched { shim, report }) => {
                self.read_report(id, report).await;
                self.watch(id, shim, stop).await
            }
            Err(NotLaunched::Before) => self.find_end(id, stop).await,
            Err(NotLaunched::Failed(reason)) => failed(reason),
        }
    }

    /// Only what may take long leaves the loop's thread: copying a run's files, and reading back
    /// events that are no longer at hand. The spawn itself takes less than handing it to another
    /// thread.
    async fn carry_out(&self, order: Order) -> Result<Result<Launched, NotLaunched>, String> {
        if order.events.is_at_hand() && self.files.has_placed(order.id.execution.run) {
            return Ok(order.carry_out());
        }
        let Ok(_permit) = self.launches.acquire().await else {
            return Err("the daemon is going down".to_owned());
        };
        let launched = tokio::task::spawn_blocking(move || order.carry_out()).await;
        launched.map_err(|error| format!("the launch broke off: {error}"))
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
            shim: self.shim.clone(),
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

    /// Waits for the shim's end, passing on a request to stop; then tells how the attempt ended.
    async fn watch(
        &self,
        id: &AttemptId,
        shim: ShimHandle,
        stop: watch::Receiver<bool>,
    ) -> (Outcome, Usage) {
        let shim = wait_for_end(id, shim, stop.clone()).await;
        if let Some(shim) = shim
            && let Err(error) = shim.reap()
        {
            tracing::warn!(%id, %error, "a shim cannot be reaped");
        }
        Box::pin(self.find_end(id, stop)).await
    }

    async fn find_end(&self, id: &AttemptId, stop: watch::Receiver<bool>) -> (Outcome, Usage) {
        let unknown = |reason| (Outcome::Unknown { reason }, Usage::default());
        let (directory, boot_id) = (self.home.attempt(id), self.boot_id.clone());
        let (parent, attempt) = (self.home.attempts(id.execution.run), id.to_string());
        let inspected = tokio::task::spawn_blocking(move || {
            // A daemon that died before it made any directory left none to inspect in.
            let made = std::fs::create_dir_all(&parent);
            made.map_err(|error| error.to_string())?;
            inspect(&directory, &attempt, &boot_id).map_err(|error| chain(&error))
        });
        match inspected.await {
            Ok(Ok(Evidence::Running { shim, released })) => {
                if let Some(released) = released {
                    let _ = self.news.send(News::Started(id.clone(), released.process.pid));
                }
                self.watch(id, shim, stop).await
            }
            Ok(Ok(Evidence::Ended(exit))) => translate(exit),
            Ok(Ok(Evidence::NeverStarted)) => (Outcome::NeverStarted, Usage::default()),
            Ok(Ok(Evidence::Interrupted)) => (Outcome::Interrupted, Usage::default()),
            Ok(Ok(Evidence::Lost { killed })) => {
                unknown(format!("its shim was gone; {killed} processes of it were killed"))
            }
            Ok(Err(reason)) => unknown(format!("its directory cannot be judged: {reason}")),
            Err(error) => unknown(format!("the inspection broke off: {error}")),
        }
    }
}

/// Returns the shim when it has ended; none when it cannot be waited for.
async fn wait_for_end(
    id: &AttemptId,
    shim: ShimHandle,
    mut stop: watch::Receiver<bool>,
) -> Option<ShimHandle> {
    let ended = shim.as_fd().try_clone_to_owned().and_then(readiness::watch);
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            tracing::error!(%id, %error, "a shim cannot be watched");
            return None;
        }
    };
    let mut told = false;
    loop {
        if *stop.borrow_and_update() && !told {
            told = true;
            if let Err(error) = shim.stop() {
                tracing::warn!(%id, %error, "a shim cannot be told to stop");
            }
        }
        tokio::select! {
            _ = ended.readable() => return Some(shim),
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

/// All that a launch needs, to be carried out where it may block.
struct Order {
    id: AttemptId,
    plan: LaunchPlan,
    home: Home,
    files: FileStore,
    shim: PathBuf,
    events: Events,
}

/// The events that fired an attempt.
enum Events {
    /// All of them.
    AtHand(Vec<EventView>),
    /// To be read back by their offsets.
    InLog(Arc<Mutex<LogReader<DiskStorage>>>),
}

impl Events {
    fn is_at_hand(&self) -> bool {
        matches!(self, Self::AtHand(_))
    }
}

impl Order {
    fn carry_out(mut self) -> Result<Launched, NotLaunched> {
        let run = self.id.execution.run;
        self.files.place(&self.home, run, &self.plan.snapshot.files).map_err(|error| {
            NotLaunched::Failed(format!("the files of run {run} cannot be placed: {error}"))
        })?;
        let mut environment = environment::of_host(&self.home);
        environment.extend(self.event_variable()?);
        let own = std::mem::take(&mut self.plan.environment).into_iter();
        environment.extend(own.map(|(name, value)| (name.into(), value.into())));
        let mut words = std::mem::take(&mut self.plan.command).into_iter().map(OsString::from);
        let order = Launch {
            shim: self.shim,
            directory: self.home.attempt(&self.id),
            attempt: self.id.to_string(),
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            environment,
            working_directory: self.home.work(run),
            grace: self.plan.grace.to_std(),
            log_bytes_max: LOG_BYTES_MAX,
            log_files_max: LOG_FILES_MAX,
        };
        launch(&order).map_err(|error| match error {
            LaunchError::AlreadyClaimed { .. } | LaunchError::Handle { .. } => NotLaunched::Before,
            LaunchError::Directory(_)
            | LaunchError::Invalid { .. }
            | LaunchError::WorkingDirectory { .. }
            | LaunchError::Spawn { .. } => NotLaunched::Failed(chain(&error)),
        })
    }

    /// `AIFLOW_EVENT`, or `AIFLOW_EVENT_FILE` when the events are large.
    fn event_variable(&self) -> Result<Vec<(OsString, OsString)>, NotLaunched> {
        if self.plan.events.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |reason: String| {
            NotLaunched::Failed(format!("the events that fired the task are not at hand: {reason}"))
        };
        let read;
        let events = match &self.events {
            Events::AtHand(events) => events,
            Events::InLog(reader) => {
                read = read_events(reader, &self.plan.events).map_err(failed)?;
                &read
            }
        };
        let text = serde_json::to_string(events).map_err(|error| failed(error.to_string()))?;
        if text.len() <= EVENT_VARIABLE_BYTES_MAX {
            return Ok(vec![("AIFLOW_EVENT".into(), text.into())]);
        }
        let mut path = self.home.attempt(&self.id).into_os_string();
        path.push(".events.json");
        std::fs::write(&path, text).map_err(|error| failed(error.to_string()))?;
        Ok(vec![("AIFLOW_EVENT_FILE".into(), path)])
    }
}

fn read_events(
    reader: &Mutex<LogReader<DiskStorage>>,
    offsets: &[Offset],
) -> Result<Vec<EventView>, String> {
    let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
    let mut events = Vec::new();
    for Offset(offset) in offsets {
        let mut batches = reader.read(*offset, offset + 1).map_err(|error| chain(&error))?;
        let batch = batches.next_batch().map_err(|error| chain(&error))?;
        let record = batch.and_then(|batch| batch.records().next());
        let Some(record) = record else { return Err(format!("no record {offset}")) };
        let logged = records::decode(&record).map_err(|error| error.to_string())?;
        if let Record::EventEmitted(event) = &logged.record {
            events.push(EventView::of(event, logged.offset, logged.time));
        }
    }
    Ok(events)
}
