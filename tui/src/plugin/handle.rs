//! What an attempt has started elsewhere, kept beside its task for the attempt after it.
//!
//! Must never be half there: a handle is renamed into place.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an attempt has started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Which attempt.
    pub(crate) attempt: String,
    /// What its plugin knows the job by.
    pub(crate) handle: Value,
}

/// Where the handle of one task execution is kept.
pub(crate) struct Place(PathBuf);

impl Place {
    /// In a directory, of an attempt's execution.
    pub(crate) fn of(directory: &Path, kind: &str, attempt: &str) -> Self {
        let execution = attempt.rsplit_once('.').map_or(attempt, |(execution, _)| execution);
        Self(directory.join(format!(".aiflow-{kind}-{execution}.json")))
    }

    /// What an earlier attempt has left.
    pub(crate) fn read(&self) -> Option<Kept> {
        serde_json::from_slice(&std::fs::read(&self.0).ok()?).ok()
    }

    /// Keeps it.
    pub(crate) fn keep(&self, kept: &Kept) -> io::Result<()> {
        let beside = self.0.with_extension("new");
        std::fs::write(&beside, serde_json::to_vec(kept)?)?;
        std::fs::rename(&beside, &self.0)
    }

    /// The job has ended: there is nothing to take over.
    pub(crate) fn clear(&self) {
        // One that is not there is what is wanted.
        let _ = std::fs::remove_file(&self.0);
    }
}
