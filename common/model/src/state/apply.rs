//! The fold: what each record changes.
//!
//! Must never decide, never look at a clock, never fail on a log that the core wrote; a record that
//! does not fit what came before is a damaged log or a bug, and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::deadline::due_at;
use super::{
    Attempt, Backfill, Deadline, Execution, ExecutionStatus, Identity, Lane, NodeState,
    PendingRestart, Run, RunStatus, Snapshot, State, TaskState,
};
use crate::record::{
    BackfillRequested, EventFacts, LoggedRecord, Outcome, Record, RunStarted, StopReason, Usage,
    WorkflowUploaded,
};
use crate::time::{Timestamp, Window};
use crate::{AttemptId, ExecutionId, Offset, RuleId, RuleIndex, RunId, TaskName};

/// A record that does not fit the state it meets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {offset} does not fit: {what}")]
pub struct ApplyError {
    /// The record.
    pub offset: Offset,
    /// What is missing or impossible.
    pub what: String,
}

pub(super) type Fit = Result<(), String>;

/// The place and time of the record being applied.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) offset: Offset,
    pub(super) time: Timestamp,
}

impl State {
    /// Takes in the next record.
    ///
    /// # Errors
    /// [`ApplyError`] when the record is not the next one or names something that does not exist;
    /// the state is then of no more use.
    pub fn apply<E: EventFacts>(&mut self, logged: &LoggedRecord<E>) -> Result<(), ApplyError> {
        let offset = logged.offset;
        let fit = if offset == self.next_offset {
            self.fold(&logged.record, At { offset, time: logged.time })
        } else {
            Err(format!("expected record {}", self.next_offset))
        };
        self.next_offset = offset.next();
        fit.map_err(|what| ApplyError { offset, what })
    }

    fn fold<E: EventFacts>(&mut self, record: &Record<E>, at: At) -> Fit {
        match record {
            Record::DaemonStarted(started) => {
                if self.boot_id != started.boot_id {
                    self.mark_reboot();
                }
                self.epoch = started.epoch;
                self.boot_id.clone_from(&started.boot_id);
                self.listen_anew(at)
            }
            Record::NamespaceAdded { namespace, properties } => {
                let known = self.namespaces.entry(namespace.clone()).or_default();
                known.properties.extend(properties.clone());
                Ok(())
            }
            Record::NamespaceChanged { namespace, properties } => {
                let known = self.namespaces.get_mut(namespace);
                let known = known.ok_or_else(|| format!("no namespace {namespace}"))?;
                known.properties.clone_from(properties);
                Ok(())
            }
            Record::WorkflowUploaded(uploaded) => self.fold_upload(uploaded, at),
            Record::EventEmitted(event) => self.fold_event(event, at),
            Record::RunStarted(started) => self.fold_run_started(started, at),
            Record::RunBegan { run } => self.fold_run_began(*run),
            Record::RunStopRequested { run } => self.fold_run_stop(*run),
            Record::RunControlled(controlled) => self.fold_control(controlled),
            Record::RunLate { run } => self.fold_late(*run),
            Record::RunFinished { run, status } => self.fold_run_finished(*run, *status, at),
            Record::ConditionAdvanced { run, rule, node, state } => {
                self.fold_condition(*run, *rule, *node, state)
            }
            Record::FilterFailed { run, .. }
            | Record::TicksMissed { run, .. }
            | Record::EmissionFailed { run, .. }
            | Record::FanFailed { run, .. }
            | Record::RuleFired { run, .. } => self.run_mut(*run).map(drop),
            Record::TaskExecutionCreated { id, events, window, repeats, backfill, item } => {
                self.fold_created(id, events, (*window, *backfill), at)?;
                self.execution_mut(id)?.repeats = *repeats;
                if let Some(item) = item {
                    self.execution_mut(id)?.item = Some(item.clone());
                    let task = self.task_mut(id.run, &id.task)?;
                    task.fold_member(item, id.sequence, repeats.is_some());
                }
                Ok(())
            }
            Record::FanStarted(started) => {
                self.task_mut(started.run, &started.task)?.fold_fan(started, at.offset);
                Ok(())
            }
            Record::BackfillRequested(asked) => self.fold_backfill(asked, at),
            Record::TaskRestartRequested { run, task, events } => {
                let restart = PendingRestart { events: events.clone(), offset: at.offset };
                self.task_mut(*run, task)?.restart = Some(restart);
                Ok(())
            }
            Record::TaskExecutionStopRequested { id, reason } => self.fold_stop(id, *reason, at),
            Record::AttemptQueued { id } => self.fold_queued(id, at),
            Record::AttemptStarted { id, pid } => self.fold_started(id, *pid, at),
            Record::AttemptReady { id } => {
                self.change(&id.execution, at, |execution| execution.ready_at = Some(at.time))?;
                let ExecutionId { run, task, sequence } = &id.execution;
                self.task_mut(*run, task)?.fold_member_ready(*sequence, true);
                Ok(())
            }
            Record::HeartbeatReceived { id } => self.fold_heartbeat(id, at),
            Record::ContactLost { id } => self.fold_contact_lost(id, at),
            Record::AttemptEnded { id, outcome, usage } => self.fold_ended(id, outcome, *usage, at),
            Record::RetryScheduled { id, due } => self.change(id, at, |execution| {
                execution.status = ExecutionStatus::Retrying;
                execution.deadline = Some(*due);
                // A timeout was of the attempt before.
                execution.stop = None;
            }),
            Record::TaskExecutionFinished { id, status } => self.fold_finished(id, *status, at),
            Record::OutputSet(set) => {
                let outputs = &mut self.execution_mut(&set.id.execution)?.outputs;
                outputs.insert(set.name.clone(), set.value.clone());
                Ok(())
            }
            Record::TriggerAdded(added) => self.fold_trigger_added(added, at),
            Record::TriggerChanged { trigger, change } => self.fold_trigger(*trigger, change, at),
            Record::WorkflowEnabled { namespace, workflow, enabled } => {
                self.fold_enabled(namespace, workflow, *enabled)
            }
            Record::WorkflowDeleted { namespace, workflow } => {
                self.fold_workflow_deleted(namespace, workflow)
            }
            Record::RunDeleted { run } => self.fold_run_deleted(*run),
            Record::RunArchived { run } => self.fold_run_archived(*run),
            Record::NamespaceDeleted { namespace } => {
                let gone = self.namespaces.remove(namespace);
                gone.map(drop).ok_or_else(|| format!("no namespace {namespace}"))
            }
            Record::DraftStarted(started) => self.fold_draft_started(started, at),
            Record::DraftChanged { draft, change } => self.fold_draft(*draft, change, at),
            Record::LogTrimmed { before, .. } => {
                self.first_offset = *before;
                Ok(())
            }
        }
    }

    fn mark_reboot(&mut self) {
        let alive: Vec<AttemptId> = self.alive_attempts().map(|(id, _)| id).collect();
        for id in alive {
            let execution = id.execution;
            if let Ok(execution) = self.execution_mut(&execution)
                && let Some(attempt) = execution.attempts.last_mut()
            {
                attempt.before_reboot = true;
            }
        }
    }

    fn fold_upload(&mut self, uploaded: &WorkflowUploaded, at: At) -> Fit {
        let number = uploaded.snapshot;
        let namespace = self
            .namespaces
            .get_mut(&uploaded.namespace)
            .ok_or_else(|| format!("no namespace {}", uploaded.namespace))?;
        namespace.workflows.insert(uploaded.spec.name.clone(), number);
        let snapshot = Snapshot {
            number,
            namespace: uploaded.namespace.clone(),
            spec: uploaded.spec.clone(),
            source: uploaded.source.clone(),
            files: uploaded.files.clone(),
            uploaded_at: at.time,
            offset: at.offset,
        };
        self.last_snapshot = self.last_snapshot.max(number);
        match self.snapshots.insert(number, Arc::new(snapshot)) {
            None => Ok(()),
            Some(_) => Err(format!("snapshot {number} exists already")),
        }
    }

    fn fold_event(&mut self, event: &impl EventFacts, at: At) -> Fit {
        let namespace = self
            .namespaces
            .get_mut(event.namespace())
            .ok_or_else(|| format!("no namespace {}", event.namespace()))?;
        namespace.event_count += 1;
        let identity = Identity::of_event(event.namespace(), event.source(), event.id());
        self.event_ids.remember(identity, at.offset.0);
        Ok(())
    }

    fn fold_run_started(&mut self, started: &RunStarted, at: At) -> Fit {
        let number = started.snapshot;
        let snapshot =
            self.snapshots.get(&number).ok_or_else(|| format!("no snapshot {number}"))?;
        let run = Run::new(started, &snapshot.spec, at.offset, at.time);
        if !started.waiting {
            self.subscriptions.add_run(&run, &snapshot.spec);
        }
        self.pools.place_run(&run);
        self.deadlines.set(Deadline::Late(run.id), run.late_at);
        if let Some(request) = &started.request {
            self.run_requests.remember(Identity::of_request(request), started.run.0);
        }
        self.last_run = self.last_run.max(started.run);
        match self.runs.insert(started.run, run) {
            None => Ok(()),
            Some(_) => Err(format!("run {} exists already", started.run)),
        }
    }

    fn fold_run_began(&mut self, id: RunId) -> Fit {
        let run = self.runs.get_mut(&id).ok_or_else(|| format!("no run {id}"))?;
        run.status = RunStatus::Running;
        self.pools.place_run(run);
        if let Some(snapshot) = self.snapshots.get(&run.snapshot) {
            self.subscriptions.add_run(run, &snapshot.spec);
        }
        Ok(())
    }

    fn fold_run_stop(&mut self, id: RunId) -> Fit {
        let run = self.runs.get_mut(&id).ok_or_else(|| format!("no run {id}"))?;
        run.status = RunStatus::Stopping;
        self.pools.place_run(run);
        Ok(())
    }

    fn fold_late(&mut self, id: RunId) -> Fit {
        let late_at = self.run_mut(id)?.late_at.take();
        self.deadlines.clear(Deadline::Late(id), late_at);
        Ok(())
    }

    fn fold_run_finished(&mut self, id: RunId, status: RunStatus, at: At) -> Fit {
        self.fold_late(id)?;
        let run = self.runs.get_mut(&id).ok_or_else(|| format!("no run {id}"))?;
        run.status = status;
        run.ended_at = Some(at.time);
        run.paused = false;
        self.pools.place_run(run);
        // Nothing is added any more, and ended runs stay for long.
        run.tasks.iter_mut().for_each(|task| task.executions.shrink_to_fit());
        if let Some(snapshot) = self.snapshots.get(&run.snapshot) {
            self.subscriptions.remove_run(run, &snapshot.spec);
            self.deadlines.remove_run(run, &snapshot.spec);
        }
        Ok(())
    }

    fn fold_condition(&mut self, id: RunId, rule: RuleIndex, node: u32, new: &NodeState) -> Fit {
        let run = self.runs.get_mut(&id).ok_or_else(|| format!("no run {id}"))?;
        let spec = self.snapshots.get(&run.snapshot).map(|snapshot| &snapshot.spec);
        let condition = spec
            .and_then(|spec| spec.rule(rule))
            .and_then(|(_, rule)| rule.condition.nodes().nth(node as usize))
            .ok_or_else(|| format!("no node {node} in rule {rule} of run {id}"))?;
        let states = run.conditions.get_mut(rule.0 as usize).ok_or("rule out of range")?;
        let deadline = Deadline::Condition { rule: RuleId::Task { run: id, rule }, node };
        let due_before = states.get(&node).and_then(|old| due_at(condition, old));
        new.fold_into(states, node);
        self.deadlines.clear(deadline.clone(), due_before);
        self.deadlines.set(deadline, due_at(condition, new));
        Ok(())
    }

    fn fold_created(
        &mut self,
        id: &ExecutionId,
        events: &[Offset],
        (window, backfill): (Option<Window>, Lane),
        at: At,
    ) -> Fit {
        let task = self.task_mut(id.run, &id.task)?;
        if task.next_sequence() != id.sequence {
            return Err(format!("execution {id} is not the next"));
        }
        match backfill {
            // What is created while something is busy only waits, and the restart with it.
            None if task.busy_count() > 0 => {}
            None => task.restart = None,
            Some(offset) => {
                let backfill = task.backfills.get_mut(&offset);
                backfill.ok_or_else(|| format!("no backfill {offset}"))?.windows += 1;
            }
        }
        task.lane_mut(backfill).map(|lane| lane.insert(id.sequence));
        task.executions.push(Execution {
            sequence: id.sequence,
            status: ExecutionStatus::Waiting,
            window,
            events: events.to_vec(),
            backfill,
            item: None,
            // Most executions have one attempt; room for more is asked for when there are more.
            attempts: Vec::with_capacity(1),
            created_at: at.time,
            ended_at: None,
            deadline: None,
            contact_due: None,
            silent_since: None,
            ready_at: None,
            stop: None,
            repeats: None,
            outputs: BTreeMap::new(),
            created: at.offset,
            offset: at.offset,
        });
        self.place(id);
        // A hook may come after the end of its run, whose executions are counted.
        if let Some(run) = self.runs.get(&id.run).filter(|run| run.ended_at.is_some()) {
            self.pools.place_run(run);
        }
        Ok(())
    }

    fn fold_backfill(&mut self, asked: &BackfillRequested, at: At) -> Fit {
        let (parallel, request) = (asked.parallel, asked.request.clone());
        let backfill = Backfill { parallel, request, windows: 0, alive: BTreeSet::new() };
        self.task_mut(asked.run, &asked.task)?.backfills.insert(at.offset, backfill);
        Ok(())
    }

    fn fold_stop(&mut self, id: &ExecutionId, reason: StopReason, at: At) -> Fit {
        self.change(id, at, |execution| {
            execution.status = ExecutionStatus::Stopping;
            execution.deadline = None;
            execution.hang_up();
            execution.stop = Some(reason);
        })?;
        if reason != StopReason::Restart {
            self.task_mut(id.run, &id.task)?.restart = None;
        }
        Ok(())
    }

    fn fold_queued(&mut self, id: &AttemptId, at: At) -> Fit {
        self.change(&id.execution, at, |execution| {
            execution.status = ExecutionStatus::Queued;
            execution.deadline = None;
            execution.outputs.clear();
            execution.attempts.push(Attempt {
                number: id.number,
                queued_at: at.time,
                started_at: None,
                ended_at: None,
                pid: None,
                outcome: None,
                usage: Usage::default(),
                before_reboot: false,
            });
        })
    }

    fn fold_started(&mut self, id: &AttemptId, pid: u32, at: At) -> Fit {
        let timeout = self.task_spec(id.execution.run, &id.execution.task).and_then(|t| t.timeout);
        let heartbeat = self.heartbeat_of(&id.execution);
        self.change(&id.execution, at, |execution| {
            if execution.status == ExecutionStatus::Queued {
                execution.status = ExecutionStatus::Running;
                execution.hear(heartbeat, at);
                execution.deadline = timeout.map(|timeout| at.time.plus(timeout));
            }
            if let Some(attempt) = execution.attempts.last_mut() {
                attempt.started_at = Some(at.time);
                attempt.pid = Some(pid);
            }
        })?;
        let ExecutionId { run, task, sequence } = &id.execution;
        let task = self.task_mut(*run, task)?;
        task.fold_member_change(*sequence, at.offset);
        task.fold_member_ready(*sequence, true);
        Ok(())
    }

    fn fold_ended(&mut self, id: &AttemptId, outcome: &Outcome, usage: Usage, at: At) -> Fit {
        let ExecutionId { run, task, sequence } = &id.execution;
        self.task_mut(*run, task)?.fold_member_ready(*sequence, false);
        self.change(&id.execution, at, |execution| {
            execution.deadline = None;
            execution.ready_at = None;
            execution.hang_up();
            if let Some(attempt) = execution.attempts.last_mut() {
                attempt.ended_at = Some(at.time);
                attempt.outcome = Some(outcome.clone());
                attempt.usage = usage;
            }
        })
    }

    fn fold_finished(&mut self, id: &ExecutionId, status: ExecutionStatus, at: At) -> Fit {
        self.change(id, at, |execution| {
            execution.status = status;
            execution.deadline = None;
            execution.ended_at = Some(at.time);
        })?;
        let task = self.task_mut(id.run, &id.task)?;
        let lane = task.execution(id.sequence).and_then(|execution| execution.backfill);
        task.lane_mut(lane).map(|lane| lane.remove(&id.sequence));
        task.fold_member_change(id.sequence, at.offset);
        Ok(())
    }

    /// Changes where an execution stands.
    fn change(&mut self, id: &ExecutionId, at: At, change: impl FnOnce(&mut Execution)) -> Fit {
        self.change_quietly(id, |execution| {
            change(execution);
            execution.offset = at.offset;
        })
    }

    /// Changes an execution and keeps the order of deadlines true.
    pub(super) fn change_quietly(
        &mut self,
        id: &ExecutionId,
        change: impl FnOnce(&mut Execution),
    ) -> Fit {
        let is_paused = self.runs.get(&id.run).is_some_and(|run| run.paused);
        let mut deadlines = std::mem::take(&mut self.deadlines);
        let execution = self.execution_mut(id)?;
        deadlines.clear_execution(id.clone(), execution);
        change(execution);
        if execution.may_fall_due(is_paused) {
            deadlines.set_execution(id.clone(), execution);
        }
        self.deadlines = deadlines;
        self.place(id);
        Ok(())
    }

    fn run_mut(&mut self, id: RunId) -> Result<&mut Run, String> {
        self.runs.get_mut(&id).ok_or_else(|| format!("no run {id}"))
    }

    fn task_mut(&mut self, run: RunId, task: &TaskName) -> Result<&mut TaskState, String> {
        let index = self
            .snapshot_of(run)
            .and_then(|snapshot| snapshot.spec.task_index(task.as_str()))
            .ok_or_else(|| format!("no task {task} in run {run}"))?;
        self.run_mut(run)?.tasks.get_mut(index).ok_or_else(|| format!("no task {task}"))
    }

    fn execution_mut(&mut self, id: &ExecutionId) -> Result<&mut Execution, String> {
        self.task_mut(id.run, &id.task)?
            .execution_mut(id.sequence)
            .ok_or_else(|| format!("no execution {id}"))
    }
}
