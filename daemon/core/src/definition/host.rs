//! Conditions that are code: the host that is asked.
//!
//! Must never start one: whether there is such a program shows when it is asked first.

use aiflow_model::JsonText;
use aiflow_model::spec::Host;
use aiflow_model::time::Span;

use super::node::Node;
use super::reader::{Map, Mapping, Reader};

pub(super) const CUSTOM: Mapping =
    Mapping { what: "custom", keys: &["of", "exec", "config", "tasks", "timeout"] };
/// Time for an answer when nothing else is said.
const HOST_TIMEOUT_DEFAULT: Span = Span::from_seconds(5);
/// Longest time for one: other events of the namespace wait for it.
const HOST_TIMEOUT_MAX: Span = Span::from_seconds(60);

/// Who is asked, from what stands beside `of`.
pub(super) fn read(reader: &mut Reader, subject: &Node, map: Map<'_>) -> Option<Host> {
    let exec = map.get("exec").and_then(|node| reader.command(node, "exec"));
    let config = map.get("config").map_or_else(JsonText::null, |node| reader.json(node));
    let tasks = match map.get("tasks") {
        Some(node) => reader.word(node, "tasks", &[("true", true), ("false", false)])?,
        None => false,
    };
    let timeout = match map.get("timeout") {
        Some(node) => reader.span(node, "timeout")?,
        None => HOST_TIMEOUT_DEFAULT,
    };
    if timeout > HOST_TIMEOUT_MAX {
        let place = map.get("timeout").map_or(subject.place, |node| node.place);
        let hint = Some("events of the namespace wait for the answer".to_owned());
        reader.fault_with_hint(place, format!("timeout is at most {HOST_TIMEOUT_MAX}"), hint);
        return None;
    }
    Some(Host { exec: exec?, config, tasks, timeout })
}
