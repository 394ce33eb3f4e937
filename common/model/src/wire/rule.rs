//! A rule of a run as people and scripts read it: what it does, when, and how far it has come.
//!
//! Made from the state alone. Must never be stored.

use serde::{Deserialize, Serialize};

use crate::progress::progress;
use crate::state::State;
use crate::{RuleIndex, RunId, TaskName};

/// A rule of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RuleView {
    /// Which of the run's.
    pub rule: RuleIndex,
    /// The task that holds it.
    pub task: TaskName,
    /// `start`, `stop`, `restart` or `emit`.
    pub action: String,
    /// Its condition in words.
    pub condition: String,
    /// How far it has come, part by part; what only looks at single events has nothing to tell.
    pub progress: Vec<String>,
}

impl RuleView {
    /// The rules of a run; none when there is no such run.
    #[must_use]
    pub fn all_of_run(state: &State, id: RunId) -> Option<Vec<Self>> {
        let (run, snapshot) = (state.run(id)?, state.snapshot_of(id)?);
        let rules = snapshot.spec.rules().zip(&run.conditions);
        let views = rules.map(|((index, task, rule), nodes)| Self {
            rule: index,
            task: task.name.clone(),
            action: rule.action.word().to_owned(),
            condition: rule.condition.to_string(),
            progress: progress(&rule.condition, nodes),
        });
        Some(views.collect())
    }
}
