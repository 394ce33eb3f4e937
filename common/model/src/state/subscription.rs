//! Which rules and triggers look at which event keys, so that an event costs only what it matches.
//!
//! Derived from runs, triggers and snapshots; must never be stored.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::{Condition, WorkflowSpec};
use crate::state::{Draft, Run, Trigger};
use crate::{DraftId, KeyPattern, Namespace, RuleId, RunId, TaskOf, TriggerId};

/// Rules by namespace and key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscriptions {
    namespaces: BTreeMap<Namespace, Keys>,
    /// Those of all rules and triggers that ask a host.
    asking: BTreeSet<RuleId>,
    /// The drafts that look at the tasks of a run.
    beside: BTreeMap<RunId, BTreeSet<DraftId>>,
}

/// Rules of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Keys {
    /// Those that look at one key.
    exact: BTreeMap<KeyPattern, BTreeSet<RuleId>>,
    /// Those that look at a task of another workflow, by `workflow/task`.
    tasks: BTreeMap<TaskOf, BTreeSet<RuleId>>,
    /// Those that look at all keys of a form, by what these keys begin with.
    patterns: BTreeMap<String, BTreeSet<(KeyPattern, RuleId)>>,
}

impl Subscriptions {
    /// What looks at an event of this key, in order. An event that is scoped to a run reaches of
    /// all rules only those of this run; triggers see either. Of drafts all are found: see
    /// [`super::State::rules_reached`].
    #[must_use]
    pub fn matching(&self, namespace: &str, key: &str, scope: Option<RunId>) -> Vec<RuleId> {
        let Some(keys) = self.namespaces.get(namespace) else { return Vec::new() };
        let is_reached = |id: &RuleId| match (id, scope) {
            (RuleId::Task { run, .. }, Some(scope)) => *run == scope,
            _ => true,
        };
        let exact = keys.exact.get(key).into_iter();
        if keys.patterns.is_empty() {
            return match scope {
                None => exact.flatten().copied().collect(),
                Some(run) => exact.flat_map(|rules| in_scope(rules, run)).collect(),
            };
        }
        let mut found: BTreeSet<RuleId> = exact.flatten().copied().filter(is_reached).collect();
        let prefixes = (0..=key.len()).filter_map(|end| keys.patterns.get(&key[..end]));
        let matching = prefixes.flatten().filter(|(pattern, _)| pattern.matches(key));
        found.extend(matching.map(|(_, id)| *id).filter(is_reached));
        found.into_iter().collect()
    }

    /// What looks at a task of a workflow from outside of its runs, in order.
    pub fn looking_at(&self, namespace: &Namespace, task: &TaskOf) -> impl Iterator<Item = RuleId> {
        let keys = self.namespaces.get(namespace);
        keys.and_then(|keys| keys.tasks.get(task)).into_iter().flatten().copied()
    }

    /// Whether tasks are looked at from outside of their runs at all.
    #[must_use]
    pub fn look_elsewhere(&self, namespace: &Namespace) -> bool {
        self.namespaces.get(namespace).is_some_and(|keys| !keys.tasks.is_empty())
    }

    /// Whether a host may have to be asked before something is decided.
    #[must_use]
    pub fn ask_hosts(&self) -> bool {
        !self.asking.is_empty()
    }

    /// The drafts that look at the tasks of a run.
    pub fn drafts_beside(&self, run: RunId) -> impl Iterator<Item = DraftId> {
        self.beside.get(&run).into_iter().flatten().copied()
    }

    pub(super) fn add_run(&mut self, run: &Run, spec: &WorkflowSpec) {
        for (rule, _, definition) in spec.rules() {
            let id = RuleId::Task { run: run.id, rule };
            self.asking.extend(definition.condition.asks_host().then_some(id));
            self.add(&run.namespace, &definition.condition, id);
        }
    }

    pub(super) fn remove_run(&mut self, run: &Run, spec: &WorkflowSpec) {
        for (rule, _, definition) in spec.rules() {
            let id = RuleId::Task { run: run.id, rule };
            self.asking.remove(&id);
            self.remove(&run.namespace, &definition.condition, id);
        }
    }

    pub(super) fn add_trigger(&mut self, trigger: &Trigger) {
        let id = RuleId::Trigger(trigger.id);
        self.asking.extend(trigger.condition.asks_host().then_some(id));
        self.add(&trigger.namespace, &trigger.condition, id);
    }

    pub(super) fn remove_trigger(&mut self, trigger: &Trigger) {
        let id = RuleId::Trigger(trigger.id);
        self.asking.remove(&id);
        self.remove(&trigger.namespace, &trigger.condition, id);
    }

    pub(super) fn add_draft(&mut self, draft: &Draft) {
        for (id, condition) in draft.rules() {
            self.add(&draft.began.namespace, condition, id);
        }
        if let Some(run) = draft.began.beside {
            self.beside.entry(run).or_default().insert(draft.id());
        }
    }

    pub(super) fn remove_draft(&mut self, draft: &Draft) {
        for (id, condition) in draft.rules() {
            self.remove(&draft.began.namespace, condition, id);
        }
        if let Some(run) = draft.began.beside {
            take(&mut self.beside, &run, &draft.id());
        }
    }

    fn add(&mut self, space: &Namespace, condition: &Condition, id: RuleId) {
        for task in condition.tasks_elsewhere() {
            let keys = self.namespaces.entry(space.clone()).or_default();
            keys.tasks.entry(task.clone()).or_default().insert(id);
        }
        for pattern in condition.event_keys() {
            let keys = self.namespaces.entry(space.clone()).or_default();
            if pattern.is_exact() {
                keys.exact.entry(pattern).or_default().insert(id);
            } else {
                let prefix = pattern.prefix().to_owned();
                keys.patterns.entry(prefix).or_default().insert((pattern, id));
            }
        }
    }

    fn remove(&mut self, namespace: &Namespace, condition: &Condition, id: RuleId) {
        let Some(keys) = self.namespaces.get_mut(namespace) else { return };
        condition.tasks_elsewhere().for_each(|task| take(&mut keys.tasks, task, &id));
        for pattern in condition.event_keys() {
            if pattern.is_exact() {
                take(&mut keys.exact, pattern.as_str(), &id);
            } else {
                let prefix = pattern.prefix().to_owned();
                take(&mut keys.patterns, prefix.as_str(), &(pattern, id));
            }
        }
        if keys.exact.is_empty() && keys.patterns.is_empty() && keys.tasks.is_empty() {
            self.namespaces.remove(namespace);
        }
    }
}

/// The rules of one run, and all triggers and drafts.
fn in_scope(rules: &BTreeSet<RuleId>, run: RunId) -> impl Iterator<Item = RuleId> {
    let rule = |number| RuleId::Task { run, rule: crate::RuleIndex(number) };
    let own = rules.range(rule(0)..=rule(u32::MAX));
    own.chain(rules.range(RuleId::Trigger(TriggerId(0))..)).copied()
}

fn take<K, V, Q: Ord + ?Sized>(sets: &mut BTreeMap<K, BTreeSet<V>>, key: &Q, value: &V)
where
    K: Ord + std::borrow::Borrow<Q>,
    V: Ord,
{
    let Some(set) = sets.get_mut(key) else { return };
    set.remove(value);
    if set.is_empty() {
        sets.remove(key);
    }
}
