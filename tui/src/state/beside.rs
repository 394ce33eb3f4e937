//! A run beside the last one that succeeded: what is different.
//!
//! Made from the state alone. Must never say why: it only sets the two side by side.

use aiflow_model::State;
use aiflow_model::state::{ExecutionStatus, Run, RunStatus, TaskState};

use super::text;

/// What is different; none where no run of the workflow has succeeded before.
pub(crate) fn last_good(state: &State, run: &Run) -> Option<(u64, Vec<String>)> {
    let is_good = |other: &&Run| {
        other.id < run.id
            && other.workflow == run.workflow
            && other.namespace == run.namespace
            && other.status == RunStatus::Success
    };
    let good = state.runs.values().rev().find(is_good)?;
    let mut lines = Vec::new();
    if good.snapshot != run.snapshot {
        lines.push(format!("definition: snapshot {} → {}", good.snapshot, run.snapshot));
    }
    for (name, value) in &run.params {
        let before = good.params.get(name).map(|value| value.as_str());
        if before != Some(value.as_str()) {
            let before = before.unwrap_or("not there");
            lines.push(format!("parameter {name}: {before} → {}", value.as_str()));
        }
    }
    let (Some(now), Some(then)) =
        (state.snapshots.get(&run.snapshot), state.snapshots.get(&good.snapshot))
    else {
        return Some((good.id.0, lines));
    };
    for (spec, task) in now.spec.tasks.iter().zip(&run.tasks) {
        let name = spec.name.as_str();
        let known = then.spec.task_index(name).and_then(|index| good.tasks.get(index));
        match known {
            None => lines.push(format!("task {name} is new")),
            Some(before) => lines.extend(difference(name, before, task)),
        }
        let spec_before = then.spec.task(name);
        if spec_before.is_some_and(|before| before.command != spec.command) {
            lines.push(format!("task {name} runs something else"));
        }
    }
    Some((good.id.0, lines))
}

fn difference(name: &str, before: &TaskState, now: &TaskState) -> Option<String> {
    let (old, new) = (before.latest()?, now.latest()?);
    let lasted = |execution: &aiflow_model::state::Execution| {
        Some(execution.ended_at?.since(execution.created_at))
    };
    if old.status != new.status && new.status != ExecutionStatus::Waiting {
        let outcome = new.attempts.last().and_then(|attempt| attempt.outcome.as_ref());
        let outcome = outcome.filter(|outcome| !outcome.is_success()).map(text::outcome_words);
        let outcome = outcome.map(|words| format!(" ({words})")).unwrap_or_default();
        return Some(format!("{name}: {} → {}{outcome}", old.status, new.status));
    }
    let (old, new) = (lasted(old)?, lasted(new)?);
    // Less than half or more than twice is worth a word.
    let is_other = new.0 > 2 * old.0.max(1) || old.0 > 2 * new.0.max(1);
    is_other.then(|| format!("{name}: took {}, then {}", text::length(new), text::length(old)))
}
