//! From nothing to serving: home, lock, log, replay, then the loop.
//!
//! The order is the safety: nothing is written before the lock is held and the log is judged.

use std::path::PathBuf;

use aiflow_core::{Engine, Input};
use aiflow_log::{
    Damage, DamageReason, DirectoryLock, DiskStorage, LockError, LogOptions, LogReader, LogWriter,
    OpenError, Recovered,
};
use aiflow_model::record::{DaemonStarted, TrimReason};
use aiflow_model::time::Span;
use aiflow_model::{Offset, Timestamp, exit_code};
use bytesize::ByteSize;
use clap::Args;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::daemon::{Daemon, Upkeep};
use crate::failure::Failure;
use crate::history::Place;
use crate::home::Home;
use crate::kept;
use crate::records;
use crate::retention::{Retention, Trim};
use crate::snapshots::Snapshots;
use crate::waypoints::Waypoints;

/// Longest wait for a lock whose holder is gone.
const ORPHANED_LOCK_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// How the log is kept.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Make a snapshot of the state after so many records, so that a start need not read those
    #[arg(long, value_name = "RECORDS", default_value_t = 250_000, env = "AIFLOW_SNAPSHOT_EVERY",
        value_parser = clap::value_parser!(u64).range(1..))]
    snapshot_every: u64,
    /// Size of the log's new segments; a batch must fit in one
    #[arg(long, value_name = "SIZE", default_value = "64MiB", env = "AIFLOW_SEGMENT_BYTES")]
    segment_bytes: ByteSize,
    /// Drop the log's oldest segments while all together take more, once two snapshots cover them
    #[arg(long, value_name = "SIZE", env = "AIFLOW_KEEP_BYTES")]
    keep_bytes: Option<ByteSize>,
    /// Drop the log's oldest segments once all in them is older, e.g. 90d, likewise
    #[arg(long, value_name = "TIME", env = "AIFLOW_KEEP_FOR")]
    keep_for: Option<Span>,
    /// Remove the output of an attempt so long after its end
    #[arg(long, value_name = "TIME", default_value = "30d", env = "AIFLOW_KEEP_OUTPUT")]
    keep_output: Span,
    /// Runs that have ended and stay in memory; of those before, the log and the history tell
    #[arg(long, value_name = "RUNS", default_value_t = aiflow_core::ENDED_RUNS_KEPT as u64,
        env = "AIFLOW_KEEP_RUNS", value_parser = clap::value_parser!(u64).range(1..))]
    keep_runs: u64,
    /// Keep no history of runs for SQL, and answer no question that needs it
    #[arg(long)]
    no_history: bool,
    /// Keep the history in this Postgres too, e.g. "host=db user=aiflow dbname=aiflow"
    #[arg(long, value_name = "URL", env = "AIFLOW_POSTGRES", hide_env_values = true)]
    postgres: Option<String>,
    /// Leave old segments as they are; else those that two snapshots cover are compressed
    #[arg(long, env = "AIFLOW_NO_COMPRESS")]
    no_compress: bool,
}

impl Settings {
    /// Where the history is kept.
    fn places(&self, home: &Home) -> Vec<Place> {
        let sqlite = (!self.no_history).then(|| Place::Sqlite(home.history()));
        sqlite.into_iter().chain(self.postgres.clone().map(Place::Postgres)).collect()
    }

    fn retention(&self) -> Retention {
        Retention {
            compresses: !self.no_compress,
            keep_bytes: self.keep_bytes.map(|size| size.0),
            keep_for: self.keep_for,
        }
    }
}

/// Runs the daemon until it is asked to stop.
pub(crate) fn run(flag: Option<PathBuf>, settings: &Settings) -> Result<(), Failure> {
    aiflow_supervise::keep_little_memory();
    start_logging();
    // Whatever is created from here on is ours alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let home = Home::locate(flag)?;
    home.prepare()?;
    let _lock = lock(&home)?;
    let boot_id = aiflow_supervise::boot_id().map_err(|error| {
        Failure::new(exit_code::OPERATING, "cannot read the host's boot id").because(error)
    })?;
    let Opened { writer, recovered, mut engine, snapshot } =
        open_log(&home, settings.segment_bytes.0)?;
    engine.keep_runs(usize::try_from(settings.keep_runs).unwrap_or(usize::MAX));
    if rustix::process::geteuid().is_root() {
        tracing::warn!("running as root: so do all tasks but those with `run_as`");
    }
    let (trim_sender, trims) = mpsc::unbounded_channel();
    let storage = home.open_log()?;
    let (every, retention) = (settings.snapshot_every, settings.retention());
    let keep_output = settings.keep_output;
    let places = settings.places(&home);
    let waypoints = Waypoints::new(storage.clone(), home.waypoints());
    let kept = (storage, waypoints);
    let snapshots = Snapshots::new(kept, every, snapshot, retention, trim_sender.clone());
    let clock = Clock::new(Timestamp(recovered.last_time_us));
    let started = DaemonStarted {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch: recovered.last_epoch + 1,
        boot_id: boot_id.as_str().to_owned(),
        pid: std::process::id(),
    };
    let epoch = started.epoch;
    let decision =
        engine.decide(Input::StartDaemon(started), clock.now()).map_err(|rejection| {
            Failure::new(exit_code::OPERATING, "the daemon's start was refused").because(rejection)
        })?;
    if recovered.first_offset > engine.state().first_offset.0 {
        // Somebody took it away; it is recorded all the same.
        let before = Offset(recovered.first_offset);
        let _ = trim_sender.send(Trim { before, reason: TrimReason::Missing });
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(16)
        .build()
        .map_err(|error| {
            Failure::new(exit_code::OPERATING, "cannot start the event loop").because(error)
        })?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let upkeep = Upkeep { snapshots, trims, keep_output, places };
        let daemon = Daemon::new(home, engine, writer, clock, epoch, boot_id, upkeep)?;
        daemon.serve(decision).await
    })
}

fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("AIFLOW_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Takes the lock. A daemon that was killed while it launched a task leaves the lock for a moment
/// to the process that was about to become the shim; only then is there something to wait for.
fn lock(home: &Home) -> Result<DirectoryLock, Failure> {
    let begin = std::time::Instant::now();
    loop {
        match DirectoryLock::acquire(home.root()) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held { pid: Some(pid), .. })
                if is_gone(pid) && begin.elapsed() < ORPHANED_LOCK_MAX =>
            {
                std::thread::park_timeout(std::time::Duration::from_millis(5));
            }
            Err(error @ LockError::Held { .. }) => {
                return Err(Failure::new(exit_code::HOME_BUSY, "another daemon uses this home")
                    .because(error)
                    .hint(format!("aiflow --home {} server status", home.root().display())));
            }
            Err(error @ LockError::Storage { .. }) => {
                return Err(
                    Failure::new(exit_code::OPERATING, "cannot lock the home").because(error)
                );
            }
        }
    }
}

fn is_gone(pid: u32) -> bool {
    !std::path::Path::new("/proc").join(pid.to_string()).exists()
}

struct Opened {
    writer: LogWriter<DiskStorage>,
    recovered: Recovered,
    engine: Engine,
    /// Offset of the snapshot that was used, 0 for none.
    snapshot: u64,
}

fn open_log(home: &Home, segment_bytes: u64) -> Result<Opened, Failure> {
    let storage = home.open_log()?;
    let begin = std::time::Instant::now();
    let known = kept::newest(&storage)?;
    let options = LogOptions { segment_bytes, check_from: known.durable };
    let (writer, recovered) =
        aiflow_log::open(storage.clone(), options).map_err(|e| refuse(home, e))?;
    if let Some(cut) = &recovered.cut {
        tracing::warn!(
            segment = cut.segment,
            position = cut.position,
            bytes = cut.bytes,
            "cut the rest of a commit that was never acknowledged"
        );
    }
    if recovered.first_offset > known.state.next_offset.0 {
        return Err(headless(home, recovered.first_offset));
    }
    let (snapshot, until) = (known.state.next_offset.0, recovered.next_offset);
    let engine =
        records::replay(&mut LogReader::new(storage), known.state, until).map_err(|error| {
            Failure::new(exit_code::LOG_REFUSED, error.to_string()).hint("aiflowd log verify")
        })?;
    tracing::info!(snapshot, until, took = ?begin.elapsed(), "read the log");
    Ok(Opened { writer, recovered, engine, snapshot })
}

/// The log's beginning is gone, and with it what only a snapshot could still tell.
fn headless(home: &Home, first: u64) -> Failure {
    let log = home.log();
    let what = format!(
        "the log in {} begins at offset {first}, and no snapshot can be used from there on",
        log.display()
    );
    Failure::new(exit_code::LOG_REFUSED, what).hint(format!(
        "restore from a copy: the segments before {first}, or a file {}/*.snapshot",
        log.display()
    ))
}

/// Why a log is not opened, with what to do.
pub(crate) fn refuse(home: &Home, error: OpenError) -> Failure {
    let root = home.root().display();
    let what = format!("the log in {} is refused; nothing was written", home.log().display());
    match error {
        OpenError::NewerVersion { .. } => Failure::new(exit_code::LOG_REFUSED, what)
            .because(error)
            .hint("use the version of aiflowd that wrote it, or a later one"),
        OpenError::Damaged(Damage { reason: DamageReason::Short { .. }, .. }) => {
            let hint = format!(
                "restore the log from a copy; or go on without what is lost: \
                 aiflowd --home {root} log repair"
            );
            Failure::new(exit_code::LOG_REFUSED, what).because(error).hint(hint)
        }
        OpenError::Damaged(_) => Failure::new(exit_code::LOG_REFUSED, what)
            .because(error)
            .hint(format!("aiflowd --home {root} log verify")),
        OpenError::SegmentBytes(_) => Failure::new(exit_code::USAGE, what)
            .because(error)
            .hint("aiflowd --segment-bytes 64MiB"),
        OpenError::Storage(_) => {
            let what = format!("cannot open the log in {}", home.log().display());
            Failure::new(exit_code::OPERATING, what).because(error).hint(format!("df -h {root}"))
        }
    }
}
