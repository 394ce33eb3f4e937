//! What the log holds: everything that happened, in the past tense, with what led to it.
//!
//! Old records must decode for ever: fields are only added, each with a default; variants are
//! never renamed or reused. Records are written as JSON, the variant's name outside.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::firing::{Firing, NodeState};
use crate::spec::WorkflowSpec;
use crate::status::{ExecutionStatus, RunStatus};
use crate::time::{Timestamp, Window};
use crate::{
    AttemptId, EventKey, ExecutionId, JsonText, Namespace, Offset, RuleIndex, RunId,
    SnapshotNumber, TaskName, WorkflowName,
};

/// A record with its place in the log. `E` is what is kept of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedRecord<E = Event> {
    /// Its position.
    pub offset: Offset,
    /// When its batch was decided.
    pub time: Timestamp,
    /// The record that led to it; none when it came from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Offset>,
    /// What happened.
    pub record: Record<E>,
}

/// What the payload of one record in the log is; offset and time stand in the frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payload<R = Record> {
    /// The record that led to it; none when it came from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Offset>,
    /// What happened.
    pub record: R,
}

/// Something that happened. `E` is what is kept of an event: all of it, or what the fold looks at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record<E = Event> {
    /// A daemon took over this log.
    DaemonStarted(DaemonStarted),
    /// A namespace came into being.
    NamespaceAdded {
        /// Its name.
        namespace: Namespace,
    },
    /// A definition was stored as a new snapshot; later runs use it.
    WorkflowUploaded(Box<WorkflowUploaded>),
    /// An event was accepted.
    EventEmitted(E),
    /// A run began.
    RunStarted(Box<RunStarted>),
    /// Somebody asked that a run end.
    RunStopRequested {
        /// The run.
        run: RunId,
    },
    /// A run ended.
    RunFinished {
        /// The run.
        run: RunId,
        /// How.
        status: RunStatus,
    },
    /// A node of a rule's condition has a new state.
    ConditionAdvanced {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
        /// What it knows now.
        state: NodeState,
    },
    /// A filter could not be evaluated; it counts as no match.
    FilterFailed {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// The node's number.
        node: u32,
        /// The event.
        event: Offset,
        /// Why.
        reason: String,
    },
    /// A rule's condition was met.
    RuleFired {
        /// The run.
        run: RunId,
        /// The rule.
        rule: RuleIndex,
        /// What was used up.
        firing: Firing,
    },
    /// An execution of a task came into being; it waits for its turn.
    TaskExecutionCreated {
        /// Which.
        id: ExecutionId,
        /// Event offsets that fired it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        events: Vec<Offset>,
        /// The window it works on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<Window>,
    },
    /// A task is to start anew once what is alive of it has ended.
    TaskRestartRequested {
        /// The run.
        run: RunId,
        /// The task.
        task: TaskName,
        /// Event offsets that fired it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        events: Vec<Offset>,
    },
    /// An execution is to end.
    TaskExecutionStopRequested {
        /// Which.
        id: ExecutionId,
        /// Why.
        reason: StopReason,
    },
    /// An attempt has its id and may be launched, once.
    AttemptQueued {
        /// Which.
        id: AttemptId,
    },
    /// The attempt's process runs.
    AttemptStarted {
        /// Which.
        id: AttemptId,
        /// Process id.
        pid: u32,
    },
    /// The attempt is over.
    AttemptEnded {
        /// Which.
        id: AttemptId,
        /// How.
        outcome: Outcome,
        /// What it used.
        #[serde(default)]
        usage: Usage,
    },
    /// The next attempt waits for its time.
    RetryScheduled {
        /// The execution.
        id: ExecutionId,
        /// When the next attempt is queued.
        due: Timestamp,
    },
    /// An execution ended.
    TaskExecutionFinished {
        /// Which.
        id: ExecutionId,
        /// How.
        status: ExecutionStatus,
    },
    /// The beginning of the log is no longer kept: what was below may be gone.
    LogTrimmed {
        /// First offset that is kept.
        before: Offset,
        /// Why.
        reason: TrimReason,
    },
}

impl Record {
    /// The run that it is about; none when it is about no run, or about all.
    #[must_use]
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::DaemonStarted(_)
            | Self::NamespaceAdded { .. }
            | Self::WorkflowUploaded(_)
            | Self::LogTrimmed { .. } => None,
            Self::EventEmitted(event) => event.execution,
            Self::RunStarted(started) => Some(started.run),
            Self::RunStopRequested { run }
            | Self::RunFinished { run, .. }
            | Self::ConditionAdvanced { run, .. }
            | Self::FilterFailed { run, .. }
            | Self::RuleFired { run, .. }
            | Self::TaskRestartRequested { run, .. } => Some(*run),
            Self::TaskExecutionCreated { id, .. }
            | Self::TaskExecutionStopRequested { id, .. }
            | Self::RetryScheduled { id, .. }
            | Self::TaskExecutionFinished { id, .. } => Some(id.run),
            Self::AttemptQueued { id }
            | Self::AttemptStarted { id, .. }
            | Self::AttemptEnded { id, .. } => Some(id.execution.run),
        }
    }
}

/// Why the beginning of the log is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrimReason {
    /// It was older, or the log larger, than is to be kept.
    Retention,
    /// It was found missing at a start: taken away by `aiflowd log repair`, or by hand.
    Missing,
}

/// A daemon took over this log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStarted {
    /// Its version.
    pub version: String,
    /// Counts the daemons of this log, from 1; each frame carries it.
    pub epoch: u64,
    /// Identity of this boot of the host.
    pub boot_id: String,
    /// Its process id.
    pub pid: u32,
}

/// A definition was stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkflowUploaded {
    /// Where it lives.
    pub namespace: Namespace,
    /// Its number among all snapshots.
    pub snapshot: SnapshotNumber,
    /// What it says, in normal form.
    pub spec: WorkflowSpec,
    /// The text that was uploaded.
    pub source: String,
    /// The files that came with it.
    #[serde(default)]
    pub files: Vec<FileEntry>,
}

/// One file of a snapshot: its place and its content by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Relative path with `/`, no `..`.
    pub path: String,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Whether its owner may execute it.
    #[serde(default)]
    pub executable: bool,
}

/// What users and tasks emit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where it is seen.
    pub namespace: Namespace,
    /// What it is about.
    pub key: EventKey,
    /// What it says.
    #[serde(default)]
    pub value: JsonText,
    /// Who says it; with `id` the identity of the event.
    pub source: String,
    /// Identity within its source.
    pub id: String,
    /// The run whose rules see it; none: all runs of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<RunId>,
}

/// What the fold looks at of an event.
pub trait EventFacts {
    /// Where it is seen.
    fn namespace(&self) -> &str;
    /// Who says it.
    fn source(&self) -> &str;
    /// Identity within its source.
    fn id(&self) -> &str;
}

impl EventFacts for Event {
    fn namespace(&self) -> &str {
        self.namespace.as_str()
    }

    fn source(&self) -> &str {
        &self.source
    }

    fn id(&self) -> &str {
        &self.id
    }
}

/// An event as replay reads it: borrowed from its payload, no more of it than the fold looks at.
/// Names are not checked again: the log holds what was once accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventIdentity<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
}

impl EventFacts for EventIdentity<'_> {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn source(&self) -> &str {
        &self.source
    }

    fn id(&self) -> &str {
        &self.id
    }
}

impl<'a> LoggedRecord<EventIdentity<'a>> {
    /// Reads a payload for replay, which takes a fraction of the time that the whole record takes.
    ///
    /// # Errors
    /// What `serde_json` finds wrong.
    pub fn for_replay(
        offset: Offset,
        time: Timestamp,
        payload: &'a [u8],
    ) -> Result<Self, serde_json::Error> {
        let Payload { cause, record } = serde_json::from_slice(payload)?;
        Ok(Self { offset, time, cause, record })
    }
}

/// A run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Its id.
    pub run: RunId,
    /// Where it lives.
    pub namespace: Namespace,
    /// Which workflow.
    pub workflow: WorkflowName,
    /// Which version of it.
    pub snapshot: SnapshotNumber,
    /// Its parameters, defaults filled in.
    #[serde(default)]
    pub params: BTreeMap<String, JsonText>,
    /// Identity of the request, so that asking twice starts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn replay_reads_of_an_event_what_the_whole_record_says(
            source in any::<String>(),
            id in any::<String>(),
            value in any::<String>(),
            run in proptest::option::of(any::<u64>()),
            cause in proptest::option::of(any::<u64>()),
        ) {
            let event = Event {
                namespace: Namespace::default_namespace(),
                key: EventKey::new("k").unwrap(),
                value: JsonText::from_value(&serde_json::json!({"source": value, "id": [value]})),
                source,
                id,
                execution: run.map(RunId),
            };
            let cause = cause.map(Offset);
            let record = Record::EventEmitted(event.clone());
            let payload = serde_json::to_vec(&Payload { cause, record: &record }).unwrap();
            let (offset, time) = (Offset(7), Timestamp(-1));
            let read = LoggedRecord::for_replay(offset, time, &payload).unwrap();
            prop_assert_eq!((read.offset, read.time, read.cause), (offset, time, cause));
            let Record::EventEmitted(facts) = &read.record else { panic!("{read:?}") };
            prop_assert_eq!(facts.namespace(), EventFacts::namespace(&event));
            prop_assert_eq!((facts.source(), facts.id()), (&*event.source, &*event.id));
            // What is cut off is refused by both.
            for end in 0..payload.len() {
                prop_assert!(
                    LoggedRecord::for_replay(offset, time, &payload[..end]).is_err()
                        && serde_json::from_slice::<Payload>(&payload[..end]).is_err()
                );
            }
        }
    }
}
