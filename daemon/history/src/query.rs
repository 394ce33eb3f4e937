//! What the lists ask of the tables, as the views that the daemon tells of what lives.
//!
//! Must never show what is not in the tables.

use std::collections::BTreeMap;

use aiflow_model::status::ExecutionStatus;
use aiflow_model::wire::{AttemptView, ExecutionView, RunOrder, RunQuery, RunView};
use aiflow_model::{AttemptNumber, RunId, Sequence, TaskName, Timestamp};

use crate::store::{Store, StoreError, Value};

/// Runs in a list that is not told how many, and most.
const RUNS_DEFAULT: u32 = 1_000;
const RUNS_MAX: u32 = 100_000;

const RUN_COLUMNS: &str = "id, namespace, workflow, snapshot, status, paused, params, trigger_id, \
    events, started_at, ended_at";

/// Cells of a row, taken one after the other; what does not fit is left out.
struct Cells(std::vec::IntoIter<Value>);

impl Cells {
    fn int(&mut self) -> Option<i64> {
        self.0.next()?.int()
    }

    fn number(&mut self) -> Option<u64> {
        self.int().and_then(|number| u64::try_from(number).ok())
    }

    fn text(&mut self) -> Option<String> {
        match self.0.next()? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn time(&mut self) -> Option<String> {
        self.int().map(|time| Timestamp(time).to_string())
    }

    fn json<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        serde_json::from_str(&self.text()?).ok()
    }

    fn word<T: serde::de::DeserializeOwned>(&mut self) -> Option<T> {
        serde_json::from_value(serde_json::Value::String(self.text()?)).ok()
    }
}

/// The order, the last first.
const fn order_sql(order: RunOrder) -> &'static str {
    match order {
        RunOrder::Id => "id DESC",
        RunOrder::Ended => "COALESCE(ended_at, 9223372036854775807) DESC, id DESC",
        RunOrder::Duration => "COALESCE(ended_at - started_at, -1) DESC, id DESC",
    }
}

/// Runs that are asked for, the newest last.
///
/// # Errors
/// [`StoreError`].
pub fn list_runs(store: &mut dyn Store, query: &RunQuery) -> Result<Vec<RunView>, StoreError> {
    let mut wanted = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut want = |condition: &str, value: Value| {
        values.push(value);
        wanted.push(condition.replace('?', &format!("?{}", values.len())));
    };
    if let Some(namespace) = &query.namespace {
        want("namespace = ?", namespace.as_str().into());
    }
    if let Some(workflow) = &query.workflow {
        want("workflow = ?", workflow.as_str().into());
    }
    if let Some(status) = query.status {
        want("status = ?", status.word().into());
    }
    if let Some(since) = query.since {
        want("started_at >= ?", since.0.into());
    }
    if let Some(before) = query.before {
        want("id < ?", before.0.into());
    }
    if let Some(task) = &query.task {
        let has = "EXISTS (SELECT 1 FROM task_executions t WHERE t.run = runs.id AND t.task = ?)";
        want(has, task.as_str().into());
    }
    let wanted = if wanted.is_empty() { "1 = 1".to_owned() } else { wanted.join(" AND ") };
    let limit = query.limit.unwrap_or(RUNS_DEFAULT).min(RUNS_MAX);
    let order = order_sql(query.order);
    let sql =
        format!("SELECT {RUN_COLUMNS} FROM runs WHERE {wanted} ORDER BY {order} LIMIT {limit}");
    let rows = store.query(&sql, &values)?;
    let mut runs: Vec<RunView> = rows.into_iter().filter_map(run_of).collect();
    runs.reverse();
    count_executions(store, &mut runs)?;
    Ok(runs)
}

/// One run; none where there is none.
///
/// # Errors
/// [`StoreError`].
pub fn find_run(store: &mut dyn Store, run: RunId) -> Result<Option<RunView>, StoreError> {
    let sql = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = ?1");
    let rows = store.query(&sql, &[run.0.into()])?;
    let mut runs: Vec<RunView> = rows.into_iter().filter_map(run_of).collect();
    count_executions(store, &mut runs)?;
    Ok(runs.pop())
}

fn run_of(row: Vec<Value>) -> Option<RunView> {
    let mut cells = Cells(row.into_iter());
    Some(RunView {
        id: RunId(cells.number()?),
        namespace: cells.word()?,
        workflow: cells.word()?,
        snapshot: aiflow_model::SnapshotNumber(cells.number()?),
        status: cells.word()?,
        paused: cells.int()? != 0,
        params: cells.json()?,
        trigger: cells.number().map(aiflow_model::TriggerId),
        events: cells.json()?,
        started_at: cells.time()?,
        ended_at: cells.time(),
        alive: 0,
        ended: aiflow_model::wire::EndedCounts::default(),
    })
}

/// Counts the executions of runs, all in one question.
fn count_executions(store: &mut dyn Store, runs: &mut [RunView]) -> Result<(), StoreError> {
    let ids = runs.iter().map(|run| run.id);
    let (Some(first), Some(last)) = (ids.clone().min(), ids.max()) else { return Ok(()) };
    let sql = "SELECT run, status, COUNT(*) FROM task_executions WHERE run >= ?1 AND run <= ?2 \
               GROUP BY run, status";
    let rows = store.query(sql, &[first.0.into(), last.0.into()])?;
    let mut counts: BTreeMap<RunId, Vec<(ExecutionStatus, usize)>> = BTreeMap::new();
    for row in rows {
        let mut cells = Cells(row.into_iter());
        let counted = || Some((RunId(cells.number()?), cells.word()?, cells.number()?));
        let Some((run, status, count)) = { counted }() else { continue };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        counts.entry(run).or_default().push((status, count));
    }
    for run in runs {
        for (status, count) in counts.remove(&run.id).unwrap_or_default() {
            match status {
                ExecutionStatus::Success => run.ended.success = count,
                ExecutionStatus::Failed => run.ended.failed = count,
                ExecutionStatus::Stopped => run.ended.stopped = count,
                ExecutionStatus::Skipped => run.ended.skipped = count,
                _ => run.alive += count,
            }
        }
    }
    Ok(())
}

/// The task executions of a run, with their attempts, in the order in which they were created.
///
/// # Errors
/// [`StoreError`].
pub fn executions_of(store: &mut dyn Store, run: RunId) -> Result<Vec<ExecutionView>, StoreError> {
    let sql = "SELECT task, sequence, status, window_start, window_end, created_at, ended_at, \
               events, item FROM task_executions WHERE run = ?1 ORDER BY log_offset";
    let rows = store.query(sql, &[run.0.into()])?;
    let mut all: Vec<ExecutionView> =
        rows.into_iter().filter_map(|row| execution_of(run, row)).collect();
    let places: BTreeMap<(TaskName, Sequence), usize> = all
        .iter()
        .enumerate()
        .map(|(place, execution)| ((execution.task.clone(), execution.sequence), place))
        .collect();
    let sql = "SELECT task, sequence, attempt, state, pid, exit_code, signal, reason, queued_at, \
               started_at, ended_at, rss_bytes_max, cpu_us FROM attempts WHERE run = ?1 \
               ORDER BY log_offset";
    for row in store.query(sql, &[run.0.into()])? {
        let Some((of, attempt)) = attempt_of(row) else { continue };
        if let Some(execution) = places.get(&of).and_then(|place| all.get_mut(*place)) {
            execution.attempts.push(attempt);
        }
    }
    Ok(all)
}

fn execution_of(run: RunId, row: Vec<Value>) -> Option<ExecutionView> {
    let mut cells = Cells(row.into_iter());
    Some(ExecutionView {
        run,
        task: cells.word()?,
        sequence: Sequence(u32::try_from(cells.number()?).ok()?),
        status: cells.word()?,
        window_start: cells.time(),
        window_end: cells.time(),
        created_at: cells.time()?,
        ended_at: cells.time(),
        silent_since: None,
        ready_at: None,
        events: cells.json()?,
        item: cells.text().and_then(|text| aiflow_model::JsonText::parse(&text).ok()),
        attempts: Vec::new(),
    })
}

fn attempt_of(row: Vec<Value>) -> Option<((TaskName, Sequence), AttemptView)> {
    let mut cells = Cells(row.into_iter());
    let of = (cells.word()?, Sequence(u32::try_from(cells.number()?).ok()?));
    let small = |number: Option<i64>| number.and_then(|number| i32::try_from(number).ok());
    let attempt = AttemptView {
        attempt: AttemptNumber(u32::try_from(cells.number()?).ok()?),
        state: cells.text()?,
        pid: cells.number().and_then(|pid| u32::try_from(pid).ok()),
        exit_code: small(cells.int()),
        signal: small(cells.int()),
        reason: cells.text(),
        queued_at: cells.time()?,
        started_at: cells.time(),
        ended_at: cells.time(),
        rss_bytes_max: cells.number()?,
        cpu_us: cells.number()?,
    };
    Some((of, attempt))
}
