//! The history, kept up to date behind the durable log: a follower on a thread of its own for each
//! database.
//!
//! Must never hold up the loop: a database that is slow, full or away is behind, and catches up.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aiflow_history::{Postgres, Sqlite, Store, StoreError, project};
use aiflow_log::{DiskStorage, LogReader, ReadError};
use aiflow_model::error::{ErrorCode, Rejection};
use tokio::sync::watch;

use crate::failure::chain;
use crate::records;

/// Most records, and bytes of them, in one transaction.
const RECORDS_MAX: u64 = 4_096;
const BYTES_MAX: usize = 4 << 20;
/// Shortest and longest wait before a database is tried again.
const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest wait of a question for the history to have come so far.
const BEHIND_MAX: Duration = Duration::from_secs(10);
/// How much less than the loop the history weighs when both want the processor.
const NICE: i32 = 10;

/// Where the history is kept.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In a file of the home.
    Sqlite(PathBuf),
    /// On a server.
    Postgres(String),
}

impl Place {
    pub(crate) fn open(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(match self {
            Self::Sqlite(file) => Box::new(Sqlite::open(file)?),
            Self::Postgres(url) => Box::new(Postgres::connect(url)?),
        })
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "Postgres",
        }
    }
}

/// The history of one home, as the loop sees it.
#[derive(Debug)]
pub(crate) struct History {
    file: PathBuf,
    /// How far SQLite has come; none: it is not kept.
    sqlite: Option<watch::Receiver<u64>>,
    /// How far Postgres has come.
    postgres: Option<watch::Receiver<u64>>,
}

impl History {
    /// Begins to follow the log up to what is durable.
    pub(crate) fn follow(
        places: &[Place],
        file: &Path,
        log: &DiskStorage,
        durable: &watch::Sender<u64>,
    ) -> std::io::Result<Self> {
        let mut history = Self { file: file.to_owned(), sqlite: None, postgres: None };
        for place in places {
            let (sender, receiver) = watch::channel(0);
            let follower = Follower {
                place: place.clone(),
                log: log.clone(),
                durable: durable.subscribe(),
                reached: sender,
            };
            let name = format!("history-{}", place.name().to_lowercase());
            std::thread::Builder::new().name(name).spawn(move || follower.run())?;
            match place {
                Place::Sqlite(_) => history.sqlite = Some(receiver),
                Place::Postgres(_) => history.postgres = Some(receiver),
            }
        }
        Ok(history)
    }

    /// How far each has come, where it is kept: SQLite, Postgres.
    pub(crate) fn reached(&self) -> [Option<u64>; 2] {
        [&self.sqlite, &self.postgres].map(|of| of.as_ref().map(|reached| *reached.borrow()))
    }

    /// Whether it is kept where questions are asked.
    pub(crate) const fn is_kept(&self) -> bool {
        self.sqlite.is_some()
    }

    /// A question to SQLite, once everything below `end` is in it.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        end: u64,
        ask: impl FnOnce(&mut dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, Rejection>> + 'static {
        let (reached, file) = (self.sqlite.clone(), self.file.clone());
        async move {
            let Some(mut reached) = reached else { return Err(not_kept()) };
            let so_far = reached.wait_for(|reached| *reached >= end);
            let is_there = matches!(tokio::time::timeout(BEHIND_MAX, so_far).await, Ok(Ok(_)));
            if !is_there {
                return Err(behind(*reached.borrow(), end));
            }
            let asked = tokio::task::spawn_blocking(move || ask(&mut Sqlite::read(&file)?)).await;
            let asked = asked.map_err(|error| error.to_string());
            let asked = asked.and_then(|answer| answer.map_err(|error| chain(&error)));
            asked.map_err(|error| Rejection::new(ErrorCode::Internal, format!("history: {error}")))
        }
    }
}

fn behind(reached: u64, end: u64) -> Rejection {
    let message = format!("the history has come to record {reached}, not yet to {end}");
    Rejection::new(ErrorCode::HistoryBehind, message)
        .hint("try again; aiflow server status shows how far it is, the daemon's log why")
}

fn not_kept() -> Rejection {
    Rejection::new(ErrorCode::HistoryBehind, "no history is kept: the daemon was told so")
        .hint("start aiflowd without --no-history; it makes up for what is missing")
}

/// Keeps one database up to date.
struct Follower {
    place: Place,
    log: DiskStorage,
    durable: watch::Receiver<u64>,
    reached: watch::Sender<u64>,
}

impl Follower {
    fn run(mut self) {
        // Of this thread alone; where it is refused, nothing is lost.
        let _ = rustix::process::nice(NICE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let Ok(runtime) = runtime else {
            tracing::error!(place = self.place.name(), "no history: its thread cannot wait");
            return;
        };
        let mut wait = WAIT_MIN;
        loop {
            let begin = Instant::now();
            let Err(error) = self.keep(&runtime) else { return };
            let place = self.place.name();
            if begin.elapsed() > WAIT_MAX {
                wait = WAIT_MIN;
            }
            tracing::warn!(place, error = %chain(&error), ?wait, "the history is behind");
            runtime.block_on(tokio::time::sleep(wait));
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    /// Follows until the daemon ends, or the database fails.
    fn keep(&mut self, runtime: &tokio::runtime::Runtime) -> Result<(), StoreError> {
        let mut store = self.place.open()?;
        let mut at = store.checkpoint()?;
        let end = *self.durable.borrow();
        if at > end {
            let place = self.place.name();
            tracing::error!(
                place,
                at,
                end,
                "the history is of another log: aiflowd history rebuild"
            );
            // Nothing is told from it, and nothing written to it.
            return Ok(());
        }
        let mut reader = LogReader::new(self.log.clone());
        let mut caught_up = 0;
        loop {
            self.reached.send_replace(at);
            let end = *self.durable.borrow_and_update();
            if at < end {
                let (statements, to) = read(&mut reader, at, end).map_err(std::io::Error::other)?;
                store.take(at, &statements, to)?;
                caught_up += to - at;
                at = to;
                continue;
            }
            if std::mem::take(&mut caught_up) > 2 * RECORDS_MAX {
                aiflow_supervise::return_free_memory();
            }
            if runtime.block_on(self.durable.changed()).is_err() {
                return Ok(());
            }
        }
    }
}

/// What the next records change, and up to where that is.
fn read(
    reader: &mut LogReader<DiskStorage>,
    from: u64,
    end: u64,
) -> anyhow::Result<(Vec<aiflow_history::Statement>, u64)> {
    let mut statements = Vec::new();
    let (mut to, mut bytes) = (from, 0);
    let mut batches = match reader.read(from, end.min(from + RECORDS_MAX)) {
        Ok(batches) => batches,
        Err(ReadError::Gone { first, .. }) => {
            tracing::warn!(from, first, "the history has a gap: the log no longer holds it");
            return Ok((statements, first));
        }
        Err(error) => return Err(error.into()),
    };
    while bytes < BYTES_MAX
        && let Some(batch) = batches.next_batch()?
    {
        for record in batch.records() {
            bytes += record.payload.len();
            to = record.offset + 1;
            statements.extend(project(&records::decode(&record)?));
        }
    }
    Ok((statements, to))
}

/// Makes the tables anew from the log of a home that no daemon uses; gives how many records that
/// took.
pub(crate) fn rebuild(place: &Place, log: &DiskStorage, end: u64) -> anyhow::Result<u64> {
    if let Place::Sqlite(file) = place {
        // Also what no SQLite can read any more.
        for suffix in ["", "-wal", "-shm"] {
            let mut name = file.clone().into_os_string();
            name.push(suffix);
            match std::fs::remove_file(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
    }
    let mut store = place.open()?;
    store.clear()?;
    let mut reader = LogReader::new(log.clone());
    let mut at = 0;
    while at < end {
        let (statements, to) = read(&mut reader, at, end)?;
        store.take(at, &statements, to)?;
        at = to;
    }
    Ok(at)
}
