//! What an address is sent that a definition names, and by which command.
//!
//! Must never hold what is secret: the arguments of a process can be seen.

use aiflow_model::spec::WorkflowSpec;
use aiflow_model::state::Run;
use aiflow_model::status::ExecutionStatus;
use aiflow_model::{AttemptId, TaskSpec};
use serde_json::json;

/// Longest time for one try, in seconds.
const SECONDS_MAX: &str = "60";

/// The message: who calls and why, as JSON.
pub(crate) fn message(run: &Run, task: &TaskSpec, spec: &WorkflowSpec, id: &AttemptId) -> String {
    let execution = &id.execution;
    let mut message = json!({
        "namespace": run.namespace,
        "workflow": run.workflow,
        "run": run.id,
        "task": execution.task,
        "sequence": execution.sequence,
        "attempt": id,
    });
    let known = spec.task_index(task.name.as_str()).and_then(|at| run.tasks.get(at));
    let known = known.and_then(|known| known.execution(execution.sequence));
    if let Some(window) = known.and_then(|known| known.window) {
        message["window_start"] = window.start.to_string().into();
        message["window_end"] = window.end.to_string().into();
    }
    if let Some(item) = known.and_then(|known| known.item.as_ref()) {
        message["item"] = item.value.to_value();
    }
    if let Some(hook) = task.hook {
        message["status"] = hook.word().into();
        message["failed_tasks"] = failed_tasks(run, spec).into();
    }
    message.to_string()
}

/// The tasks of a run that have failed.
pub(crate) fn failed_tasks<'a>(run: &'a Run, spec: &'a WorkflowSpec) -> Vec<&'a str> {
    let tasks = spec.tasks.iter().zip(&run.tasks).filter(|(task, _)| task.hook.is_none());
    let failed = tasks.filter(|(_, state)| {
        let standing = state.latest().map(|latest| state.standing(latest).0);
        standing == Some(ExecutionStatus::Failed)
    });
    failed.map(|(task, _)| task.name.as_str()).collect()
}

/// The command that sends it. All tries of one execution carry the same key, so that who is sent it
/// can tell a repeat.
pub(crate) fn post(url: &str, message: &str) -> Vec<String> {
    let key = serde_json::from_str::<serde_json::Value>(message).unwrap_or_default();
    let key = format!(
        "Idempotency-Key: {}.{}.{}",
        key["run"],
        key["task"].as_str().unwrap_or_default(),
        key["sequence"]
    );
    let words = [
        "curl",
        "--fail",
        "--silent",
        "--show-error",
        "--max-time",
        SECONDS_MAX,
        "--header",
        "Content-Type: application/json",
        "--header",
        &key,
        "--data-binary",
        message,
        "--url",
        url,
    ];
    words.map(str::to_owned).to_vec()
}
