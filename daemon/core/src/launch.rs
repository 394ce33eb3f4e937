//! What to run for an attempt: program, arguments and the variables that tell the task who it is.
//!
//! Must never know where it runs, nor paths of the home: the server adds those.

use std::collections::BTreeMap;
use std::sync::Arc;

use aiflow_model::spec::{Command, Confinement};
use aiflow_model::state::Snapshot;
use aiflow_model::time::Span;
use aiflow_model::{AttemptId, Offset, State};

/// What to run for an attempt.
#[derive(Debug, Clone)]
pub struct LaunchPlan {
    /// Program and arguments, at least the program.
    pub command: Vec<String>,
    /// Variables of the task's own; those of the host are the server's to add.
    pub environment: BTreeMap<String, String>,
    /// The events that fired it, for `AIFLOW_EVENT`.
    pub events: Vec<Offset>,
    /// The definition it belongs to, whose files it needs.
    pub snapshot: Arc<Snapshot>,
    /// Time between the request to end and the kill.
    pub grace: Span,
    /// What it may use and who it is.
    pub confinement: Confinement,
}

/// The plan for an attempt; none when there is no such attempt.
#[must_use]
pub fn launch_plan(state: &State, id: &AttemptId) -> Option<LaunchPlan> {
    let run = state.run(id.execution.run)?;
    let snapshot = state.snapshot_of(run.id)?;
    let task = snapshot.spec.task(id.execution.task.as_str())?;
    let execution = state.execution(&id.execution)?;
    let mut environment = BTreeMap::new();
    for (param, value) in &run.params {
        environment.insert(param_variable(param), value.to_plain());
    }
    environment.extend(task.env.clone());
    let mut own = |name: &str, value: String| environment.insert(name.to_owned(), value);
    own("AIFLOW_NAMESPACE", run.namespace.to_string());
    own("AIFLOW_WORKFLOW", run.workflow.to_string());
    own("AIFLOW_EXECUTION_ID", run.id.to_string());
    own("AIFLOW_TASK", id.execution.task.to_string());
    own("AIFLOW_SEQUENCE", id.execution.sequence.to_string());
    own("AIFLOW_ATTEMPT_ID", id.to_string());
    if let Some(window) = execution.window {
        own("AIFLOW_WINDOW_START", window.start.to_string());
        own("AIFLOW_WINDOW_END", window.end.to_string());
    }
    let command = match &task.command {
        Command::Bash(script) => {
            vec!["bash".to_owned(), "-c".to_owned(), script.clone()]
        }
        Command::Exec(words) => words.clone(),
    };
    let (events, grace) = (execution.events.clone(), task.grace);
    let (snapshot, confinement) = (Arc::clone(snapshot), task.confinement.clone());
    Some(LaunchPlan { command, environment, events, snapshot, grace, confinement })
}

/// The variable that carries a parameter.
fn param_variable(param: &str) -> String {
    format!("AIFLOW_PARAM_{}", param.to_uppercase().replace('-', "_"))
}
