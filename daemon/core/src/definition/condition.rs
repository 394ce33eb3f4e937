//! Conditions of a definition.
//!
//! Must never evaluate: whether a condition can ever be met is `check`'s.

use std::collections::BTreeMap;

use aiflow_model::spec::{CONDITION_DEPTH_MAX, Condition, FILTER_BYTES_MAX};
use aiflow_model::state::ExecutionStatus;
use aiflow_model::time::Span;
use aiflow_model::{KeyPattern, TaskName};

use super::clock;
use super::node::{Node, Value};
use super::reader::{Map, Mapping, Needs, Reader, Reference, nearest};
use super::{host, reset};
use crate::expression::{self, Kind, Sight};

/// Each kind of condition by the key that names it, with the keys that may stand beside it.
pub(super) const KINDS: &[(&str, &[&str])] = &[
    ("on", &["on", "if"]),
    ("after", &["after", "if"]),
    ("silent", &["silent"]),
    ("all", &["all", "within", "reset"]),
    ("any", &["any"]),
    ("sequence", &["sequence", "within", "reset"]),
    ("count", &["count", "within", "reset"]),
    ("sum", &["sum", "reset"]),
    ("absent", &["absent"]),
    ("debounce", &["debounce"]),
    ("throttle", &["throttle"]),
    ("state", &["state"]),
    ("custom", &["custom"]),
    ("every", clock::EVERY_KEYS),
    ("cron", clock::CRON_KEYS),
];
/// What stands under kinds that say several things.
pub(super) const COUNT: Mapping = Mapping { what: "count", keys: &["of", "n"] };
pub(super) const SUM: Mapping = Mapping { what: "sum", keys: &["of", "expr", "reaches", "carry"] };
pub(super) const STATE: Mapping = Mapping { what: "state", keys: &["of", "script"] };
pub(super) const ABSENT: Mapping = Mapping { what: "absent", keys: &["of", "for"] };
pub(super) const DEBOUNCE: Mapping = Mapping { what: "debounce", keys: &["of", "for"] };
pub(super) const THROTTLE: Mapping = Mapping { what: "throttle", keys: &["of", "per"] };
const COUNT_MAX: u64 = 1_000_000_000;
/// Most that is counted within a time: what each was met by is kept.
const COUNT_WITHIN_MAX: u64 = 1_000;
/// Longest script, in bytes.
const SCRIPT_BYTES_MAX: usize = 16 << 10;
const STATUSES: [(&str, ExecutionStatus); 6] = [
    ("running", ExecutionStatus::Running),
    ("ready", ExecutionStatus::Ready),
    ("success", ExecutionStatus::Success),
    ("failed", ExecutionStatus::Failed),
    ("stopped", ExecutionStatus::Stopped),
    ("skipped", ExecutionStatus::Skipped),
];

/// What faults call a condition of this kind.
pub(super) fn called(kind: &str) -> String {
    format!("a condition `{kind}`")
}

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
    let map = reader.map(node, &Mapping { what: &called(kind), keys })?;
    let subject = map.get(kind)?;
    let condition = match *kind {
        "on" => read_on(reader, map, subject),
        "after" => read_after(reader, map, subject, references),
        "silent" => {
            let task: TaskName = reader.parse(subject, "silent")?;
            let (place, needs) = (subject.place, Needs::Heartbeat);
            references.push(Reference { task: task.clone(), place, needs });
            Some(Condition::Silent { task })
        }
        "all" => read_parts(reader, subject, "all", references, depth).map(Condition::All),
        "any" => read_parts(reader, subject, "any", references, depth).map(Condition::Any),
        "sequence" => {
            read_parts(reader, subject, "sequence", references, depth).map(Condition::Sequence)
        }
        "count" => read_count(reader, subject, references, depth),
        "sum" => read_sum(reader, subject, references, depth),
        "state" => read_state(reader, subject, references, depth),
        "custom" => read_custom(reader, subject, references, depth),
        "absent" => read_timer(reader, subject, &ABSENT, references, depth)
            .map(|(of, span)| Condition::Absent { of, span }),
        "debounce" => read_timer(reader, subject, &DEBOUNCE, references, depth)
            .map(|(of, span)| Condition::Debounce { of, span }),
        "throttle" => read_timer(reader, subject, &THROTTLE, references, depth)
            .map(|(of, span)| Condition::Throttle { of, span }),
        "every" => clock::read_every(reader, map, subject),
        _ => clock::read_cron(reader, map, subject),
    };
    let condition = match map.get("within") {
        Some(node) => read_within(reader, node, condition?),
        None => condition,
    };
    match map.get("reset") {
        Some(node) => reset::read_reset(reader, node, condition?),
        None => condition,
    }
}

fn read_within(reader: &mut Reader, node: &Node, of: Condition) -> Option<Condition> {
    let span = reader.span(node, "within")?;
    if let Condition::Count { n, .. } = &of
        && *n > COUNT_WITHIN_MAX
    {
        let message = format!("within a time at most {COUNT_WITHIN_MAX} are counted");
        reader.fault(node.place, message);
        return None;
    }
    Some(Condition::Within { of: Box::new(of), span })
}

/// `absent: {of: C, for: 10m}` and its like.
fn read_timer(
    reader: &mut Reader,
    subject: &Node,
    mapping: &Mapping<'_>,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<(Box<Condition>, Span)> {
    let map = reader.map(subject, mapping)?;
    let (kind, key) = (mapping.what, mapping.keys[1]);
    let (Some(of), Some(span)) = (map.get("of"), map.get(key)) else {
        let hint = Some(format!("{kind}: {{of: {{on: data.ready}}, {key}: 10m}}"));
        reader.fault_with_hint(subject.place, format!("{kind} needs `of` and `{key}`"), hint);
        return None;
    };
    let of = read(reader, of, references, depth + 1);
    let span = reader.span(span, key)?;
    Some((Box::new(of?), span))
}

fn read_sum(
    reader: &mut Reader,
    subject: &Node,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<Condition> {
    let map = reader.map(subject, &SUM)?;
    let (Some(of), Some(expr), Some(limit)) = (map.get("of"), map.get("expr"), map.get("reaches"))
    else {
        let hint = Some("sum: {of: {on: data.ready}, expr: value.rows, reaches: 1000}".to_owned());
        reader.fault_with_hint(subject.place, "sum needs `of`, `expr` and `reaches`", hint);
        return None;
    };
    let condition = read_of_events(reader, of, "sum", references, depth);
    let expr = read_expression(reader, expr, "expr", Kind::Expression, FILTER_BYTES_MAX);
    let reaches: f64 = reader.parse(limit, "reaches")?;
    if !(reaches.is_finite() && reaches > 0.0) {
        reader.fault(limit.place, "reaches has to be a number greater than 0");
    }
    let carry = match map.get("carry") {
        Some(node) => reader.word(node, "carry", &[("true", true), ("false", false)])?,
        None => false,
    };
    Some(Condition::Sum { of: Box::new(condition?), expr: expr?, reaches, carry })
}

fn read_state(
    reader: &mut Reader,
    subject: &Node,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<Condition> {
    let map = reader.map(subject, &STATE)?;
    let (Some(of), Some(script)) = (map.get("of"), map.get("script")) else {
        let hint = "state: {of: {on: data.ready}, script: \"state = value.rows; state > 10\"}";
        let message = "state needs `of` and `script`";
        reader.fault_with_hint(subject.place, message, Some(hint.to_owned()));
        return None;
    };
    let condition = read_of_events(reader, of, "state", references, depth);
    let script = read_expression(reader, script, "script", Kind::Script, SCRIPT_BYTES_MAX);
    Some(Condition::State { of: Box::new(condition?), script: script? })
}

fn read_custom(
    reader: &mut Reader,
    subject: &Node,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<Condition> {
    let map = reader.map(subject, &host::CUSTOM)?;
    let (Some(of), Some(_)) = (map.get("of"), map.get("exec")) else {
        let hint = "custom: {of: {on: data.ready}, exec: [python3, judge.py]}";
        let message = "custom needs `of` and `exec`";
        reader.fault_with_hint(subject.place, message, Some(hint.to_owned()));
        return None;
    };
    let condition = read_of_events(reader, of, "custom", references, depth);
    let host = host::read(reader, subject, map);
    Some(Condition::Custom { of: Box::new(condition?), host: Box::new(host?) })
}

/// A condition that is met by events only, one at a time.
fn read_of_events(
    reader: &mut Reader,
    node: &Node,
    what: &str,
    references: &mut Vec<Reference>,
    depth: usize,
) -> Option<Condition> {
    let condition = read(reader, node, references, depth + 1)?;
    if !condition.is_of_events() {
        let hint = Some("`on`, or `any` of several".to_owned());
        reader.fault_with_hint(node.place, format!("{what} looks at events alone"), hint);
        return None;
    }
    Some(condition)
}

fn read_on(reader: &mut Reader, map: Map<'_>, subject: &Node) -> Option<Condition> {
    let key: KeyPattern = reader.parse(subject, "on")?;
    let filter = match map.get("if") {
        Some(node) => {
            Some(read_expression(reader, node, "if", Kind::Expression, FILTER_BYTES_MAX)?)
        }
        None => None,
    };
    Some(Condition::On { key, filter })
}

pub(crate) fn read_expression(
    reader: &mut Reader,
    node: &Node,
    what: &str,
    kind: Kind,
    bytes_max: usize,
) -> Option<String> {
    let text = reader.text(node, what)?;
    if text.len() > bytes_max {
        let message = format!("`{what}` has {} bytes, at most {bytes_max}", text.len());
        reader.fault(node.place, message);
        return None;
    }
    if let Err(error) = expression::check(kind, text, reader.sight) {
        let names = reader.sight.names();
        let hint = match kind {
            Kind::Expression => format!("an expression over {names}, such as `value.rows > 0`"),
            Kind::Script => {
                format!("statements over {names} and state; the last gives true or false")
            }
        };
        let message = format!("`{what}` does not compile: {}", error.message);
        reader.fault_with_hint(node.place, message, Some(hint));
        return None;
    }
    reader.mention(node.place, text);
    Some(text.to_owned())
}

/// `after: workflow/task` or `after: {workflow/task: failed}`: of another workflow.
fn read_elsewhere(reader: &mut Reader, map: Map<'_>, subject: &Node) -> Option<Condition> {
    let (name, place, status) = match &subject.value {
        Value::Scalar { .. } => {
            (reader.text(subject, "after")?, subject.place, ExecutionStatus::Success)
        }
        Value::Map(entries) => match entries.as_slice() {
            [entry] => {
                let status = reader.word(&entry.node, "a status", &STATUSES)?;
                (entry.key.as_str(), entry.place, status)
            }
            _ => return fault_of_several(reader, subject),
        },
        Value::List(_) => return fault_of_several(reader, subject),
    };
    if let Some(node) = map.get("if") {
        let hint = Some("let that task emit an event, and look at that".to_owned());
        let message = "`if` looks at tasks of the run, and this one is of another workflow";
        reader.fault_with_hint(node.place, message, hint);
        return None;
    }
    match name.parse() {
        Ok(of) => Some(Condition::Elsewhere { of, status }),
        Err(error) => {
            reader.fault(place, format!("after: {error}"));
            None
        }
    }
}

fn fault_of_several(reader: &mut Reader, subject: &Node) -> Option<Condition> {
    let message = "tasks of other workflows have no run in common, so each stands by itself";
    let hint = Some("all: [{after: etl/load}, {after: train}]".to_owned());
    reader.fault_with_hint(subject.place, message, hint);
    None
}

/// Whether some name says a workflow as well.
fn names_workflow(subject: &Node) -> bool {
    let of_scalar = |node: &Node| match &node.value {
        Value::Scalar { text, .. } => text.contains('/'),
        Value::List(_) | Value::Map(_) => false,
    };
    match &subject.value {
        Value::Scalar { .. } => of_scalar(subject),
        Value::List(items) => items.iter().any(of_scalar),
        Value::Map(entries) => entries.iter().any(|entry| entry.key.contains('/')),
    }
}

/// `after: a`, `after: [a, b]` or `after: {a: success, b: failed}`.
fn read_after(
    reader: &mut Reader,
    map: Map<'_>,
    subject: &Node,
    references: &mut Vec<Reference>,
) -> Option<Condition> {
    if names_workflow(subject) {
        return read_elsewhere(reader, map, subject);
    }
    let mut tasks = BTreeMap::new();
    let mut add = |reader: &mut Reader, name: &str, place, status| match TaskName::new(name) {
        Ok(task) => {
            let is_ready = status == ExecutionStatus::Ready;
            let needs = if is_ready { Needs::Ready } else { Needs::Nothing };
            references.push(Reference { task: task.clone(), place, needs });
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
                if let Some(status) = reader.word(&entry.node, "a status", &STATUSES) {
                    add(reader, &entry.key, entry.place, status);
                }
            }
        }
    }
    if tasks.is_empty() {
        reader.fault(subject.place, "after names no task");
        return None;
    }
    let filter = match map.get("if") {
        Some(node) => {
            let before = std::mem::replace(&mut reader.sight, Sight::Run);
            let read = read_expression(reader, node, "if", Kind::Expression, FILTER_BYTES_MAX);
            reader.sight = before;
            Some(read?)
        }
        None => None,
    };
    Some(Condition::After { tasks, filter })
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
    let map = reader.map(subject, &COUNT)?;
    let (Some(of), Some(n)) = (map.get("of"), map.get("n")) else {
        let hint = Some("count: {of: {on: data.ready}, n: 3}".to_owned());
        reader.fault_with_hint(subject.place, "count needs `of` and `n`", hint);
        return None;
    };
    let of = read(reader, of, references, depth + 1);
    let n = reader.number(n, "n", 1, COUNT_MAX)?;
    Some(Condition::Count { of: Box::new(of?), n })
}
