//! Tasks of a run: starting, queueing, stopping and starting anew.

use std::sync::Arc;

use aiflow_model::record::{Event, Item, StopReason};
use aiflow_model::spec::{Overlap, TaskSpec};
use aiflow_model::state::{Execution, ExecutionStatus, Lane, RunStatus, TaskState};
use aiflow_model::time::Window;
use aiflow_model::{ErrorCode, ExecutionId, Offset, Record, Rejection, RunId, Sequence, TaskName};

use crate::input::Answer;
use crate::transaction::{Stimulus, Transaction};

/// What starts an execution.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    pub(crate) cause: Option<Offset>,
    pub(crate) events: Vec<Offset>,
    pub(crate) window: Option<Window>,
    /// The window had fired before.
    pub(crate) rerun: bool,
    /// The event that fired it, for those who do its items.
    pub(crate) event: Option<Arc<Event>>,
}

impl Transaction<'_> {
    pub(crate) fn task_state(&self, run: RunId, task: &TaskName) -> Option<&TaskState> {
        self.state.task(run, task)
    }

    /// Creates an execution if the task's overlap allows it, and launches what there is room for.
    /// Returns whether one was created.
    pub(crate) fn start_task(&mut self, run: RunId, task: &TaskSpec, start: Start) -> bool {
        let is_running = self.state.run(run).is_some_and(|r| r.status == RunStatus::Running);
        let Some(state) = self.task_state(run, &task.name).filter(|_| is_running) else {
            return false;
        };
        // All items of a list are one start.
        let places = if task.for_each.is_some() { 1 } else { task.parallel as usize };
        let is_full = state.alive.len() >= places || state.restart.is_some();
        let queues = start.window.is_some() || task.overlap != Overlap::Ignore;
        if is_full && !queues {
            return false;
        }
        if start.rerun && waits_already(state, start.window) {
            return false;
        }
        let replaces = start.window.is_none() && task.overlap == Overlap::Latest;
        self.create(run, task, start, None);
        if replaces {
            self.replace_waiting(run, &task.name);
        }
        self.advance_queue(run, task);
        true
    }

    pub(crate) fn create_execution(
        &mut self,
        run: RunId,
        task: &TaskName,
        start: Start,
        (backfill, item): (Lane, Option<Item>),
    ) {
        let Some(state) = self.task_state(run, task) else { return };
        let id = ExecutionId { run, task: task.clone(), sequence: state.next_sequence() };
        let Start { cause, events, window, .. } = start;
        let (repeats, item) = (None, item.map(Box::new));
        let created = Record::TaskExecutionCreated { id, events, window, repeats, backfill, item };
        self.record(cause, created);
    }

    /// Takes back what waits without a window, but for the newest: it never began, so that nothing
    /// reacts to its end.
    fn replace_waiting(&mut self, run: RunId, task: &TaskName) {
        let Some(state) = self.task_state(run, task) else { return };
        let newest = state.latest().map(|e| (e.sequence, e.offset));
        let fan = |e: &Execution| e.item.as_ref().map(|item| item.fan);
        let newest_fan = state.latest().and_then(fan);
        let waits = |e: &&Execution| {
            let is_of_newest = newest_fan.is_some() && fan(e) == newest_fan;
            e.status == ExecutionStatus::Waiting && e.window.is_none() && !is_of_newest
        };
        let waiting: Vec<Sequence> =
            state.alive_executions().filter(waits).map(|e| e.sequence).collect();
        for sequence in waiting {
            let Some((_, by)) = newest.filter(|(newest, _)| *newest != sequence) else { continue };
            let id = ExecutionId { run, task: task.clone(), sequence };
            let reason = StopReason::Replaced;
            let asked = Record::TaskExecutionStopRequested { id: id.clone(), reason };
            let cause = Some(self.record(Some(by), asked));
            let status = ExecutionStatus::Stopped;
            self.record(cause, Record::TaskExecutionFinished { id, status });
        }
    }

    /// Queues attempts for waiting executions while there is room, and the run is not paused.
    pub(crate) fn advance_queue(&mut self, run: RunId, task: &TaskSpec) {
        if self.state.run(run).is_some_and(|run| run.paused) || self.free_pools(run, task) {
            return;
        }
        let lanes: Vec<Lane> =
            self.task_state(run, &task.name).map_or(Vec::new(), |task| task.lanes().collect());
        for lane in lanes {
            self.advance_lane(run, task, lane);
        }
    }

    fn advance_lane(&mut self, run: RunId, task: &TaskSpec, lane: Lane) {
        loop {
            let Some(state) = self.task_state(run, &task.name) else { return };
            if state.busy_in(lane) >= state.places(lane, task.parallel) {
                return;
            }
            let Some(waiting) = state.first_waiting_in(lane) else { return };
            let (cause, sequence) = (waiting.offset, waiting.sequence);
            let id = ExecutionId { run, task: task.name.clone(), sequence };
            self.queue_attempt(&id, Some(cause));
        }
    }

    /// Gives an execution its next attempt: from here on it may be launched, once.
    pub(crate) fn queue_attempt(&mut self, id: &ExecutionId, cause: Option<Offset>) {
        let Some(execution) = self.state.execution(id) else { return };
        let id = id.attempt(execution.next_attempt());
        self.record(cause, Record::AttemptQueued { id });
    }

    /// Stops what is alive of a task; returns how many executions that is.
    pub(crate) fn stop_task(
        &mut self,
        run: RunId,
        task: &TaskName,
        reason: StopReason,
        cause: Option<Offset>,
    ) -> u32 {
        let Some(state) = self.task_state(run, task) else { return 0 };
        let has_restart = state.restart.is_some() && reason != StopReason::Restart;
        let restarts = reason == StopReason::Restart;
        // What somebody asked for is not lost to a restart.
        let is_meant = |e: &&Execution| !(restarts && e.backfill.is_some());
        let alive: Vec<Sequence> =
            state.alive_executions().filter(is_meant).map(|e| e.sequence).collect();
        let mut stopping = 0;
        for sequence in alive {
            let id = ExecutionId { run, task: task.clone(), sequence };
            let Some(status) = self.state.execution(&id).map(|e| e.status) else { continue };
            match status {
                // Windows that wait are not lost to a restart: a clock's firings never are.
                ExecutionStatus::Waiting if reason == StopReason::Restart => continue,
                ExecutionStatus::Waiting | ExecutionStatus::Retrying => {
                    self.finish_execution(&id, ExecutionStatus::Stopped, cause);
                }
                ExecutionStatus::Queued | ExecutionStatus::Running | ExecutionStatus::Ready => {
                    self.record(cause, Record::TaskExecutionStopRequested { id, reason });
                }
                ExecutionStatus::Stopping if has_restart => {
                    self.record(cause, Record::TaskExecutionStopRequested { id, reason });
                }
                ExecutionStatus::Stopping
                | ExecutionStatus::Success
                | ExecutionStatus::Failed
                | ExecutionStatus::Stopped
                | ExecutionStatus::Skipped => continue,
            }
            stopping += 1;
        }
        stopping
    }

    /// Stops what is alive of a task and starts it once nothing is.
    pub(crate) fn restart_task(&mut self, run: RunId, task: &TaskSpec, start: Start) {
        let Some(state) = self.task_state(run, &task.name) else { return };
        if state.busy_count() == 0 {
            self.start_task(run, task, start);
            return;
        }
        let name = task.name.clone();
        let events = start.events;
        let requested = Record::TaskRestartRequested { run, task: name, events };
        let cause = self.record(start.cause, requested);
        self.stop_task(run, &task.name, StopReason::Restart, Some(cause));
        self.resume_after_end(run, task);
    }

    /// Ends an execution: rules may react, the next in the queue may start.
    pub(crate) fn finish_execution(
        &mut self,
        id: &ExecutionId,
        status: ExecutionStatus,
        cause: Option<Offset>,
    ) {
        let finished = Record::TaskExecutionFinished { id: id.clone(), status };
        let offset = self.record(cause, finished);
        let (run, task, sequence) = (id.run, id.task.clone(), id.sequence);
        if self.is_news(id, status) {
            let known = self.task_state(run, &task);
            let to = known.and_then(|known| Some(known.standing(known.execution(sequence)?).0));
            let to = to.unwrap_or(status);
            self.stimulate(Stimulus::TaskChanged { offset, run, task, sequence, to });
        }
        if let Some(task) = self.state.task_spec(id.run, &id.task).cloned() {
            self.free_pools(id.run, &task);
        }
        self.unsettle(run);
    }

    /// After an end: starts what was to start anew, or the next of the queue.
    pub(crate) fn resume_after_end(&mut self, run: RunId, task: &TaskSpec) {
        let is_running = self.state.run(run).is_some_and(|r| r.status == RunStatus::Running);
        let Some(state) = self.task_state(run, &task.name).filter(|_| is_running) else { return };
        match &state.restart {
            Some(restart) if state.busy_count() == 0 => {
                let (cause, events) = (Some(restart.offset), restart.events.clone());
                self.create(run, task, Start { cause, events, ..Start::default() }, None);
            }
            Some(_) | None => {}
        }
        self.advance_queue(run, task);
    }

    pub(crate) fn start_task_on_request(
        &mut self,
        run: RunId,
        task: &TaskName,
    ) -> Result<Answer, Rejection> {
        self.find_living_run(run)?;
        let spec = self.find_task(run, task)?;
        let start = Start::default();
        if self.start_task(run, &spec, start) {
            return Ok(Answer::Done);
        }
        let message = format!("task {task} of run {run} is alive already");
        Err(Rejection::new(ErrorCode::AlreadyAlive, message)
            .hint(format!("aiflow task-execution list {run}")))
    }

    pub(crate) fn stop_task_on_request(
        &mut self,
        run: RunId,
        task: &TaskName,
    ) -> Result<Answer, Rejection> {
        self.find_run(run)?;
        let spec = self.find_task(run, task)?;
        if self.task_state(run, task).is_none_or(|state| state.alive_count() == 0) {
            let message = format!("nothing of task {task} of run {run} is alive");
            return Err(Rejection::new(ErrorCode::NotAlive, message)
                .hint(format!("aiflow task-execution list {run}")));
        }
        let stopping = self.stop_task(run, &spec.name, StopReason::Asked, None);
        Ok(Answer::Stopping(stopping))
    }

    pub(crate) fn find_task(&self, run: RunId, task: &TaskName) -> Result<TaskSpec, Rejection> {
        let snapshot = self.state.snapshot_of(run);
        snapshot.and_then(|s| s.spec.task(task.as_str())).cloned().ok_or_else(|| {
            let names = snapshot.map(|s| s.spec.names()).unwrap_or_default();
            let names: Vec<&str> = names.into_iter().map(TaskName::as_str).take(20).collect();
            Rejection::new(ErrorCode::UnknownTask, format!("run {run} has no task {task}"))
                .hint(format!("its tasks: {}", names.join(", ")))
        })
    }
}

/// Whether an execution on this window has yet to begin, and so will see what came late.
fn waits_already(state: &TaskState, window: Option<Window>) -> bool {
    let mut waiting = state.alive_executions().filter(|e| e.status == ExecutionStatus::Waiting);
    waiting.any(|execution| execution.window == window)
}
