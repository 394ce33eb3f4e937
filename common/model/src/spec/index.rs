//! Where tasks and rules stand in a definition, by name and number, so that nothing that happens
//! costs in proportion to how many there are.
//!
//! Derived from the definition when first asked for; must never be stored, nor outlive a change.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use super::{TaskSpec, WorkflowSpec};
use crate::{RuleIndex, TaskName};

/// The places of one definition; equal to that of any other, since it says nothing of its own.
#[derive(Default)]
pub struct SpecIndex(OnceLock<Box<Places>>);

#[derive(Default)]
pub(super) struct Places {
    /// Place of each task.
    pub(super) tasks: BTreeMap<TaskName, usize>,
    /// Of each rule the place of its task, and its own there.
    pub(super) rules: Vec<(usize, usize)>,
    /// The rules that look at a task.
    pub(super) lookers: BTreeMap<TaskName, Vec<RuleIndex>>,
}

impl Places {
    fn of(tasks: &[TaskSpec]) -> Self {
        let mut places = Self::default();
        let mut next = RuleIndex(0);
        for (at, task) in tasks.iter().enumerate() {
            places.tasks.insert(task.name.clone(), at);
            for (own, rule) in task.rules.iter().enumerate() {
                places.rules.push((at, own));
                for upstream in rule.condition.upstream_tasks() {
                    let lookers = places.lookers.entry(upstream.clone()).or_default();
                    if lookers.last() != Some(&next) {
                        lookers.push(next);
                    }
                }
                next = next.next();
            }
        }
        places
    }
}

impl WorkflowSpec {
    pub(super) fn places(&self) -> &Places {
        self.index.0.get_or_init(|| Box::new(Places::of(&self.tasks)))
    }
}

impl Clone for SpecIndex {
    /// A copy may be changed, so it finds its places anew.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for SpecIndex {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for SpecIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpecIndex")
    }
}
