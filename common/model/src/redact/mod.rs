//! Records and states without what users put into them: texts and numbers of theirs are replaced by
//! keyed hashes, so that equal ones stay equal and the fold gives the state that it would.
//!
//! What is a name, a time, a count or a status stays. Every type is taken apart field by field,
//! without a rest, so that a field that is added has to be thought of here. Must never let through
//! what is not named as harmless.

mod spec;
mod state;

use std::str::FromStr;

use serde_json::{Number, Value};

use crate::firing::NodeState;
use crate::record::{
    BackfillRequested, DaemonStarted, DraftChange, DraftStarted, Event, FanStarted, Item, Outcome,
    OutputSet, RunControlled, RunStarted, TriggerAdded, TriggerChange, WorkflowUploaded,
};
use crate::{JsonText, Record};

/// What is let through as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// What events, parameters, outputs, items, properties and scripts say, and sums of it.
    pub values: bool,
    /// Commands, environments, filters, scripts, files: what definitions say beyond their shape.
    pub definitions: bool,
    /// Who says events, and the identities of events and requests.
    pub sources: bool,
    /// Why something could not be done.
    pub reasons: bool,
}

/// The words for it.
pub const KEEP_WORDS: [&str; 4] = ["values", "definitions", "sources", "reasons"];

impl FromStr for Keep {
    type Err = String;

    /// Reads words between commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut keep = Self::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            match word {
                "values" => keep.values = true,
                "definitions" => keep.definitions = true,
                "sources" => keep.sources = true,
                "reasons" => keep.reasons = true,
                _ => {
                    let known = KEEP_WORDS.join(", ");
                    return Err(format!("{word:?} is nothing that can be kept: {known}"));
                }
            }
        }
        Ok(keep)
    }
}

impl Keep {
    /// The words for it.
    #[must_use]
    pub fn words(self) -> Vec<String> {
        let Self { values, definitions, sources, reasons } = self;
        let kept = KEEP_WORDS.iter().zip([values, definitions, sources, reasons]);
        kept.filter(|(_, is_kept)| *is_kept).map(|(word, _)| (*word).to_owned()).collect()
    }
}

/// Replaces.
pub struct Redactor<'a> {
    hash: &'a dyn Fn(&[u8]) -> u64,
    keep: Keep,
}

impl std::fmt::Debug for Redactor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("keep", &self.keep).finish_non_exhaustive()
    }
}

impl<'a> Redactor<'a> {
    /// With a hash under a key that nobody else knows.
    #[must_use]
    pub fn new(hash: &'a dyn Fn(&[u8]) -> u64, keep: Keep) -> Self {
        Self { hash, keep }
    }

    /// A text that stands for another; the empty one for itself.
    fn text(&self, text: &mut String) {
        if !text.is_empty() {
            *text = format!("x{:016x}", (self.hash)(text.as_bytes()));
        }
    }

    fn definition(&self, text: &mut String) {
        if !self.keep.definitions {
            self.text(text);
        }
    }

    fn source(&self, text: &mut String) {
        if !self.keep.sources {
            self.text(text);
        }
    }

    fn reason(&self, text: &mut String) {
        if !self.keep.reasons {
            self.text(text);
        }
    }

    /// A value of the same shape.
    fn value(&self, value: &mut JsonText) {
        if !self.keep.values {
            self.json(value);
        }
    }

    fn json(&self, value: &mut JsonText) {
        *value = JsonText::from_value(&self.tree(value.to_value()));
    }

    fn tree(&self, value: Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value,
            Value::Number(number) => Value::Number(self.number(&number)),
            Value::String(mut text) => {
                self.text(&mut text);
                Value::String(text)
            }
            Value::Array(items) => items.into_iter().map(|item| self.tree(item)).collect(),
            Value::Object(members) => {
                let members = members.into_iter().map(|(mut name, member)| {
                    self.text(&mut name);
                    (name, self.tree(member))
                });
                Value::Object(members.collect())
            }
        }
    }

    /// A whole number for a whole number, one with a fraction for another.
    fn number(&self, number: &Number) -> Number {
        let Some(float) = number.as_f64().filter(|float| float.fract() != 0.0) else {
            // 7 and 7.0 are equal to whoever compares them.
            let text =
                number.as_f64().map_or_else(|| number.to_string(), |float| float.to_string());
            return Number::from(self.whole(&text));
        };
        let whole = self.whole(&float.to_string());
        Number::from_f64(f64::from(whole) + 0.5).unwrap_or_else(|| Number::from(whole))
    }

    fn whole(&self, text: &str) -> u32 {
        // As many digits as a float holds exactly, with a half.
        u32::try_from((self.hash)(text.as_bytes()) >> 32).unwrap_or(u32::MAX)
    }

    fn node(&self, state: &mut NodeState) {
        match state {
            NodeState::All { met: _ }
            | NodeState::Count { met: _, so_far: _ }
            | NodeState::Recent { met: _ }
            | NodeState::Sequence { reached: _ }
            | NodeState::Timer { due: _, gathered: _ }
            | NodeState::Cron { previous: _, next: _, due: _ }
            | NodeState::Clock(_) => {}
            NodeState::Sum { total, so_far: _ } => {
                if !self.keep.values && *total != 0.0 {
                    *total = f64::from(self.whole(&total.to_string()));
                }
            }
            NodeState::Script { state } => self.value(state),
            NodeState::Parts(parts) => parts.values_mut().for_each(|part| self.node(part)),
            NodeState::Part { part: _, state } => {
                if let Some(state) = state {
                    self.node(state);
                }
            }
        }
    }

    fn outcome(&self, outcome: &mut Outcome) {
        match outcome {
            Outcome::Exited { code: _ }
            | Outcome::Signaled { signal: _ }
            | Outcome::NeverStarted
            | Outcome::Interrupted => {}
            Outcome::SpawnFailed { reason } | Outcome::Unknown { reason } => self.reason(reason),
        }
    }

    fn item(&self, Item { fan: _, index: _, value }: &mut Item) {
        self.value(value);
    }

    fn request(&self, request: &mut Option<String>) {
        if let Some(request) = request {
            self.source(request);
        }
    }

    /// A record without what users put into it.
    pub fn record(&self, record: &mut Record) {
        match record {
            Record::DaemonStarted(DaemonStarted { version: _, epoch: _, boot_id, pid: _ }) => {
                self.text(boot_id);
            }
            Record::NamespaceAdded { namespace: _, properties }
            | Record::NamespaceChanged { namespace: _, properties } => {
                properties.values_mut().for_each(|value| self.value(value));
            }
            Record::WorkflowUploaded(uploaded) => {
                let WorkflowUploaded { namespace: _, snapshot: _, spec, source, files } =
                    uploaded.as_mut();
                self.spec(spec);
                self.definition(source);
                self.files(files);
            }
            Record::EventEmitted(event) => {
                let Event { namespace: _, key: _, value, source, id, execution: _ } = event;
                self.value(value);
                self.source(source);
                self.source(id);
            }
            Record::RunStarted(started) => self.started(started),
            Record::RunControlled(controlled) => {
                let RunControlled { run: _, control: _, request } = controlled.as_mut();
                self.request(request);
            }
            Record::BackfillRequested(asked) => {
                let BackfillRequested { run: _, task: _, from: _, to: _, parallel: _, request } =
                    asked.as_mut();
                self.request(request);
            }
            Record::ConditionAdvanced { run: _, rule: _, node: _, state } => self.node(state),
            Record::FilterFailed { run: _, rule: _, node: _, event: _, reason }
            | Record::EmissionFailed { run: _, rule: _, reason }
            | Record::FanFailed { run: _, task: _, reason } => self.reason(reason),
            Record::TaskExecutionCreated {
                id: _,
                events: _,
                window: _,
                repeats: _,
                backfill: _,
                item,
            } => {
                if let Some(item) = item {
                    self.item(item);
                }
            }
            Record::AttemptEnded { id: _, outcome, usage: _ } => self.outcome(outcome),
            Record::OutputSet(set) => {
                let OutputSet { id: _, name: _, value } = set.as_mut();
                self.value(value);
            }
            Record::TriggerAdded(added) => self.trigger_added(added),
            Record::TriggerChanged { trigger: _, change } => self.change(change),
            Record::DraftStarted(started) => self.draft_started(started),
            Record::DraftChanged { draft: _, change } => self.draft_change(change),
            other => harmless(other),
        }
    }

    fn started(&self, started: &mut RunStarted) {
        let RunStarted {
            run: _,
            namespace: _,
            workflow: _,
            snapshot: _,
            params,
            request,
            trigger: _,
            events: _,
            window: _,
            waiting: _,
        } = started;
        params.values_mut().for_each(|value| self.value(value));
        self.request(request);
    }

    fn trigger_added(&self, added: &mut TriggerAdded) {
        let TriggerAdded {
            trigger: _,
            namespace: _,
            workflow: _,
            condition,
            origin: _,
            emission,
            request,
        } = added;
        self.condition(condition);
        self.emission(emission);
        self.request(request);
    }

    fn draft_started(&self, started: &mut DraftStarted) {
        let DraftStarted {
            draft: _,
            namespace: _,
            spec,
            source,
            files,
            beside: _,
            current: _,
            expires: _,
            request,
        } = started;
        self.spec(spec);
        self.definition(source);
        self.files(files);
        self.request(request);
    }

    fn draft_change(&self, change: &mut DraftChange) {
        match change {
            DraftChange::Advanced { rule: _, node: _, state } => self.node(state),
            DraftChange::FilterFailed { rule: _, node: _, event: _, reason } => {
                self.reason(reason);
            }
            DraftChange::TicksMissed { rule: _, node: _, missed: _ }
            | DraftChange::Fired { rule: _, would: _, firing: _ }
            | DraftChange::Ended { end: _ } => {}
        }
    }

    fn change(&self, change: &mut TriggerChange) {
        match change {
            TriggerChange::Advanced { node: _, state } => self.node(state),
            TriggerChange::FilterFailed { node: _, event: _, reason }
            | TriggerChange::StartRefused { reason }
            | TriggerChange::EmissionFailed { reason } => self.reason(reason),
            TriggerChange::TicksMissed { node: _, missed: _ }
            | TriggerChange::Fired { firing: _ }
            | TriggerChange::Paused
            | TriggerChange::Resumed
            | TriggerChange::Deleted => {}
        }
    }
}

/// Records that hold names, numbers of ours and times alone. Whatever else there is stands above.
fn harmless(record: &Record) {
    match record {
        Record::RunBegan { run: _ }
        | Record::RunStopRequested { run: _ }
        | Record::RunFinished { run: _, status: _ }
        | Record::RunLate { run: _ }
        | Record::TicksMissed { run: _, rule: _, node: _, missed: _ }
        | Record::RuleFired { run: _, rule: _, firing: _ }
        | Record::TaskRestartRequested { run: _, task: _, events: _ }
        | Record::TaskExecutionStopRequested { id: _, reason: _ }
        | Record::AttemptQueued { id: _ }
        | Record::AttemptStarted { id: _, pid: _ }
        | Record::AttemptReady { id: _ }
        | Record::HeartbeatReceived { id: _ }
        | Record::ContactLost { id: _ }
        | Record::RetryScheduled { id: _, due: _ }
        | Record::TaskExecutionFinished { id: _, status: _ }
        | Record::WorkflowEnabled { namespace: _, workflow: _, enabled: _ }
        | Record::WorkflowDeleted { namespace: _, workflow: _ }
        | Record::RunDeleted { run: _ }
        | Record::RunArchived { run: _ }
        | Record::NamespaceDeleted { namespace: _ }
        | Record::LogTrimmed { before: _, reason: _ } => {}
        Record::FanStarted(started) => {
            let FanStarted { run: _, task: _, items: _, window: _ } = started.as_ref();
        }
        Record::DaemonStarted(_)
        | Record::NamespaceAdded { .. }
        | Record::NamespaceChanged { .. }
        | Record::WorkflowUploaded(_)
        | Record::EventEmitted(_)
        | Record::RunStarted(_)
        | Record::RunControlled(_)
        | Record::BackfillRequested(_)
        | Record::ConditionAdvanced { .. }
        | Record::FilterFailed { .. }
        | Record::EmissionFailed { .. }
        | Record::FanFailed { .. }
        | Record::TaskExecutionCreated { .. }
        | Record::AttemptEnded { .. }
        | Record::OutputSet(_)
        | Record::TriggerAdded(_)
        | Record::TriggerChanged { .. }
        | Record::DraftStarted(_)
        | Record::DraftChanged { .. } => {}
    }
}

#[cfg(test)]
mod tests;
