//! The order to launch one attempt: everything that the spawn needs, and the spawn itself.
//!
//! Must never decide whether an attempt may be launched: whoever gives the order has.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use aiflow_core::LaunchPlan;
use aiflow_log::{DiskStorage, LogReader};
use aiflow_model::record::Record;
use aiflow_model::spec;
use aiflow_model::wire::EventView;
use aiflow_model::{AttemptId, Offset};
use aiflow_supervise::{
    Confinement, ForkServer, Launch, LaunchError, Launched, Limit, User, launch,
};

use crate::environment;
use crate::failure::chain;
use crate::files::FileStore;
use crate::home::Home;
use crate::records;
use crate::token::TokenKey;

/// Output kept of an attempt whose definition does not say how much.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;
/// The files that it is kept in.
const LOG_FILES_MAX: u32 = 4;
/// `AIFLOW_EVENT` longer than this goes to a file: the kernel takes 128 KiB a variable.
const EVENT_VARIABLE_BYTES_MAX: usize = 32 << 10;

/// An attempt that could not be launched.
pub(crate) enum NotLaunched {
    /// It was before, or may have been now: its directory tells what became of it.
    Perhaps,
    /// Nothing of it ran.
    Failed(String),
}

/// All that a launch needs, to be carried out where it may block.
pub(crate) struct Order {
    pub(crate) id: AttemptId,
    pub(crate) plan: LaunchPlan,
    pub(crate) home: Home,
    pub(crate) files: FileStore,
    pub(crate) shims: Arc<ForkServer>,
    pub(crate) tokens: TokenKey,
    pub(crate) events: Events,
}

/// The events that fired an attempt.
pub(crate) enum Events {
    /// All of them.
    AtHand(Vec<EventView>),
    /// To be read back by their offsets.
    InLog(Arc<Mutex<LogReader<DiskStorage>>>),
}

impl Events {
    pub(crate) fn is_at_hand(&self) -> bool {
        matches!(self, Self::AtHand(_))
    }
}

impl Order {
    /// Carries it out; may block.
    pub(crate) fn carry_out(mut self) -> Result<Launched, NotLaunched> {
        let run = self.id.execution.run;
        let confinement = confine(&self.plan.confinement).map_err(NotLaunched::Failed)?;
        let user = confinement.user.as_ref();
        let placed = self.files.place(&self.home, run, user, &self.plan.snapshot.files);
        placed.map_err(|error| {
            NotLaunched::Failed(format!("the files of run {run} cannot be placed: {error}"))
        })?;
        let unenforced = confinement.unenforced();
        if !unenforced.is_empty() {
            let names: Vec<&str> = unenforced.into_iter().map(Limit::name).collect();
            tracing::warn!(id = %self.id, limits = names.join(", "), "limits are not enforced on root");
        }
        let mut environment = environment::of_host(&self.home, user);
        environment.push(("AIFLOW_TOKEN".into(), self.tokens.token(&self.id).into()));
        environment.extend(self.event_variable()?);
        let own = std::mem::take(&mut self.plan.environment).into_iter();
        environment.extend(own.map(|(name, value)| (name.into(), value.into())));
        let output_bytes = self.plan.confinement.limits.output.unwrap_or(OUTPUT_BYTES_MAX);
        let mut words = std::mem::take(&mut self.plan.command).into_iter().map(OsString::from);
        let order = Launch {
            directory: self.home.attempt(&self.id),
            attempt: self.id.to_string(),
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            environment,
            working_directory: self.home.work(run, user.map(|user| user.uid)),
            grace: self.plan.grace.to_std(),
            log_bytes_max: output_bytes / u64::from(LOG_FILES_MAX),
            log_files_max: LOG_FILES_MAX,
            confinement,
        };
        launch(&self.shims, &order).map_err(|error| match error {
            LaunchError::AlreadyClaimed { .. } | LaunchError::Unknown { .. } => {
                NotLaunched::Perhaps
            }
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
        if self.plan.does_item {
            return Ok(Vec::new());
        }
        let mut path = self.home.attempt(&self.id).into_os_string();
        path.push(".events.json");
        std::fs::write(&path, text).map_err(|error| failed(error.to_string()))?;
        Ok(vec![("AIFLOW_EVENT_FILE".into(), path)])
    }
}

/// What the definition says, in terms of this host.
fn confine(wanted: &spec::Confinement) -> Result<Confinement, String> {
    // What is kept of the output is no limit of the task.
    let spec::Limits { memory, open_files, processes, file_size, cpu_time, output: _ } =
        wanted.limits;
    let limits = [
        (Limit::Memory, memory),
        (Limit::OpenFiles, open_files),
        (Limit::Processes, processes),
        (Limit::FileSize, file_size),
        (Limit::CpuTime, cpu_time.map(|span| span.to_std().as_secs())),
    ];
    let user = wanted.run_as.as_deref().map(User::find).transpose();
    let secrets = wanted.secrets.iter();
    Ok(Confinement {
        limits: limits.into_iter().filter_map(|(limit, most)| Some((limit, most?))).collect(),
        user: user.map_err(|error| format!("run_as: {}", chain(&error)))?,
        secrets: secrets.map(|(name, file)| (format!("{name}_FILE"), file.into())).collect(),
    })
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
