//! Runs, executions, attempts and events as people and scripts read them: flat, times in RFC 3339.
//!
//! Made from the state alone, so that the CLI, the TUI and `-o json` show the same. Must never be
//! stored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{Event, Outcome, TriggerOrigin};
use crate::state::{
    Attempt, Execution, ExecutionStatus, Run, RunStatus, State, TaskState, Trigger,
};
use crate::time::Timestamp;
use crate::{
    AttemptNumber, EventKey, JsonText, Namespace, Offset, RunId, Sequence, SnapshotNumber,
    TaskName, TriggerId, WorkflowName,
};

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// Where it lives.
    pub namespace: Namespace,
    /// Which workflow.
    pub workflow: WorkflowName,
    /// Which version.
    pub snapshot: SnapshotNumber,
    /// Where it stands.
    pub status: RunStatus,
    /// Whether nothing new starts in it.
    #[serde(default)]
    pub paused: bool,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Its parameters.
    pub params: BTreeMap<String, JsonText>,
    /// The trigger that started it; none when somebody asked.
    #[serde(default)]
    pub trigger: Option<TriggerId>,
    /// Offsets of the events that fired it.
    #[serde(default)]
    pub events: Vec<Offset>,
    /// How many task executions are alive.
    pub alive: usize,
    /// How many task executions succeeded, failed, were stopped.
    pub ended: Ended,
}

/// A trigger; one that ticks on the wall alone is a schedule.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TriggerView {
    /// Its id.
    pub id: TriggerId,
    /// Where it listens.
    pub namespace: Namespace,
    /// What it starts.
    pub workflow: WorkflowName,
    /// Its condition in words.
    pub condition: String,
    /// Whether it ticks on the wall and looks at nothing else.
    pub schedule: bool,
    /// Where it comes from.
    pub origin: TriggerOrigin,
    /// Whether it looks at nothing until it is resumed.
    pub paused: bool,
    /// How often it fired.
    pub firings: u64,
    /// When it fired last.
    pub fired_at: Option<String>,
    /// When a schedule that looks ticks next.
    pub next_tick: Option<String>,
}

/// Ended task executions by how they ended.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Ended {
    /// As they should.
    pub success: usize,
    /// Otherwise.
    pub failed: usize,
    /// On request.
    pub stopped: usize,
    /// Not needed, as somebody said.
    #[serde(default)]
    pub skipped: usize,
}

/// A task execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExecutionView {
    /// Of which run.
    pub run: RunId,
    /// Of which task.
    pub task: TaskName,
    /// Which one.
    pub sequence: Sequence,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// First instant of its window.
    pub window_start: Option<String>,
    /// First instant after its window.
    pub window_end: Option<String>,
    /// The item that it does, of a list of which each is an execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<JsonText>,
    /// When it came into being.
    pub created_at: String,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Since when it is ready, as its task's rule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<String>,
    /// Since when nothing was heard of it, although it has a heartbeat; it may well live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<String>,
    /// Offsets of the events that fired it.
    pub events: Vec<Offset>,
    /// Its attempts.
    pub attempts: Vec<AttemptView>,
}

/// An attempt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttemptView {
    /// Which one.
    pub attempt: AttemptNumber,
    /// `queued`, `running`, or how it ended: `exited`, `signaled`, `spawn_failed`, `never_started`,
    /// `interrupted`, `unknown`.
    pub state: String,
    /// Its process.
    pub pid: Option<u32>,
    /// What the process returned.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why it could not be started, or what is not known.
    pub reason: Option<String>,
    /// When it got its id.
    pub queued_at: String,
    /// When its process was seen running.
    pub started_at: Option<String>,
    /// When its end was recorded.
    pub ended_at: Option<String>,
    /// Largest resident memory in bytes.
    pub rss_bytes_max: u64,
    /// Processor time in microseconds.
    pub cpu_us: u64,
}

/// An event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventView {
    /// Where it stands in the log.
    pub offset: Offset,
    /// When it was accepted.
    pub time: String,
    /// Where it is seen.
    pub namespace: Namespace,
    /// What it is about.
    pub key: EventKey,
    /// What it says.
    pub value: JsonText,
    /// Who says it.
    pub source: String,
    /// Identity within its source.
    pub id: String,
    /// The run whose rules see it.
    pub execution: Option<RunId>,
}

fn text(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

impl RunView {
    /// Where it stands, in a word; that nothing new starts in it.
    #[must_use]
    pub const fn status_word(&self) -> &'static str {
        if self.paused { "paused" } else { self.status.word() }
    }

    /// The view of a run.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let count = |status| {
            let all = run.tasks.iter().flat_map(|task| &task.executions);
            all.filter(|execution| execution.status == status).count()
        };
        Self {
            id: run.id,
            namespace: run.namespace.clone(),
            workflow: run.workflow.clone(),
            snapshot: run.snapshot,
            status: run.status,
            paused: run.paused,
            started_at: run.started_at.to_string(),
            ended_at: text(run.ended_at),
            params: run.params.clone(),
            trigger: run.trigger,
            events: run.events.clone(),
            alive: run.tasks.iter().map(TaskState::alive_count).sum(),
            ended: Ended {
                success: count(ExecutionStatus::Success),
                failed: count(ExecutionStatus::Failed),
                stopped: count(ExecutionStatus::Stopped),
                skipped: count(ExecutionStatus::Skipped),
            },
        }
    }
}

impl TriggerView {
    /// The view of a trigger.
    #[must_use]
    pub fn of(state: &State, trigger: &Trigger) -> Self {
        Self {
            id: trigger.id,
            namespace: trigger.namespace.clone(),
            workflow: trigger.workflow.clone(),
            condition: trigger.condition.to_string(),
            schedule: trigger.is_schedule(),
            origin: trigger.origin,
            paused: trigger.paused,
            firings: trigger.firings,
            fired_at: text(trigger.fired_at),
            next_tick: text(trigger.next_tick().filter(|_| state.is_active(trigger))),
        }
    }
}

impl ExecutionView {
    /// Where it stands, in words; that it is silent, too.
    #[must_use]
    pub fn status_words(&self) -> String {
        let silent = self.silent_since.as_ref().map(|_| ", silent").unwrap_or_default();
        let ready = self.ready_at.as_ref().map(|_| ", ready").unwrap_or_default();
        format!("{}{ready}{silent}", self.status)
    }

    /// The view of an execution.
    #[must_use]
    pub fn of(run: RunId, task: &TaskName, execution: &Execution) -> Self {
        Self {
            run,
            task: task.clone(),
            sequence: execution.sequence,
            status: execution.status,
            window_start: text(execution.window.map(|window| window.start)),
            window_end: text(execution.window.map(|window| window.end)),
            item: execution.item.as_ref().map(|item| item.value.clone()),
            created_at: execution.created_at.to_string(),
            ended_at: text(execution.ended_at),
            ready_at: text(execution.ready_at),
            silent_since: text(execution.silent_since),
            events: execution.events.clone(),
            attempts: execution.attempts.iter().map(AttemptView::of).collect(),
        }
    }

    /// The views of all executions of a run, task by task; none when there is no such run.
    #[must_use]
    pub fn all_of_run(state: &State, run: RunId) -> Option<Vec<Self>> {
        let snapshot = state.snapshot_of(run)?;
        let tasks = snapshot.spec.tasks.iter().zip(&state.run(run)?.tasks);
        let views = tasks.flat_map(|(spec, task)| {
            task.executions.iter().map(move |execution| Self::of(run, &spec.name, execution))
        });
        Some(views.collect())
    }
}

impl AttemptView {
    /// The view of an attempt.
    #[must_use]
    pub fn of(attempt: &Attempt) -> Self {
        let mut view = Self {
            attempt: attempt.number,
            state: if attempt.pid.is_some() { "running" } else { "queued" }.to_owned(),
            pid: attempt.pid,
            exit_code: None,
            signal: None,
            reason: None,
            queued_at: attempt.queued_at.to_string(),
            started_at: text(attempt.started_at),
            ended_at: text(attempt.ended_at),
            rss_bytes_max: attempt.usage.rss_bytes_max,
            cpu_us: attempt.usage.cpu_us,
        };
        let state = match &attempt.outcome {
            None => return view,
            Some(Outcome::Exited { code }) => {
                view.exit_code = Some(*code);
                "exited"
            }
            Some(Outcome::Signaled { signal }) => {
                view.signal = Some(*signal);
                "signaled"
            }
            Some(Outcome::SpawnFailed { reason }) => {
                view.reason = Some(reason.clone());
                "spawn_failed"
            }
            Some(Outcome::NeverStarted) => "never_started",
            Some(Outcome::Interrupted) => "interrupted",
            Some(Outcome::Unknown { reason }) => {
                view.reason = Some(reason.clone());
                "unknown"
            }
        };
        state.clone_into(&mut view.state);
        view
    }
}

impl EventView {
    /// The view of an event.
    #[must_use]
    pub fn of(event: &Event, offset: Offset, time: Timestamp) -> Self {
        Self {
            offset,
            time: time.to_string(),
            namespace: event.namespace.clone(),
            key: event.key.clone(),
            value: event.value.clone(),
            source: event.source.clone(),
            id: event.id.clone(),
            execution: event.execution,
        }
    }
}
