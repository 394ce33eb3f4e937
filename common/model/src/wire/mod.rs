//! Messages on the local socket: JSON-RPC 2.0, one message a line. `docs/protocol.md` is the spec.
//!
//! Must never hold a connection: framing and sockets are the client's and the server's.

mod backfill;
mod backtest;
mod bundle;
mod control;
mod draft;
mod dry_run;
mod output;
mod past;
mod receipt;
mod reply;
mod request;
mod rule;
mod run_diff;
mod run_query;
mod slice;
mod view;
mod why;

pub use backfill::{Backfill, BackfillReply};
pub use backtest::{BacktestReply, BacktestRequest, WouldFire};
pub use bundle::{BUNDLE_VERSION, BundleBatch, BundleEnd, BundleHead};
pub use control::{ExecutionReply, RerunTask, TaskControl, TaskRequest};
pub use draft::{
    DRAFT_LASTS, DRAFT_LASTS_MAX, DraftFiringView, DraftRef, DraftReply, DraftRuleView, DraftView,
    DraftWorkflow, PromoteDraft,
};
pub use dry_run::{DryRun, DryRunReply, EffectView};
pub use output::{OUTPUT_BYTES_MAX, OUTPUTS_MAX, OutputQuery, OutputView, SetOutput};
pub use past::{Moment, SinceReply, StateReply};
pub use receipt::{EventFate, EventRef, Receipt, RuleReceipt};
pub use reply::{
    CheckReply, CommitTimes, DiskRoom, EmitReply, Ended, EventCount, EventPage, FollowReply, Hello,
    LogPiece, NamespaceView, Queues, Records, RunReply, Status, StopReply, TaskLine, TriggerReply,
    UploadReply, WorkflowView,
};
pub use request::{
    AddTrigger, Call, Emit, Empty, EventQuery, FilePiece, Follow, Heartbeat, HelloRequest, LogRead,
    NamedWorkflow, NamespaceFilter, NamespaceName, NamespaceProperties, OptionalWorkflow, RunRef,
    StartRun, TaskRef, TriggerRef, Upload,
};
pub use rule::RuleView;
pub use run_diff::DiffRequest;
pub use run_query::{RunOrder, RunQuery};
pub use slice::{LogSlice, SLICE_RECORDS_MAX, SliceQuery};
pub use view::{AttemptView, Ended as EndedCounts, EventView, ExecutionView, RunView, TriggerView};
pub use why::WhyRequest;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{ErrorCode, Rejection};

/// Version of the protocol; a client says its own in `hello`.
pub const PROTOCOL_VERSION: u32 = 1;
/// Longest line that the daemon reads, in bytes.
pub const REQUEST_BYTES_MAX: usize = 2 << 20;
/// Longest value of an event, in bytes of JSON.
pub const EVENT_VALUE_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of an event's value.
pub const EVENT_VALUE_DEPTH_MAX: usize = 64;
/// Most bytes of a file in one `file.put`, before base64.
pub const FILE_PIECE_BYTES_MAX: usize = 1 << 20;
/// Largest file of a workflow, in bytes.
pub const FILE_BYTES_MAX: u64 = 256 << 20;
/// Longest `source` or `id` of an event, in bytes.
pub const EVENT_ID_BYTES_MAX: usize = 256;
/// Most bytes that one `log.read` returns.
pub const LOG_PIECE_BYTES_MAX: u64 = 256 << 10;

/// A request as it stands on the line.
#[derive(Debug, Deserialize)]
pub struct RequestLine<'a> {
    /// `"2.0"`.
    #[serde(default)]
    pub jsonrpc: std::borrow::Cow<'a, str>,
    /// Given back in the reply; absent: no reply is wanted.
    #[serde(borrow, default)]
    pub id: Option<&'a RawValue>,
    /// What to do.
    pub method: std::borrow::Cow<'a, str>,
    /// With what.
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
}

/// A reply or a notification as it stands on the line.
#[derive(Debug, Deserialize)]
pub struct ServerLine {
    /// Which request it answers; absent in a notification.
    #[serde(default)]
    pub id: Option<u64>,
    /// The answer.
    #[serde(default)]
    pub result: Option<Box<RawValue>>,
    /// The refusal.
    #[serde(default)]
    pub error: Option<RpcError>,
    /// Of a notification.
    #[serde(default)]
    pub method: Option<String>,
    /// Of a notification.
    #[serde(default)]
    pub params: Option<Box<RawValue>>,
}

/// JSON-RPC's error object; `data` is our [`Rejection`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RpcError {
    /// JSON-RPC's number.
    pub code: i32,
    /// What failed, on what, and why.
    pub message: String,
    /// The same with code, hint and places.
    #[serde(default)]
    pub data: Option<Rejection>,
}

impl From<Rejection> for RpcError {
    fn from(rejection: Rejection) -> Self {
        let message = rejection.message.clone();
        Self { code: rejection.code.rpc_code(), message, data: Some(rejection) }
    }
}

impl From<RpcError> for Rejection {
    fn from(error: RpcError) -> Self {
        let message = error.message;
        error.data.unwrap_or_else(|| Self::new(ErrorCode::Internal, message))
    }
}
