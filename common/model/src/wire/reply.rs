//! What the daemon answers.
//!
//! Fields are only added. Must never answer with state that is not durable: the server waits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EventView;
use crate::error::{Diagnostic, Rejection};
use crate::record::LoggedRecord;
use crate::state::State;
use crate::{JsonText, Namespace, Offset, RunId, SnapshotNumber, TriggerId, WorkflowName};

/// Who answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the protocol that the daemon speaks.
    pub protocol: u32,
    /// Version of the daemon.
    pub version: String,
    /// What else it can: names of features.
    #[serde(default)]
    pub features: Vec<String>,
}

/// An event was accepted and is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmitReply {
    /// Where it stands in the log.
    pub offset: Offset,
    /// It had been accepted before; this is where.
    #[serde(default)]
    pub duplicate: bool,
}

/// A definition was stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UploadReply {
    /// The workflow's name.
    pub workflow: WorkflowName,
    /// Where it lives.
    pub namespace: Namespace,
    /// Its version.
    pub snapshot: SnapshotNumber,
    /// The same text and files were there already; nothing new was stored.
    #[serde(default)]
    pub unchanged: bool,
    /// What it says and hardly means, with places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Diagnostic>,
}

/// What was found in a definition that was only looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckReply {
    /// Its name, if it is good.
    pub workflow: Option<WorkflowName>,
    /// What is wrong, with places; an upload would be refused.
    pub faults: Vec<Diagnostic>,
    /// What it says and hardly means, with places.
    pub warnings: Vec<Diagnostic>,
}

/// A run was started, or had been by the same request.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct RunReply {
    /// Its id.
    pub run: RunId,
}

/// A trigger was put on a workflow, or had been by the same request.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct TriggerReply {
    /// Its id.
    pub trigger: TriggerId,
}

/// Something was asked to stop.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct StopReply {
    /// How many executions are being stopped.
    pub stopping: u32,
}

/// A namespace.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NamespaceView {
    /// Its name.
    pub namespace: Namespace,
    /// How many workflows it has.
    pub workflows: usize,
    /// How many events it has seen.
    pub events: u64,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, JsonText>,
}

/// A workflow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkflowView {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its name.
    pub workflow: WorkflowName,
    /// Its current version.
    pub snapshot: SnapshotNumber,
    /// When that was uploaded.
    pub uploaded_at: String,
    /// Its tasks with their rules in words.
    pub tasks: Vec<TaskLine>,
    /// Its triggers in words, in the order of their ids.
    #[serde(default)]
    pub triggers: Vec<String>,
    /// Whether it starts new runs.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Runs that live.
    pub alive_runs: usize,
    /// The text as uploaded, in `workflow.show`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// What a daemon that says nothing about it means.
const fn enabled() -> bool {
    true
}

/// A task of a definition, for people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TaskLine {
    /// Its name.
    pub task: String,
    /// `batch` or `stream`.
    pub kind: String,
    /// Its rules in words.
    pub rules: Vec<String>,
}

/// Events of the log, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventPage {
    /// The events.
    pub events: Vec<EventView>,
    /// First record that the log still has; events before it are not in here.
    #[serde(default)]
    pub log_begins: Offset,
}

/// How many events.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct EventCount {
    /// So many.
    pub count: u64,
    /// First record that was looked at: 0, or where the log begins since it was trimmed.
    #[serde(default)]
    pub log_begins: Offset,
}

/// A piece of an attempt's output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogPiece {
    /// Whose.
    pub attempt: String,
    /// Where the piece begins, opaque; another place than asked when older output was rotated away.
    pub position: u64,
    /// Where the next begins, opaque.
    pub next: u64,
    /// The output as kept: lines `<microseconds> <o|e|O|E> <text>`.
    pub text: String,
    /// No more will come: the attempt has ended and all has been read.
    pub ended: bool,
}

/// A subscription began.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowReply {
    /// Number that its notifications carry.
    pub subscription: u64,
    /// First offset that will be sent.
    pub next: Offset,
    /// The state before it, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<State>>,
}

/// Params of the notification `records`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Records {
    /// Which subscription.
    pub subscription: u64,
    /// The records, in order.
    pub records: Vec<LoggedRecord>,
    /// Where to resume after a break.
    pub next: Offset,
}

/// Params of the notification `ended`: no more will come to a subscription.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ended {
    /// Which subscription.
    pub subscription: u64,
    /// Why.
    pub error: Rejection,
}

/// How the daemon is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Its home.
    pub home: String,
    /// Count of daemons on this log.
    pub epoch: u64,
    /// When it started.
    pub started_at: String,
    /// First record that the log has.
    #[serde(default)]
    pub log_begins: Offset,
    /// Records that are durable.
    pub durable: Offset,
    /// Runs that live.
    pub alive_runs: usize,
    /// Attempts that live.
    pub alive_attempts: usize,
    /// Commits so far.
    pub commits: u64,
    /// Records in those commits.
    pub committed_records: u64,
    /// Bytes in those commits.
    pub committed_bytes: u64,
    /// Median time of a commit of the latest 1,024, in microseconds.
    pub commit_us_p50: u64,
    /// 99th percentile of the same.
    pub commit_us_p99: u64,
    /// Whether the disk is short of room, so that new work is refused.
    pub disk_low: bool,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Everything before this record is in the history; none: it is not kept.
    #[serde(default)]
    pub history: Option<Offset>,
    /// The same of the history in Postgres.
    #[serde(default)]
    pub postgres: Option<Offset>,
    /// How long the latest 1,024 commits took: how many took less than each time, but not less
    /// than the one before it. The times double.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commit_times: Vec<CommitTimes>,
    /// What waits in the daemon.
    #[serde(default)]
    pub queues: Queues,
    /// Room on the disk of the home, in bytes; none: the system does not tell.
    #[serde(default)]
    pub disk: Option<DiskRoom>,
}

/// Commits that took about the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitTimes {
    /// They took less than this, in microseconds.
    pub below_us: u64,
    /// How many.
    pub commits: u64,
}

/// What waits in the daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Requests that are not decided yet.
    pub requests: usize,
    /// What is told of attempts and is not decided yet.
    pub attempts: usize,
    /// Replies and effects whose records are not durable yet.
    pub departures: usize,
    /// Bytes on their way to the disk.
    pub uncommitted_bytes: u64,
    /// Replies that their clients have not read yet.
    pub unread: usize,
}

/// Room on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskRoom {
    /// Bytes that are free for the daemon.
    pub free_bytes: u64,
    /// All bytes.
    pub total_bytes: u64,
}
