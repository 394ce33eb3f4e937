//! What is promised, worked out from the log and the truth of the host alone.
//!
//! P1 acknowledged is durable; P2 each event counts once; P3 at most one execution of an attempt;
//! P4 each attempt has one end, and the true one; P5 a log that cannot be believed is refused. Must
//! never ask the core what follows from an event: it counts by itself.

use std::collections::{BTreeMap, BTreeSet};

use aiflow_core::{Answer, Input};
use aiflow_daemon::records;
use aiflow_log::LogReader;
use aiflow_log::testing::MemoryStorage;
use aiflow_model::record::{Event, Outcome};
use aiflow_model::state::{Run, State};
use aiflow_model::time::{Span, Window};
use aiflow_model::{AttemptId, EventKey, LoggedRecord, Offset, Record, Timestamp, WorkflowName};

use crate::daemon::Daemon;
use crate::host::Host;
use crate::world::Request;

const HOUR: Span = Span::from_seconds(3600);

/// What is known of the past.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// Attempts whose code was begun.
    pub(crate) executed: BTreeSet<AttemptId>,
    /// Records that have been durable.
    pub(crate) durable: u64,
    /// What the log said when it was read last.
    known: Vec<LoggedRecord>,
}

/// A key of the definition.
pub(crate) fn key(name: &str) -> EventKey {
    EventKey::new(name).unwrap_or_else(|error| panic!("{error}"))
}

/// A name of the definition.
pub(crate) fn name(name: &str) -> WorkflowName {
    WorkflowName::new(name).unwrap_or_else(|error| panic!("{error}"))
}

/// Reads the whole log up to `end` and holds it against what was known and acknowledged.
pub(crate) fn check_log(
    disk: &MemoryStorage,
    end: u64,
    oracle: &mut Oracle,
    requests: &[Request],
) -> Result<Vec<LoggedRecord>, String> {
    let log = read(disk, end)?;
    if (log.len() as u64) < oracle.durable {
        let durable = oracle.durable;
        return Err(format!("P1: {durable} records were durable, {} are left", log.len()));
    }
    let sure = oracle.known.len().min(oracle.durable as usize);
    if log[..sure] != oracle.known[..sure] {
        return Err("P1: durable records are not what they were".to_owned());
    }
    if log.windows(2).any(|pair| pair[1].time < pair[0].time) {
        return Err("the log goes back in time".to_owned());
    }
    for request in requests {
        let (Some(answer), Input::Emit { id, .. }) = (&request.answer, &request.input) else {
            continue;
        };
        let Answer::Emitted { offset, .. } = answer else { continue };
        match log.get(offset.0 as usize).map(|logged| &logged.record) {
            Some(Record::EventEmitted(event)) if event.id.starts_with(id.as_str()) => {}
            _ => return Err(format!("P1: {id} was acknowledged at {offset} and is not there")),
        }
    }
    let mut seen = BTreeSet::new();
    for (_, event) in events(&log) {
        let n = number(event);
        if !seen.insert(n) {
            return Err(format!("P2: event {n} is there twice"));
        }
    }
    let queued: BTreeSet<&AttemptId> = log
        .iter()
        .filter_map(|logged| match &logged.record {
            Record::AttemptQueued { id } => Some(id),
            _ => None,
        })
        .collect();
    if let Some(id) = oracle.executed.iter().find(|id| !queued.contains(id)) {
        return Err(format!("P3: {id} was executed and the log knows nothing of it"));
    }
    oracle.known.clone_from(&log);
    Ok(log)
}

fn read(disk: &MemoryStorage, end: u64) -> Result<Vec<LoggedRecord>, String> {
    let mut reader = LogReader::new(disk.fork());
    let mut log = Vec::new();
    let mut batches = reader.read(0, end).map_err(|error| error.to_string())?;
    while let Some(batch) = batches.next_batch().map_err(|error| error.to_string())? {
        for record in batch.records() {
            log.push(records::decode(&record).map_err(|error| error.to_string())?);
        }
    }
    Ok(log)
}

fn events(log: &[LoggedRecord]) -> impl Iterator<Item = (Offset, &Event)> {
    log.iter().filter_map(|logged| match &logged.record {
        Record::EventEmitted(event) => Some((logged.offset, event)),
        _ => None,
    })
}

/// Which request of the clients an event is.
fn number(event: &Event) -> u64 {
    event.value.to_value()["n"].as_u64().unwrap_or(u64::MAX)
}

impl Oracle {
    /// Two answers to one request say the same.
    pub(crate) fn check_same(&self, first: &Answer, second: &Answer) -> Result<(), String> {
        match (first, second) {
            (Answer::Emitted { offset: a, .. }, Answer::Emitted { offset: b, .. }) if a != b => {
                Err(format!("P2: one event was acknowledged at {a} and at {b}"))
            }
            (Answer::Run(a), Answer::Run(b)) if a != b => {
                Err(format!("P2: one request started run {a} and run {b}"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn check_executed(&mut self, host: &Host, id: &AttemptId) -> Result<(), String> {
        match host.executed(id) {
            0 => Ok(()),
            1 => {
                self.executed.insert(id.clone());
                Ok(())
            }
            more => Err(format!("P3: {id} was executed {more} times")),
        }
    }

    /// Nothing that runs is taken for ended.
    pub(crate) fn check_running(&self, host: &Host, daemon: Option<&Daemon>) -> Result<(), String> {
        let Some(daemon) = daemon else { return Ok(()) };
        let state = daemon.engine.state();
        let ended = |id: &&AttemptId| {
            host.runs(id) && state.attempt(id).is_some_and(|attempt| attempt.outcome.is_some())
        };
        match host.alive().iter().find(ended) {
            Some(id) => Err(format!("P4: {id} is recorded as ended and runs")),
            None => Ok(()),
        }
    }

    /// Every event that a client believes to have emitted is there.
    pub(crate) fn check_all_asked(
        &self,
        log: &[LoggedRecord],
        requests: &[Request],
    ) -> Result<(), String> {
        let there: BTreeSet<u64> = events(log).map(|(_, event)| number(event)).collect();
        let emits =
            requests.iter().enumerate().filter(|(_, r)| matches!(r.input, Input::Emit { .. }));
        match emits.map(|(number, _)| number as u64).find(|number| !there.contains(number)) {
            Some(number) => Err(format!("P1: event {number} is lost")),
            None => Ok(()),
        }
    }

    /// Each attempt has one end, and it is the true one.
    pub(crate) fn check_attempts(&self, log: &[LoggedRecord], host: &Host) -> Result<(), String> {
        let mut ends: BTreeMap<&AttemptId, Vec<&Outcome>> = BTreeMap::new();
        for logged in log {
            match &logged.record {
                Record::AttemptQueued { id } => drop(ends.entry(id).or_default()),
                Record::AttemptEnded { id, outcome, .. } => {
                    ends.entry(id).or_default().push(outcome);
                }
                _ => {}
            }
        }
        for (id, outcomes) in ends {
            let [outcome] = outcomes.as_slice() else {
                return Err(format!("P4: {id} has the ends {outcomes:?}"));
            };
            let truth = host.truth(id);
            let is_true = match outcome {
                Outcome::NeverStarted => host.executed(id) == 0,
                Outcome::Exited { .. } | Outcome::Signaled { .. } => truth == Some(outcome),
                Outcome::Interrupted | Outcome::Unknown { .. } | Outcome::SpawnFailed { .. } => {
                    truth.is_some() || host.executed(id) == 0
                }
            };
            if !is_true {
                return Err(format!("P4: {id} is recorded as {outcome:?}, in truth {truth:?}"));
            }
        }
        Ok(())
    }

    /// Each rule fired as often as its events say, in their order.
    pub(crate) fn check_rules(&self, log: &[LoggedRecord], state: &State) -> Result<(), String> {
        let added = log.iter().find(|logged| matches!(logged.record, Record::TriggerAdded(_)));
        let begins = events(log).filter(|(offset, event)| {
            event.key.as_str() == "begin" && added.is_some_and(|added| added.offset < *offset)
        });
        let expected = begins.count();
        let started = state.runs.values().filter(|run| run.trigger.is_some()).count();
        if started != expected {
            return Err(format!("P2: {expected} events start runs, {started} were started"));
        }
        state.runs.values().try_for_each(|run| check_run(log, state, run))
    }
}

fn check_run(log: &[LoggedRecord], state: &State, run: &Run) -> Result<(), String> {
    let seen: Vec<(Offset, &Event)> =
        events(log).filter(|(offset, _)| *offset > run.offset).collect();
    let of = |name: &str| {
        let index = state.snapshot_of(run.id).and_then(|s| s.spec.task_index(name));
        index.map(|index| run.tasks[index].executions.as_slice()).unwrap_or_default()
    };
    let go: Vec<Offset> =
        seen.iter().filter(|(_, e)| e.key.as_str() == "go").map(|(offset, _)| *offset).collect();
    let fail = |task: &str, expected: String, found: String| {
        let run = run.id;
        Err(format!("P2: run {run}, task {task}: expected {expected}, found {found}"))
    };
    let each: Vec<Offset> = of("each").iter().flat_map(|e| e.events.clone()).collect();
    if each != go {
        return fail("each", format!("{go:?}"), format!("{each:?}"));
    }
    let thirds: Vec<&[Offset]> = of("third").iter().map(|e| e.events.as_slice()).collect();
    if thirds != go.chunks_exact(3).collect::<Vec<_>>() {
        return fail("third", format!("{}", go.len() / 3), format!("{thirds:?}"));
    }
    let (mut has_go, mut has_other, mut pairs) = (false, false, 0);
    for (_, event) in &seen {
        has_go |= event.key.as_str() == "go";
        has_other |= event.key.as_str() == "other";
        if has_go && has_other {
            (has_go, has_other, pairs) = (false, false, pairs + 1);
        }
    }
    if of("pair").len() != pairs {
        return fail("pair", pairs.to_string(), of("pair").len().to_string());
    }
    let windows: Vec<Window> = of("hourly").iter().filter_map(|e| e.window).collect();
    let expected = expected_windows(&seen);
    if windows != expected {
        return fail("hourly", format!("{expected:?}"), format!("{windows:?}"));
    }
    let succeeded = of("hourly").iter().filter(|e| e.status.word() == "success").count();
    if of("after").len() != succeeded {
        return fail("after", succeeded.to_string(), of("after").len().to_string());
    }
    let ticks: Vec<Window> = of("tick").iter().filter_map(|e| e.window).collect();
    let gap = ticks.windows(2).find(|pair| pair[0].end != pair[1].start);
    match gap {
        Some(gap) => fail("tick", "no gap".to_owned(), format!("{gap:?}")),
        None => Ok(()),
    }
}

/// The hours that both watermarks have passed, once both have spoken.
fn expected_windows(seen: &[(Offset, &Event)]) -> Vec<Window> {
    let (mut marks, mut next, mut windows) = ([None::<Timestamp>; 2], None, Vec::new());
    for (_, event) in seen {
        let source = match event.key.as_str() {
            "f" => 0,
            "w" => 1,
            _ => continue,
        };
        let value = event.value.to_value();
        let time: Option<Timestamp> = value["watermark"].as_str().and_then(|t| t.parse().ok());
        marks[source] = marks[source].max(time);
        let [Some(f), Some(w)] = marks else { continue };
        let reached = f.min(w);
        let start: &mut Timestamp = next.get_or_insert(reached.floor_to(HOUR));
        while start.plus(HOUR) <= reached {
            windows.push(Window { start: *start, end: start.plus(HOUR) });
            *start = start.plus(HOUR);
        }
    }
    windows
}
