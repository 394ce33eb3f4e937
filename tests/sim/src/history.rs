//! The log read as runs, executions and attempts, apart from the fold that the daemon uses.
//!
//! Must never take anything from the core but the records themselves.

use std::collections::BTreeMap;

use aiflow_model::record::{Event, Outcome, TriggerChange};
use aiflow_model::state::ExecutionStatus;
use aiflow_model::time::Window;
use aiflow_model::{AttemptId, ExecutionId, LoggedRecord, Offset, Record, RunId, Timestamp};

/// All that the log says.
#[derive(Debug, Default)]
pub(crate) struct History<'a> {
    pub(crate) events: Vec<(Offset, &'a Event)>,
    pub(crate) runs: BTreeMap<RunId, Run<'a>>,
    pub(crate) attempts: BTreeMap<&'a AttemptId, Ends<'a>>,
    /// Events that began runs, as the trigger was there and active when they came.
    pub(crate) begins: Vec<Offset>,
}

/// A run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) offset: Offset,
    pub(crate) time: Timestamp,
    /// When it was asked to stop, or ended by itself.
    pub(crate) until: Option<Offset>,
    pub(crate) is_triggered: bool,
    pub(crate) events: &'a [Offset],
    pub(crate) request: Option<&'a str>,
    pub(crate) tasks: BTreeMap<&'a str, Vec<Execution<'a>>>,
}

/// An execution of a task.
#[derive(Debug)]
pub(crate) struct Execution<'a> {
    pub(crate) offset: Offset,
    pub(crate) events: &'a [Offset],
    pub(crate) window: Option<Window>,
    /// Its fan, and which item of it.
    pub(crate) item: Option<(Offset, u32)>,
    pub(crate) finished: Option<(Offset, ExecutionStatus)>,
    /// Since its latest attempt was queued.
    stop_asked: bool,
    pub(crate) ends: Vec<End<'a>>,
}

/// How an attempt of an execution ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    pub(crate) outcome: &'a Outcome,
    /// It had been asked to stop, by its timeout or by somebody.
    pub(crate) stop_asked: bool,
}

/// The ends of one attempt, of which there is to be one.
#[derive(Debug, Default)]
pub(crate) struct Ends<'a> {
    pub(crate) outcomes: Vec<&'a Outcome>,
    pub(crate) stop_asked: bool,
}

impl<'a> History<'a> {
    pub(crate) fn read(log: &'a [LoggedRecord]) -> Self {
        let mut history = Self::default();
        let (mut is_there, mut is_paused, mut is_disabled) = (false, false, false);
        for logged in log {
            match &logged.record {
                Record::TriggerAdded(_) => is_there = true,
                Record::TriggerChanged { change: TriggerChange::Paused, .. } => is_paused = true,
                Record::TriggerChanged { change: TriggerChange::Resumed, .. } => is_paused = false,
                Record::WorkflowEnabled { enabled, .. } => is_disabled = !enabled,
                Record::EventEmitted(event) => {
                    history.events.push((logged.offset, event));
                    let is_begin = event.key.as_str() == "begin";
                    if is_begin && is_there && !is_paused && !is_disabled {
                        history.begins.push(logged.offset);
                    }
                }
                record => history.take(logged, record),
            }
        }
        history
    }

    fn take(&mut self, logged: &LoggedRecord, record: &'a Record) {
        match record {
            Record::RunStarted(started) => {
                let run = Run {
                    offset: logged.offset,
                    time: logged.time,
                    until: None,
                    is_triggered: started.trigger.is_some(),
                    events: &started.events,
                    request: started.request.as_deref(),
                    tasks: BTreeMap::new(),
                };
                self.runs.insert(started.run, run);
            }
            Record::RunStopRequested { run } => {
                if let Some(run) = self.runs.get_mut(run) {
                    run.until.get_or_insert(logged.offset);
                }
            }
            Record::TaskExecutionCreated { id, events, window, item, .. } => {
                let Some(run) = self.runs.get_mut(&id.run) else { return };
                run.tasks.entry(id.task.as_str()).or_default().push(Execution {
                    offset: logged.offset,
                    events,
                    window: *window,
                    item: item.as_ref().map(|item| (item.fan, item.index)),
                    finished: None,
                    stop_asked: false,
                    ends: Vec::new(),
                });
            }
            Record::TaskExecutionStopRequested { id, .. } => {
                if let Some(execution) = self.execution(id) {
                    execution.stop_asked = true;
                }
            }
            Record::TaskExecutionFinished { id, status } => {
                if let Some(execution) = self.execution(id) {
                    execution.finished = Some((logged.offset, *status));
                }
            }
            Record::AttemptQueued { id } => {
                self.attempts.entry(id).or_default();
                if let Some(execution) = self.execution(&id.execution) {
                    execution.stop_asked = false;
                }
            }
            Record::AttemptEnded { id, outcome, .. } => {
                let stop_asked = self.execution(&id.execution).is_some_and(|execution| {
                    let stop_asked = execution.stop_asked;
                    execution.ends.push(End { outcome, stop_asked });
                    stop_asked
                });
                let ends = self.attempts.entry(id).or_default();
                ends.outcomes.push(outcome);
                ends.stop_asked |= stop_asked;
            }
            _ => {}
        }
    }

    fn execution(&mut self, id: &ExecutionId) -> Option<&mut Execution<'a>> {
        let tasks = &mut self.runs.get_mut(&id.run)?.tasks;
        tasks.get_mut(id.task.as_str())?.get_mut(usize::try_from(id.sequence.0).ok()? - 1)
    }
}

impl<'a> Run<'a> {
    /// The executions of a task, oldest first.
    pub(crate) fn of(&self, task: &str) -> &[Execution<'a>] {
        self.tasks.get(task).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether its rules react to a record at this offset.
    pub(crate) fn reacts_at(&self, offset: Offset) -> bool {
        offset > self.offset && self.until.is_none_or(|until| offset < until)
    }
}
