//! The spool: events that were emitted while no daemon answered, taken in order.
//!
//! A file leaves the spool when its event is durable; a crash in between repeats it, and its id
//! makes it the same event. Must never drop a file that it cannot read: it is set aside by name.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use aiflow_model::ErrorCode;
use aiflow_model::wire::{Call, Emit};
use rustix::fs::inotify;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use crate::connection::{Gate, Reply};
use crate::readiness;

/// How long a full disk or a busy end of the daemon is waited for before the spool is looked at
/// again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(5);

/// Takes what is in the spool and then what comes, until the loop ends.
pub(crate) async fn drain(directory: PathBuf, gate: Rc<Gate>) {
    // Watched before the first look, so that nothing slips in between.
    let mut watch = match watch(&directory) {
        Ok(watch) => watch,
        Err(error) => {
            tracing::warn!(%error, "the spool is read at starts only");
            drain_once(&directory, &gate).await;
            return;
        }
    };
    loop {
        if !drain_once(&directory, &gate).await {
            tokio::time::sleep(RETRY).await;
            continue;
        }
        let mut buffer = [0; 4096];
        // What happened does not matter: the directory is read anew.
        if let Err(error) = watch.read(&mut buffer).await {
            tracing::warn!(%error, "the spool is no longer watched");
            return;
        }
    }
}

fn watch(directory: &Path) -> io::Result<Receiver> {
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let watch = inotify::init(flags)?;
    inotify::add_watch(&watch, directory, inotify::WatchFlags::MOVED_TO)?;
    readiness::watch(watch)
}

/// Takes what is there; false when something has to be tried again later.
async fn drain_once(directory: &Path, gate: &Gate) -> bool {
    let mut paths: Vec<PathBuf> = match std::fs::read_dir(directory) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(error) => {
            tracing::warn!(%error, "the spool cannot be read");
            return false;
        }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    for path in paths {
        let done = match take(&path, gate).await {
            Ok(()) => std::fs::remove_file(&path),
            Err(NotTaken::NotNow) => return false,
            Err(NotTaken::Never(reason)) => {
                tracing::warn!(path = %path.display(), reason, "a spooled event was refused");
                std::fs::rename(&path, path.with_extension("refused"))
            }
        };
        if let Err(error) = done {
            tracing::warn!(path = %path.display(), %error, "a spooled file cannot be moved");
            return false;
        }
    }
    true
}

/// Why an event stays in the spool.
enum NotTaken {
    /// The daemon goes down or the disk is full: it is taken later, and those after it too.
    NotNow,
    /// It can never be taken: why.
    Never(String),
}

async fn take(path: &Path, gate: &Gate) -> Result<(), NotTaken> {
    let never = |error: &dyn std::fmt::Display| NotTaken::Never(error.to_string());
    let text = std::fs::read_to_string(path).map_err(|error| never(&error))?;
    let emit: Emit = serde_json::from_str(&text).map_err(|error| never(&error))?;
    if emit.id.is_none() || emit.source.is_none() {
        return Err(never(&"it has no source and id, so it could count twice"));
    }
    let (reply, answer) = Reply::inside();
    if gate.requests.send((Call::Emit(emit), reply)).await.is_err() {
        return Err(NotTaken::NotNow);
    }
    match answer.await {
        Ok(Ok(())) => Ok(()),
        Err(_) => Err(NotTaken::NotNow),
        Ok(Err(rejection)) => match rejection.code {
            ErrorCode::ShuttingDown | ErrorCode::DiskFull => Err(NotTaken::NotNow),
            _ => Err(never(&rejection)),
        },
    }
}
