//! Who is active and who waits: slots of pools, and runs of workflows; who has ended.
//!
//! Derived from the statuses of runs and executions; must never be stored, and never be a count
//! that could differ from them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::{Lane, Run, State, TaskState};
use crate::spec::{Demand, PoolId};
use crate::status::{ExecutionStatus, RunStatus};
use crate::time::Timestamp;
use crate::{ExecutionId, Namespace, Offset, RunId, TaskName, WorkflowName};

/// Slots of pools and places of runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pools {
    pools: BTreeMap<PoolId, Pool>,
    /// Who stands in line for a task of a run: only its next execution, one for each lane.
    heads: BTreeMap<(RunId, TaskName, Lane), Waiter>,
    workflows: BTreeMap<(Namespace, WorkflowName), Runs>,
    /// Executions of the runs that have ended; those that did first before the others.
    ended: BTreeMap<(Timestamp, RunId), usize>,
    /// All of them.
    ended_executions: usize,
}

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Pool {
    /// Slots by who took them.
    taken: BTreeMap<ExecutionId, u32>,
    /// Who waits, first in line first.
    line: BTreeSet<Waiter>,
}

/// An execution that waits for slots: by priority, then by age.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiter {
    priority: Reverse<i32>,
    since: Offset,
    /// Which.
    pub id: ExecutionId,
}

/// The runs of a workflow that have not ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Runs {
    active: BTreeSet<RunId>,
    waiting: BTreeSet<RunId>,
}

impl Pools {
    /// How many slots of a pool are taken.
    #[must_use]
    pub fn taken(&self, pool: &PoolId) -> u64 {
        let taken = self.pools.get(pool).map(|pool| pool.taken.values());
        taken.into_iter().flatten().map(|slots| u64::from(*slots)).sum()
    }

    /// Whether there is room in a pool for what is asked.
    #[must_use]
    pub fn has_room(&self, demand: &Demand) -> bool {
        self.taken(&demand.pool) + u64::from(demand.slots) <= u64::from(demand.size)
    }

    /// Who stands in line behind `after`; first of all with none.
    #[must_use]
    pub fn next_in_line(&self, pool: &PoolId, after: Option<&Waiter>) -> Option<&Waiter> {
        let behind = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.pools.get(pool)?.line.range::<Waiter, _>((behind, Bound::Unbounded)).next()
    }

    /// How many runs of a workflow are active.
    #[must_use]
    pub fn active_runs(&self, namespace: &Namespace, workflow: &WorkflowName) -> usize {
        let runs = self.workflows.get(&(namespace.clone(), workflow.clone()));
        runs.map_or(0, |runs| runs.active.len())
    }

    /// Who holds slots of a pool, and how many each.
    pub fn holders(&self, pool: &PoolId) -> impl Iterator<Item = (&ExecutionId, u32)> {
        let taken = self.pools.get(pool).map(|pool| &pool.taken);
        taken.into_iter().flatten().map(|(id, slots)| (id, *slots))
    }

    /// The runs of a workflow that are active, oldest first.
    pub fn active(
        &self,
        namespace: &Namespace,
        workflow: &WorkflowName,
    ) -> impl Iterator<Item = RunId> {
        let runs = self.workflows.get(&(namespace.clone(), workflow.clone()));
        runs.into_iter().flat_map(|runs| runs.active.iter().copied())
    }

    /// The runs of a workflow that wait for their turn, oldest first.
    pub fn waiting(
        &self,
        namespace: &Namespace,
        workflow: &WorkflowName,
    ) -> impl Iterator<Item = RunId> {
        let runs = self.workflows.get(&(namespace.clone(), workflow.clone()));
        runs.into_iter().flat_map(|runs| runs.waiting.iter().copied())
    }

    /// The run of a workflow that has waited longest.
    #[must_use]
    pub fn first_waiting_run(
        &self,
        namespace: &Namespace,
        workflow: &WorkflowName,
    ) -> Option<RunId> {
        let runs = self.workflows.get(&(namespace.clone(), workflow.clone()))?;
        runs.waiting.first().copied()
    }

    /// Runs that have ended, those that did first before the others, and how many executions each
    /// has.
    pub fn ended(&self) -> impl ExactSizeIterator<Item = (RunId, usize)> {
        self.ended.iter().map(|((_, run), executions)| (*run, *executions))
    }

    /// How many executions the runs have together that have ended.
    #[must_use]
    pub fn ended_executions(&self) -> usize {
        self.ended_executions
    }

    /// Takes in where a run stands.
    pub(super) fn place_run(&mut self, run: &Run) {
        self.remove_run(run);
        if let Some(at) = run.ended_at {
            let executions = run.tasks.iter().map(|task| task.executions.len()).sum();
            self.ended.insert((at, run.id), executions);
            self.ended_executions += executions;
        }
        if run.status.is_alive() {
            let key = (run.namespace.clone(), run.workflow.clone());
            let runs = self.workflows.entry(key).or_default();
            let place = match run.status {
                RunStatus::Waiting => &mut runs.waiting,
                _ => &mut runs.active,
            };
            place.insert(run.id);
        }
    }

    /// Forgets where a run stands; before it goes on after its end.
    pub(super) fn remove_run(&mut self, run: &Run) {
        let ended = run.ended_at.and_then(|at| self.ended.remove(&(at, run.id)));
        self.ended_executions -= ended.unwrap_or(0);
        let key = (run.namespace.clone(), run.workflow.clone());
        let Some(runs) = self.workflows.get_mut(&key) else { return };
        runs.active.remove(&run.id);
        runs.waiting.remove(&run.id);
        if runs.active.is_empty() && runs.waiting.is_empty() {
            self.workflows.remove(&key);
        }
    }

    /// Forgets what the executions of a task took, and who stands in line for it.
    pub(super) fn remove_task(
        &mut self,
        run: RunId,
        name: &TaskName,
        task: &TaskState,
        demands: &[Demand],
    ) {
        if demands.is_empty() {
            return;
        }
        for execution in task.alive_executions() {
            let id = ExecutionId { run, task: name.clone(), sequence: execution.sequence };
            self.place_execution(&id, false, demands);
            self.place_head((run, name.clone(), execution.backfill), None, demands);
        }
    }

    fn place_execution(&mut self, id: &ExecutionId, is_active: bool, demands: &[Demand]) {
        for demand in demands {
            let pool = self.pools.entry(demand.pool.clone()).or_default();
            if is_active {
                pool.taken.insert(id.clone(), demand.slots);
            } else {
                pool.taken.remove(id);
            }
        }
    }

    fn place_head(
        &mut self,
        task: (RunId, TaskName, Lane),
        head: Option<&Waiter>,
        demands: &[Demand],
    ) {
        let before = match head {
            Some(head) => self.heads.insert(task, head.clone()),
            None => self.heads.remove(&task),
        };
        for demand in demands {
            let pool = self.pools.entry(demand.pool.clone()).or_default();
            if let Some(before) = &before {
                pool.line.remove(before);
            }
            pool.line.extend(head.cloned());
            if pool.line.is_empty() && pool.taken.is_empty() {
                self.pools.remove(&demand.pool);
            }
        }
    }
}

impl State {
    /// Takes in where an execution stands.
    pub(super) fn place(&mut self, id: &ExecutionId) {
        let Some(snapshot) = self.snapshot_of(id.run).filter(|s| s.spec.has_pools()) else {
            return;
        };
        let Some(spec) = snapshot.spec.task(id.task.as_str()) else { return };
        let demands = snapshot.spec.demands(&snapshot.namespace, spec);
        let priority = Reverse(spec.priority);
        if demands.is_empty() {
            return;
        }
        let Some(task) = self.task(id.run, &id.task) else { return };
        let Some(execution) = task.execution(id.sequence) else { return };
        let is_active = execution.status.is_alive() && execution.status != ExecutionStatus::Waiting;
        let lane = execution.backfill;
        let head = task.first_waiting_in(lane).map(|execution| {
            let id = ExecutionId { sequence: execution.sequence, ..id.clone() };
            Waiter { priority, since: execution.offset, id }
        });
        self.pools.place_execution(id, is_active, &demands);
        self.pools.place_head((id.run, id.task.clone(), lane), head.as_ref(), &demands);
    }

    /// Takes in where each run stands, and each execution of one that has not ended.
    pub(super) fn place_all(&mut self) {
        self.pools = Pools::default();
        let mut alive = Vec::new();
        for run in self.runs.values() {
            self.pools.place_run(run);
            let snapshot = self.snapshots.get(&run.snapshot);
            let snapshot = snapshot.filter(|s| run.status.is_alive() && s.spec.has_pools());
            alive.extend(snapshot.into_iter().flat_map(|snapshot| run.alive_ids(&snapshot.spec)));
        }
        alive.iter().for_each(|id| self.place(id));
    }
}
