//! How an execution came to be: from its creation back, record by record, to what came from
//! outside.
//!
//! Must never guess: each link is a record, and the one before it is its cause or named in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::record::{Record, TriggerChange};
use crate::state::State;
use crate::time::Timestamp;
use crate::{ExecutionId, LoggedRecord, Offset, RunId, TaskName};

/// Most links that are told.
const LINKS_MAX: usize = 100;

/// One record of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Where it stands.
    pub offset: Offset,
    /// When it was decided.
    pub time: Timestamp,
    /// What happened.
    pub text: String,
}

/// Where each execution of a run came into being.
#[derive(Debug, Clone, Default)]
pub struct Creations(BTreeMap<TaskName, Vec<Offset>>);

impl Creations {
    /// Those of a run.
    #[must_use]
    pub fn of(state: &State, run: RunId) -> Self {
        let (Some(known), Some(snapshot)) = (state.run(run), state.snapshot_of(run)) else {
            return Self::default();
        };
        let tasks = snapshot.spec.tasks.iter().zip(&known.tasks);
        let created = tasks.map(|(spec, task)| {
            (spec.name.clone(), task.executions.iter().map(|e| e.created).collect())
        });
        Self(created.collect())
    }

    /// Where an execution came into being; none where that is not known.
    #[must_use]
    pub fn find(&self, id: &ExecutionId) -> Option<Offset> {
        let at = usize::try_from(id.sequence.0.checked_sub(1)?).ok()?;
        self.0.get(&id.task)?.get(at).copied().filter(|offset| *offset > Offset(0))
    }
}

/// The chain of causes of an execution, the latest record first. `read` looks a record up.
pub fn chain<E>(
    of: &ExecutionId,
    creations: &Creations,
    mut read: impl FnMut(Offset) -> Result<Option<LoggedRecord>, E>,
) -> Result<Vec<Link>, E> {
    let mut links: Vec<Link> = Vec::new();
    let mut next = creations.find(of);
    while let Some(offset) = next.filter(|_| links.len() < LINKS_MAX) {
        // Causes lie before what they cause; whatever else is damage, and no reason to go round.
        if links.last().is_some_and(|link| link.offset <= offset) {
            break;
        }
        let Some(logged) = read(offset)? else { break };
        links.push(Link { offset, time: logged.time, text: words(&logged.record) });
        next = before(&logged, creations);
    }
    Ok(links)
}

/// The record that led to one.
fn before(logged: &LoggedRecord, creations: &Creations) -> Option<Offset> {
    if logged.cause.is_some() {
        return logged.cause;
    }
    match &logged.record {
        Record::RuleFired { firing, .. }
        | Record::TriggerChanged { change: TriggerChange::Fired { firing }, .. } => {
            firing.events.iter().chain(&firing.ends).max().copied()
        }
        Record::AttemptStarted { id, .. }
        | Record::ContactLost { id }
        | Record::AttemptEnded { id, .. } => creations.find(&id.execution),
        _ => None,
    }
}

/// What a record says, for people.
fn words(record: &Record) -> String {
    match record {
        Record::EventEmitted(event) => {
            let value: String = event.value.as_str().chars().take(80).collect();
            format!("event {} {value} from {}", event.key, event.source)
        }
        Record::RunStarted(started) => match started.trigger {
            Some(trigger) => format!("run {} was started by trigger {trigger}", started.run),
            None => format!("run {} was started by hand", started.run),
        },
        Record::RunBegan { run } => format!("the turn of run {run} came"),
        Record::RunFinished { run, status } => format!("run {run} ended: {status}"),
        Record::RunControlled(_) => "somebody asked for it".to_owned(),
        Record::RuleFired { rule, firing, .. } => {
            let window = firing.window.map(|w| format!(" for the window {} / {}", w.start, w.end));
            format!("rule {rule} fired{}", window.unwrap_or_default())
        }
        Record::TriggerChanged { trigger, change: TriggerChange::Fired { .. } } => {
            format!("trigger {trigger} fired")
        }
        Record::TaskExecutionCreated { id, .. } => format!("execution {id} was created"),
        Record::TaskExecutionFinished { id, status } => format!("execution {id} ended: {status}"),
        Record::TaskRestartRequested { task, .. } => format!("{task} was to start anew"),
        Record::BackfillRequested(_) => "somebody asked for a backfill".to_owned(),
        Record::AttemptStarted { id, .. } => format!("attempt {id} began to run"),
        Record::AttemptEnded { id, .. } => format!("attempt {id} ended"),
        Record::ContactLost { id } => format!("nothing was heard of attempt {id}"),
        other => serde_json::to_string(other).unwrap_or_default().chars().take(120).collect(),
    }
}
