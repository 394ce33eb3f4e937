//! Rules that derive events, and what would make them go round in a circle.
//!
//! Must never look at filters: a circle that a filter may end is a circle.

use aiflow_model::EventKey;
use aiflow_model::spec::{Action, Emission, FILTER_BYTES_MAX, Rule, WorkflowSpec};

use super::condition;
use super::node::{Node, Place, Value};
use super::reader::{Map, Mapping, Reader, Reference};
use crate::expression::{Kind, Sight};

pub(super) const EMIT: Mapping = Mapping { what: "emit", keys: &["when", "key", "value", "scope"] };

/// `emit: {when: C, key: K}` of a task, or a list of them.
pub(crate) fn read_emits(
    reader: &mut Reader,
    map: Map<'_>,
    references: &mut Vec<Reference>,
) -> Vec<Rule> {
    let Some(node) = map.get("emit") else { return Vec::new() };
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Scalar { .. } | Value::Map(_) => std::slice::from_ref(node),
    };
    items.iter().filter_map(|item| read_emit(reader, item, references)).collect()
}

/// `emit` of a workflow: rules without a run, whose events all of the namespace see.
pub(crate) fn read_of_workflow(reader: &mut Reader, map: Map<'_>) -> Vec<Rule> {
    let mut references = Vec::new();
    let before = std::mem::replace(&mut reader.sight, Sight::Event);
    let mut rules = read_emits(reader, map, &mut references);
    reader.sight = before;
    reader.refuse_tasks(references, "`emit` of a workflow");
    rules.iter_mut().filter_map(|rule| rule.emission.as_mut()).for_each(|e| e.to_namespace = true);
    rules
}

fn read_emit(reader: &mut Reader, node: &Node, references: &mut Vec<Reference>) -> Option<Rule> {
    let map = reader.map(node, &EMIT)?;
    let (Some(when), Some(key)) = (map.get("when"), map.get("key")) else {
        let hint =
            Some("emit: {when: {count: {of: {on: row}, n: 100}}, key: rows.ready}".to_owned());
        reader.fault_with_hint(node.place, "emit needs `when` and `key`", hint);
        return None;
    };
    let condition = condition::read(reader, when, references, 0);
    let key: EventKey = reader.parse(key, "key")?;
    let value = match map.get("value") {
        Some(node) => {
            let kind = Kind::Expression;
            Some(condition::read_expression(reader, node, "value", kind, FILTER_BYTES_MAX)?)
        }
        None => None,
    };
    let to_namespace = match map.get("scope") {
        Some(node) => reader.word(node, "scope", &[("run", false), ("namespace", true)])?,
        None => false,
    };
    let emission = Some(Box::new(Emission { key, value, to_namespace }));
    Some(Rule { action: Action::Emit, condition: condition?, emission })
}

/// Refuses rules whose event comes back to them, straight or by way of others.
pub(crate) fn check_circles(reader: &mut Reader, spec: &WorkflowSpec, places: &[Place]) {
    let mut emits: Vec<(Place, &Rule, &Emission)> = Vec::new();
    let top = Place { line: 1, column: 1 };
    let of_workflow = spec.emits.iter().map(|rule| (top, rule));
    let of_tasks = spec.tasks.iter().zip(places);
    let of_tasks = of_tasks.flat_map(|(task, place)| task.rules.iter().map(|rule| (*place, rule)));
    for (place, rule) in of_workflow.chain(of_tasks) {
        emits.extend(rule.emission.as_deref().map(|emission| (place, rule, emission)));
    }
    let looks_at = |rule: &Rule, key: &EventKey| {
        rule.condition.event_keys().any(|pattern| pattern.matches(key.as_str()))
    };
    let follows = |from: usize| -> Vec<usize> {
        let key = &emits[from].2.key;
        (0..emits.len()).filter(|to| looks_at(emits[*to].1, key)).collect()
    };
    for start in 0..emits.len() {
        if let Some(way) = circle(start, &follows) {
            let keys: Vec<&str> = way.iter().map(|at| emits[*at].2.key.as_str()).collect();
            let message = format!(
                "the event `{}` comes back to the rule that emits it: {}",
                emits[start].2.key,
                keys.join(", then ")
            );
            let hint = Some("emit a key that the condition does not look at".to_owned());
            reader.fault_with_hint(emits[start].0, message, hint);
            // One circle is told once.
            return;
        }
    }
}

/// A way from a rule back to itself.
fn circle(start: usize, follows: &impl Fn(usize) -> Vec<usize>) -> Option<Vec<usize>> {
    let mut ways: Vec<Vec<usize>> = vec![vec![start]];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in follows(*way.last()?) {
            let mut longer = way.clone();
            longer.push(next);
            if next == start {
                return Some(longer);
            }
            if seen.insert(next) {
                ways.push(longer);
            }
        }
    }
    None
}
