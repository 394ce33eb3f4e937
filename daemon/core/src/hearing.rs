//! What hosts of conditions are asked, and what they have said.
//!
//! Must never ask: whoever decides hands the questions out.

use std::collections::BTreeMap;
use std::sync::Arc;

use aiflow_model::record::Event;
use aiflow_model::spec::Host;
use aiflow_model::state::ExecutionStatus;
use aiflow_model::{JsonText, RuleId, RunId, SnapshotNumber, TaskName};

/// What a host is asked. The same question has the same answer: what it is about, and what the
/// condition has kept. Where tasks stand is told as of when it is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whose condition.
    pub rule: RuleId,
    /// Which node of it.
    pub node: u32,
    /// The key or window for which it gathers.
    pub(crate) part: Option<String>,
    /// The version of the workflow whose files the host needs.
    pub snapshot: SnapshotNumber,
    /// Who is asked.
    pub host: Host,
    /// The event.
    pub event: Arc<Event>,
    /// What the condition has kept.
    pub state: JsonText,
    /// Where the tasks of the run stand, when the host wants to know.
    pub tasks: BTreeMap<TaskName, ExecutionStatus>,
}

impl Question {
    /// The run that it is about; none for a trigger.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        match self.rule {
            RuleId::Task { run, .. } => Some(run),
            RuleId::Trigger(_) | RuleId::Draft { .. } => None,
        }
    }
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        let place = |question: &Self| (question.rule, question.node, question.snapshot);
        place(self) == place(other)
            && self.part == other.part
            && self.state == other.state
            && self.event == other.event
            && self.host == other.host
    }
}

impl Eq for Question {}

/// What a host has said, or why it has not.
pub type Verdict = Result<HostAnswer, String>;

/// What a host has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostAnswer {
    /// Whether the condition is met.
    pub met: bool,
    /// What it keeps.
    pub state: JsonText,
}

/// What became of an input.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It is decided.
    Decided(T),
    /// Nothing has changed: these have to be answered first. Never empty.
    Asks(Vec<Question>),
}

impl<T> Outcome<T> {
    /// The same, with what was decided put into another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Decided(decided) => Outcome::Decided(form(decided)),
            Self::Asks(questions) => Outcome::Asks(questions),
        }
    }
}

/// What hosts have said, and what they have yet to be asked.
#[derive(Debug, Default)]
pub(crate) struct Hearing<'a> {
    /// Whether there is somebody who asks them; else a question counts as not answered.
    pub(crate) is_open: bool,
    pub(crate) known: &'a [(Question, Verdict)],
    pub(crate) asked: Vec<Question>,
}
