//! The fold of what somebody asks of a run in its course.
//!
//! Must never decide, as all of the fold.

use super::apply::Fit;
use super::{Execution, ExecutionStatus, RunStatus, State};
use crate::record::{RunControl, RunControlled};
use crate::spec::WorkflowSpec;
use crate::{ExecutionId, RunId};

impl State {
    pub(super) fn fold_control(&mut self, controlled: &RunControlled) -> Fit {
        let id = controlled.run;
        let snapshot = self.snapshot_of(id).cloned().ok_or_else(|| format!("no run {id}"))?;
        let Some(run) = self.runs.get_mut(&id) else { return Err(format!("no run {id}")) };
        if let Some(request) = &controlled.request {
            run.requests.insert(request.clone(), controlled.control.clone());
        }
        match controlled.control {
            RunControl::Paused => self.set_paused(controlled.run, &snapshot.spec, true),
            RunControl::Resumed => self.set_paused(controlled.run, &snapshot.spec, false),
            RunControl::TaskMarked { .. }
            | RunControl::TaskRerun { .. }
            | RunControl::TaskRestarted { .. } => {
                if !run.status.is_alive() {
                    self.pools.remove_run(run);
                    run.status = RunStatus::Running;
                    run.ended_at = None;
                    self.pools.place_run(run);
                    self.subscriptions.add_run(run, &snapshot.spec);
                    self.deadlines.add_run(run, &snapshot.spec);
                }
            }
        }
        Ok(())
    }

    /// Retries are starts: their times do not come while the run is paused.
    fn set_paused(&mut self, id: RunId, spec: &WorkflowSpec, paused: bool) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        run.paused = paused;
        for (task, state) in spec.tasks.iter().zip(&run.tasks) {
            let alive = state.alive_executions();
            for execution in alive.filter(|e| e.status == ExecutionStatus::Retrying) {
                let sequence = execution.sequence;
                let id = ExecutionId { run: run.id, task: task.name.clone(), sequence };
                if paused {
                    self.deadlines.clear_execution(id, execution);
                } else {
                    self.deadlines.set_execution(id, execution);
                }
            }
        }
    }
}

impl Execution {
    /// Whether its time may come: not that of a retry while the run is paused.
    pub(super) fn may_fall_due(&self, is_paused: bool) -> bool {
        !(is_paused && self.status == ExecutionStatus::Retrying)
    }
}
