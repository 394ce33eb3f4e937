//! Events that rules derive: part of the same batch as what led to them.
//!
//! A chain of them ends: what can be seen to come back to its own key is refused at upload, and
//! what cannot be seen is cut. Must never reject: a decision is under way.

use std::sync::Arc;

use aiflow_model::record::{Event, TriggerChange};
use aiflow_model::spec::Emission;
use aiflow_model::time::Window;
use aiflow_model::{JsonText, Offset, Record, RuleId};

use crate::scene::Scene;
use crate::transaction::{Stimulus, Transaction};

/// Most derived events in a chain.
const DEPTH_MAX: u32 = 16;

impl Transaction<'_> {
    pub(crate) fn derive(
        &mut self,
        at: RuleId,
        emission: &Emission,
        (cause, depth, window): (Offset, u32, Option<Window>),
        stimulus: &Stimulus,
    ) {
        let event = self.derived(at, emission, (cause, depth, window), stimulus);
        match event {
            Ok(event) => {
                let offset = self.record(Some(cause), Record::EventEmitted(event.clone()));
                let (event, depth) = (Arc::new(event), depth + 1);
                self.stimulate(Stimulus::Event { offset, event, depth });
            }
            Err(reason) => {
                let failed = match at {
                    RuleId::Task { run, rule } => Record::EmissionFailed { run, rule, reason },
                    RuleId::Trigger(trigger) => {
                        let change = TriggerChange::EmissionFailed { reason };
                        Record::TriggerChanged { trigger, change }
                    }
                    // Nothing follows where a draft fires.
                    RuleId::Draft { .. } => return,
                };
                self.record(Some(cause), failed);
            }
        }
    }

    fn derived(
        &mut self,
        at: RuleId,
        emission: &Emission,
        (cause, depth, window): (Offset, u32, Option<Window>),
        stimulus: &Stimulus,
    ) -> Result<Event, String> {
        if depth >= DEPTH_MAX {
            let key = &emission.key;
            return Err(format!("{key} would be derived event {} in a row", DEPTH_MAX + 1));
        }
        let (namespace, source, run) = match at {
            RuleId::Task { run, rule } => {
                let known = self.state.run(run).ok_or("there is no such run")?;
                (known.namespace.clone(), format!("rule {rule} of run {run}"), Some(run))
            }
            RuleId::Draft { .. } => return Err("a draft derives no event".to_owned()),
            RuleId::Trigger(id) => {
                let known = self.state.triggers.get(&id).ok_or("there is no such trigger")?;
                (known.namespace.clone(), format!("trigger {id}"), None)
            }
        };
        let mut event = Event {
            namespace,
            key: emission.key.clone(),
            value: JsonText::null(),
            source,
            id: cause.to_string(),
            execution: run.filter(|_| !emission.to_namespace),
        };
        // A clock and the end of a task say nothing.
        let of = match stimulus {
            Stimulus::Event { event, .. } => Arc::clone(event),
            Stimulus::TaskChanged { .. } | Stimulus::ContactLost { .. } | Stimulus::Due(_) => {
                Arc::new(event.clone())
            }
        };
        event.value = match &emission.value {
            Some(expression) => {
                let scene = Scene::of_emission(self.state, at, (&of, window), self.now);
                self.expressions.value(expression, &scene)?
            }
            None => of.value.clone(),
        };
        self.check_event(&event).map_err(|rejection| rejection.message)?;
        Ok(event)
    }
}
