//! What stands over the screens: help, the form of an event, a question.
//!
//! Must never do what it asks: the answer becomes a request in the actions.

use super::input_line::InputLine;
use crate::conn::Request;

/// What has the keys, when it is not a screen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Dialog {
    /// Every key, scrolled by so many lines.
    Help { scroll: usize },
    /// An event in the making.
    Emit(EmitForm),
    /// A question.
    Confirm(Confirm),
    /// A filter in the making; the text is what it was before.
    Filter { line: InputLine, before: String },
}

/// A question, and what a yes asks of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Confirm {
    pub(crate) question: String,
    /// What will happen, line by line.
    pub(crate) consequences: Vec<String>,
    pub(crate) request: Request,
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
