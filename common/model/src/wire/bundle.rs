//! A bundle: a log as text, one JSON object a line, for a bug report that reproduces.
//!
//! First the head, then a line for each batch, last the end. Whoever gets one can read it before it
//! is sent, and replay it. Must never be taken for whole without its end.

use serde::{Deserialize, Serialize};

use crate::record::LoggedRecord;
use crate::state::State;
use crate::{Offset, Timestamp};

/// Version of the form; raised when an older reader would misread it.
pub const BUNDLE_VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BundleHead {
    /// [`BUNDLE_VERSION`].
    pub bundle: u32,
    /// Which version of the program wrote it.
    pub version: String,
    /// Offset of the first record.
    pub from: Offset,
    /// Whether texts and numbers of users were replaced by hashes.
    pub redacted: bool,
    /// What was let through all the same.
    #[serde(default)]
    pub kept: Vec<String>,
    /// The state before the first record, without the identities of events; none for the empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<State>>,
}

/// A line for a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BundleBatch {
    /// When it was decided.
    pub time: Timestamp,
    /// Its records.
    pub records: Vec<LoggedRecord>,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleEnd {
    /// Offset after the last record.
    pub end: Offset,
    /// How many records there are.
    pub records: u64,
    /// SHA-256 of the state after them, in hex.
    pub state_hash: String,
}
