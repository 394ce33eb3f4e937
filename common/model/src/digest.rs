//! What has happened over a stretch of the log, for whoever has not looked for a while: failures,
//! recoveries, what came late, what waits now.
//!
//! A fold of records, bounded by the tasks that it names. Must never decide what is worth a look
//! by a clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::TriggerChange;
use crate::state::{ExecutionStatus, RunStatus, State};
use crate::{LoggedRecord, Offset, Record, RunId, TaskName, WorkflowName};

/// Most lines of one kind; what is beyond is only counted.
const LINES_MAX: usize = 1_000;

/// What has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Digest {
    /// How often a daemon started.
    pub daemons: u64,
    /// Events that came.
    pub events: u64,
    /// Runs that began.
    pub runs_started: u64,
    /// Runs that ended, by how.
    pub runs_ended: BTreeMap<String, u64>,
    /// Task executions that ended, by how.
    pub executions_ended: BTreeMap<String, u64>,
    /// Tasks that failed and have not succeeded since, and those that failed and have.
    pub tasks: Vec<TaskDigest>,
    /// Windows that came late: fired anew, or ticks that were missed.
    pub late: Vec<Offset>,
    /// Filters, scripts and emissions that failed.
    pub faults: Vec<Offset>,
    /// Executions that have come to wait since, and still do.
    pub waiting: Vec<Waiting>,
}

/// How a task has fared that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDigest {
    /// In which run.
    pub run: RunId,
    /// Of which workflow, if the run is still known.
    pub workflow: Option<WorkflowName>,
    /// Which task.
    pub task: TaskName,
    /// How often it failed.
    pub failures: u64,
    /// The latest failure.
    pub failed_at: Offset,
    /// Its first success after that.
    pub recovered_at: Option<Offset>,
}

/// An execution that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// In which run.
    pub run: RunId,
    /// Of which task.
    pub task: TaskName,
    /// How many of it wait.
    pub executions: u64,
    /// The oldest of them.
    pub since: Offset,
}

/// Gathers a digest.
#[derive(Debug, Default)]
pub struct Gatherer {
    digest: Digest,
    failed: BTreeMap<(RunId, TaskName), TaskDigest>,
}

impl Gatherer {
    /// Takes in the next record.
    pub fn note<E>(&mut self, logged: &LoggedRecord<E>) {
        let (digest, offset) = (&mut self.digest, logged.offset);
        match &logged.record {
            Record::DaemonStarted(_) => digest.daemons += 1,
            Record::EventEmitted(_) => digest.events += 1,
            Record::RunStarted(_) => digest.runs_started += 1,
            Record::RunFinished { status, .. } => {
                *digest.runs_ended.entry(status.word().to_owned()).or_default() += 1;
            }
            Record::TaskExecutionFinished { id, status } => {
                *digest.executions_ended.entry(status.word().to_owned()).or_default() += 1;
                self.ended((id.run, id.task.clone()), *status, offset);
            }
            Record::ContactLost { id } => {
                let id = &id.execution;
                self.ended((id.run, id.task.clone()), ExecutionStatus::Failed, offset);
            }
            Record::RuleFired { firing, .. } if firing.rerun => keep(&mut digest.late, offset),
            Record::TicksMissed { .. }
            | Record::TriggerChanged { change: TriggerChange::TicksMissed { .. }, .. } => {
                keep(&mut digest.late, offset);
            }
            Record::FilterFailed { .. }
            | Record::EmissionFailed { .. }
            | Record::TriggerChanged { change: TriggerChange::FilterFailed { .. }, .. } => {
                keep(&mut digest.faults, offset);
            }
            _ => {}
        }
    }

    fn ended(&mut self, (run, task): (RunId, TaskName), status: ExecutionStatus, offset: Offset) {
        let is_full = self.failed.len() >= LINES_MAX;
        match (status, self.failed.get_mut(&(run, task.clone()))) {
            (ExecutionStatus::Failed, Some(known)) => {
                known.failures += 1;
                (known.failed_at, known.recovered_at) = (offset, None);
            }
            (ExecutionStatus::Failed, None) if !is_full => {
                let (workflow, recovered_at) = (None, None);
                let failed = TaskDigest {
                    run,
                    workflow,
                    task: task.clone(),
                    failures: 1,
                    failed_at: offset,
                    recovered_at,
                };
                self.failed.insert((run, task), failed);
            }
            (ended, Some(known)) if ended.is_done() && known.recovered_at.is_none() => {
                known.recovered_at = Some(offset);
            }
            _ => {}
        }
    }

    /// What has happened. `state` is that after the last record, `from` the first that was noted.
    #[must_use]
    pub fn finish(self, state: &State, from: Offset) -> Digest {
        let Self { mut digest, failed } = self;
        digest.tasks = failed.into_values().collect();
        for task in &mut digest.tasks {
            task.workflow = state.run(task.run).map(|run| run.workflow.clone());
        }
        // What needs a hand stands first.
        digest.tasks.sort_by_key(|task| (task.recovered_at.is_some(), task.failed_at));
        digest.waiting = waiting(state, from);
        digest
    }
}

fn keep(offsets: &mut Vec<Offset>, offset: Offset) {
    if offsets.len() < LINES_MAX {
        offsets.push(offset);
    }
}

fn waiting(state: &State, from: Offset) -> Vec<Waiting> {
    let mut all = Vec::new();
    let alive = state.runs.values().filter(|run| run.status == RunStatus::Running);
    for run in alive {
        let Some(snapshot) = state.snapshots.get(&run.snapshot) else { continue };
        for (spec, task) in snapshot.spec.tasks.iter().zip(&run.tasks) {
            let new = task.alive_executions().filter(|execution| {
                execution.status == ExecutionStatus::Waiting && execution.offset >= from
            });
            let offsets: Vec<Offset> = new.map(|execution| execution.offset).collect();
            let (Some(since), run) = (offsets.iter().min().copied(), run.id) else { continue };
            let (task, executions) = (spec.name.clone(), offsets.len() as u64);
            all.push(Waiting { run, task, executions, since });
            if all.len() >= LINES_MAX {
                return all;
            }
        }
    }
    all
}
