//! The fold of what happens to workflows as a whole: their triggers, and what is deleted.
//!
//! Must never decide, as all of the fold.

use super::apply::{At, Fit};
use super::deadline::due_at;
use super::{Deadline, Run, State, Trigger};
use crate::record::{TriggerAdded, TriggerChange};
use crate::{Namespace, RuleId, RunId, TriggerId, WorkflowName};

impl State {
    pub(super) fn fold_trigger_added(&mut self, added: &TriggerAdded, at: At) -> Fit {
        let id = added.trigger;
        self.last_trigger = self.last_trigger.max(id);
        match self.triggers.insert(id, Trigger::new(added, at.offset)) {
            None => {
                self.look(id);
                Ok(())
            }
            Some(_) => Err(format!("trigger {id} exists already")),
        }
    }

    pub(super) fn fold_trigger(&mut self, id: TriggerId, change: &TriggerChange, at: At) -> Fit {
        let trigger = self.triggers.get_mut(&id).ok_or_else(|| format!("no trigger {id}"))?;
        match change {
            TriggerChange::Advanced { node, state } => {
                let condition = trigger.condition.nodes().nth(*node as usize);
                let condition = condition.ok_or_else(|| format!("no node {node} in {id}"))?;
                let due_before = trigger.nodes.get(node).and_then(|old| due_at(condition, old));
                state.fold_into(&mut trigger.nodes, *node);
                let deadline = Deadline::Condition { rule: RuleId::Trigger(id), node: *node };
                let due = due_at(condition, state);
                self.deadlines.clear(deadline.clone(), due_before);
                if self.triggers.get(&id).is_some_and(|trigger| self.is_active(trigger)) {
                    self.deadlines.set(deadline, due);
                }
            }
            TriggerChange::FilterFailed { .. }
            | TriggerChange::TicksMissed { .. }
            | TriggerChange::StartRefused { .. }
            | TriggerChange::EmissionFailed { .. } => {}
            TriggerChange::Fired { .. } => {
                trigger.firings += 1;
                trigger.fired_at = Some(at.time);
            }
            TriggerChange::Paused => {
                trigger.paused = true;
                self.look_away(id);
            }
            TriggerChange::Resumed => {
                trigger.paused = false;
                self.look(id);
            }
            TriggerChange::Deleted => {
                self.look_away(id);
                self.triggers.remove(&id);
            }
        }
        Ok(())
    }

    pub(super) fn fold_enabled(
        &mut self,
        namespace: &Namespace,
        workflow: &WorkflowName,
        enabled: bool,
    ) -> Fit {
        let space = self.namespaces.get_mut(namespace);
        let space = space.ok_or_else(|| format!("no namespace {namespace}"))?;
        if enabled {
            space.disabled.remove(workflow);
        } else {
            space.disabled.insert(workflow.clone());
        }
        for id in self.triggers_of(namespace, workflow) {
            if enabled {
                self.look(id);
            } else {
                self.look_away(id);
            }
        }
        Ok(())
    }

    pub(super) fn fold_workflow_deleted(
        &mut self,
        namespace: &Namespace,
        workflow: &WorkflowName,
    ) -> Fit {
        for id in self.triggers_of(namespace, workflow) {
            self.look_away(id);
            self.triggers.remove(&id);
        }
        let is_of = |run: &Run| run.namespace == *namespace && run.workflow == *workflow;
        if let Some(run) = self.runs.values().find(|run| is_of(run) && run.status.is_alive()) {
            return Err(format!("run {} is alive", run.id));
        }
        for run in self.runs.extract_if(.., |_, run| is_of(run)) {
            self.pools.remove_run(&run.1);
        }
        self.snapshots.retain(|_, snapshot| {
            snapshot.namespace != *namespace || snapshot.spec.name != *workflow
        });
        let space = self.namespaces.get_mut(namespace);
        let space = space.ok_or_else(|| format!("no namespace {namespace}"))?;
        space.disabled.remove(workflow);
        space.workflows.remove(workflow);
        Ok(())
    }

    pub(super) fn fold_run_deleted(&mut self, id: RunId) -> Fit {
        if self.archived.remove(id) {
            return Ok(());
        }
        self.take_out(id)
    }

    pub(super) fn fold_run_archived(&mut self, id: RunId) -> Fit {
        self.take_out(id)?;
        self.archived.insert(id);
        Ok(())
    }

    fn take_out(&mut self, id: RunId) -> Fit {
        let run = self.runs.remove(&id).ok_or_else(|| format!("no run {id}"))?;
        self.pools.remove_run(&run);
        if run.status.is_alive() { Err(format!("run {id} is alive")) } else { Ok(()) }
    }

    /// Triggers of a workflow, in order.
    #[must_use]
    pub fn triggers_of(&self, namespace: &Namespace, workflow: &WorkflowName) -> Vec<TriggerId> {
        let of_workflow =
            |trigger: &&Trigger| trigger.namespace == *namespace && trigger.workflow == *workflow;
        self.triggers.values().filter(of_workflow).map(|trigger| trigger.id).collect()
    }

    pub(super) fn look(&mut self, id: TriggerId) {
        let Some(trigger) = self.triggers.get(&id) else { return };
        if self.is_active(trigger) {
            self.subscriptions.add_trigger(trigger);
            self.deadlines.add_trigger(trigger);
        }
    }

    pub(super) fn look_away(&mut self, id: TriggerId) {
        if let Some(trigger) = self.triggers.get(&id) {
            self.subscriptions.remove_trigger(trigger);
            self.deadlines.remove_trigger(trigger);
        }
    }
}
