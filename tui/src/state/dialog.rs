//! What stands over the screens: help, the form of an event, a question, a line, the palette, why.
//!
//! Must never do what it asks: the answer becomes a request in the actions.

use aiflow_model::{RunId, TaskName};

use super::input_line::InputLine;
use super::item::Item;
use super::palette::Palette;
use crate::conn::Command;

/// What would happen, or why it would be refused.
pub(crate) type Foretold = Result<Vec<String>, String>;

/// What has the keys, when it is not a screen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Dialog {
    /// Every key, scrolled by so many lines.
    Help { scroll: usize },
    /// An event in the making.
    Emit(EmitForm),
    /// A question.
    Confirm(Confirm),
    /// A line in the making.
    Prompt(Prompt),
    /// A command looked for.
    Palette(Palette),
    /// Why something stands as it stands, scrolled by so many lines.
    Why { about: Item, scroll: usize },
}

/// A question, and what a yes asks of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Confirm {
    pub(crate) question: String,
    /// What is known of it here, line by line.
    pub(crate) consequences: Vec<String>,
    pub(crate) commands: Vec<Command>,
    /// What the daemon says that it would cause; none: it has not answered yet.
    pub(crate) foretold: Option<Foretold>,
    /// Which answer is for this question.
    pub(crate) number: u64,
}

/// What a line is written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Words that lines must have; with what it was before.
    Filter { before: String },
    /// Words to look for in the log; with what it was before.
    Search { before: String },
    /// An offset to go to in the past.
    Offset,
    /// A time to go to in the past.
    Time,
    /// Windows of a task to run.
    Backfill { run: RunId, task: TaskName },
}

/// A line in the making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) asked: Asked,
    pub(crate) line: InputLine,
    /// Why it cannot be taken as it is.
    pub(crate) fault: Option<String>,
}

/// The field that is typed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EmitField {
    Key,
    Value,
    Scope,
}

/// An event in the making.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EmitForm {
    pub(crate) key: InputLine,
    pub(crate) value: InputLine,
    /// Only for the rules of the open run.
    pub(crate) in_run: bool,
    pub(crate) field: EmitField,
    /// Why it cannot be sent as it is.
    pub(crate) fault: Option<String>,
    /// What the daemon says that it would cause, once it was asked.
    pub(crate) foretold: Option<Foretold>,
    /// Which answer is for this form.
    pub(crate) number: u64,
}

impl Asked {
    /// What stands before the line.
    pub(crate) const fn lead(&self) -> &'static str {
        match self {
            Self::Filter { .. } => "/",
            Self::Search { .. } => "search /",
            Self::Offset => "go to offset",
            Self::Time => "go to time (12:04, 2026-11-23T12:04:31Z, 5m ago)",
            Self::Backfill { .. } => "windows FROM [TO] [PARALLEL]",
        }
    }
}

impl EmitField {
    /// The field after this one, or before it.
    pub(crate) const fn step(self, back: bool) -> Self {
        match (self, back) {
            (Self::Key, false) | (Self::Scope, true) => Self::Value,
            (Self::Value, false) | (Self::Key, true) => Self::Scope,
            (Self::Scope, false) | (Self::Value, true) => Self::Key,
        }
    }
}
