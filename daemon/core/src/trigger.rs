//! Triggers: each firing starts a run; what puts them on a workflow, and takes them away.
//!
//! Must never look at tasks of a run: a trigger has none; it knows events, workflows and the wall.

use std::collections::BTreeMap;

use aiflow_model::record::{TriggerAdded, TriggerChange, TriggerOrigin};
use aiflow_model::spec::{Clock, Condition, Emission};
use aiflow_model::state::{Snapshot, Trigger};
use aiflow_model::wire::AddTrigger;
use aiflow_model::{
    ErrorCode, JsonText, Namespace, Offset, Record, Rejection, RuleId, TriggerId, WorkflowName,
};

use crate::definition;
use crate::input::Answer;
use crate::param;
use crate::run::RunStart;
use crate::transaction::{Stimulus, Transaction};

impl Transaction<'_> {
    pub(crate) fn offer_to_trigger(&mut self, id: TriggerId, stimulus: &Stimulus) {
        let Some(trigger) = self.state.triggers.get(&id) else { return };
        if !self.state.is_active(trigger) {
            return;
        }
        let condition = trigger.condition.clone();
        let (namespace, workflow) = (trigger.namespace.clone(), trigger.workflow.clone());
        let emission = trigger.emission.clone();
        for firing in self.offer(RuleId::Trigger(id), 0, &condition, stimulus) {
            let (events, window, depth) = (firing.events.clone(), firing.window, firing.depth);
            let change = TriggerChange::Fired { firing };
            let fired = Record::TriggerChanged { trigger: id, change };
            let cause = self.record(stimulus.offset(), fired);
            if let Some(emission) = &emission {
                let at = RuleId::Trigger(id);
                self.derive(at, emission, (cause, depth, window), stimulus);
                continue;
            }
            let current = self.state.current_snapshot(namespace.as_str(), workflow.as_str());
            let Some(snapshot) = current.cloned() else { return };
            let params = params_of(&snapshot, stimulus);
            if let Err(rejection) = param::check(&snapshot, &params) {
                let reason = rejection.message;
                self.change_trigger(id, TriggerChange::StartRefused { reason }, Some(cause));
                continue;
            }
            let (trigger, request) = (Some(id), None);
            let start = RunStart { params, request, trigger, events, window, cause: Some(cause) };
            self.begin_run(&snapshot, start);
        }
    }

    /// Puts on a workflow the triggers that its new definition has. One that the definition had
    /// before, too, keeps what it knows.
    pub(crate) fn replace_triggers(&mut self, snapshot: &Snapshot, cause: Offset) {
        let starts = snapshot.spec.triggers.iter().map(|condition| (condition, None));
        let emits =
            snapshot.spec.emits.iter().map(|rule| (&rule.condition, rule.emission.as_ref()));
        let mut wanted: Vec<_> = starts.chain(emits).collect();
        for id in self.state.triggers_of(&snapshot.namespace, &snapshot.spec.name) {
            let Some(trigger) = self.state.triggers.get(&id) else { continue };
            if trigger.origin == TriggerOrigin::Request {
                continue;
            }
            let known = (&trigger.condition, trigger.emission.as_ref());
            match wanted.iter().position(|wanted| *wanted == known) {
                Some(position) => drop(wanted.remove(position)),
                None => self.change_trigger(id, TriggerChange::Deleted, Some(cause)),
            }
        }
        for (condition, emission) in wanted {
            let (namespace, workflow) = (&snapshot.namespace, &snapshot.spec.name);
            let origin = (TriggerOrigin::Definition, None);
            self.put_trigger(namespace, workflow, (condition, emission.cloned()), origin);
        }
    }

    fn put_trigger(
        &mut self,
        namespace: &Namespace,
        workflow: &WorkflowName,
        (condition, emission): (&Condition, Option<Box<Emission>>),
        (origin, request): (TriggerOrigin, Option<String>),
    ) -> TriggerId {
        let trigger = self.state.next_trigger_id();
        let added = TriggerAdded {
            trigger,
            namespace: namespace.clone(),
            workflow: workflow.clone(),
            condition: condition.clone(),
            emission,
            origin,
            request,
        };
        let cause = self.record(None, Record::TriggerAdded(Box::new(added)));
        self.arm(RuleId::Trigger(trigger), condition, Some(cause));
        trigger
    }

    fn change_trigger(&mut self, trigger: TriggerId, change: TriggerChange, cause: Option<Offset>) {
        self.record(cause, Record::TriggerChanged { trigger, change });
    }

    pub(crate) fn add_trigger(&mut self, add: AddTrigger) -> Result<Answer, Rejection> {
        let AddTrigger { namespace, workflow, condition, request } = add;
        self.find_workflow(&namespace, &workflow)?;
        let condition = definition::read_trigger(&condition).map_err(|diagnostics| {
            let message = format!("the trigger of workflow {workflow} is not understood");
            let mut rejection = Rejection::new(ErrorCode::InvalidDefinition, message);
            rejection.diagnostics = diagnostics;
            rejection
        })?;
        // Nobody is asked to look at all triggers for a request that has no identity.
        let known = request.as_ref().map(|_| self.state.triggers.values());
        let same = known.into_iter().flatten().find(|known| known.request == request);
        if let Some(same) = same {
            return Ok(Answer::Trigger(same.id));
        }
        let origin = (TriggerOrigin::Request, request);
        Ok(Answer::Trigger(self.put_trigger(&namespace, &workflow, (&condition, None), origin)))
    }

    pub(crate) fn pause_trigger(&mut self, id: TriggerId) -> Result<Answer, Rejection> {
        if !self.find_trigger(id)?.paused {
            self.change_trigger(id, TriggerChange::Paused, None);
        }
        Ok(Answer::Done)
    }

    /// What went by in the meantime is not caught up with: the clocks begin anew.
    pub(crate) fn resume_trigger(&mut self, id: TriggerId) -> Result<Answer, Rejection> {
        let trigger = self.find_trigger(id)?;
        if trigger.paused {
            let condition = trigger.condition.clone();
            self.change_trigger(id, TriggerChange::Resumed, None);
            self.rearm(RuleId::Trigger(id), &condition, None);
        }
        Ok(Answer::Done)
    }

    /// As [`Self::arm`], for what the wall moves: watermarks are kept.
    pub(crate) fn rearm(&mut self, at: RuleId, condition: &Condition, cause: Option<Offset>) {
        let moved_by_wall = condition
            .nodes()
            .all(|node| !matches!(node, Condition::Every { clock: Clock::Watermark(_), .. }));
        if moved_by_wall {
            self.arm(at, condition, cause);
        }
    }

    pub(crate) fn delete_trigger(&mut self, id: TriggerId) -> Result<Answer, Rejection> {
        let trigger = self.find_trigger(id)?;
        if trigger.origin == TriggerOrigin::Definition {
            let workflow = &trigger.workflow;
            let message = format!("trigger {id} is part of the definition of workflow {workflow}");
            return Err(Rejection::new(ErrorCode::InvalidParams, message).hint(format!(
                "upload {workflow} without it, or: aiflow workflow-trigger pause {id}"
            )));
        }
        self.change_trigger(id, TriggerChange::Deleted, None);
        Ok(Answer::Done)
    }

    fn find_trigger(&self, id: TriggerId) -> Result<&Trigger, Rejection> {
        self.state.triggers.get(&id).ok_or_else(|| {
            Rejection::new(ErrorCode::UnknownTrigger, format!("there is no trigger {id}"))
                .hint("aiflow workflow-trigger list; aiflow workflow-schedule list")
        })
    }
}

/// The entries of the event's value that are parameters of the workflow.
fn params_of(snapshot: &Snapshot, stimulus: &Stimulus) -> BTreeMap<String, JsonText> {
    let Stimulus::Event { event, .. } = stimulus else { return BTreeMap::new() };
    let entries: BTreeMap<String, JsonText> = event.value.to().unwrap_or_default();
    let known = |(name, _): &(String, JsonText)| snapshot.spec.has_param(name);
    entries.into_iter().filter(known).collect()
}
