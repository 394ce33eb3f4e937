//! What has happened since the user last looked: failures, recoveries, what newly waits.
//!
//! Must never look at more than the newest: who was away for long reads counts.

use std::collections::BTreeSet;

use aiflow_model::State;
use aiflow_model::state::{Execution, ExecutionStatus, TaskState};
use aiflow_model::time::Timestamp;

use super::mark::Tone;

/// Runs and executions of a task that are looked at.
const RUNS_MAX: usize = 1_000;
const EXECUTIONS_MAX: usize = 1_000;
/// Names that are told.
const NAMES_MAX: usize = 3;

/// One kind of what has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) count: usize,
    names: BTreeSet<String>,
}

/// What has happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) failed: Kind,
    /// Succeeded, where the execution before had failed.
    pub(crate) recovered: Kind,
    /// Nothing is heard of them.
    pub(crate) silent: Kind,
    /// They wait for their turn.
    pub(crate) waiting: Kind,
    pub(crate) succeeded: usize,
    pub(crate) runs_started: usize,
    pub(crate) runs_ended: usize,
}

impl Kind {
    fn add(&mut self, name: &str) {
        self.count += 1;
        self.names.insert(name.to_owned());
    }
}

/// What has happened after `since`.
pub(crate) fn since(state: &State, since: Timestamp) -> Digest {
    let mut digest = Digest::default();
    for run in state.runs.values().rev().take(RUNS_MAX) {
        digest.runs_started += usize::from(run.started_at > since);
        if run.ended_at.is_some_and(|ended| ended <= since) {
            continue;
        }
        digest.runs_ended += usize::from(run.ended_at.is_some());
        let Some(snapshot) = state.snapshots.get(&run.snapshot) else { continue };
        for (spec, task) in snapshot.spec.tasks.iter().zip(&run.tasks) {
            add_task(&mut digest, spec.name.as_str(), task, since);
        }
    }
    digest
}

fn add_task(digest: &mut Digest, name: &str, task: &TaskState, since: Timestamp) {
    let newest = task.executions.iter().enumerate().rev().take(EXECUTIONS_MAX);
    for (index, execution) in newest {
        let ended = execution.ended_at.is_some_and(|ended| ended > since);
        let before = || task.executions.get(index.checked_sub(1)?);
        let had_failed = |before: &Execution| before.status == ExecutionStatus::Failed;
        match execution.status {
            ExecutionStatus::Failed if ended => digest.failed.add(name),
            ExecutionStatus::Success if ended => {
                digest.succeeded += 1;
                if before().is_some_and(had_failed) {
                    digest.recovered.add(name);
                }
            }
            ExecutionStatus::Waiting if execution.created_at > since => digest.waiting.add(name),
            _ if execution.silent_since.is_some_and(|silent| silent > since) => {
                digest.silent.add(name);
            }
            _ => {}
        }
    }
}

impl Digest {
    /// Its parts in words, the worst first; those of which there are none are left out.
    pub(crate) fn words(&self) -> Vec<(String, Tone)> {
        let named = |kind: &Kind, word: &str, tone| {
            let names: Vec<&str> = kind.names.iter().take(NAMES_MAX).map(String::as_str).collect();
            let more = if kind.names.len() > NAMES_MAX { ", …" } else { "" };
            let words = format!("{} {word} ({}{more})", kind.count, names.join(", "));
            (kind.count > 0).then_some((words, tone))
        };
        let plain =
            |count: usize, word: &str| (count > 0).then(|| (format!("{count} {word}"), Tone::Dim));
        [
            named(&self.failed, "✗ failed", Tone::Bad),
            named(&self.silent, "? silent", Tone::Bad),
            named(&self.waiting, "▷ wait", Tone::Wait),
            named(&self.recovered, "✓ recovered", Tone::Good),
            plain(self.succeeded, "succeeded"),
            plain(self.runs_started, "runs started"),
            plain(self.runs_ended, "runs ended"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
