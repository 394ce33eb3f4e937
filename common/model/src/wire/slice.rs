//! A slice of the log with the state before it: what anybody needs who wants to see the past.
//!
//! The daemon answers with it, and so does its program for a log that no daemon uses. Must never
//! need what came before the slice.

use serde::{Deserialize, Serialize};

use crate::record::LoggedRecord;
use crate::state::State;
use crate::{Offset, Timestamp};

/// Most records of one slice.
pub const SLICE_RECORDS_MAX: u32 = 10_000;

/// Which records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceQuery {
    /// The record that is looked for; the last one.
    #[serde(default)]
    pub at: Option<Offset>,
    /// In place of `at`: the last record that is not after this time.
    #[serde(default)]
    pub time: Option<Timestamp>,
    /// So many records before it, at least.
    #[serde(default)]
    pub before: u32,
    /// So many after it, at most.
    #[serde(default)]
    pub after: u32,
}

/// Records of the log, and the state that they go on from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogSlice {
    /// First record that the log still has.
    pub log_begins: Offset,
    /// The record after the last that is durable.
    pub log_ends: Offset,
    /// The record that was looked for.
    pub at: Offset,
    /// The state before the first of `records`, which is its `next_offset`.
    pub state: Box<State>,
    /// The records, in order.
    pub records: Vec<LoggedRecord>,
}
