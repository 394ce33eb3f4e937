//! Two runs side by side: definition, parameters, events, outcomes and durations.
//!
//! Pure, of the records of both runs and what was looked up for them, so that daemon and clients
//! tell the same, also of runs that have long ended. Must never say which of both is right.

mod story;
mod text;

pub use story::Story;
pub use text::unified;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::record::{FileEntry, Outcome};
use crate::state::{ExecutionStatus, RunStatus};
use crate::time::{Span, Timestamp, Window};
use crate::{
    AttemptId, EventKey, JsonText, Namespace, Offset, RunId, SnapshotNumber, TaskName, TriggerId,
    WorkflowName,
};
use story::Told;

/// A run and what was looked up for it.
#[derive(Debug, Clone)]
pub struct Side {
    /// What its records tell.
    pub story: Story,
    /// What its definition says; none when it is no longer kept.
    pub definition: Option<Definition>,
}

/// What was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The text.
    pub source: String,
    /// The files that came with it.
    pub files: Vec<FileEntry>,
}

/// How one run differs from another: in each pair the older way first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDiff {
    /// The runs.
    pub runs: [RunSide; 2],
    /// What they were to do.
    pub definition: DefinitionDiff,
    /// Parameters that differ.
    pub params: Vec<ParamDiff>,
    /// Parameters that are the same.
    pub params_same: u64,
    /// Keys of the events that were used up; those that differ first.
    pub events: Vec<KeyDiff>,
    /// Events of each that were not looked up: too many, or no longer kept.
    pub events_unread: [u64; 2],
    /// Tasks, what differs most first.
    pub tasks: Vec<TaskDiff>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSide {
    /// Which.
    pub run: RunId,
    /// Where it lives.
    pub namespace: Namespace,
    /// Of which workflow.
    pub workflow: WorkflowName,
    /// Which version of it.
    pub snapshot: SnapshotNumber,
    /// Where it stands.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// From its beginning to its end.
    pub took: Option<Span>,
    /// The trigger that started it; none when somebody asked.
    pub trigger: Option<TriggerId>,
    /// The window that it is for.
    pub window: Option<Window>,
}

/// How definitions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionDiff {
    /// Whether they say the same, files included; none where one is no longer kept.
    pub same: Option<bool>,
    /// Lines that differ, as a unified diff.
    pub lines: Vec<String>,
    /// Files that differ, or that only one has.
    pub files: Vec<FileDiff>,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDiff {
    /// Its place.
    pub path: String,
    /// Content of each, by hash.
    pub sha256: [Option<String>; 2],
}

/// A parameter that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamDiff {
    /// Its name.
    pub name: String,
    /// What each was given.
    pub values: [Option<JsonText>; 2],
}

/// Events of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyDiff {
    /// The key.
    pub key: EventKey,
    /// How many each used up.
    pub counts: [u64; 2],
    /// The latest of each.
    pub latest: [Option<Offset>; 2],
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDiff {
    /// Which.
    pub task: TaskName,
    /// How it went in each; none where it never came to run.
    pub sides: [Option<TaskSide>; 2],
}

/// How a task went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSide {
    /// How many executions it had, by where they stand.
    pub executions: BTreeMap<ExecutionStatus, u64>,
    /// Where the latest stands.
    pub status: ExecutionStatus,
    /// How many attempts all had.
    pub attempts: u64,
    /// How the latest attempt ended.
    pub outcome: Option<Outcome>,
    /// From creation to end, on average of those that have ended.
    pub took: Option<Span>,
    /// How long its processes ran of that.
    pub ran: Option<Span>,
    /// The latest attempt, whose output is compared.
    pub latest: Option<AttemptId>,
}

/// Compares. `keys` are those of the events that could be looked up.
#[must_use]
pub fn compare(sides: [&Side; 2], keys: &BTreeMap<Offset, EventKey>) -> RunDiff {
    let stories = sides.map(|side| &side.story);
    let (params, params_same) = params(stories);
    let unread = |story: &Story| {
        let unread = story.events().iter().filter(|offset| !keys.contains_key(offset));
        unread.count() as u64
    };
    RunDiff {
        runs: stories.map(run_side),
        definition: definition(sides.map(|side| side.definition.as_ref())),
        params,
        params_same,
        events: events(stories, keys),
        events_unread: stories.map(unread),
        tasks: tasks(stories),
    }
}

fn run_side(story: &Story) -> RunSide {
    let started = &story.started;
    RunSide {
        run: started.run,
        namespace: started.namespace.clone(),
        workflow: started.workflow.clone(),
        snapshot: started.snapshot,
        status: story.status,
        started_at: story.started_at,
        ended_at: story.ended_at,
        took: story.ended_at.map(|end| story::between(story.started_at, end)),
        trigger: started.trigger,
        window: started.window,
    }
}

fn definition(sides: [Option<&Definition>; 2]) -> DefinitionDiff {
    let [Some(old), Some(new)] = sides else {
        return DefinitionDiff { same: None, lines: Vec::new(), files: Vec::new() };
    };
    let hashes = [old, new].map(|side| {
        let files = side.files.iter();
        files.map(|file| (file.path.as_str(), file)).collect::<BTreeMap<_, _>>()
    });
    let paths: BTreeSet<&str> = hashes.iter().flat_map(BTreeMap::keys).copied().collect();
    let differ = paths.into_iter().filter_map(|path| {
        let entries = [&hashes[0], &hashes[1]].map(|files| files.get(path));
        let sha256 = entries.map(|entry| entry.map(|entry| entry.sha256.clone()));
        (entries[0] != entries[1]).then(|| FileDiff { path: path.to_owned(), sha256 })
    });
    let (lines, files) = (unified(&old.source, &new.source), differ.collect::<Vec<_>>());
    // Equal lines may still differ in how they end.
    DefinitionDiff { same: Some(old.source == new.source && files.is_empty()), lines, files }
}

fn params(stories: [&Story; 2]) -> (Vec<ParamDiff>, u64) {
    let sides = stories.map(|story| &story.started.params);
    let names: BTreeSet<&String> = sides.iter().flat_map(|params| params.keys()).collect();
    let all = names.len();
    let differ: Vec<ParamDiff> = names
        .into_iter()
        .filter(|name| sides[0].get(*name) != sides[1].get(*name))
        .map(|name| ParamDiff {
            name: name.clone(),
            values: sides.map(|params| params.get(name).cloned()),
        })
        .collect();
    let same = all - differ.len();
    (differ, same as u64)
}

fn events(stories: [&Story; 2], keys: &BTreeMap<Offset, EventKey>) -> Vec<KeyDiff> {
    let mut all: BTreeMap<&EventKey, KeyDiff> = BTreeMap::new();
    for (side, story) in stories.into_iter().enumerate() {
        for offset in story.events() {
            let Some(key) = keys.get(offset) else { continue };
            let of_key = all.entry(key).or_insert_with(|| KeyDiff {
                key: key.clone(),
                counts: [0; 2],
                latest: [None; 2],
            });
            of_key.counts[side] += 1;
            of_key.latest[side] = Some(*offset);
        }
    }
    let mut all: Vec<KeyDiff> = all.into_values().collect();
    // Those that only one saw, then those of which one saw more.
    all.sort_by_key(|of_key| {
        let [old, new] = of_key.counts;
        (old > 0 && new > 0, Reverse(old.abs_diff(new)))
    });
    all
}

fn tasks(stories: [&Story; 2]) -> Vec<TaskDiff> {
    let names: BTreeSet<&TaskName> = stories.iter().flat_map(|story| story.tasks.keys()).collect();
    let mut all: Vec<TaskDiff> = names
        .into_iter()
        .map(|task| TaskDiff {
            task: task.clone(),
            sides: stories.map(|story| {
                let told: Vec<&Told> = story.tasks.get(task)?.values().collect();
                task_side(&told)
            }),
        })
        .collect();
    all.sort_by_key(|task| (Reverse(outlies(task)), task.task.clone()));
    all
}

fn task_side(told: &[&Told]) -> Option<TaskSide> {
    let last = told.last()?;
    let mut executions: BTreeMap<ExecutionStatus, u64> = BTreeMap::new();
    for one in told {
        *executions.entry(one.status).or_default() += 1;
    }
    let ended = || told.iter().filter_map(|one| Some((one.took()?, one.ran)));
    let mean = |spans: Vec<Span>| {
        let count = u64::try_from(spans.len()).ok().filter(|count| *count > 0)?;
        Some(Span(spans.iter().fold(0_u64, |sum, span| sum.saturating_add(span.0)) / count))
    };
    // The newest that has anything to show, as `log.read` has it.
    let shown = told.iter().rev().find(|one| one.latest.is_some());
    Some(TaskSide {
        executions,
        status: last.status,
        attempts: told.iter().map(|one| one.attempts).sum(),
        outcome: last.outcome.clone(),
        took: mean(ended().map(|(took, _)| took).collect()),
        ran: mean(ended().map(|(_, ran)| ran).collect()),
        latest: shown.and_then(|one| one.latest.clone()),
    })
}

/// How much a task is to be looked at: first those that ended otherwise, or in one run alone, then
/// those that took much longer or shorter. A second more or less is nothing by itself.
fn outlies(task: &TaskDiff) -> (bool, u64) {
    let [Some(old), Some(new)] = &task.sides else { return (true, u64::MAX) };
    let took = |side: &TaskSide| side.took.map_or(0, |took| took.0).saturating_add(1_000_000);
    let (old_took, new_took) = (took(old), took(new));
    let ratio = old_took.max(new_took).saturating_mul(1_000) / old_took.min(new_took);
    (old.status != new.status || old.outcome != new.outcome, ratio)
}

#[cfg(test)]
mod tests;
