//! Pools: who starts next when slots are free, and which run when one has ended.
//!
//! Whoever needs slots first waits, and is started when the decision knows all that wait: by
//! priority, then by age. The first in line is never overtaken for want of slots. Must never count
//! by itself: what is taken is what the state says.

use aiflow_model::spec::{Demand, PoolId, TaskSpec};
use aiflow_model::state::RunStatus;
use aiflow_model::{ExecutionId, Namespace, Offset, RunId, WorkflowName};

use crate::transaction::Transaction;

/// Whether an execution that waits can start.
enum Room {
    /// It can.
    Yes,
    /// The pool that is looked at has too few slots.
    NotHere,
    /// Something else holds it back.
    NotElsewhere,
}

impl Transaction<'_> {
    /// What an execution of a task takes of pools.
    pub(crate) fn demands(&self, run: RunId, task: &TaskSpec) -> Vec<Demand> {
        let snapshot = self.state.snapshot_of(run).filter(|s| s.spec.has_pools());
        snapshot.map(|s| s.spec.demands(&s.namespace, task)).unwrap_or_default()
    }

    /// Notes that the pools of a task have to be looked at; whether there are any.
    pub(crate) fn free_pools(&mut self, run: RunId, task: &TaskSpec) -> bool {
        let demands = self.demands(run, task);
        let has_any = !demands.is_empty();
        self.freed.extend(demands.into_iter().map(|demand| demand.pool));
        has_any
    }

    /// Starts whoever in line finds room.
    pub(crate) fn fill_pool(&mut self, pool: &PoolId) {
        let mut after = None;
        while let Some(waiter) = self.state.pools.next_in_line(pool, after.as_ref()).cloned() {
            match self.room_for(&waiter.id, pool) {
                Room::Yes => self.start_waiting(&waiter.id, pool),
                Room::NotHere => return,
                Room::NotElsewhere => {}
            }
            after = Some(waiter);
        }
    }

    fn start_waiting(&mut self, id: &ExecutionId, pool: &PoolId) {
        let Some(execution) = self.state.execution(id) else { return };
        let cause = Some(execution.offset);
        self.queue_attempt(id, cause);
        // In its other pools somebody else is now the first in line.
        if let Some(task) = self.state.task_spec(id.run, &id.task).cloned() {
            let others = self.demands(id.run, &task).into_iter().map(|demand| demand.pool);
            self.freed.extend(others.filter(|other| other != pool));
        }
    }

    fn room_for(&self, id: &ExecutionId, here: &PoolId) -> Room {
        let Some(task) = self.state.task_spec(id.run, &id.task) else { return Room::NotElsewhere };
        let demands = self.demands(id.run, task);
        let is_short = |demand: &Demand| !self.state.pools.has_room(demand);
        if demands.iter().any(|demand| demand.pool == *here && is_short(demand)) {
            return Room::NotHere;
        }
        let is_running =
            self.state.run(id.run).is_some_and(|r| r.status == RunStatus::Running && !r.paused);
        let has_turn = self.state.task(id.run, &id.task).is_some_and(|state| {
            let lane = state.execution(id.sequence).and_then(|execution| execution.backfill);
            state.busy_in(lane) < state.places(lane, task.parallel)
        });
        let mut others = demands.iter().filter(|demand| demand.pool != *here);
        let is_held = others.any(|demand| is_short(demand) || self.is_behind_another(id, demand));
        if is_running && has_turn && !is_held { Room::Yes } else { Room::NotElsewhere }
    }

    /// Whether somebody else is the first in line for a pool and lacks slots of it.
    fn is_behind_another(&self, id: &ExecutionId, demand: &Demand) -> bool {
        let first = self.state.pools.next_in_line(&demand.pool, None);
        let Some(first) = first.filter(|first| first.id != *id) else { return false };
        let task = self.state.task_spec(first.id.run, &first.id.task);
        let demands = task.map(|task| self.demands(first.id.run, task)).unwrap_or_default();
        demands.iter().any(|d| d.pool == demand.pool && !self.state.pools.has_room(d))
    }

    /// Lets runs begin that waited for their turn, oldest first.
    pub(crate) fn begin_waiting_runs(
        &mut self,
        namespace: &Namespace,
        workflow: &WorkflowName,
        cause: Option<Offset>,
    ) {
        while let Some(id) = self.state.pools.first_waiting_run(namespace, workflow) {
            let Some(snapshot) = self.snapshot(id) else { return };
            let max = snapshot.spec.max_active_runs.map_or(usize::MAX, |max| max as usize);
            if self.state.pools.active_runs(namespace, workflow) >= max {
                return;
            }
            let began = self.record(cause, aiflow_model::Record::RunBegan { run: id });
            self.set_off(id, &snapshot, began);
        }
    }
}
