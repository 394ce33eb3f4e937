//! Clears away what ended attempts and deleted runs left on the disk.
//!
//! The disk is looked through off the loop; what goes is what the loop says of its state. Must
//! never take the directory of an attempt whose end is not durably recorded.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aiflow_model::time::Span;
use aiflow_model::{AttemptId, RunId, State, Timestamp};
use aiflow_supervise::{DISCARDED_PREFIX, discard};
use tokio::sync::mpsc;

use crate::home::Home;

/// While attempts end, the disk is looked through this often, at most and at least.
const PAUSE_MIN: Duration = Duration::from_secs(10);
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// So many directories are asked about at once.
const BATCH_MAX: usize = 256;

/// Something on the disk that may have to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// The directory of a run, and whether all attempts in it were last written long ago.
    Run(RunId, bool),
    /// The directory of an attempt, which was last written long ago.
    Attempt(AttemptId),
}

/// When the disk is looked through, and how long the output of attempts is kept.
#[derive(Debug)]
pub(crate) struct Sweeper {
    home: Home,
    keep: Span,
    found: mpsc::Sender<Vec<Leftover>>,
    last: Option<std::time::Instant>,
}

impl Sweeper {
    pub(crate) fn new(home: Home, keep: Span, found: mpsc::Sender<Vec<Leftover>>) -> Self {
        Self { home, keep, found, last: None }
    }

    /// Looks the disk through, in the background.
    pub(crate) fn start(&mut self) {
        self.last = Some(std::time::Instant::now());
        let (home, keep, found) = (self.home.clone(), self.keep.to_std(), self.found.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = look_through(&home, keep, &found) {
                tracing::warn!(%error, "what ended attempts left cannot be looked through");
            }
        });
    }

    /// An attempt has ended: looks the disk through if that was not done for long.
    pub(crate) fn attempt_ended(&mut self) {
        let pause = (self.keep.to_std() / 4).clamp(PAUSE_MIN, PAUSE_MAX);
        if self.last.is_none_or(|last| last.elapsed() >= pause) {
            self.start();
        }
    }

    /// Of what was found, the directories that may go as soon as the state is durable.
    pub(crate) fn judge(&self, state: &State, now: Timestamp, found: &[Leftover]) -> Vec<PathBuf> {
        let may_go = found.iter().filter(|leftover| self.may_go(state, now, leftover));
        may_go.map(|leftover| self.path(leftover)).collect()
    }

    fn path(&self, leftover: &Leftover) -> PathBuf {
        match leftover {
            Leftover::Run(run, _) => self.home.run(*run),
            Leftover::Attempt(id) => self.home.attempt(id),
        }
    }

    fn may_go(&self, state: &State, now: Timestamp, leftover: &Leftover) -> bool {
        match leftover {
            // A run is on the disk only after its record is; if the state knows nothing of it, it
            // was deleted.
            Leftover::Run(run, is_old) => match state.archived.contains(*run) {
                true => *is_old,
                false => state.run(*run).is_none() && run.0 < state.next_run_id().0,
            },
            // All of an archived run has ended, and its directory goes as a whole.
            Leftover::Attempt(id) => {
                let ended = state.attempt(id).and_then(|attempt| attempt.ended_at);
                ended.is_some_and(|ended| ended.plus(self.keep) <= now)
            }
        }
    }
}

/// Takes directories away, in the background.
pub(crate) fn clear_away(directories: Vec<PathBuf>) {
    tokio::task::spawn_blocking(move || {
        for directory in directories {
            if let Err(error) = discard(&directory) {
                tracing::warn!(path = %directory.display(), %error, "a directory stays");
            }
        }
    });
}

/// Finds all runs, and attempts that were last written before `keep`; removes what an earlier
/// daemon did not finish removing.
fn look_through(
    home: &Home,
    keep: Duration,
    found: &mpsc::Sender<Vec<Leftover>>,
) -> std::io::Result<()> {
    let mut batch = Vec::new();
    let mut give = |leftover| {
        batch.push(leftover);
        if batch.len() < BATCH_MAX {
            return true;
        }
        // The loop has gone: so does this.
        found.blocking_send(std::mem::take(&mut batch)).is_ok()
    };
    for entry in std::fs::read_dir(home.runs())?.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.starts_with(DISCARDED_PREFIX) {
            std::fs::remove_dir_all(entry.path())?;
            continue;
        }
        let Ok(run) = name.parse::<RunId>() else { continue };
        let attempts = std::fs::read_dir(home.attempts(run));
        let attempts: Vec<_> = attempts.into_iter().flatten().flatten().collect();
        let is_old = attempts.iter().all(|entry| is_older(entry, keep));
        if !give(Leftover::Run(run, is_old)) {
            return Ok(());
        }
        for entry in attempts {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with(DISCARDED_PREFIX) {
                std::fs::remove_dir_all(entry.path())?;
                continue;
            }
            let Ok(id) = format!("{run}.{name}").parse::<AttemptId>() else { continue };
            if is_older(&entry, keep) && !give(Leftover::Attempt(id)) {
                return Ok(());
            }
        }
    }
    if !batch.is_empty() {
        // As above.
        let _ = found.blocking_send(batch);
    }
    Ok(())
}

/// Whether a directory got its last file so long ago. A clock that was set back says no.
fn is_older(entry: &std::fs::DirEntry, keep: Duration) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| {
        SystemTime::now().duration_since(modified).is_ok_and(|age| age >= keep)
    })
}
