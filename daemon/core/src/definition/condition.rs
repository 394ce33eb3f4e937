//! Conditions of a definition.
//!
//! Must never evaluate: whether a condition can ever be met is `check`'s.

use std::collections::BTreeMap;

use aiflow_model::spec::{CONDITION_DEPTH_MAX, Clock, Condition, FILTER_BYTES_MAX};
use aiflow_model::state::ExecutionStatus;
use aiflow_model::time::Span;
use aiflow_model::{EventKey, TaskName};

use super::node::{Node, Value};
use super::reader::{Map, Reader, Reference, nearest};
use crate::filter;

/// Each kind of condition by the key that names it, with the keys that may stand beside it.
const KINDS: &[(&str, &[&str])] = &[
    ("on", &["on", "if"]),
    ("after", &["after"]),
    ("all", &["all"]),
    ("any", &["any"]),
    ("count", &["count"]),
    ("every", &["every", "clock", "from"]),
];
const COUNT_MAX: u64 = 1_000_000_000;
/// Shortest period of a clock: a thousand windows a second are more than tasks can follow.
const PERIOD_MIN: Span = Span(1_000);
const ENDS: [(&str, ExecutionStatus); 3] = [
    ("success", ExecutionStatus::Success),
    ("failed", ExecutionStatus::Failed),
    ("stopped", ExecutionStatus::Stopped),
];

pub(crate) fn read(
    reader: &mut Reader,
    node: &Node,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<Condition> {
    if depth >= CONDITION_DEPTH_MAX {
        let message = format!("conditions are nested deeper than {CONDITION_DEPTH_MAX}");
        reader.fault(node.place, message);
        return None;
    }
    let entries = reader.open_map(node, "a condition")?;
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    let found: Vec<_> =
        KINDS.iter().filter(|(name, _)| entries.iter().any(|e| e.key == *name)).collect();
    let [(kind, keys)] = found.as_slice() else {
        let hint = match (found.len(), entries.first()) {
            (0, Some(entry)) => nearest(&entry.key, &names).map_or_else(
                || format!("one of: {}", names.join(", ")),
                |near| format!("did you mean `{near}`?"),
            ),
            (0, None) => format!("one of: {}", names.join(", ")),
            _ => "join them with `all: [...]` or `any: [...]`".to_owned(),
        };
        let message = if found.is_empty() {
            "this is no condition"
        } else {
            "this names more than one condition"
        };
        reader.fault_with_hint(node.place, message, Some(hint));
        return None;
    };
    let map = reader.map(node, &format!("a condition `{kind}`"), keys)?;
    let subject = map.get(kind)?;
    match *kind {
        "on" => read_on(reader, map, subject),
        "after" => read_after(reader, subject, references),
        "all" => read_parts(reader, subject, "all", references, depth).map(Condition::All),
        "any" => read_parts(reader, subject, "any", references, depth).map(Condition::Any),
        "count" => read_count(reader, subject, references, depth),
        _ => read_every(reader, map, subject),
    }
}

fn read_on(reader: &mut Reader, map: Map<'_>, subject: &Node) -> Option<Condition> {
    let key: EventKey = reader.parse(subject, "on")?;
    let filter = match map.get("if") {
        Some(node) => Some(read_filter(reader, node)?),
        None => None,
    };
    Some(Condition::On { key, filter })
}

fn read_filter(reader: &mut Reader, node: &Node) -> Option<String> {
    let text = reader.text(node, "if")?;
    if text.len() > FILTER_BYTES_MAX {
        let message = format!("the filter has {} bytes, at most {FILTER_BYTES_MAX}", text.len());
        reader.fault(node.place, message);
        return None;
    }
    if let Err(error) = filter::check(text) {
        let hint = "an expression over value, key, source and time, such as `value.rows > 0`";
        let message = format!("the filter does not compile: {}", error.message);
        reader.fault_with_hint(node.place, message, Some(hint.to_owned()));
        return None;
    }
    Some(text.to_owned())
}

/// `after: a`, `after: [a, b]` or `after: {a: success, b: failed}`.
fn read_after(
    reader: &mut Reader,
    subject: &Node,
    references: &mut Vec<Reference>,
) -> Option<Condition> {
    let mut tasks = BTreeMap::new();
    let mut add = |reader: &mut Reader, name: &str, place, status| match TaskName::new(name) {
        Ok(task) => {
            references.push(Reference { task: task.clone(), place });
            if tasks.insert(task, status).is_some() {
                reader.fault(place, format!("`{name}` stands twice"));
            }
        }
        Err(error) => reader.fault(place, format!("after: {error}")),
    };
    match &subject.value {
        Value::Scalar { .. } => {
            let name = reader.text(subject, "after")?;
            add(reader, name, subject.place, ExecutionStatus::Success);
        }
        Value::List(items) => {
            for item in items {
                if let Some(name) = reader.text(item, "after") {
                    add(reader, name, item.place, ExecutionStatus::Success);
                }
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                if let Some(status) = reader.word(&entry.node, "a status", &ENDS) {
                    add(reader, &entry.key, entry.place, status);
                }
            }
        }
    }
    if tasks.is_empty() {
        reader.fault(subject.place, "after names no task");
        return None;
    }
    Some(Condition::After { tasks })
}

fn read_parts(
    reader: &mut Reader,
    subject: &Node,
    what: &str,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<Vec<Condition>> {
    let items = reader.list(subject, what)?;
    if items.is_empty() {
        reader.fault(subject.place, format!("`{what}` needs at least one condition"));
        return None;
    }
    // Read all of them before giving up, so that every fault is told.
    let parts: Vec<Option<Condition>> =
        items.iter().map(|item| read(reader, item, references, depth + 1)).collect();
    parts.into_iter().collect()
}

fn read_count(
    reader: &mut Reader,
    subject: &Node,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<Condition> {
    let map = reader.map(subject, "count", &["of", "n"])?;
    let (Some(of), Some(n)) = (map.get("of"), map.get("n")) else {
        let hint = Some("count: {of: {on: data.ready}, n: 3}".to_owned());
        reader.fault_with_hint(subject.place, "count needs `of` and `n`", hint);
        return None;
    };
    let of = read(reader, of, references, depth + 1);
    let n = reader.number(n, "n", 1, COUNT_MAX)?;
    Some(Condition::Count { of: Box::new(of?), n })
}

fn read_every(reader: &mut Reader, map: Map<'_>, subject: &Node) -> Option<Condition> {
    let period: Span = reader.parse(subject, "every")?;
    if period < PERIOD_MIN {
        reader.fault(subject.place, format!("every has to be at least {PERIOD_MIN}"));
        return None;
    }
    let from = match map.get("from") {
        Some(node) => Some(reader.parse(node, "from")?),
        None => None,
    };
    let clock = match map.get("clock") {
        Some(node) => read_clock(reader, node)?,
        None => Clock::Wall,
    };
    Some(Condition::Every { period, clock, from })
}

fn read_clock(reader: &mut Reader, node: &Node) -> Option<Clock> {
    if let Value::Scalar { .. } = node.value {
        return reader.word(node, "clock", &[("wall", ())]).map(|()| Clock::Wall);
    }
    let map = reader.map(node, "a clock", &["watermark"])?;
    let Some(node) = map.get("watermark") else {
        let hint = Some("clock: {watermark: my.watermark}".to_owned());
        reader.fault_with_hint(node.place, "the clock does not say what ticks", hint);
        return None;
    };
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Scalar { .. } | Value::Map(_) => std::slice::from_ref(node),
    };
    let mut keys: Vec<EventKey> = Vec::new();
    for item in items {
        let key: EventKey = reader.parse(item, "watermark")?;
        if keys.contains(&key) {
            reader.fault(item.place, format!("`{key}` stands twice"));
        }
        keys.push(key);
    }
    if keys.is_empty() {
        reader.fault(node.place, "a watermark clock needs at least one event key");
        return None;
    }
    Some(Clock::Watermark(keys))
}
