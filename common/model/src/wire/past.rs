//! How things stood, and what has happened since.
//!
//! Must never hold more than the log can tell.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::state::State;
use crate::{Offset, Timestamp};

/// A place in the log: by offset or by time.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Moment {
    /// Before the record at this offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<Offset>,
    /// After all that was decided up to this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

/// How things stood.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StateReply {
    /// Everything before this offset had happened, and nothing else.
    pub at: Offset,
    /// The state, as `follow` sends it.
    pub state: Box<State>,
}

/// What has happened since.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SinceReply {
    /// From this offset on.
    pub from: Offset,
    /// Up to this offset.
    pub until: Offset,
    /// What has happened.
    pub digest: Digest,
}
