//! All that is watched for in a definition: the rules of its tasks, then its triggers, then what it
//! emits without a run. The rules of tasks have the numbers here that they have everywhere.
//!
//! Must never be used for runs: theirs are the rules of tasks alone.

use super::{Action, Condition, Rule, TaskSpec, WorkflowSpec};
use crate::RuleIndex;
use crate::record::Would;

impl WorkflowSpec {
    /// Every condition, with its number.
    pub fn watched(&self) -> impl Iterator<Item = (RuleIndex, &Condition)> {
        let of_tasks = self.tasks.iter().flat_map(|task| &task.rules).map(|rule| &rule.condition);
        let emits = self.emits.iter().map(|rule| &rule.condition);
        (0..).map(RuleIndex).zip(of_tasks.chain(&self.triggers).chain(emits))
    }

    /// The condition of that number.
    #[must_use]
    pub fn watched_at(&self, index: RuleIndex) -> Option<&Condition> {
        if let Some((_, rule)) = self.rule(index) {
            return Some(&rule.condition);
        }
        let place = self.beyond_tasks(index)?;
        let emitted = || self.emits.get(place.checked_sub(self.triggers.len())?);
        self.triggers.get(place).or_else(|| emitted().map(|rule| &rule.condition))
    }

    /// What follows when the condition of that number is met.
    #[must_use]
    pub fn would(&self, index: RuleIndex) -> Option<Would> {
        if let Some((task, rule)) = self.rule(index) {
            return Some(of_task(task, rule));
        }
        let place = self.beyond_tasks(index)?;
        let Some(emit) = place.checked_sub(self.triggers.len()) else {
            return Some(Would::StartRun);
        };
        let emission = self.emits.get(emit)?.emission.as_ref()?;
        Some(Would::Emit { key: emission.key.clone() })
    }

    fn beyond_tasks(&self, index: RuleIndex) -> Option<usize> {
        (index.0 as usize).checked_sub(self.places().rules.len())
    }
}

fn of_task(task: &TaskSpec, rule: &Rule) -> Would {
    match (&rule.emission, rule.action) {
        (Some(emission), Action::Emit) => Would::Emit { key: emission.key.clone() },
        (_, action) => Would::Task { task: task.name.clone(), action },
    }
}
