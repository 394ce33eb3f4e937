//! What tasks say of their work, on the wire.
//!
//! Must never carry what a task wrote to its log: that is `log.read`.

use serde::{Deserialize, Serialize};

use crate::state::State;
use crate::{JsonText, OutputName, RunId, Sequence, TaskName};

/// Longest output, and most bytes of all outputs of one execution, as JSON.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Most outputs of one execution.
pub const OUTPUTS_MAX: usize = 64;

/// Something that a task says of its work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetOutput {
    /// The task's `AIFLOW_TOKEN`.
    pub token: String,
    /// By what name.
    pub name: OutputName,
    /// What.
    #[serde(default)]
    pub value: JsonText,
}

/// Which outputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputQuery {
    /// Of which run.
    pub run: RunId,
    /// Only of this task.
    #[serde(default)]
    pub task: Option<TaskName>,
    /// Only of this execution; without it the latest of each task that has any.
    #[serde(default)]
    pub sequence: Option<Sequence>,
    /// Only of this name.
    #[serde(default)]
    pub name: Option<OutputName>,
}

/// What an execution said of its work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OutputView {
    /// Of which run.
    pub run: RunId,
    /// Of which task.
    pub task: TaskName,
    /// Which execution.
    pub sequence: Sequence,
    /// By what name.
    pub name: OutputName,
    /// What.
    pub value: JsonText,
}

impl OutputView {
    /// The outputs that are asked for, task by task; none when there is no such run.
    #[must_use]
    pub fn all(state: &State, query: &OutputQuery) -> Option<Vec<Self>> {
        let run = state.run(query.run)?;
        let spec = &state.snapshot_of(query.run)?.spec;
        let tasks = spec.tasks.iter().zip(&run.tasks);
        let asked = |name: &TaskName| query.task.as_ref().is_none_or(|task| task == name);
        let mut views = Vec::new();
        for (task, known) in tasks.filter(|(task, _)| asked(&task.name)) {
            let execution = match query.sequence {
                Some(sequence) => known.execution(sequence),
                None => known.executions.iter().rev().find(|e| !e.outputs.is_empty()),
            };
            let Some(execution) = execution else { continue };
            for (name, value) in &execution.outputs {
                if query.name.as_ref().is_none_or(|wanted| wanted == name) {
                    let (run, task, sequence) = (query.run, task.name.clone(), execution.sequence);
                    let (name, value) = (name.clone(), value.clone());
                    views.push(Self { run, task, sequence, name, value });
                }
            }
        }
        Some(views)
    }
}
