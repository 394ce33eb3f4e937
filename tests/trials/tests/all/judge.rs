//! What is promised, worked out from the log, the witness file and the answers alone.
//!
//! Must never ask the daemon: what it believes is what is on trial.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aiflow_daemon::records;
use aiflow_log::{DiskStorage, LogOptions, LogReader};
use aiflow_model::record::Outcome;
use aiflow_model::status::{ExecutionStatus, RunStatus};
use aiflow_model::{AttemptId, ExecutionId, LoggedRecord, Offset, Record, RunId};

/// All that is judged.
#[derive(Debug, Default, Clone)]
pub(crate) struct Case {
    pub(crate) log: Vec<LoggedRecord>,
    /// Attempt ids, as the tasks wrote them.
    pub(crate) witness: Vec<String>,
    /// Event ids that were asked for, and the offset that was answered.
    pub(crate) events: BTreeMap<String, u64>,
    /// Identities of requests that start runs, and the run that was answered.
    pub(crate) runs: BTreeMap<String, u64>,
}

/// A change that makes a case a fault, and its name.
type Change = (&'static str, fn(&mut Case));

/// What one attempt came to.
#[derive(Debug, Default)]
struct Fate<'a> {
    queued: u32,
    ends: Vec<&'a Outcome>,
}

/// The log of a home that no daemon uses.
pub(crate) fn read_log(home: &Path) -> Vec<LoggedRecord> {
    let storage = DiskStorage::open(home.join("log")).unwrap();
    let (_, recovered) = aiflow_log::open(storage.clone(), LogOptions::default()).unwrap();
    let mut reader = LogReader::new(storage);
    let mut batches = reader.read(0, recovered.next_offset).unwrap();
    let mut log = Vec::new();
    while let Some(batch) = batches.next_batch().unwrap() {
        log.extend(batch.records().map(|record| records::decode(&record).unwrap()));
    }
    log
}

impl Case {
    /// All faults that are found; none when all is as promised.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.judge_events(&mut faults);
        self.judge_runs(&mut faults);
        self.judge_attempts(&mut faults);
        self.judge_executions(&mut faults);
        faults
    }

    /// Attempts in the log.
    pub(crate) fn attempts(&self) -> BTreeSet<String> {
        self.fates().keys().map(ToString::to_string).collect()
    }

    /// A judge that finds nothing must be one that can: each of these changes has to be found.
    pub(crate) fn try_the_judge(&self) {
        let changes: [Change; 8] = [
            ("a task that ran twice", |case| case.witness.push(case.witness[0].clone())),
            ("a task that never ran", |case| {
                // That of the first attempt which is recorded as a success.
                let ran = case.log.iter().find_map(|logged| match &logged.record {
                    Record::AttemptEnded { id, outcome, .. } if outcome.is_success() => Some(id),
                    _ => None,
                });
                let id = ran.unwrap().to_string();
                case.witness.retain(|line| *line != id);
            }),
            ("a task that nobody asked for", |case| case.witness.push("999.a.1.1".to_owned())),
            ("an attempt without an end", |case| {
                case.drop_first(|record| matches!(record, Record::AttemptEnded { .. }));
            }),
            ("an event that is lost", |case| {
                case.drop_first(|record| matches!(record, Record::EventEmitted(_)));
            }),
            ("an event that started nothing", |case| {
                case.drop_first(|record| match record {
                    Record::TaskExecutionCreated { id, .. } => id.task.as_str() == "b",
                    _ => false,
                });
            }),
            ("an execution that never ended", |case| {
                case.drop_first(|record| matches!(record, Record::TaskExecutionFinished { .. }));
            }),
            ("a run that was started twice", |case| {
                let is_run = |logged: &&LoggedRecord| match &logged.record {
                    Record::RunStarted(started) => started.request.is_some(),
                    _ => false,
                };
                let run = case.log.iter().find(is_run).unwrap().clone();
                case.log.push(run);
            }),
        ];
        for (what, change) in changes {
            let mut changed = self.clone();
            change(&mut changed);
            assert!(!changed.faults().is_empty(), "the judge does not see {what}");
        }
    }

    fn drop_first(&mut self, is_it: fn(&Record) -> bool) {
        let at = self.log.iter().position(|logged| is_it(&logged.record)).unwrap();
        self.log.remove(at);
    }

    fn fates(&self) -> BTreeMap<&AttemptId, Fate<'_>> {
        let mut fates: BTreeMap<_, Fate<'_>> = BTreeMap::new();
        for logged in &self.log {
            match &logged.record {
                Record::AttemptQueued { id } => fates.entry(id).or_default().queued += 1,
                Record::AttemptEnded { id, outcome, .. } => {
                    fates.entry(id).or_default().ends.push(outcome);
                }
                _ => {}
            }
        }
        fates
    }

    /// P1, P2: what was acknowledged is there, once, where it was said to be.
    fn judge_events(&self, faults: &mut Vec<String>) {
        let mut there = BTreeMap::new();
        for logged in &self.log {
            if let Record::EventEmitted(event) = &logged.record
                && there.insert(event.id.as_str(), logged.offset.0).is_some()
            {
                faults.push(format!("event {} is there twice", event.id));
            }
        }
        for (id, offset) in &self.events {
            if there.get(id.as_str()) != Some(offset) {
                let found = there.get(id.as_str());
                faults.push(format!("event {id} was acknowledged at {offset}, is at {found:?}"));
            }
        }
        if there.len() != self.events.len() {
            faults.push(format!("{} events, {} asked for", there.len(), self.events.len()));
        }
    }

    /// P2: one run for each request and for each event of the trigger; all have ended.
    fn judge_runs(&self, faults: &mut Vec<String>) {
        let mut begun: BTreeMap<RunId, Option<RunStatus>> = BTreeMap::new();
        let mut by_request = BTreeMap::new();
        let mut by_event = BTreeSet::new();
        for logged in &self.log {
            match &logged.record {
                Record::RunStarted(started) => {
                    begun.insert(started.run, None);
                    if let Some(request) = &started.request
                        && by_request.insert(request.as_str(), started.run.0).is_some()
                    {
                        faults.push(format!("request {request} started two runs"));
                    }
                    for event in &started.events {
                        if !by_event.insert(*event) {
                            faults.push(format!("the event at {event} started two runs"));
                        }
                    }
                }
                Record::RunFinished { run, status } => {
                    let before = begun.insert(*run, Some(*status)).flatten();
                    if before.is_some() {
                        faults.push(format!("run {run} ended twice"));
                    }
                }
                _ => {}
            }
        }
        for (request, run) in &self.runs {
            if by_request.get(request.as_str()) != Some(run) {
                faults.push(format!("request {request} was answered with run {run}"));
            }
        }
        let wanted: BTreeSet<Offset> = self.events_of("begin").collect();
        if by_event != wanted {
            let missing: Vec<_> = wanted.symmetric_difference(&by_event).collect();
            faults.push(format!("events without their run, or runs without theirs: {missing:?}"));
        }
        for (run, _) in begun.iter().filter(|(_, status)| status.is_none()) {
            faults.push(format!("run {run} never ended"));
        }
    }

    fn events_of(&self, key: &str) -> impl Iterator<Item = Offset> {
        self.log.iter().filter_map(move |logged| match &logged.record {
            Record::EventEmitted(event) if event.key.as_str() == key => Some(logged.offset),
            _ => None,
        })
    }

    /// P3, P4: each attempt ran at most once, has one end, and the true one.
    fn judge_attempts(&self, faults: &mut Vec<String>) {
        let fates = self.fates();
        let mut ran: BTreeMap<&str, u32> = BTreeMap::new();
        for line in &self.witness {
            *ran.entry(line).or_default() += 1;
        }
        let known: BTreeSet<String> = fates.keys().map(ToString::to_string).collect();
        for (id, times) in &ran {
            if *times > 1 {
                faults.push(format!("DOUBLED: {id} ran {times} times"));
            }
            if !known.contains(*id) {
                faults.push(format!("{id} ran and the log knows nothing of it"));
            }
        }
        for (id, fate) in &fates {
            let times = ran.get(id.to_string().as_str()).copied().unwrap_or(0);
            let [end] = fate.ends.as_slice() else {
                faults.push(format!("{id} has the ends {:?}", fate.ends));
                continue;
            };
            let is_true = match end {
                // Its line is the first thing that it does, and nothing but a kill ends it before.
                Outcome::Exited { code: 0 } => times == 1,
                Outcome::NeverStarted | Outcome::SpawnFailed { .. } => times == 0,
                Outcome::Signaled { .. } | Outcome::Unknown { .. } => times <= 1,
                Outcome::Exited { .. } | Outcome::Interrupted => false,
            };
            if fate.queued != 1 || !is_true {
                let queued = fate.queued;
                faults.push(format!("{id}: queued {queued} times, ran {times} times, is {end:?}"));
            }
        }
    }

    /// Nothing is lost: each event has its execution, in their order, and each came to its success.
    fn judge_executions(&self, faults: &mut Vec<String>) {
        let mut created: BTreeMap<&str, Vec<Offset>> = BTreeMap::new();
        let mut ends: BTreeMap<&ExecutionId, Vec<ExecutionStatus>> = BTreeMap::new();
        for logged in &self.log {
            match &logged.record {
                Record::TaskExecutionCreated { id, events, .. } => {
                    created.entry(id.task.as_str()).or_default().extend(events);
                    ends.entry(id).or_default();
                }
                Record::TaskExecutionFinished { id, status } => {
                    ends.entry(id).or_default().push(*status);
                }
                _ => {}
            }
        }
        for task in ["a", "b"] {
            let wanted: Vec<Offset> = self.events_of(&format!("go.{task}")).collect();
            let found = created.remove(task).unwrap_or_default();
            if found != wanted {
                let at = wanted.iter().zip(&found).position(|(a, b)| a != b);
                let (wanted, found) = (wanted.len(), found.len());
                faults.push(format!(
                    "LOST or out of order: {wanted} events start {task}, {found} did; at {at:?}"
                ));
            }
        }
        for (id, statuses) in ends {
            let wanted = match id.task.as_str() {
                "keep" => ExecutionStatus::Stopped,
                _ => ExecutionStatus::Success,
            };
            if statuses != [wanted] {
                faults.push(format!("{id} came to {statuses:?}, not {wanted}"));
            }
        }
    }
}
