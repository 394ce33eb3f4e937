//! `aiflow ps`: what is alive, runs and task executions in one table.
//!
//! Must never hold up the daemon: it asks run by run, a few at a time.

use aiflow_client::{CallError, Client};
use aiflow_model::wire::{Call, ExecutionView, RunQuery, RunRef, RunView};
use aiflow_model::{Namespace, RunId, Sequence, TaskName, WorkflowName};
use serde::Serialize;

use super::failure::Failure;
use super::output::Row;
use super::rows::or_none;
use super::session::Session;

/// Calls on their way at once.
const CALLS_MAX: usize = 32;

/// A run, or with `task` one of its task executions.
#[derive(Debug, Serialize)]
struct Process {
    run: RunId,
    namespace: Namespace,
    workflow: WorkflowName,
    task: Option<TaskName>,
    sequence: Option<Sequence>,
    status: String,
    window_start: Option<String>,
    window_end: Option<String>,
    since: String,
    pid: Option<u32>,
}

impl Row for Process {
    const COLUMNS: &'static [&'static str] =
        &["run", "workflow", "task", "seq", "status", "window", "since", "pid"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            self.workflow.to_string(),
            or_none(self.task.as_ref()),
            or_none(self.sequence.as_ref()),
            self.status.clone(),
            or_none(self.window_start.as_ref()),
            self.since.clone(),
            or_none(self.pid.as_ref()),
        ]
    }
}

/// Prints what is alive.
pub(crate) async fn perform(session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let mut runs = client.list_runs(RunQuery::default()).await?;
    runs.retain(|run| run.status.is_alive());
    let mut processes = Vec::new();
    for runs in runs.chunks(CALLS_MAX) {
        for (run, executions) in runs.iter().zip(executions_of(&client, runs).await?) {
            processes.push(of_run(run));
            let alive = executions.into_iter().filter(|execution| execution.status.is_alive());
            processes.extend(alive.map(|execution| of_execution(run, execution)));
        }
    }
    session.output.list(&processes)
}

async fn executions_of(
    client: &Client,
    runs: &[RunView],
) -> Result<Vec<Vec<ExecutionView>>, CallError> {
    let mut replies = Vec::with_capacity(runs.len());
    for run in runs {
        replies.push(client.submit(&Call::TaskList(RunRef { run: run.id })).await?);
    }
    let mut executions = Vec::with_capacity(runs.len());
    for reply in replies {
        executions.push(reply.receive().await?);
    }
    Ok(executions)
}

fn of_run(run: &RunView) -> Process {
    Process {
        run: run.id,
        namespace: run.namespace.clone(),
        workflow: run.workflow.clone(),
        task: None,
        sequence: None,
        status: run.status_word().to_owned(),
        window_start: None,
        window_end: None,
        since: run.started_at.clone(),
        pid: None,
    }
}

fn of_execution(run: &RunView, execution: ExecutionView) -> Process {
    let attempt = execution.attempts.last().filter(|attempt| attempt.ended_at.is_none());
    let started = attempt.and_then(|attempt| attempt.started_at.clone());
    Process {
        pid: attempt.and_then(|attempt| attempt.pid),
        status: execution.status_words(),
        since: started.unwrap_or(execution.created_at),
        task: Some(execution.task),
        sequence: Some(execution.sequence),
        window_start: execution.window_start,
        window_end: execution.window_end,
        ..of_run(run)
    }
}
