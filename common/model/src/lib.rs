//! What daemon and clients agree on: ids, the workflow spec, records, the state and its fold, wire
//! messages.
//!
//! Pure: no clock, no randomness, no files, no sockets, no processes, no threads. Time and ids
//! come in as arguments. Read next: [`record`], then [`state`].

pub mod compare;
pub mod config;
pub mod digest;
pub mod error;
pub mod exit_code;
pub mod firing;
pub mod id;
pub mod jitter;
pub mod json;
pub mod progress;
pub mod record;
pub mod redact;
pub mod spec;
pub mod state;
pub mod status;
pub mod time;
pub mod why;
pub mod wire;

pub use error::{ErrorCode, Rejection};
pub use id::{
    AttemptId, AttemptNumber, DraftId, EventKey, ExecutionId, InvalidName, KeyPattern, Namespace,
    Offset, OutputName, PluginName, PoolName, RuleId, RuleIndex, RunId, Sequence, SnapshotNumber,
    TaskName, TaskOf, TriggerId, WorkflowName,
};
pub use json::JsonText;
pub use record::{LoggedRecord, Record};
pub use spec::{Condition, TaskSpec, WorkflowSpec};
pub use state::State;
pub use time::{Span, Timestamp, Window};
