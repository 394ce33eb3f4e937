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
use aiflow_model::{
    AttemptId, EventKey, LoggedRecord, Offset, Record, RunId, Timestamp, WorkflowName,
};

use crate::clients::Request;
use crate::daemon::Daemon;
use crate::history::{Execution, History};
use crate::host::Host;

/// What is known of the past.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    /// Attempts whose code was begun.
    pub(crate) executed: BTreeSet<AttemptId>,
    /// Records that have been durable.
    pub(crate) durable: u64,
    /// What the log said when it was read last, and the bytes of it.
    pub(crate) log: Vec<LoggedRecord>,
    bytes: Vec<Vec<u8>>,
}

/// A key of the definition.
pub(crate) fn key(name: &str) -> EventKey {
    EventKey::new(name).unwrap_or_else(|error| panic!("{error}"))
}

/// A name of the definition.
pub(crate) fn name(name: &str) -> WorkflowName {
    WorkflowName::new(name).unwrap_or_else(|error| panic!("{error}"))
}

/// Reads the log up to `end` and holds it against what was known and acknowledged. What was durable
/// is compared byte by byte and read as records only once.
pub(crate) fn check_log(
    disk: &MemoryStorage,
    end: u64,
    oracle: &mut Oracle,
    requests: &[Request],
) -> Result<(), String> {
    oracle.read(disk, end)?;
    let log = &oracle.log;
    if log.windows(2).any(|pair| pair[1].time < pair[0].time) {
        return Err("the log goes back in time".to_owned());
    }
    for request in requests {
        let (Some(Answer::Emitted { offset, .. }), Input::Emit { id, .. }) =
            (&request.answer, &request.input)
        else {
            continue;
        };
        match log.get(offset.0 as usize).map(|logged| &logged.record) {
            Some(Record::EventEmitted(event)) if number(event) == request.number => {}
            _ => return Err(format!("P1: {id} was acknowledged at {offset} and is not there")),
        }
    }
    let (mut seen, mut queued) = (BTreeSet::new(), BTreeSet::new());
    for logged in log {
        match &logged.record {
            Record::EventEmitted(event) if !seen.insert(number(event)) => {
                return Err(format!("P2: event {} is there twice", number(event)));
            }
            Record::AttemptQueued { id } => drop(queued.insert(id)),
            _ => {}
        }
    }
    match oracle.executed.iter().find(|id| !queued.contains(id)) {
        Some(id) => Err(format!("P3: {id} was executed and the log knows nothing of it")),
        None => Ok(()),
    }
}

/// Which request of the clients an event is.
fn number(event: &Event) -> usize {
    // The value is `{"n":NUMBER` and more; it is read often.
    let digits = event.value.as_str().strip_prefix("{\"n\":").unwrap_or_default();
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}

impl Oracle {
    fn read(&mut self, disk: &MemoryStorage, end: u64) -> Result<(), String> {
        if end < self.durable {
            return Err(format!("P1: {} records were durable, {end} are left", self.durable));
        }
        let mut reader = LogReader::new(disk.fork());
        let mut batches = reader.read(0, end).map_err(|error| error.to_string())?;
        let mut offset = 0;
        while let Some(batch) = batches.next_batch().map_err(|error| error.to_string())? {
            for record in batch.records() {
                let time = Timestamp(record.time_us);
                let is_known = self.bytes.get(offset).is_some_and(|known| known == record.payload)
                    && self.log[offset].time == time;
                if !is_known {
                    if (offset as u64) < self.durable.min(self.log.len() as u64) {
                        return Err(format!("P1: the durable record {offset} is not what it was"));
                    }
                    self.log.truncate(offset);
                    self.bytes.truncate(offset);
                    self.log.push(records::decode(&record).map_err(|error| error.to_string())?);
                    self.bytes.push(record.payload.to_vec());
                }
                offset += 1;
            }
        }
        self.log.truncate(offset);
        self.bytes.truncate(offset);
        match offset as u64 == end {
            true => Ok(()),
            false => Err(format!("P1: the log is to have {end} records, {offset} are there")),
        }
    }

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
        let ended =
            |id: &&AttemptId| state.attempt(id).is_some_and(|attempt| attempt.outcome.is_some());
        match host.running().find(ended) {
            Some(id) => Err(format!("P4: {id} is recorded as ended and runs")),
            None => Ok(()),
        }
    }

    /// All that was asked for, and not refused, is there; what was started by hand, as often as was
    /// answered and no more often than was asked.
    pub(crate) fn check_all_asked(
        &self,
        history: &History<'_>,
        requests: &[Request],
    ) -> Result<(), String> {
        let there: BTreeMap<usize, Offset> =
            history.events.iter().map(|(offset, event)| (number(event), *offset)).collect();
        let mut by_hand: BTreeMap<(RunId, &str), (usize, usize)> = BTreeMap::new();
        for request in requests {
            match &request.input {
                Input::Emit { .. }
                    if !request.is_refused && !there.contains_key(&request.number) =>
                {
                    return Err(format!("P1: event {} is lost", request.number));
                }
                Input::StartTask(run, task) => {
                    let counts = by_hand.entry((*run, task.as_str())).or_default();
                    counts.0 += usize::from(request.answer.is_some());
                    counts.1 += request.tries;
                }
                _ => {}
            }
        }
        for ((run, task), (answered, asked)) in by_hand {
            let Some(run) = history.runs.get(&run) else { continue };
            let without_cause = |e: &&Execution<'_>| e.events.is_empty() && e.window.is_none();
            let found = run.of(task).iter().filter(without_cause).count();
            if found < answered || found > asked {
                return Err(format!(
                    "P2: {task} was started {found} times, asked {answered}..{asked}"
                ));
            }
        }
        let spooled = requests.iter().filter(|request| request.is_spooled);
        let offsets: Vec<_> = spooled.filter_map(|r| there.get(&r.number)).collect();
        match offsets.is_sorted() {
            true => Ok(()),
            false => Err(format!("P2: the spool was not taken in order: {offsets:?}")),
        }
    }

    /// Each request that starts a run has one, and one only.
    pub(crate) fn check_runs(
        &self,
        history: &History<'_>,
        requests: &[Request],
    ) -> Result<(), String> {
        let mut begun = BTreeMap::new();
        for (id, run) in history.runs.iter().filter(|(_, run)| !run.is_triggered) {
            if begun.insert(run.request, *id).is_some() {
                return Err(format!("P2: the request {:?} started two runs", run.request));
            }
        }
        for request in requests {
            if let (Some(Answer::Run(run)), Input::StartRun(start)) =
                (&request.answer, &request.input)
                && begun.get(&start.request.as_deref()) != Some(run)
            {
                return Err(format!("P2: {:?} was answered with run {run}", start.request));
            }
        }
        Ok(())
    }

    /// Each attempt has one end, and it is the true one.
    pub(crate) fn check_attempts(&self, history: &History<'_>, host: &Host) -> Result<(), String> {
        for (id, ends) in &history.attempts {
            let [outcome] = ends.outcomes.as_slice() else {
                return Err(format!("P4: {id} has the ends {:?}", ends.outcomes));
            };
            let truth = host.truth(id);
            let is_true = match outcome {
                Outcome::NeverStarted | Outcome::SpawnFailed { .. } => host.executed(id) == 0,
                Outcome::Exited { .. } | Outcome::Signaled { .. } => truth == Some(outcome),
                Outcome::Interrupted | Outcome::Unknown { .. } => {
                    truth.is_some() || host.executed(id) == 0
                }
            };
            if !is_true {
                return Err(format!("P4: {id} is recorded as {outcome:?}, in truth {truth:?}"));
            }
            if truth == Some(&Outcome::Signaled { signal: 15 }) && !ends.stop_asked {
                return Err(format!("P4: {id} was stopped and nobody had asked for it"));
            }
        }
        Ok(())
    }
}
