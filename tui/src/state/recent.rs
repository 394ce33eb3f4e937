//! The latest events and the fate of each: what came of it, read from the causes of later records.
//!
//! Must never decide what an event matches: rules are the daemon's; this only follows offsets.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use aiflow_model::record::{Event, StopReason};
use aiflow_model::time::{Timestamp, Window};
use aiflow_model::wire::EventView;
use aiflow_model::{
    EventKey, JsonText, LoggedRecord, Namespace, Offset, Record, RunId, State, TaskName,
};

/// Events that are kept.
pub(crate) const EVENTS_MAX: usize = 2_000;
/// Bytes of values that are kept in all; beyond it older events go.
const VALUE_BYTES_MAX: usize = 32 << 20;
/// Bytes of one value that are looked into for lists and filters.
pub(crate) const BRIEF_BYTES_MAX: usize = 4_096;
/// Executions of each task that are searched for the fate of events from before.
const SEARCHED_MAX: usize = 500;

/// An event and its fate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) offset: Offset,
    pub(crate) time: Timestamp,
    pub(crate) namespace: Namespace,
    pub(crate) key: EventKey,
    pub(crate) value: JsonText,
    pub(crate) source: String,
    pub(crate) id: String,
    pub(crate) run: Option<RunId>,
    pub(crate) fate: Fate,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Fate {
    /// Executions that it led to.
    pub(crate) started: Vec<Started>,
    /// Tasks that it stopped.
    pub(crate) stopped: BTreeSet<TaskName>,
    /// Tasks of which some condition took it in.
    pub(crate) noted_by: BTreeSet<TaskName>,
    /// A filter that could not be evaluated.
    pub(crate) fault: Option<String>,
    /// Some rule looks at its key.
    pub(crate) has_rule: bool,
}

/// An execution that an event led to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Started {
    pub(crate) run: RunId,
    pub(crate) task: TaskName,
    pub(crate) window: Option<Window>,
}

impl Seen {
    /// The beginning of the value, which is all of it for most.
    pub(crate) fn brief(&self) -> &str {
        let text = self.value.as_str();
        let end =
            (0..=text.len().min(BRIEF_BYTES_MAX)).rev().find(|end| text.is_char_boundary(*end));
        &text[..end.unwrap_or(0)]
    }

    /// The value as a tree, unless it is too long to be read again and again.
    pub(crate) fn brief_tree(&self) -> Option<serde_json::Value> {
        (self.value.as_str().len() <= BRIEF_BYTES_MAX).then(|| self.value.to_value())
    }
}

/// The latest events.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Recent {
    events: BTreeMap<Offset, Seen>,
    /// For each later record the event at the beginning of its chain of causes.
    roots: BTreeMap<Offset, Offset>,
    value_bytes: usize,
}

impl Recent {
    /// Events, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Seen> {
        self.events.values()
    }

    /// One event.
    pub(crate) fn get(&self, offset: Offset) -> Option<&Seen> {
        self.events.get(&offset)
    }

    /// Takes in events from before the first record.
    pub(crate) fn add_past(&mut self, views: Vec<EventView>, state: &State) {
        for view in views {
            let Ok(time) = view.time.parse() else { continue };
            let EventView { offset, namespace, key, value, source, id, execution, .. } = view;
            let has_rule = has_rule(state, &namespace, &key, execution);
            let fate = Fate { has_rule, ..Fate::default() };
            let run = execution;
            let seen = Seen { offset, time, namespace, key, value, source, id, run, fate };
            self.keep(seen);
        }
        self.find_past_fates(state);
        self.prune();
    }

    fn find_past_fates(&mut self, state: &State) {
        for run in state.runs.values().rev().take(SEARCHED_MAX) {
            let Some(snapshot) = state.snapshots.get(&run.snapshot) else { continue };
            for (spec, task) in snapshot.spec.tasks.iter().zip(&run.tasks) {
                for execution in task.executions.iter().rev().take(SEARCHED_MAX) {
                    let (task, window) = (spec.name.clone(), execution.window);
                    let started = Started { run: run.id, task, window };
                    self.note_started(&execution.events, &started);
                }
            }
        }
    }

    /// Takes in a record that `state` has just taken in.
    pub(crate) fn take(&mut self, logged: &LoggedRecord, state: &State) {
        if let Record::EventEmitted(event) = &logged.record {
            self.add(event, logged, state);
            return;
        }
        let Some(root) = logged.cause.and_then(|cause| self.root_of(cause)) else { return };
        self.roots.insert(logged.offset, root);
        self.note(root, &logged.record, state);
    }

    fn root_of(&self, cause: Offset) -> Option<Offset> {
        if self.events.contains_key(&cause) {
            return Some(cause);
        }
        self.roots.get(&cause).copied()
    }

    fn add(&mut self, event: &Event, logged: &LoggedRecord, state: &State) {
        let Event { namespace, key, value, source, id, execution } = event.clone();
        let has_rule = has_rule(state, &namespace, &key, execution);
        let fate = Fate { has_rule, ..Fate::default() };
        let (offset, time, run) = (logged.offset, logged.time, execution);
        let seen = Seen { offset, time, namespace, key, value, source, id, run, fate };
        self.keep(seen);
        self.prune();
    }

    fn keep(&mut self, seen: Seen) {
        if let Entry::Vacant(place) = self.events.entry(seen.offset) {
            self.value_bytes += seen.value.as_str().len();
            place.insert(seen);
        }
    }

    fn note(&mut self, root: Offset, record: &Record, state: &State) {
        match record {
            Record::TaskExecutionCreated { id, events, window, .. } => {
                let started = Started { run: id.run, task: id.task.clone(), window: *window };
                self.note_started(&[&[root], events.as_slice()].concat(), &started);
            }
            Record::ConditionAdvanced { run, rule, .. } => {
                let task = state.snapshot_of(*run).and_then(|s| s.spec.rule(*rule));
                if let (Some((task, _)), Some(seen)) = (task, self.events.get_mut(&root)) {
                    seen.fate.noted_by.insert(task.name.clone());
                }
            }
            Record::TaskExecutionStopRequested { id, reason: StopReason::Rule }
            | Record::TaskExecutionStopRequested { id, reason: StopReason::Restart } => {
                if let Some(seen) = self.events.get_mut(&root) {
                    seen.fate.stopped.insert(id.task.clone());
                }
            }
            Record::FilterFailed { reason, event, .. } => {
                if let Some(seen) = self.events.get_mut(event) {
                    seen.fate.fault = Some(reason.clone());
                }
            }
            _ => {}
        }
    }

    fn note_started(&mut self, events: &[Offset], started: &Started) {
        for offset in events {
            let Some(seen) = self.events.get_mut(offset) else { continue };
            if !seen.fate.started.contains(started) {
                seen.fate.started.push(started.clone());
            }
        }
    }

    fn prune(&mut self) {
        while self.events.len() > EVENTS_MAX || self.value_bytes > VALUE_BYTES_MAX {
            let Some((_, gone)) = self.events.pop_first() else { break };
            self.value_bytes -= gone.value.as_str().len();
        }
        if let Some((oldest, _)) = self.events.first_key_value() {
            // A root is before all that it led to.
            while self.roots.first_key_value().is_some_and(|(offset, _)| offset < oldest) {
                self.roots.pop_first();
            }
        }
    }
}

fn has_rule(state: &State, namespace: &Namespace, key: &EventKey, run: Option<RunId>) -> bool {
    !state.subscriptions.matching(namespace.as_str(), key.as_str(), run).is_empty()
}
