//! Drafts: definitions whose rules look at what comes, and act on nothing.
//!
//! A draft stands apart from workflows, runs and triggers, so that none of them can be changed by
//! one. Must never hold an execution.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::apply::{At, Fit};
use super::deadline::due_at;
use super::{Deadline, NodeState, State};
use crate::record::{DraftChange, DraftStarted, Would};
use crate::time::{Timestamp, Window};
use crate::{DraftId, Offset, RuleId, RuleIndex, RunId};

/// How many of its latest firings a draft keeps; the log has all.
pub const DRAFT_FIRINGS_KEPT: usize = 100;

/// One draft.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// What it began with.
    pub began: Arc<DraftStarted>,
    /// When that was.
    pub started_at: Timestamp,
    /// The record that began it.
    pub offset: Offset,
    /// For each of its conditions the state of its nodes that have any.
    pub conditions: Vec<BTreeMap<u32, NodeState>>,
    /// How often its rules fired.
    #[serde(default)]
    pub firings: u64,
    /// How often something could not be evaluated.
    #[serde(default)]
    pub failures: u64,
    /// Why it could not, the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The latest firings, oldest first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub recent: VecDeque<DraftFiring>,
}

/// A firing of a draft's rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftFiring {
    /// The record that says so.
    pub offset: Offset,
    /// When.
    pub time: Timestamp,
    /// Which rule.
    pub rule: RuleIndex,
    /// What would have followed.
    pub would: Would,
    /// For which window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// By which events, the newest of many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Offset>,
}

/// Most events of a firing that is kept.
const FIRING_EVENTS_KEPT: usize = 10;

impl Draft {
    fn new(started: &DraftStarted, at: At) -> Self {
        Self {
            conditions: vec![BTreeMap::new(); started.spec.watched().count()],
            began: Arc::new(started.clone()),
            started_at: at.time,
            offset: at.offset,
            firings: 0,
            failures: 0,
            failure: None,
            recent: VecDeque::new(),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> DraftId {
        self.began.draft
    }

    /// The identities of its conditions, with what each says.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &crate::Condition)> {
        let draft = self.id();
        let watched = self.began.spec.watched();
        watched.map(move |(rule, condition)| (RuleId::Draft { draft, rule }, condition))
    }

    /// Whether a condition is that of a rule on a task, which looks at the run beside the draft.
    #[must_use]
    pub fn is_of_task(&self, rule: RuleIndex) -> bool {
        self.began.spec.rule(rule).is_some()
    }

    fn keep(&mut self, firing: DraftFiring) {
        self.firings += 1;
        if self.recent.len() == DRAFT_FIRINGS_KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(firing);
    }
}

impl State {
    /// The id of the next draft.
    #[must_use]
    pub fn next_draft_id(&self) -> DraftId {
        self.last_draft.next()
    }

    /// The run whose tasks and parameters a rule looks at; none of triggers.
    #[must_use]
    pub fn run_looked_at(&self, rule: RuleId) -> Option<RunId> {
        match rule {
            RuleId::Task { run, .. } => Some(run),
            RuleId::Trigger(_) => None,
            RuleId::Draft { draft, rule } => {
                let draft = self.drafts.get(&draft)?;
                draft.began.beside.filter(|_| draft.is_of_task(rule))
            }
        }
    }

    /// What looks at an event of this key, in order. One that is scoped to a run reaches of rules
    /// on tasks only those that look at this run; triggers see either.
    #[must_use]
    pub fn rules_reached(&self, namespace: &str, key: &str, scope: Option<RunId>) -> Vec<RuleId> {
        let mut found = self.subscriptions.matching(namespace, key, scope);
        if let Some(scope) = scope {
            found.retain(|id| match id {
                RuleId::Draft { draft, rule } => self.drafts.get(draft).is_some_and(|draft| {
                    !draft.is_of_task(*rule) || draft.began.beside == Some(scope)
                }),
                RuleId::Task { .. } | RuleId::Trigger(_) => true,
            });
        }
        found
    }

    pub(super) fn fold_draft_started(&mut self, started: &DraftStarted, at: At) -> Fit {
        let id = started.draft;
        self.last_draft = self.last_draft.max(id);
        if self.drafts.insert(id, Draft::new(started, at)).is_some() {
            return Err(format!("draft {id} exists already"));
        }
        self.watch(id);
        Ok(())
    }

    pub(super) fn fold_draft(&mut self, id: DraftId, change: &DraftChange, at: At) -> Fit {
        let draft = self.drafts.get_mut(&id).ok_or_else(|| format!("no draft {id}"))?;
        match change {
            DraftChange::Advanced { rule, node, state } => {
                let condition = draft.began.spec.watched_at(*rule);
                let condition = condition.and_then(|of| of.nodes().nth(*node as usize));
                let condition = condition
                    .ok_or_else(|| format!("no node {node} in rule {rule} of draft {id}"))?;
                let states =
                    draft.conditions.get_mut(rule.0 as usize).ok_or("rule out of range")?;
                let rule = RuleId::Draft { draft: id, rule: *rule };
                let deadline = Deadline::Condition { rule, node: *node };
                let due_before = states.get(node).and_then(|old| due_at(condition, old));
                state.fold_into(states, *node);
                self.deadlines.clear(deadline.clone(), due_before);
                self.deadlines.set(deadline, due_at(condition, state));
            }
            DraftChange::FilterFailed { reason, .. } => {
                draft.failures += 1;
                draft.failure = Some(reason.clone());
            }
            DraftChange::TicksMissed { .. } => {}
            DraftChange::Fired { rule, would, firing } => {
                let surplus = firing.events.len().saturating_sub(FIRING_EVENTS_KEPT);
                draft.keep(DraftFiring {
                    offset: at.offset,
                    time: at.time,
                    rule: *rule,
                    would: would.clone(),
                    window: firing.window,
                    events: firing.events[surplus..].to_vec(),
                });
            }
            DraftChange::Ended { .. } => {
                self.watch_no_more(id);
                self.drafts.remove(&id);
            }
        }
        Ok(())
    }

    pub(super) fn watch(&mut self, id: DraftId) {
        let Some(draft) = self.drafts.get(&id) else { return };
        self.subscriptions.add_draft(draft);
        self.deadlines.add_draft(draft);
    }

    pub(super) fn watch_no_more(&mut self, id: DraftId) {
        let Some(draft) = self.drafts.get(&id) else { return };
        self.subscriptions.remove_draft(draft);
        self.deadlines.remove_draft(draft);
    }
}
