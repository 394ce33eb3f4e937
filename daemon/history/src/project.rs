//! From a record to the rows that it changes.
//!
//! Looks at nothing but the record: what the tables hold already, SQL knows. Must never fail: what
//! a record means that this build does not know is left out.

use aiflow_model::record::{Event, Outcome, RunControl, RunStarted};
use aiflow_model::time::{Timestamp, Window};
use aiflow_model::{AttemptId, ExecutionId, LoggedRecord, Offset, Record};

use crate::store::{Statement, Value};

macro_rules! of_execution {
    ($change:literal) => {
        concat!(
            "UPDATE task_executions SET ",
            $change,
            " WHERE run = ?1 AND task = ?2 AND sequence = ?3"
        )
    };
}

macro_rules! of_attempt {
    ($change:literal) => {
        concat!(
            "UPDATE attempts SET ",
            $change,
            " WHERE run = ?1 AND task = ?2 AND sequence = ?3 AND attempt = ?4"
        )
    };
}

fn statement(sql: &'static str, values: Vec<Value>) -> Statement {
    Statement { sql, values }
}

fn execution(id: &ExecutionId) -> Vec<Value> {
    vec![id.run.0.into(), id.task.as_str().into(), i64::from(id.sequence.0).into()]
}

fn attempt(id: &AttemptId) -> Vec<Value> {
    let mut values = execution(&id.execution);
    values.push(i64::from(id.number.0).into());
    values
}

fn window(window: Option<Window>) -> [Value; 2] {
    [window.map(|w| w.start.0).into(), window.map(|w| w.end.0).into()]
}

fn offsets(events: &[Offset]) -> Value {
    serde_json::to_string(events).unwrap_or_else(|_| "[]".to_owned()).into()
}

/// What a record changes in the tables.
#[must_use]
pub fn project(logged: &LoggedRecord) -> Vec<Statement> {
    let (offset, time) = (logged.offset, logged.time);
    match &logged.record {
        Record::EventEmitted(event) => vec![emitted(event, offset, time)],
        Record::RunStarted(run) => vec![started(run, offset, time)],
        Record::RunBegan { run } => {
            vec![statement("UPDATE runs SET status = 'running' WHERE id = ?1", vec![run.0.into()])]
        }
        Record::RunStopRequested { run } => {
            vec![statement("UPDATE runs SET status = 'stopping' WHERE id = ?1", vec![run.0.into()])]
        }
        Record::RunFinished { run, status } => vec![statement(
            "UPDATE runs SET status = ?2, ended_at = ?3, paused = 0 WHERE id = ?1",
            vec![run.0.into(), status.word().into(), time.0.into()],
        )],
        Record::RunControlled(controlled) => {
            vec![controlled_run(controlled.run.0.into(), &controlled.control)]
        }
        Record::RunDeleted { run } => run_deleted(&run.0.into()),
        Record::WorkflowDeleted { namespace, workflow } => {
            workflow_deleted(&[namespace.as_str().into(), workflow.as_str().into()])
        }
        Record::TaskExecutionCreated { id, events, window: of, backfill, item, .. } => {
            let mut values = execution(id);
            values.extend(window(*of));
            values.extend([
                offsets(events),
                backfill.map(|Offset(offset)| offset).into(),
                item.as_ref().map(|item| item.value.as_str()).into(),
                time.0.into(),
                offset.0.into(),
            ]);
            vec![statement(
                "INSERT INTO task_executions (run, task, sequence, status, window_start, \
                 window_end, events, backfill, item, created_at, log_offset) \
                 VALUES (?1, ?2, ?3, 'waiting', ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
                values,
            )]
        }
        Record::TaskExecutionStopRequested { id, .. } => {
            vec![statement(of_execution!("status = 'stopping'"), execution(id))]
        }
        Record::RetryScheduled { id, .. } => {
            vec![statement(of_execution!("status = 'retrying'"), execution(id))]
        }
        Record::TaskExecutionFinished { id, status } => {
            let mut values = execution(id);
            values.extend([status.word().into(), time.0.into()]);
            vec![statement(of_execution!("status = ?4, ended_at = ?5"), values)]
        }
        Record::AttemptQueued { id } => attempt_queued(id, offset, time),
        Record::AttemptStarted { id, pid } => attempt_started(id, *pid, time),
        Record::AttemptEnded { id, outcome, usage } => {
            let usage = [usage.rss_bytes_max, usage.cpu_us];
            vec![attempt_ended(id, outcome, usage, time)]
        }
        Record::LogTrimmed { before, .. } => {
            vec![statement("DELETE FROM events WHERE log_offset < ?1", vec![before.0.into()])]
        }
        _ => Vec::new(),
    }
}

fn emitted(event: &Event, offset: Offset, time: Timestamp) -> Statement {
    statement(
        "INSERT INTO events (log_offset, time, namespace, key, source, id, run, value_bytes) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        vec![
            offset.0.into(),
            time.0.into(),
            event.namespace.as_str().into(),
            event.key.as_str().into(),
            event.source.as_str().into(),
            event.id.as_str().into(),
            event.execution.map(|run| run.0).into(),
            (event.value.as_str().len() as u64).into(),
        ],
    )
}

fn started(run: &RunStarted, offset: Offset, time: Timestamp) -> Statement {
    let params = serde_json::to_string(&run.params).unwrap_or_else(|_| "{}".to_owned());
    let [window_start, window_end] = window(run.window);
    statement(
        "INSERT INTO runs (id, namespace, workflow, snapshot, status, paused, params, trigger_id, \
         events, window_start, window_end, started_at, log_offset) \
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
        vec![
            run.run.0.into(),
            run.namespace.as_str().into(),
            run.workflow.as_str().into(),
            run.snapshot.0.into(),
            if run.waiting { "waiting" } else { "running" }.into(),
            params.into(),
            run.trigger.map(|trigger| trigger.0).into(),
            offsets(&run.events),
            window_start,
            window_end,
            time.0.into(),
            offset.0.into(),
        ],
    )
}

fn controlled_run(run: Value, control: &RunControl) -> Statement {
    match control {
        RunControl::Paused => statement("UPDATE runs SET paused = 1 WHERE id = ?1", vec![run]),
        RunControl::Resumed => statement("UPDATE runs SET paused = 0 WHERE id = ?1", vec![run]),
        RunControl::TaskMarked { .. }
        | RunControl::TaskRerun { .. }
        | RunControl::TaskRestarted { .. } => statement(
            "UPDATE runs SET status = 'running', ended_at = NULL \
             WHERE id = ?1 AND status IN ('success', 'failed', 'stopped')",
            vec![run],
        ),
    }
}

fn run_deleted(run: &Value) -> Vec<Statement> {
    [
        "DELETE FROM attempts WHERE run = ?1",
        "DELETE FROM task_executions WHERE run = ?1",
        "DELETE FROM runs WHERE id = ?1",
    ]
    .map(|sql| statement(sql, vec![run.clone()]))
    .into()
}

fn workflow_deleted(of: &[Value; 2]) -> Vec<Statement> {
    [
        "DELETE FROM attempts WHERE run IN \
         (SELECT id FROM runs WHERE namespace = ?1 AND workflow = ?2)",
        "DELETE FROM task_executions WHERE run IN \
         (SELECT id FROM runs WHERE namespace = ?1 AND workflow = ?2)",
        "DELETE FROM runs WHERE namespace = ?1 AND workflow = ?2",
    ]
    .map(|sql| statement(sql, of.to_vec()))
    .into()
}

fn attempt_queued(id: &AttemptId, offset: Offset, time: Timestamp) -> Vec<Statement> {
    let mut values = attempt(id);
    values.extend([time.0.into(), offset.0.into()]);
    let queued = statement(
        "INSERT INTO attempts (run, task, sequence, attempt, state, queued_at, rss_bytes_max, \
         cpu_us, log_offset) VALUES (?1, ?2, ?3, ?4, 'queued', ?5, 0, 0, ?6) \
         ON CONFLICT DO NOTHING",
        values,
    );
    let of = statement(of_execution!("status = 'queued'"), execution(&id.execution));
    vec![queued, of]
}

fn attempt_started(id: &AttemptId, pid: u32, time: Timestamp) -> Vec<Statement> {
    let mut values = attempt(id);
    values.extend([i64::from(pid).into(), time.0.into()]);
    let started = statement(of_attempt!("state = 'running', pid = ?5, started_at = ?6"), values);
    let mut values = execution(&id.execution);
    values.push(time.0.into());
    let of = statement(
        of_execution!(
            "status = CASE WHEN status = 'queued' THEN 'running' ELSE status END, \
             started_at = COALESCE(started_at, ?4)"
        ),
        values,
    );
    vec![started, of]
}

fn attempt_ended(
    id: &AttemptId,
    outcome: &Outcome,
    [rss_bytes_max, cpu_us]: [u64; 2],
    time: Timestamp,
) -> Statement {
    let none = || (Value::Null, Value::Null, Value::Null);
    let (state, (code, signal, reason)) = match outcome {
        Outcome::Exited { code } => ("exited", (i64::from(*code).into(), Value::Null, Value::Null)),
        Outcome::Signaled { signal } => {
            ("signaled", (Value::Null, i64::from(*signal).into(), Value::Null))
        }
        Outcome::SpawnFailed { reason } => {
            ("spawn_failed", (Value::Null, Value::Null, reason.as_str().into()))
        }
        Outcome::NeverStarted => ("never_started", none()),
        Outcome::Interrupted => ("interrupted", none()),
        Outcome::Unknown { reason } => {
            ("unknown", (Value::Null, Value::Null, reason.as_str().into()))
        }
    };
    let mut values = attempt(id);
    values.extend([state.into(), code, signal, reason, time.0.into()]);
    values.extend([rss_bytes_max.into(), cpu_us.into()]);
    statement(
        of_attempt!(
            "state = ?5, exit_code = ?6, signal = ?7, reason = ?8, ended_at = ?9, \
             rss_bytes_max = ?10, cpu_us = ?11"
        ),
        values,
    )
}
