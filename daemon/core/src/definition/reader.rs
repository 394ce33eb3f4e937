//! Reads typed values from nodes and collects every fault with its place and a hint.
//!
//! Must never stop at the first fault of meaning: authors want all of them at once.

use std::fmt::Display;
use std::str::FromStr;

use aiflow_model::error::Diagnostic;
use aiflow_model::time::Span;
use aiflow_model::{JsonText, TaskName};

use super::mention::{Named, mentions};
use super::node::{Entry, Node, Place, Value};
use crate::expression::Sight;

/// Shortest length of time: a clock that ticks a thousand times a second is more than tasks can
/// follow.
const SPAN_MIN: Span = Span(1_000);

/// Collects faults.
#[derive(Debug)]
pub(crate) struct Reader {
    faults: Vec<Diagnostic>,
    is_listed: fn(&Mapping<'_>) -> bool,
    /// What there is to look at where expressions are read.
    pub(crate) sight: Sight,
    mentions: Vec<(Named, String, Place)>,
}

impl Reader {
    /// `is_listed`: whether those who describe the language know of a mapping.
    pub(crate) fn new(is_listed: fn(&Mapping<'_>) -> bool) -> Self {
        Self { faults: Vec::new(), is_listed, sight: Sight::EventInRun, mentions: Vec::new() }
    }

    pub(crate) fn into_faults(self) -> Vec<Diagnostic> {
        self.faults
    }

    /// Notes what an expression names, to be looked for when all is known.
    pub(crate) fn mention(&mut self, place: Place, expression: &str) {
        let named = mentions(expression).into_iter();
        self.mentions.extend(named.map(|(named, name)| (named, name, place)));
    }

    /// Where there is no run, no task can be looked at.
    pub(crate) fn refuse_tasks(&mut self, references: Vec<Reference>, what: &str) {
        for Reference { task, place, .. } in references {
            let message = format!("{what} knows no task, so it cannot wait for `{task}`");
            let hint = Some(format!(
                "say of which workflow, as in `after: etl/{task}`, or let the task emit an event"
            ));
            self.fault_with_hint(place, message, hint);
        }
    }

    /// A program and its arguments.
    pub(crate) fn command(&mut self, node: &Node, what: &str) -> Option<Vec<String>> {
        let items = self.list(node, what)?;
        let word = format!("a word of {what}");
        let words: Option<Vec<String>> =
            items.iter().map(|item| self.text(item, &word).map(str::to_owned)).collect();
        let words = words?;
        if words.is_empty() {
            self.fault(node.place, format!("{what} needs at least the program"));
            return None;
        }
        Some(words)
    }

    pub(crate) fn take_mentions(&mut self) -> Vec<(Named, String, Place)> {
        std::mem::take(&mut self.mentions)
    }

    pub(crate) fn fault(&mut self, place: Place, message: impl Into<String>) {
        self.fault_with_hint(place, message, None);
    }

    pub(crate) fn fault_with_hint(
        &mut self,
        place: Place,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let Place { line, column } = place;
        self.faults.push(Diagnostic { line, column, message: message.into(), hint });
    }

    /// The entries of a mapping, all of whose keys are known.
    pub(crate) fn map<'a>(&mut self, node: &'a Node, mapping: &Mapping<'_>) -> Option<Map<'a>> {
        let Mapping { what, keys } = *mapping;
        debug_assert!((self.is_listed)(mapping), "{what} is missing in the list of all keys");
        let entries = self.open_map(node, what)?;
        for entry in entries {
            if !keys.contains(&entry.key.as_str()) {
                let hint = match nearest(&entry.key, keys) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known keys: {}", keys.join(", ")),
                };
                let message = format!("{what} has no key `{}`", entry.key);
                self.fault_with_hint(entry.place, message, Some(hint));
            }
        }
        Some(Map { place: node.place, entries })
    }

    /// The entries of a mapping whose keys are the author's.
    pub(crate) fn open_map<'a>(&mut self, node: &'a Node, what: &str) -> Option<&'a [Entry]> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar { .. } | Value::List(_) => {
                let message = format!("{what} has to be a mapping, not {}", node.value.kind());
                self.fault(node.place, message);
                None
            }
        }
    }

    pub(crate) fn list<'a>(&mut self, node: &'a Node, what: &str) -> Option<&'a [Node]> {
        match &node.value {
            Value::List(items) => Some(items),
            Value::Scalar { .. } | Value::Map(_) => {
                let message = format!("{what} has to be a list, not {}", node.value.kind());
                self.fault(node.place, message);
                None
            }
        }
    }

    pub(crate) fn text<'a>(&mut self, node: &'a Node, what: &str) -> Option<&'a str> {
        match &node.value {
            Value::Scalar { text, plain } if !(*plain && node.value.kind() == "nothing") => {
                Some(text)
            }
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => {
                let message = format!("{what} has to be a single value, not {}", node.value.kind());
                self.fault(node.place, message);
                None
            }
        }
    }

    /// A value that is read from its text: names, numbers, times.
    pub(crate) fn parse<T: FromStr>(&mut self, node: &Node, what: &str) -> Option<T>
    where
        T::Err: Display,
    {
        let text = self.text(node, what)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(node.place, format!("{what}: {error}"));
                None
            }
        }
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn number(&mut self, node: &Node, what: &str, min: u64, max: u64) -> Option<u64> {
        let number = self.text(node, what)?.parse().ok().filter(|n| (min..=max).contains(n));
        if number.is_none() {
            self.fault(node.place, format!("{what} has to be a whole number from {min} to {max}"));
        }
        number
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        node: &Node,
        what: &str,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(node, what)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let hint = match nearest(text, &names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("one of: {}", names.join(", ")),
            };
            self.fault_with_hint(node.place, format!("{what} cannot be `{text}`"), Some(hint));
        }
        found
    }

    /// A length of time that is not too short.
    pub(crate) fn span(&mut self, node: &Node, what: &str) -> Option<Span> {
        let span: Span = self.parse(node, what)?;
        if span < SPAN_MIN {
            self.fault(node.place, format!("{what} has to be at least {SPAN_MIN}"));
            return None;
        }
        Some(span)
    }

    /// Whether the key of an entry can be the name of a variable of the task.
    pub(crate) fn check_variable(&mut self, entry: &Entry) {
        let name = entry.key.as_str();
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if !is_name || name.starts_with("AIFLOW_") {
            let hint = Some("letters, digits and _; AIFLOW_… are the daemon's".to_owned());
            let message = format!("{name:?} cannot be set as a variable");
            self.fault_with_hint(entry.place, message, hint);
        }
    }

    /// A value of any kind as JSON, typed as YAML's core schema says.
    pub(crate) fn json(&mut self, node: &Node) -> JsonText {
        JsonText::from_value(&to_json(node))
    }
}

fn to_json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Scalar { text, plain: false } => text.as_str().into(),
        Value::Scalar { text, plain: true } => plain_to_json(text),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => {
            entries.iter().map(|entry| (entry.key.clone(), to_json(&entry.node))).collect()
        }
    }
}

fn plain_to_json(text: &str) -> serde_json::Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => serde_json::Value::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        other => {
            if let Ok(integer) = other.parse::<i64>() {
                integer.into()
            } else if let Some(float) = other.parse::<f64>().ok().filter(|f| f.is_finite()) {
                float.into()
            } else {
                other.into()
            }
        }
    }
}

/// A condition names a task.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) task: TaskName,
    pub(crate) place: Place,
    pub(crate) needs: Needs,
}

/// What the task that a condition names has to say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// How often it is heard of.
    Heartbeat,
    /// When it is ready.
    Ready,
}

/// Which keys a mapping may have, and what faults call it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping<'a> {
    pub(crate) what: &'a str,
    pub(crate) keys: &'a [&'a str],
}

/// A mapping whose keys are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Map<'a> {
    pub(crate) place: Place,
    entries: &'a [Entry],
}

impl<'a> Map<'a> {
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }
}

/// The known word that is nearest to a mistyped one, when one is near.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let far = word.chars().count().max(3) / 3 + 1;
    known
        .iter()
        .map(|candidate| (edit_distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= far)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be added, dropped or replaced (Levenshtein, 1966).
fn edit_distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let cost = usize::from(a != *b);
            let best = (diagonal + cost).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = best;
        }
    }
    row[right.len()]
}
