//! Which rules of living runs look at which event keys, so that an event costs only what it
//! matches.
//!
//! Derived from runs and snapshots; must never be stored.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::WorkflowSpec;
use crate::state::Run;
use crate::{EventKey, Namespace, RuleIndex, RunId};

type Rules = BTreeSet<(RunId, RuleIndex)>;

/// Rules by namespace and key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscriptions {
    rules: BTreeMap<Namespace, BTreeMap<EventKey, Rules>>,
}

impl Subscriptions {
    /// The rules of all living runs that look at `key`, in order.
    pub fn matching(&self, namespace: &str, key: &str) -> impl Iterator<Item = (RunId, RuleIndex)> {
        self.rules.get(namespace).and_then(|keys| keys.get(key)).into_iter().flatten().copied()
    }

    /// The rules of one run that look at `key`, in order.
    pub fn matching_run(
        &self,
        namespace: &str,
        key: &str,
        run: RunId,
    ) -> impl Iterator<Item = (RunId, RuleIndex)> {
        let rules = self.rules.get(namespace).and_then(|keys| keys.get(key));
        let range = (run, RuleIndex(0))..=(run, RuleIndex(u32::MAX));
        rules.into_iter().flat_map(move |rules| rules.range(range.clone())).copied()
    }

    pub(super) fn add_run(&mut self, run: &Run, spec: &WorkflowSpec) {
        for (index, _, rule) in spec.rules() {
            for key in rule.condition.event_keys() {
                let keys = self.rules.entry(run.namespace.clone()).or_default();
                keys.entry(key.clone()).or_default().insert((run.id, index));
            }
        }
    }

    pub(super) fn remove_run(&mut self, run: &Run, spec: &WorkflowSpec) {
        let Some(keys) = self.rules.get_mut(&run.namespace) else { return };
        for (index, _, rule) in spec.rules() {
            for key in rule.condition.event_keys() {
                let Some(rules) = keys.get_mut(key) else { continue };
                rules.remove(&(run.id, index));
                if rules.is_empty() {
                    keys.remove(key);
                }
            }
        }
        if keys.is_empty() {
            self.rules.remove(&run.namespace);
        }
    }
}
