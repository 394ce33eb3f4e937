//! A backtest: the log from the beginning of a run, or from a time, through a definition.
//!
//! Runs off the loop. Must never show what is not durable, nor change anything.

use aiflow_core::{Attempts, Backtest, Compared, Firings};
use aiflow_log::LogReader;
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::state::{Run, RunStatus};
use aiflow_model::wire::{BacktestReply, BacktestRequest, Moment, WouldFire};
use aiflow_model::{LoggedRecord, Offset, RunId, State, Timestamp, WorkflowName};

use crate::past::Past;
use crate::queries::to_json;
use crate::question::unreadable;
use crate::records;

/// Most firings of each kind that are told; the others are counted as the same, or left out.
const FIRINGS_MAX: usize = 10_000;

/// A run to compare with, and where it began.
pub(crate) struct Origin {
    compared: Compared,
    workflow: WorkflowName,
    offset: Offset,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
}

/// The run that was named.
pub(crate) fn named_run(state: &State, run: RunId) -> Result<Origin, Rejection> {
    origin(state, run).ok_or_else(|| {
        Rejection::new(ErrorCode::UnknownRun, format!("there is no run {run}"))
            .hint("aiflow workflow-execution list")
    })
}

/// The oldest run of the workflow that is alive, else its latest, if there is one.
pub(crate) fn alive_run(state: &State, asked: &BacktestRequest) -> Option<Origin> {
    // What is wrong in the definition is told when it is read.
    let spec = aiflow_core::definition::read(&asked.source).ok()?;
    let runs = || {
        let all = state.runs.values();
        all.filter(|run| run.namespace == asked.namespace && run.workflow == spec.name)
    };
    let is_active = |run: &&Run| matches!(run.status, RunStatus::Running | RunStatus::Stopping);
    origin(state, runs().find(is_active).or_else(|| runs().next_back())?.id)
}

fn origin(state: &State, run: RunId) -> Option<Origin> {
    let (known, snapshot) = (state.run(run)?, state.snapshot_of(run)?);
    let (params, spec) = (known.params.clone(), snapshot.spec.clone());
    let compared = Compared { run, params, spec, attempts: Attempts::default() };
    let (offset, started_at, ended_at) = (known.offset, known.started_at, known.ended_at);
    Some(Origin { compared, workflow: known.workflow.clone(), offset, started_at, ended_at })
}

/// Gives the past to the definition.
pub(crate) fn run(
    past: &Past,
    asked: &BacktestRequest,
    origin: Option<Origin>,
    now: Timestamp,
) -> Result<String, Rejection> {
    let (from, start, mut compared) = match origin {
        Some(origin) => (origin.offset.next(), origin.started_at, Some(origin)),
        None => {
            let start = asked.since.unwrap_or(Timestamp(0));
            let moment = Moment { offset: None, time: Some(Timestamp(start.0.saturating_sub(1))) };
            (past.offset_of(moment)?.max(past.first), start, None)
        }
    };
    past.check(from)?;
    if let Some(origin) = &mut compared {
        each(past, from, |logged| origin.compared.attempts.note(logged))?;
    }
    let run = compared.as_ref().map(|origin| origin.compared.run);
    // What came when the run had ended is another story.
    let until = compared.as_ref().and_then(|origin| origin.ended_at).unwrap_or(now);
    let namespace = asked.namespace.clone();
    let (name, compared) = compared.map(|origin| (origin.workflow, origin.compared)).unzip();
    let mut backtest = Backtest::new(&asked.source, namespace, compared, start)?;
    each(past, from, |logged| {
        if logged.time <= until {
            backtest.record(logged);
        }
    })?;
    let workflow = name.unwrap_or_else(|| backtest.workflow().clone());
    to_json(&reply(workflow, run, asked.since, backtest.finish(until)))
}

fn each(past: &Past, from: Offset, mut visit: impl FnMut(&LoggedRecord)) -> Result<(), Rejection> {
    let mut reader = LogReader::new(past.log.clone());
    let mut batches = reader.read(from.0, past.end.0).map_err(unreadable)?;
    while let Some(batch) = batches.next_batch().map_err(unreadable)? {
        for record in batch.records() {
            visit(&records::decode(&record).map_err(unreadable)?);
        }
    }
    Ok(())
}

/// What both have, and what only one.
fn reply(
    workflow: WorkflowName,
    run: Option<RunId>,
    since: Option<Timestamp>,
    Firings { events, mut new, mut old }: Firings,
) -> BacktestReply {
    let since = since.unwrap_or(Timestamp(i64::MIN));
    new.retain(|firing| firing.time >= since);
    old.retain(|firing| firing.time >= since);
    let key =
        |one: &WouldFire| (one.task.clone(), one.action.clone(), one.window, one.events.clone());
    let mut known = std::collections::BTreeMap::new();
    for firing in &old {
        *known.entry(key(firing)).or_insert(0_u64) += 1;
    }
    let mut same = 0;
    new.retain(|firing| match known.get_mut(&key(firing)) {
        Some(count) if *count > 0 => {
            *count -= 1;
            same += 1;
            false
        }
        _ => true,
    });
    // Of several alike the latest are those that are left.
    let mut only_recorded: Vec<WouldFire> = Vec::new();
    for firing in old.into_iter().rev() {
        if let Some(count) = known.get_mut(&key(&firing)).filter(|count| **count > 0) {
            *count -= 1;
            only_recorded.push(firing);
        }
    }
    only_recorded.reverse();
    only_recorded.truncate(FIRINGS_MAX);
    new.truncate(FIRINGS_MAX);
    BacktestReply { workflow, run, events, same, only_new: new, only_recorded }
}
