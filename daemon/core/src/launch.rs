//! What to run for an attempt: program, arguments and the variables that tell the task who it is.
//!
//! Must never know where it runs, nor paths of the home: the server adds those.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aiflow_model::spec::{Command, Confinement, Plugin};
use aiflow_model::state::{Run, Snapshot};
use aiflow_model::time::{Span, Window};
use aiflow_model::{AttemptId, Offset, State, TaskName, TaskSpec};

use crate::scene::outputs_of;

/// Longest output that a later task is given as a variable, in bytes.
const OUTPUT_VARIABLE_BYTES_MAX: usize = 4 << 10;
/// Most bytes of all of them together.
const OUTPUT_VARIABLES_BYTES_MAX: usize = 256 << 10;

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
    /// It does one item of a list: events that are too large for a variable are left out, since
    /// thousands would be given the same.
    pub does_item: bool,
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
    environment.extend(outputs(state, run, task, execution.window));
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
    if let Some(item) = &execution.item {
        let count = state.task(run.id, &task.name).and_then(|t| t.fan_of(execution));
        own("AIFLOW_ITEM", item.value.to_plain());
        own("AIFLOW_ITEM_INDEX", item.index.to_string());
        own("AIFLOW_ITEM_COUNT", count.map_or(0, |fan| fan.items).to_string());
    }
    let mut command = match &task.command {
        Command::Bash(script) => {
            vec!["bash".to_owned(), "-c".to_owned(), script.clone()]
        }
        Command::Exec(words) => words.clone(),
        Command::Operator(plugin) => {
            own("AIFLOW_OPERATOR_CONFIG", plugin.config.as_str().to_owned());
            driver("operator", plugin)
        }
    };
    if let Some(plugin) = &task.executor {
        own("AIFLOW_EXECUTOR_CONFIG", plugin.config.as_str().to_owned());
        let elsewhere = std::mem::replace(&mut command, driver("executor", plugin));
        command.push("--".to_owned());
        command.extend(elsewhere);
    }
    let (events, grace) = (execution.events.clone(), task.grace);
    let (snapshot, confinement) = (Arc::clone(snapshot), task.confinement.clone());
    let does_item = execution.item.is_some();
    Some(LaunchPlan { command, environment, events, snapshot, grace, confinement, does_item })
}

/// The program of ours that speaks to a plugin, as the process of the attempt: so that an attempt
/// with a plugin starts at most once, outlives the daemon and is stopped as any other.
fn driver(kind: &str, plugin: &Plugin) -> Vec<String> {
    ["aiflow", "plugin", "run", kind, plugin.name.as_str()].map(str::to_owned).to_vec()
}

/// The variable that carries a parameter.
fn param_variable(param: &str) -> String {
    format!("AIFLOW_PARAM_{}", as_variable(param))
}

fn as_variable(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// What the tasks said of their work that this one starts after, as variables. What is long, or too
/// much, is asked for with `aiflow output get`.
fn outputs(
    state: &State,
    run: &Run,
    task: &TaskSpec,
    window: Option<Window>,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut left = OUTPUT_VARIABLES_BYTES_MAX;
    let starts = task.rules.iter().filter(|rule| rule.action.starts());
    let before: BTreeSet<&TaskName> =
        starts.flat_map(|rule| rule.condition.upstream_tasks()).collect();
    for name in before {
        let Some(known) = state.task(run.id, name) else { continue };
        for (output, value) in outputs_of(known, window) {
            let bytes = value.as_str().len();
            // No variable can hold a zero byte.
            if bytes > OUTPUT_VARIABLE_BYTES_MAX.min(left) || value.to_plain().contains('\0') {
                continue;
            }
            left -= bytes;
            let (name, output) = (as_variable(name.as_str()), as_variable(output.as_str()));
            variables.insert(format!("AIFLOW_OUTPUT_{name}__{output}"), value.to_plain());
        }
    }
    variables
}
