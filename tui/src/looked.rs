//! When the user looked last at a home: a small file of the client, in the XDG state directory.
//!
//! Must never write to the daemon's home, and never fail loudly: without it there is no digest.

use std::ffi::OsString;
use std::path::PathBuf;

use aiflow_model::Timestamp;
use sha2::{Digest, Sha256};

/// Where the client keeps what it remembers of its own.
pub(crate) fn directory(var: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").filter(|directory| directory.is_absolute());
    let state = state.or_else(|| Some(set("HOME")?.join(".local/state")))?;
    Some(state.join("aiflow-tui"))
}

fn path(home: &str) -> Option<PathBuf> {
    let name: String = Sha256::digest(home).iter().take(8).map(|b| format!("{b:02x}")).collect();
    Some(directory(|name| std::env::var_os(name))?.join(name))
}

/// When that was.
pub(crate) fn last(home: &str) -> Option<Timestamp> {
    std::fs::read_to_string(path(home)?).ok()?.trim().parse().ok()
}

/// It is now.
pub(crate) fn now(home: &str, now: Timestamp) {
    let Some(path) = path(home) else { return };
    if let Some(directory) = path.parent() {
        // Where it cannot be kept there is no digest the next time.
        let _ = std::fs::create_dir_all(directory);
    }
    let _ = std::fs::write(path, format!("{now}\n"));
}
