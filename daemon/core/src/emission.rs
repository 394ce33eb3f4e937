//! Events that rules derive: part of the same batch as what led to them.
//!
//! A chain of them ends: what can be seen to come back to its own key is refused at upload, and
//! what cannot be seen is cut. Must never reject: a decision is under way.

use std::sync::Arc;

use aiflow_model::record::Event;
use aiflow_model::spec::Emission;
use aiflow_model::time::Window;
use aiflow_model::{JsonText, Offset, Record, RuleIndex, RunId};

use crate::scene::Scene;
use crate::transaction::{Stimulus, Transaction};

/// Most derived events in a chain.
const DEPTH_MAX: u32 = 16;

impl Transaction<'_> {
    pub(crate) fn derive(
        &mut self,
        (run, rule): (RunId, RuleIndex),
        emission: &Emission,
        (cause, depth, window): (Offset, u32, Option<Window>),
        stimulus: &Stimulus,
    ) {
        let event = self.derived((run, rule), emission, (cause, depth, window), stimulus);
        match event {
            Ok(event) => {
                let offset = self.record(Some(cause), Record::EventEmitted(event.clone()));
                let (event, depth) = (Arc::new(event), depth + 1);
                self.stimulate(Stimulus::Event { offset, event, depth });
            }
            Err(reason) => {
                self.record(Some(cause), Record::EmissionFailed { run, rule, reason });
            }
        }
    }

    fn derived(
        &mut self,
        (run, rule): (RunId, RuleIndex),
        emission: &Emission,
        (cause, depth, window): (Offset, u32, Option<Window>),
        stimulus: &Stimulus,
    ) -> Result<Event, String> {
        if depth >= DEPTH_MAX {
            let key = &emission.key;
            return Err(format!("{key} would be derived event {} in a row", DEPTH_MAX + 1));
        }
        let known = self.state.run(run).ok_or("there is no such run")?;
        let mut event = Event {
            namespace: known.namespace.clone(),
            key: emission.key.clone(),
            value: JsonText::null(),
            source: format!("rule {rule} of run {run}"),
            id: cause.to_string(),
            execution: Some(run).filter(|_| !emission.to_namespace),
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
                let scene = Scene::of_run(self.state, run, (Some(&of), window), self.now);
                self.expressions.value(expression, &scene)?
            }
            None => of.value.clone(),
        };
        self.check_event(&event).map_err(|rejection| rejection.message)?;
        Ok(event)
    }
}
