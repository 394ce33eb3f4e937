//! What became of an event: which rules looked at it, what their filters said, and which firing
//! used it up, now or later.
//!
//! The filters are evaluated on the state before the event, as they were; the rest is what the
//! records say. Must never decide anew: a receipt agrees with the log.

use std::collections::{BTreeMap, BTreeSet};

use aiflow_model::record::{DraftChange, Event, TriggerChange};
use aiflow_model::spec::Condition;
use aiflow_model::state::{Firing, NodeState};
use aiflow_model::wire::{EventFate, RuleReceipt};
use aiflow_model::{
    DraftId, LoggedRecord, Offset, Record, RuleId, RuleIndex, RunId, State, Timestamp,
};

use crate::engine::Engine;
use crate::expression::Expressions;
use crate::scene::Scene;

/// Longest value of an event that is shown beside a filter, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// What a filter said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// There is none, or it was true.
    Passed,
    /// It was not true.
    Filtered(String),
    /// It could not be evaluated.
    Failed(String),
}

/// What is known of one rule so far.
#[derive(Debug)]
struct Looking {
    condition: Condition,
    task: Option<aiflow_model::TaskName>,
    verdicts: Vec<Verdict>,
    /// The nodes, and parts of them, that remember the event.
    holding: BTreeSet<(u32, Option<String>)>,
    was_held: bool,
    fate: Option<(EventFate, Vec<Offset>, String)>,
}

/// Follows an event through the log.
#[derive(Debug)]
pub struct Tracker {
    event: Offset,
    value: String,
    rules: BTreeMap<RuleId, Looking>,
    /// Firings that used the event up, whose consequences stand in the same batch.
    fired: BTreeMap<Offset, RuleId>,
    is_first: bool,
}

impl Tracker {
    /// Begins with the state before the event: the rules and triggers that look at it, and what
    /// their filters say.
    #[must_use]
    pub fn new(engine: &mut Engine, offset: Offset, event: &Event, now: Timestamp) -> Self {
        let (state, expressions) = engine.parts();
        let (namespace, key) = (event.namespace.as_str(), event.key.as_str());
        let matching = state.rules_reached(namespace, key, event.execution);
        let rules = matching.into_iter().filter_map(|id| {
            let (condition, task) = condition_of(state, id)?;
            let scene = Scene::of_rule(state, id, Some(event), now);
            let verdicts = verdicts(expressions, &condition, event, &scene);
            let (holding, was_held, fate) = (BTreeSet::new(), false, None);
            Some((id, Looking { condition, task, verdicts, holding, was_held, fate }))
        });
        let value = event.value.as_str().chars().take(VALUE_CHARS_MAX).collect();
        let (rules, fired) = (rules.collect(), BTreeMap::new());
        Self { event: offset, value, rules, fired, is_first: true }
    }

    /// Takes in the records of the next batch: at first what stands from the event on in its own.
    pub fn batch<'a, E: 'a>(&mut self, records: impl IntoIterator<Item = &'a LoggedRecord<E>>) {
        for logged in records {
            self.record(logged);
        }
        self.fired.clear();
        for looking in self.rules.values_mut().filter(|looking| looking.fate.is_none()) {
            if looking.was_held && looking.holding.is_empty() {
                let text = "it counts no longer: it became too old, or a later one took its place";
                looking.fate = Some((EventFate::Expired, Vec::new(), text.to_owned()));
            } else if self.is_first && !looking.was_held {
                looking.fate = Some(untouched(&looking.verdicts, &self.value));
            }
        }
        self.is_first = false;
    }

    /// Whether nothing more can become of the event.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.rules.values().all(|looking| looking.fate.is_some())
    }

    /// The runs whose records can still tell what became of it; none when those of triggers can,
    /// which are of no run.
    #[must_use]
    pub fn open_runs(&self) -> Option<BTreeSet<RunId>> {
        let open = self.rules.iter().filter(|(_, looking)| looking.fate.is_none());
        open.map(|(id, _)| match id {
            RuleId::Task { run, .. } => Some(*run),
            RuleId::Trigger(_) | RuleId::Draft { .. } => None,
        })
        .collect()
    }

    /// What became of it, rule by rule.
    #[must_use]
    pub fn finish(self) -> Vec<RuleReceipt> {
        let receipt = |(id, looking): (RuleId, Looking)| {
            let Looking { condition, task, fate, .. } = looking;
            let (fate, records, text) = fate.unwrap_or_else(|| {
                let text = "it counts; the rule waits for more".to_owned();
                (EventFate::Held, Vec::new(), text)
            });
            let (run, rule, trigger, draft) = match id {
                RuleId::Task { run, rule } => (Some(run), Some(rule), None, None),
                RuleId::Trigger(trigger) => (None, None, Some(trigger), None),
                RuleId::Draft { draft, rule } => (None, Some(rule), None, Some(draft)),
            };
            let condition = condition.to_string();
            RuleReceipt { run, rule, task, trigger, draft, condition, fate, records, text }
        };
        self.rules.into_iter().map(receipt).collect()
    }

    fn record<E>(&mut self, logged: &LoggedRecord<E>) {
        match &logged.record {
            Record::ConditionAdvanced { run, rule, node, state } => {
                self.advanced(RuleId::Task { run: *run, rule: *rule }, *node, state);
            }
            Record::RuleFired { run, rule, firing } => {
                self.firing(RuleId::Task { run: *run, rule: *rule }, firing, logged.offset);
            }
            Record::TriggerChanged { trigger, change } => {
                let id = RuleId::Trigger(*trigger);
                match change {
                    TriggerChange::Advanced { node, state } => self.advanced(id, *node, state),
                    TriggerChange::Fired { firing } => self.firing(id, firing, logged.offset),
                    TriggerChange::Deleted => self.ended(|rule| rule == id, logged.offset),
                    TriggerChange::FilterFailed { event, reason, .. } => {
                        self.failed(id, *event, logged.offset, reason);
                    }
                    TriggerChange::TicksMissed { .. }
                    | TriggerChange::StartRefused { .. }
                    | TriggerChange::EmissionFailed { .. }
                    | TriggerChange::Paused
                    | TriggerChange::Resumed => {}
                }
            }
            Record::DraftChanged { draft, change } => self.draft(*draft, change, logged.offset),
            Record::FilterFailed { run, rule, event, reason, .. } => {
                self.failed(RuleId::Task { run: *run, rule: *rule }, *event, logged.offset, reason);
            }
            Record::RunFinished { run, .. } => {
                let is_of = |id| matches!(id, RuleId::Task { run: of, .. } if of == *run);
                self.ended(is_of, logged.offset);
            }
            Record::TaskExecutionCreated { id, .. } => {
                self.consequence(logged, &format!("execution {id}"));
            }
            Record::RunStarted(started) => {
                self.consequence(logged, &format!("run {}", started.run));
            }
            Record::TaskExecutionStopRequested { id, .. } => {
                self.consequence(logged, &format!("a stop of {id}"));
            }
            Record::TaskRestartRequested { task, .. } => {
                self.consequence(logged, &format!("a restart of {task}"));
            }
            Record::EventEmitted(_) => {
                self.consequence(logged, &format!("the derived event {}", logged.offset));
            }
            _ => {}
        }
    }

    fn draft(&mut self, draft: DraftId, change: &DraftChange, offset: Offset) {
        let id = |rule: &RuleIndex| RuleId::Draft { draft, rule: *rule };
        match change {
            DraftChange::Advanced { rule, node, state } => self.advanced(id(rule), *node, state),
            DraftChange::Fired { rule, would, firing } => {
                self.firing(id(rule), firing, offset);
                let fired = self.fired.get(&offset).and_then(|id| self.rules.get_mut(id));
                if let Some((_, _, text)) = fired.and_then(|looking| looking.fate.as_mut()) {
                    *text += &format!(": a draft, it would {would}");
                }
            }
            DraftChange::FilterFailed { rule, event, reason, .. } => {
                self.failed(id(rule), *event, offset, reason);
            }
            DraftChange::Ended { .. } => {
                self.ended(
                    |id| matches!(id, RuleId::Draft { draft: of, .. } if of == draft),
                    offset,
                );
            }
            DraftChange::TicksMissed { .. } => {}
        }
    }

    fn advanced(&mut self, id: RuleId, node: u32, state: &NodeState) {
        let Some(looking) = self.rules.get_mut(&id) else { return };
        let holds = state.events().any(|event| event == self.event);
        let part = match state {
            NodeState::Part { part, .. } => Some(part.clone()),
            _ => None,
        };
        if holds {
            looking.was_held = true;
            looking.holding.insert((node, part));
        } else {
            looking.holding.remove(&(node, part));
        }
    }

    /// A filter or a host gave no answer about the event.
    fn failed(&mut self, id: RuleId, event: Offset, offset: Offset, reason: &str) {
        let Some(looking) = self.rules.get_mut(&id).filter(|_| event == self.event) else { return };
        let text = format!("it could not be judged: {reason}");
        looking.fate.get_or_insert((EventFate::Failed, vec![offset], text));
    }

    fn firing(&mut self, id: RuleId, firing: &Firing, offset: Offset) {
        let is_used = firing.events.contains(&self.event);
        let Some(looking) = self.rules.get_mut(&id).filter(|_| is_used) else { return };
        self.fired.insert(offset, id);
        match &mut looking.fate {
            Some((EventFate::Consumed, records, _)) => records.push(offset),
            fate => {
                let text = format!("fired by it at {offset}");
                *fate = Some((EventFate::Consumed, vec![offset], text));
            }
        }
    }

    fn consequence<E>(&mut self, logged: &LoggedRecord<E>, what: &str) {
        let id = logged.cause.and_then(|cause| self.fired.get(&cause));
        let Some(looking) = id.and_then(|id| self.rules.get_mut(id)) else { return };
        if let Some((_, records, text)) = &mut looking.fate {
            records.push(logged.offset);
            *text += &format!(": {what}");
        }
    }

    fn ended(&mut self, is_meant: impl Fn(RuleId) -> bool, offset: Offset) {
        let meant = self.rules.iter_mut().filter(|(id, _)| is_meant(**id));
        for (_, looking) in meant.filter(|(_, l)| l.fate.is_none() && l.was_held) {
            let text = format!("it counted until the end at {offset}");
            looking.fate = Some((EventFate::Ended, vec![offset], text));
        }
    }
}

fn condition_of(state: &State, id: RuleId) -> Option<(Condition, Option<aiflow_model::TaskName>)> {
    match id {
        RuleId::Task { run, rule } => {
            let (task, rule) = state.snapshot_of(run)?.spec.rule(rule)?;
            Some((rule.condition.clone(), Some(task.name.clone())))
        }
        RuleId::Trigger(trigger) => Some((state.triggers.get(&trigger)?.condition.clone(), None)),
        RuleId::Draft { draft, rule } => {
            let draft = state.drafts.get(&draft)?;
            let task = draft.began.spec.rule(rule).map(|(task, _)| task.name.clone());
            Some((draft.began.spec.watched_at(rule)?.clone(), task))
        }
    }
}

/// What each node that looks at the key says by itself.
fn verdicts(
    expressions: &mut Expressions,
    condition: &Condition,
    event: &Event,
    scene: &Scene<'_>,
) -> Vec<Verdict> {
    let looking = condition.nodes().filter_map(|node| match node {
        Condition::On { key, filter } if key.matches(event.key.as_str()) => Some(filter.as_ref()),
        _ => None,
    });
    let said = looking.map(|filter| match filter {
        None => Verdict::Passed,
        Some(filter) => match expressions.passes(filter, scene) {
            Ok(true) => Verdict::Passed,
            Ok(false) => Verdict::Filtered(filter.clone()),
            Err(reason) => Verdict::Failed(reason),
        },
    });
    said.collect()
}

/// The fate of an event that no node took in.
fn untouched(verdicts: &[Verdict], value: &str) -> (EventFate, Vec<Offset>, String) {
    let failed = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Failed(reason) => Some(reason),
        _ => None,
    });
    if let Some(reason) = failed {
        return (EventFate::Failed, Vec::new(), format!("the filter failed: {reason}"));
    }
    let filters: Vec<&str> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Filtered(filter) => Some(filter.as_str()),
            _ => None,
        })
        .collect();
    if !filters.is_empty() && filters.len() == verdicts.len() {
        let text = format!("`{}` is not true of the value {value}", filters.join("`, `"));
        return (EventFate::Filtered, Vec::new(), text);
    }
    let text = "it was looked at, and changed nothing".to_owned();
    (EventFate::Unmoved, Vec::new(), text)
}
