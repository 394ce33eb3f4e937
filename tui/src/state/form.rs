//! Forms: an event, or the parameters of a run, in the making.
//!
//! Must never send anything: what is written becomes a request in the actions.

use aiflow_model::{JsonText, Namespace, WorkflowName, WorkflowSpec};

use super::foretell::Foretold;
use super::input_line::InputLine;
use crate::cli::parse::value;

/// What the form is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum About {
    Event,
    Run { namespace: Namespace, workflow: WorkflowName },
}

/// What is written into a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Text(InputLine),
    /// Only for the rules of the open run, or for all.
    Scope {
        in_run: bool,
    },
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) entry: Entry,
    /// What may be written there.
    pub(crate) note: String,
    /// What stands for it where nothing else is written.
    default: Option<JsonText>,
}

/// Something in the making.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Form {
    pub(crate) about: About,
    pub(crate) fields: Vec<Field>,
    /// The field that is typed into.
    pub(crate) at: usize,
    /// Why it cannot be sent as it is.
    pub(crate) fault: Option<String>,
    /// What the daemon says that it would cause, once it was asked.
    pub(crate) foretold: Option<Foretold>,
    /// Which answer is for this form as it is written; none was asked for: 0.
    pub(crate) number: u64,
}

impl Field {
    fn text(name: &str, text: &str, note: &str) -> Self {
        let entry = Entry::Text(InputLine::of(text));
        Self { name: name.to_owned(), entry, note: note.to_owned(), default: None }
    }

    /// What is written, without what surrounds it.
    pub(crate) fn written(&self) -> String {
        match &self.entry {
            Entry::Text(line) => line.text().trim().to_owned(),
            Entry::Scope { .. } => String::new(),
        }
    }
}

impl Form {
    fn of(about: About, fields: Vec<Field>) -> Self {
        Self { about, fields, at: 0, fault: None, foretold: None, number: 0 }
    }

    /// Of an event.
    pub(crate) fn of_event(key: &str, value: &str, in_run: bool) -> Self {
        let mut scope = Field::text("scope", "", "← → take the other");
        scope.entry = Entry::Scope { in_run };
        let fields = vec![
            Field::text("key", key, "a name, such as model.trained"),
            Field::text("value", value, "JSON if it parses, else text; empty: null"),
            scope,
        ];
        Self::of(About::Event, fields)
    }

    /// Of a run, with the defaults of its parameters; none where it has no parameters.
    pub(crate) fn of_run(namespace: &Namespace, spec: &WorkflowSpec) -> Option<Self> {
        let mut names: Vec<&String> = spec.params.keys().chain(spec.param_types.keys()).collect();
        names.sort();
        names.dedup();
        let field = |name: &String| {
            let default = spec.params.get(name).cloned();
            let kind = spec.param_types.get(name).map(|kind| kind.word());
            let what = match &default {
                Some(default) => format!("default {}", written(default)),
                None => "needed".to_owned(),
            };
            let note = kind.map_or_else(|| what.clone(), |kind| format!("{kind}, {what}"));
            let text = default.as_ref().map(written).unwrap_or_default();
            Field { default, ..Field::text(name, &text, &note) }
        };
        let fields: Vec<Field> = names.into_iter().map(field).collect();
        let (namespace, workflow) = (namespace.clone(), spec.name.clone());
        let about = About::Run { namespace, workflow };
        (!fields.is_empty()).then(|| Self::of(about, fields))
    }

    /// To another field.
    pub(crate) fn step(&mut self, back: bool) {
        let count = self.fields.len().max(1);
        self.at = (self.at + if back { count - 1 } else { 1 }) % count;
    }

    /// It is no longer what it was: what was said of it counts no more.
    pub(crate) fn changed(&mut self) {
        (self.fault, self.foretold, self.number) = (None, None, 0);
    }

    /// Whether the daemon has said that it would do this.
    pub(crate) const fn is_foretold(&self) -> bool {
        matches!(self.foretold, Some(Ok(_)))
    }

    /// What is written into the field of a name.
    pub(crate) fn written(&self, name: &str) -> String {
        let field = self.fields.iter().find(|field| field.name == name);
        field.map(Field::written).unwrap_or_default()
    }

    /// Whether only the rules of the open run are meant.
    pub(crate) fn in_run(&self) -> bool {
        self.fields.iter().any(|field| field.entry == Entry::Scope { in_run: true })
    }

    /// The parameters that are given: those that differ from what stands for them.
    pub(crate) fn params(&self) -> Vec<(String, JsonText)> {
        let given = self.fields.iter().filter_map(|field| {
            let written = field.written();
            let value = (!written.is_empty()).then(|| value(&written))?;
            (field.default.as_ref() != Some(&value)).then(|| (field.name.clone(), value))
        });
        given.collect()
    }
}

/// How a value is written so that it is read as the same: a string without its quotes where that
/// leaves no doubt.
pub(crate) fn written(value: &JsonText) -> String {
    let plain = value
        .to::<String>()
        .ok()
        .filter(|text| !text.is_empty() && text.trim() == text && JsonText::parse(text).is_err());
    plain.unwrap_or_else(|| value.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same_value() {
        for json in
            ["3", "\"3\"", "\"a b\"", "\"\"", "\" a\"", "[1, 2]", "null", "\"null\"", "1.50"]
        {
            let known = JsonText::parse(json).unwrap();
            assert_eq!(value(&written(&known)), known, "{json}");
        }
        assert_eq!(written(&JsonText::string("New York")), "New York");
    }
}
