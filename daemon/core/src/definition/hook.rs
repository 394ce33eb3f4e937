//! Hooks of a definition: `on_failure`, `on_success`, `on_late` with `late_after`.
//!
//! Must never let a hook have rules: the run's end is what starts it.

use aiflow_model::spec::{Hook, TaskSpec};
use aiflow_model::time::Span;

use super::node::Place;
use super::reader::{Map, Mapping, Reader};
use super::task;

pub(super) const HOOK: Mapping = Mapping {
    what: "a hook",
    keys: &[
        "bash", "exec", "webhook", "env", "retry", "timeout", "grace", "limits", "run_as",
        "secrets",
    ],
};

/// The hooks of a workflow, each with its place.
pub(super) fn read(reader: &mut Reader, map: Map<'_>) -> Vec<(TaskSpec, Place)> {
    let given = Hook::ALL.into_iter().filter_map(|hook| Some((hook, map.get(hook.name())?)));
    let given: Vec<_> = given.collect();
    let hooks = given.into_iter().filter_map(|(hook, node)| {
        let map = reader.map(node, &HOOK)?;
        let spec = task::read_hook(reader, map, hook)?;
        Some((spec, node.place))
    });
    hooks.collect()
}

/// How long a run may take before it is late.
pub(super) fn read_late_after(reader: &mut Reader, map: Map<'_>) -> Option<Span> {
    match (map.get("on_late"), map.get("late_after")) {
        (None, None) => None,
        (Some(_), Some(node)) => reader.span(node, "late_after"),
        (Some(node), None) => {
            let hint = Some("late_after: 2h".to_owned());
            reader.fault_with_hint(node.place, "nothing says when a run is late", hint);
            None
        }
        (None, Some(node)) => {
            let hint = Some("on_late: {bash: ./page-someone.sh}".to_owned());
            reader.fault_with_hint(node.place, "nothing is done when a run is late", hint);
            None
        }
    }
}
