//! How executions and attempts come to their ends.
//!
//! Must never hold what only the supervisor understands.

use serde::{Deserialize, Serialize};

/// Why an execution is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// Somebody asked for it.
    Asked,
    /// A rule said so.
    Rule,
    /// It took longer than its timeout.
    Timeout,
    /// Its run is being stopped.
    Run,
    /// It is to start anew.
    Restart,
    /// A later firing took its place while it waited.
    Replaced,
    /// Somebody said that it is not needed.
    Skip,
    /// Somebody said that what it should do has been done.
    MarkSuccess,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The process returned this code.
    Exited {
        /// 0 is success.
        code: i32,
    },
    /// A signal ended the process.
    Signaled {
        /// Its number.
        signal: i32,
    },
    /// The process could not be started; nothing of the task ran.
    SpawnFailed {
        /// Why.
        reason: String,
    },
    /// It is proven that nothing of the task ran; a new attempt costs nothing.
    NeverStarted,
    /// The host went down under it.
    Interrupted,
    /// Its supervisor vanished; what was left of it was killed; how far it came is not known.
    Unknown {
        /// What was found.
        reason: String,
    },
}

impl Outcome {
    /// Whether the task did what it should.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Exited { code: 0 })
    }
}

/// What an attempt used, as the kernel counted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Largest resident memory, in bytes.
    #[serde(default)]
    pub rss_bytes_max: u64,
    /// Processor time, user and system, in microseconds.
    #[serde(default)]
    pub cpu_us: u64,
}
