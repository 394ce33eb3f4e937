//! What a run was given, what a workflow asks for and does besides its tasks, in words.
//!
//! Must never show a value whole that may be of any length.

use aiflow_model::state::{Execution, ExecutionStatus, Fan, Run, TaskState};
use aiflow_model::{JsonText, WorkflowSpec};

use super::form::written;
use super::mark::Mark;
use super::text;

/// Characters of a value that are told.
const VALUE_CHARS_MAX: usize = 60;

/// A value in one line.
pub(crate) fn brief(value: &JsonText) -> String {
    let whole = text::printable(&written(value));
    let told: String = whole.chars().take(VALUE_CHARS_MAX).collect();
    if told.len() < whole.len() { told + "…" } else { told }
}

/// The parameters of a run: `city = New York · days = 3`.
pub(crate) fn params_of_run(run: &Run) -> Option<String> {
    let params = run.params.iter().map(|(name, value)| format!("{name} = {}", brief(value)));
    some(&params.collect::<Vec<_>>())
}

/// The parameters of a workflow: `city = New York · days: int = 3 · model: string, needed`.
pub(crate) fn params_of(spec: &WorkflowSpec) -> Option<String> {
    let kind = |name: &String| {
        spec.param_types.get(name).map(|kind| format!(": {kind}")).unwrap_or_default()
    };
    let known = spec.params.iter().map(|(name, value)| {
        let (kind, value) = (kind(name), brief(value));
        format!("{name}{kind} = {value}")
    });
    let needed = spec.param_types.keys().filter(|name| !spec.params.contains_key(*name));
    let needed = needed.map(|name| format!("{name}{}, needed", kind(name)));
    some(&known.chain(needed).collect::<Vec<_>>())
}

/// The hooks of a workflow: `on_failure · on_late after 5m`.
pub(crate) fn hooks_of(spec: &WorkflowSpec) -> Option<String> {
    let mut hooks: Vec<String> = spec.hooks().map(|(_, task)| task.name.to_string()).collect();
    hooks.reverse();
    hooks.extend(spec.late_after.map(|span| format!("late after {span}")));
    some(&hooks)
}

fn some(parts: &[String]) -> Option<String> {
    (!parts.is_empty()).then(|| parts.join(" · "))
}

/// The fan that is looked at: that of an execution; without one the last that was begun.
pub(crate) fn fan_of<'a>(task: &'a TaskState, execution: Option<&Execution>) -> Option<&'a Fan> {
    match execution {
        Some(execution) => task.fans.get(&execution.item.as_ref()?.fan),
        None => task.fans.values().next_back(),
    }
}

/// How far a fan has come: `3 items: 2 ✓ 1 ✗`.
pub(crate) fn fan(fan: &Fan) -> String {
    let mut words = text::count(fan.items, "item");
    let alive = Some((fan.alive, "▶"));
    let ended = fan.ended.iter().map(|(status, count)| (*count, ended_glyph(*status)));
    let parts: Vec<String> = ended
        .chain(alive)
        .filter(|(count, _)| *count > 0)
        .map(|(count, glyph)| format!("{count} {glyph}"))
        .collect();
    if !parts.is_empty() {
        words += &format!(": {}", parts.join(" "));
    }
    words
}

const fn ended_glyph(status: ExecutionStatus) -> &'static str {
    Mark::of_status(status, false).glyph
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_and_control_characters_do_nothing() {
        let long = JsonText::string(&"x".repeat(1_000));
        assert_eq!(brief(&long).chars().count(), VALUE_CHARS_MAX + 1);
        assert!(!brief(&JsonText::string("a\u{1b}[31mb\nc")).contains(['\u{1b}', '\n']));
    }

    #[test]
    fn a_fan_is_counted_by_how_its_items_ended() {
        let mut known = Fan { items: 4, alive: 1, ..Fan::default() };
        assert_eq!(fan(&known), "4 items: 1 ▶");
        known.ended = [(ExecutionStatus::Success, 2), (ExecutionStatus::Failed, 1)].into();
        assert_eq!(fan(&known), "4 items: 2 ✓ 1 ✗ 1 ▶");
        assert_eq!(fan(&Fan { items: 1, ..Fan::default() }), "1 item");
    }
}
