//! How a run differs from another: what the log has of both, for the comparison that the model
//! makes.
//!
//! Runs off the loop. Must never ask whether a run is still in the state: most have left it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aiflow_history::{Store, StoreError};
use aiflow_log::LogReader;
use aiflow_model::compare::{Definition, Side, Story, compare};
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::record::Record;
use aiflow_model::state::{RunStatus, Snapshot};
use aiflow_model::wire::RunQuery;
use aiflow_model::{EventKey, Offset, RunId, SnapshotNumber, WorkflowName};

use crate::past::Past;
use crate::queries::to_json;
use crate::question::read;

/// Most records of one run that are looked at.
const RECORDS_MAX: usize = 1_000_000;
/// Most events of one run that are looked up: the newest.
const EVENTS_MAX: usize = 10_000;

/// Definitions that are still known.
pub(crate) type Snapshots = BTreeMap<SnapshotNumber, Arc<Snapshot>>;

/// Compares two runs, the one that is compared with first.
pub(crate) fn between(
    past: &Past,
    runs: [RunId; 2],
    snapshots: &Snapshots,
) -> Result<String, Rejection> {
    let [old, new] = runs.map(|run| side(past, run, snapshots));
    let (old, new) = (old?, new?);
    let mut keys = BTreeMap::new();
    for side in [&old, &new] {
        look_up(past, &side.story, &mut keys)?;
    }
    to_json(&compare([&old, &new], &keys))
}

/// The workflow of a run, and the latest run of it before that one which succeeded.
pub(crate) fn last_good(
    store: &mut dyn Store,
    run: RunId,
) -> Result<Option<(WorkflowName, Option<RunId>)>, StoreError> {
    let Some(known) = aiflow_history::find_run(store, run)? else { return Ok(None) };
    let query = RunQuery {
        namespace: Some(known.namespace),
        workflow: Some(known.workflow.clone()),
        status: Some(RunStatus::Success),
        before: Some(run),
        limit: Some(1),
        ..RunQuery::default()
    };
    let good = aiflow_history::list_runs(store, &query)?;
    Ok(Some((known.workflow, good.first().map(|run| run.id))))
}

/// The run to compare with, or why there is none.
pub(crate) fn found(
    run: RunId,
    found: Option<(WorkflowName, Option<RunId>)>,
) -> Result<RunId, Rejection> {
    let (workflow, good) = found.ok_or_else(|| unknown(run))?;
    good.ok_or_else(|| {
        let message = format!("no run of {workflow} before run {run} succeeded");
        Rejection::new(ErrorCode::UnknownRun, message)
            .hint(format!("name the other: aiflow diff OTHER {run}"))
    })
}

fn unknown(run: RunId) -> Rejection {
    Rejection::new(ErrorCode::UnknownRun, format!("there is no run {run}"))
        .hint("aiflow workflow-execution list")
}

fn side(past: &Past, run: RunId, snapshots: &Snapshots) -> Result<Side, Rejection> {
    let (mut story, mut count) = (None::<Story>, 0);
    past.index.each_of_run(run, past.end.0, RECORDS_MAX, |logged| {
        count += 1;
        match &mut story {
            Some(story) => story.note(logged),
            None => story = Story::begin(logged),
        }
    })?;
    let story = story.ok_or_else(|| if count == 0 { unknown(run) } else { beheaded(past, run) })?;
    let number = story.started.snapshot;
    let snapshot = snapshots.get(&number).cloned().or_else(|| {
        // Its workflow was deleted; when the run began it was there.
        past.state_at(story.offset).ok()?.snapshots.get(&number).cloned()
    });
    let definition = snapshot.map(|snapshot| Definition {
        source: snapshot.source.clone(),
        files: snapshot.files.clone(),
    });
    Ok(Side { story, definition })
}

fn beheaded(past: &Past, run: RunId) -> Rejection {
    let first = past.first;
    let message = if first > Offset(0) {
        format!("how run {run} began is no longer told of: the log begins at {first}")
    } else {
        format!("run {run} has more than {RECORDS_MAX} records")
    };
    Rejection::new(ErrorCode::OffsetOutOfRange, message)
        .hint(format!("aiflow task-execution list {run}"))
}

/// Looks up the keys of the events that a run used up.
fn look_up(
    past: &Past,
    story: &Story,
    keys: &mut BTreeMap<Offset, EventKey>,
) -> Result<(), Rejection> {
    let mut reader = LogReader::new(past.log.clone());
    let newest = story.events().iter().rev().take(EVENTS_MAX);
    for offset in newest.take_while(|offset| **offset >= past.first) {
        if keys.contains_key(offset) {
            continue;
        }
        if let Some(Record::EventEmitted(event)) = read(&mut reader, *offset)?.map(|l| l.record) {
            keys.insert(*offset, event.key);
        }
    }
    Ok(())
}
