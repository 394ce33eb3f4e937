//! What a request would cause, without doing it.
//!
//! A method around another one rather than a member of each: a daemon that does not know it refuses
//! it, where it would pass over a member that it does not know and do the thing.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::record::LoggedRecord;
use crate::{AttemptId, JsonText, Offset};

/// A request to try.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DryRun {
    /// Its method: one that changes something.
    pub method: String,
    /// Its parameters.
    #[serde(default)]
    pub params: JsonText,
}

/// What it would cause.
#[derive(Debug, Serialize, Deserialize)]
pub struct DryRunReply {
    /// What it would be answered.
    pub result: Box<RawValue>,
    /// The records that it would write, in order; their offsets are those of now.
    pub records: Vec<LoggedRecord>,
    /// What would be done then, outside.
    pub effects: Vec<EffectView>,
    /// More falls due at once, in batches of its own: what is here is not all.
    #[serde(default)]
    pub more: bool,
}

/// Something that would be done outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectView {
    /// The attempt is launched.
    Launch(AttemptId),
    /// The attempt's process is asked to end, and killed after its grace.
    Stop(AttemptId),
    /// What the log holds before this offset is dropped.
    DropLog(Offset),
    /// What deleted runs have left outside the log is cleared away.
    ClearAway,
}
