//! Parameters of a run that say of what kind they are.
//!
//! Must never hold a value: defaults are the workflow's, values the run's.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::JsonText;

/// Of what kind a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamType {
    /// A whole number.
    Int,
    /// Any number.
    Number,
    /// Text.
    String,
    /// True or false.
    Bool,
    /// A list.
    List,
    /// A mapping.
    Object,
}

impl ParamType {
    /// Every kind, by the word of the definition.
    pub const ALL: [(&'static str, Self); 6] = [
        ("int", Self::Int),
        ("number", Self::Number),
        ("string", Self::String),
        ("bool", Self::Bool),
        ("list", Self::List),
        ("object", Self::Object),
    ];

    /// The word of the definition.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// Whether a value is of this kind.
    #[must_use]
    pub fn fits(self, value: &JsonText) -> bool {
        match (self, value.to_value()) {
            (Self::Int, Value::Number(number)) => number.is_i64() || number.is_u64(),
            (Self::Number, Value::Number(_))
            | (Self::String, Value::String(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::List, Value::Array(_))
            | (Self::Object, Value::Object(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
