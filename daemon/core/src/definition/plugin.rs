//! Plugins of a definition: `operator:` and `executor:` of a task.
//!
//! Must never ask a plugin: whether it is there, and what it takes, shows when it is started.

use aiflow_model::JsonText;
use aiflow_model::spec::Plugin;

use super::node::{Node, Value};
use super::reader::{Mapping, Reader};

pub(super) const OPERATOR: Mapping = Mapping { what: "operator", keys: &["name", "config"] };
pub(super) const EXECUTOR: Mapping = Mapping { what: "executor", keys: &["name", "config"] };

/// `operator: NAME` or `operator: {name: NAME, config: ...}`.
pub(super) fn read(reader: &mut Reader, node: &Node, kind: &'static str) -> Option<Plugin> {
    if let Value::Scalar { .. } = &node.value {
        let name = reader.parse(node, kind)?;
        return Some(Plugin { name, config: JsonText::null() });
    }
    let map = reader.map(node, if kind == OPERATOR.what { &OPERATOR } else { &EXECUTOR })?;
    let Some(name) = map.get("name") else {
        let hint = Some(format!("{kind}: {{name: NAME, config: {{...}}}}"));
        reader.fault_with_hint(node.place, format!("{kind} does not say which"), hint);
        return None;
    };
    let config = map.get("config").map_or_else(JsonText::null, |node| reader.json(node));
    Some(Plugin { name: reader.parse(name, "name")?, config })
}
