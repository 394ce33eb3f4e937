//! Parameters of a definition: a default of any kind, or what kind it is of.
//!
//! Must never take a mapping for a default by itself: it says what the parameter is.

use std::collections::BTreeMap;

use aiflow_model::spec::ParamType;
use aiflow_model::{JsonText, TaskName};

use super::node::{self, Node, Value};
use super::reader::{Mapping, Reader};

pub(super) const PARAM: Mapping =
    Mapping { what: "a parameter", keys: &["type", "default", "about"] };

/// Defaults and kinds, by name.
#[derive(Debug, Default)]
pub(super) struct Params {
    pub(super) defaults: BTreeMap<String, JsonText>,
    pub(super) types: BTreeMap<String, ParamType>,
}

pub(super) fn read(reader: &mut Reader, node: &Node) -> Option<Params> {
    let mut params = Params::default();
    for entry in reader.open_map(node, "params")? {
        // A parameter becomes part of a variable's name, so it follows the rule of task names.
        if let Err(error) = TaskName::new(&entry.key) {
            reader.fault(entry.place, format!("parameter {:?}: {}", entry.key, error.rule));
        }
        match &entry.node.value {
            Value::Map(_) => read_declared(reader, &entry.key, &entry.node, &mut params),
            Value::Scalar { .. } | Value::List(_) => {
                let value = reader.json(&entry.node);
                params.defaults.insert(entry.key.clone(), value);
                None
            }
        };
    }
    Some(params)
}

/// `{type: int, default: 3}`; without a default it has to be given.
fn read_declared(reader: &mut Reader, name: &str, node: &Node, params: &mut Params) -> Option<()> {
    let map = reader.map(node, &PARAM)?;
    let Some(kind) = map.get("type") else {
        let hint = Some(format!("{name}: {{type: object, default: {{...}}}}"));
        reader.fault_with_hint(node.place, "the parameter does not say its `type`", hint);
        return None;
    };
    let kind: ParamType = reader.word(kind, "type", &ParamType::ALL)?;
    params.types.insert(name.to_owned(), kind);
    if let Some(about) = map.get("about") {
        reader.text(about, "about");
    }
    let node = map.get("default")?;
    let value = reader.json(node);
    if !kind.fits(&value) {
        let message = format!("the default has to be of kind {kind}, not {}", value.as_str());
        let hint = Some(format!("default: {}", example(kind)));
        reader.fault_with_hint(node.place, message, hint);
    }
    params.defaults.insert(name.to_owned(), value);
    Some(())
}

const fn example(kind: ParamType) -> &'static str {
    match kind {
        ParamType::Int => "3",
        ParamType::Number => "0.5",
        ParamType::String => "\"text\"",
        ParamType::Bool => "true",
        ParamType::List => "[a, b]",
        ParamType::Object => "{a: 1}",
    }
}

/// The line of a definition in which a parameter is declared.
#[must_use]
pub fn line_of_param(text: &str, name: &str) -> Option<u32> {
    let root = node::parse(text).ok()?;
    let find = |node: &Node, key: &str| match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == key).cloned(),
        Value::Scalar { .. } | Value::List(_) => None,
    };
    let params = find(&root, "params")?;
    Some(find(&params.node, name)?.place.line)
}
