//! Conditions that are code: the host that is asked.
//!
//! Must never start one: whether there is such a program shows when it is asked first.

use aiflow_model::JsonText;
use aiflow_model::spec::{Condition, Host};
use aiflow_model::time::Span;

use super::node::Node;
use super::reader::{Mapping, Reader, Reference};
use super::{condition, task};

pub(super) const CUSTOM: Mapping =
    Mapping { what: "custom", keys: &["of", "exec", "config", "tasks", "timeout"] };
/// Time for an answer when nothing else is said.
const HOST_TIMEOUT_DEFAULT: Span = Span::from_seconds(5);
/// Longest time for one: other events of the namespace wait for it.
const HOST_TIMEOUT_MAX: Span = Span::from_seconds(60);

/// `custom: {of: C, exec: [PROGRAM, ...]}`.
pub(super) fn read_custom(
    reader: &mut Reader,
    subject: &Node,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<Condition> {
    let map = reader.map(subject, &CUSTOM)?;
    let (Some(of), Some(exec)) = (map.get("of"), map.get("exec")) else {
        let hint = "custom: {of: {on: data.ready}, exec: [python3, judge.py]}";
        let message = "custom needs `of` and `exec`";
        reader.fault_with_hint(subject.place, message, Some(hint.to_owned()));
        return None;
    };
    let asked_about = condition::read_of_events(reader, of, "custom", references, depth);
    let exec = task::read_exec(reader, exec);
    let config = match map.get("config") {
        Some(node) => reader.json(node),
        None => JsonText::null(),
    };
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
    let host = Box::new(Host { exec: exec?, config, tasks, timeout });
    Some(Condition::Custom { of: Box::new(asked_about?), host })
}
