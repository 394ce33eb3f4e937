//! What stands over the screens: help, a form, a question, a line, the palette, why.
//!
//! Must never do what it asks: the answer becomes a request in the actions.

use aiflow_model::{RunId, TaskName};

use super::foretell::Foretold;
use super::form::Form;
use super::input_line::InputLine;
use super::item::Item;
use super::palette::Palette;
use crate::state::command::Command;

/// What has the keys, when it is not a screen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Dialog {
    /// Every key, scrolled by so many lines.
    Help { scroll: usize },
    /// An event, or the parameters of a run, in the making.
    Form(Form),
    /// A question.
    Confirm(Confirm),
    /// A line in the making.
    Prompt(Prompt),
    /// A command looked for.
    Palette(Palette),
    /// How a run differs from a good one.
    Diff(Diff),
    /// Why something stands as it stands, scrolled by so many lines.
    Why { about: Item, scroll: usize },
}

/// How a run differs from the last before it that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diff {
    pub(crate) run: RunId,
    /// Line by line, or why that is not known; none: the daemon has not answered yet.
    pub(crate) told: Option<Result<Vec<String>, String>>,
    /// Lines that it is scrolled by.
    pub(crate) scroll: usize,
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
    /// Where so much is touched that a letter is too little: how many they are, as it is typed.
    pub(crate) typed: Option<InputLine>,
}

impl Confirm {
    /// Whether a yes is as it has to be.
    pub(crate) fn is_meant(&self) -> bool {
        let is_number = |typed: &InputLine| typed.text().trim() == self.commands.len().to_string();
        self.typed.as_ref().is_none_or(is_number)
    }
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
