//! What somebody may ask of a run in its course: pause and resume it, end an execution by hand, do
//! one anew. A run that had ended goes on.
//!
//! Must never change an execution that has ended: another one takes its place.

use std::collections::BTreeSet;

use aiflow_model::record::{Mark, RunControl, RunControlled};
use aiflow_model::spec::WorkflowSpec;
use aiflow_model::state::{Execution, ExecutionStatus, RunStatus, TaskState};
use aiflow_model::wire::{RerunTask, TaskControl, TaskRequest};
use aiflow_model::{
    ErrorCode, ExecutionId, Offset, Record, Rejection, RuleId, RunId, Sequence, TaskName,
};

use crate::input::Answer;
use crate::task::Start;
use crate::transaction::Transaction;

impl Transaction<'_> {
    pub(crate) fn pause_run(&mut self, id: RunId) -> Result<Answer, Rejection> {
        if !self.find_living_run(id)?.paused {
            self.control(id, RunControl::Paused, None);
        }
        Ok(Answer::Done)
    }

    pub(crate) fn resume_run(&mut self, id: RunId) -> Result<Answer, Rejection> {
        if self.find_living_run(id)?.paused {
            self.control(id, RunControl::Resumed, None);
            if let Some(snapshot) = self.snapshot(id) {
                snapshot.spec.tasks.iter().for_each(|task| self.advance_queue(id, task));
            }
        }
        Ok(Answer::Done)
    }

    pub(crate) fn restart_task_on_request(
        &mut self,
        asked: TaskRequest,
    ) -> Result<Answer, Rejection> {
        let TaskRequest { run, task, request } = asked;
        self.find_run(run)?;
        let spec = self.find_task(run, &task)?;
        let control = RunControl::TaskRestarted { task };
        if self.was_asked(run, request.as_deref(), &control)?.is_some() {
            return Ok(Answer::Done);
        }
        self.check_goes_on(run)?;
        let cause = Some(self.control(run, control, request));
        self.restart_task(run, &spec, Start { cause, ..Start::default() });
        Ok(Answer::Done)
    }

    /// Ends an execution by hand: the one that is named, the oldest that is alive, or a new one in
    /// the place of the latest.
    pub(crate) fn mark_task(
        &mut self,
        asked: TaskControl,
        mark: Mark,
    ) -> Result<Answer, Rejection> {
        let TaskControl { run, task, sequence, request } = asked;
        self.find_run(run)?;
        let spec = self.find_task(run, &task)?;
        let state = self.task_state(run, &task).cloned().unwrap_or_default();
        let which = match sequence {
            Some(sequence) => Some(find_execution(&state, run, &task, sequence)?),
            None => state.alive_executions().next().or_else(|| state.latest()),
        };
        let alive = which.filter(|execution| execution.status.is_alive());
        let sequence = alive.map_or_else(|| state.next_sequence(), |e| e.sequence);
        let control = RunControl::TaskMarked { task: task.clone(), sequence, mark };
        if let Some(earlier) = self.was_asked(run, request.as_deref(), &control)? {
            return Ok(answer(run, earlier));
        }
        self.check_goes_on(run)?;
        if let Some(done) = which.filter(|execution| execution.status.is_done()) {
            let message = format!(
                "execution {run}.{task}.{} has ended already: {}; nothing waits for it",
                done.sequence, done.status
            );
            return Err(Rejection::new(ErrorCode::NotAlive, message)
                .hint(format!("aiflow task-execution list {run}")));
        }
        let window = which.and_then(|execution| execution.window);
        let item = which.and_then(|execution| execution.item.clone());
        let status = alive.map(|execution| execution.status);
        let id = ExecutionId { run, task, sequence };
        let cause = Some(self.control(run, control, request));
        match status {
            None => {
                let created = Record::TaskExecutionCreated {
                    id: id.clone(),
                    events: Vec::new(),
                    window,
                    repeats: None,
                    backfill: None,
                    item,
                };
                let created = self.record(cause, created);
                self.finish_execution(&id, mark.status(), Some(created));
            }
            Some(ExecutionStatus::Waiting | ExecutionStatus::Retrying) => {
                self.finish_execution(&id, mark.status(), cause);
                self.resume_after_end(run, &spec);
            }
            Some(_) => {
                let (id, reason) = (id.clone(), mark.stop_reason());
                self.record(cause, Record::TaskExecutionStopRequested { id, reason });
            }
        }
        Ok(Answer::Execution(id))
    }

    /// Does an execution anew that has ended.
    pub(crate) fn rerun_task(&mut self, asked: RerunTask) -> Result<Answer, Rejection> {
        let RerunTask { run, task, sequence, from_here, request } = asked;
        self.find_run(run)?;
        let spec = self.find_task(run, &task)?;
        let state = self.task_state(run, &task).cloned().unwrap_or_default();
        let before = match sequence.or_else(|| state.latest().map(|latest| latest.sequence)) {
            Some(sequence) => find_execution(&state, run, &task, sequence)?,
            None => {
                let message = format!("task {task} of run {run} has not run yet");
                return Err(Rejection::new(ErrorCode::UnknownExecution, message)
                    .hint(format!("aiflow task-execution start {run} {task}")));
            }
        };
        let (of, sequence) = (before.sequence, state.next_sequence());
        let control = RunControl::TaskRerun { task: task.clone(), of, sequence, from_here };
        if let Some(earlier) = self.was_asked(run, request.as_deref(), &control)? {
            return Ok(answer(run, earlier));
        }
        self.check_goes_on(run)?;
        self.check_nothing_in_the_way(run, &task, before)?;
        if from_here && let Some(snapshot) = self.snapshot(run) {
            for name in followers(&snapshot.spec, &task).iter().filter(|name| **name != task) {
                self.check_nothing_in_the_way(run, name, before)?;
            }
        }
        self.check_kept(run, &task, before)?;
        let (events, window) = (before.events.clone(), before.window);
        let item = before.item.clone();
        let cause = Some(self.control(run, control, request));
        let id = ExecutionId { run, task, sequence };
        let repeats = (!from_here).then_some(of);
        let (id, backfill) = (id, None);
        let created = Record::TaskExecutionCreated {
            id: id.clone(),
            events,
            window,
            repeats,
            backfill,
            item,
        };
        self.record(cause, created);
        self.advance_queue(run, &spec);
        Ok(Answer::Execution(id))
    }

    /// Whether rules look at an execution that has come to this status. One that does another one
    /// anew tells nothing new if it ends as that did.
    pub(crate) fn is_news(&self, id: &ExecutionId, status: ExecutionStatus) -> bool {
        if let Some(task) = self.state.task(id.run, &id.task)
            && let Some(fan) = task.execution(id.sequence).and_then(|e| task.fan_of(e))
        {
            // All of it counts as one.
            return status == ExecutionStatus::Running || fan.is_news();
        }
        let before = self.state.execution(id).and_then(|execution| execution.repeats);
        let before = before
            .and_then(|sequence| self.state.execution(&ExecutionId { sequence, ..id.clone() }));
        before.is_none_or(|before| {
            let has_run = || before.attempts.iter().any(|attempt| attempt.pid.is_some());
            let is_same = before.status == status
                || (before.status.is_done() && status.is_done())
                || (status == ExecutionStatus::Running && has_run());
            !is_same
        })
    }

    /// Records that somebody took a hand in a run. In one that had ended the clocks of the wall
    /// begin anew: what went by in the meantime is not caught up with.
    fn control(&mut self, run: RunId, control: RunControl, request: Option<String>) -> Offset {
        let had_ended = self.state.run(run).is_some_and(|run| !run.status.is_alive());
        let controlled = RunControlled { run, control, request };
        let cause = self.record(None, Record::RunControlled(Box::new(controlled)));
        if let Some(snapshot) = self.snapshot(run).filter(|_| had_ended) {
            for (rule, _, definition) in snapshot.spec.rules() {
                let at = RuleId::Task { run, rule };
                self.rearm(at, &definition.condition, Some(cause));
            }
        }
        cause
    }

    /// What an earlier request of this identity asked for.
    fn was_asked(
        &self,
        run: RunId,
        request: Option<&str>,
        control: &RunControl,
    ) -> Result<Option<RunControl>, Rejection> {
        let known = request.and_then(|request| self.state.run(run)?.requests.get(request));
        let Some(earlier) = known else { return Ok(None) };
        if is_same_wish(earlier, control) {
            return Ok(Some(earlier.clone()));
        }
        let message = format!("a request of this identity asked something else of run {run}");
        Err(Rejection::new(ErrorCode::RequestConflict, message).hint("give each its own `request`"))
    }

    /// A run that is being stopped is not held up.
    fn check_goes_on(&self, id: RunId) -> Result<(), Rejection> {
        let run = self.find_run(id)?;
        if run.status != RunStatus::Stopping {
            return Ok(());
        }
        let message = format!("run {id} is being stopped");
        Err(Rejection::new(ErrorCode::RunEnded, message)
            .hint(format!("once it has ended; see: aiflow workflow-execution show {id}")))
    }

    /// Of a task without windows nothing may be alive; with them, nothing of the same window.
    fn check_nothing_in_the_way(
        &self,
        run: RunId,
        task: &TaskName,
        before: &Execution,
    ) -> Result<(), Rejection> {
        let Some(state) = self.task_state(run, task) else { return Ok(()) };
        let is_of_fan = |e: &Execution| {
            let item = e.item.as_ref().map(|item| (item.fan, item.index));
            let own = before.item.as_ref().map(|item| (item.fan, item.index));
            own.is_none() || item.is_none() || item == own
        };
        let is_in_the_way =
            |e: &&Execution| (before.window.is_none() || e.window == before.window) && is_of_fan(e);
        let alive = state.alive_executions().find(is_in_the_way);
        let Some(sequence) = alive.map(|execution| execution.sequence) else { return Ok(()) };
        let message = format!("execution {run}.{task}.{sequence} is alive");
        Err(Rejection::new(ErrorCode::AlreadyAlive, message)
            .hint(format!("wait for its end, or: aiflow task-execution stop {run} {task}")))
    }

    /// An execution is given the events that fired it, so they have to be in the log.
    fn check_kept(&self, run: RunId, task: &TaskName, before: &Execution) -> Result<(), Rejection> {
        let first = self.state.first_offset;
        let Some(gone) = before.events.iter().find(|event| **event < first) else { return Ok(()) };
        let message = format!(
            "execution {run}.{task}.{} was fired by event {gone}, which the log no longer holds; \
             it begins at {first}",
            before.sequence
        );
        Err(Rejection::new(ErrorCode::OffsetOutOfRange, message)
            .hint(format!("without the event: aiflow task-execution start {run} {task}")))
    }
}

fn find_execution<'a>(
    state: &'a TaskState,
    run: RunId,
    task: &TaskName,
    sequence: Sequence,
) -> Result<&'a Execution, Rejection> {
    state.execution(sequence).ok_or_else(|| {
        let message = format!("there is no execution {run}.{task}.{sequence}");
        Rejection::new(ErrorCode::UnknownExecution, message)
            .hint(format!("aiflow task-execution list {run}"))
    })
}

/// Whether two requests want the same, wherever the run stood when each was made.
fn is_same_wish(one: &RunControl, other: &RunControl) -> bool {
    match (one, other) {
        (
            RunControl::TaskMarked { task, mark, .. },
            RunControl::TaskMarked { task: other, mark: as_other, .. },
        ) => task == other && mark == as_other,
        (
            RunControl::TaskRerun { task, from_here, .. },
            RunControl::TaskRerun { task: other, from_here: as_other, .. },
        ) => task == other && from_here == as_other,
        _ => one == other,
    }
}

fn answer(run: RunId, earlier: RunControl) -> Answer {
    match earlier {
        RunControl::TaskMarked { task, sequence, .. }
        | RunControl::TaskRerun { task, sequence, .. } => {
            Answer::Execution(ExecutionId { run, task, sequence })
        }
        RunControl::Paused | RunControl::Resumed | RunControl::TaskRestarted { .. } => Answer::Done,
    }
}

/// The tasks that start by the end of this one, of those that do, and so on.
fn followers(spec: &WorkflowSpec, task: &TaskName) -> BTreeSet<TaskName> {
    let mut found = BTreeSet::new();
    let mut next = vec![task.clone()];
    while let Some(task) = next.pop() {
        let rules = spec.rules().filter(|(_, _, rule)| rule.action.starts());
        let after = rules.filter(|(_, _, r)| r.condition.upstream_tasks().any(|up| *up == task));
        for (_, follower, _) in after {
            if found.insert(follower.name.clone()) {
                next.push(follower.name.clone());
            }
        }
    }
    found
}
