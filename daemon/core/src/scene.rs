//! What an expression may look at: an event, the time, and of a run its parameters and what its
//! tasks have come to.
//!
//! Must never hold more than a look at the state: an evaluation changes nothing.

use std::collections::BTreeSet;

use aiflow_model::record::Event;
use aiflow_model::spec::WorkflowSpec;
use aiflow_model::state::{Fan, Run, TaskState};
use aiflow_model::time::Window;
use aiflow_model::{JsonText, OutputName, RuleId, RunId, State, Timestamp};
use rhai::{Dynamic, Map, Scope};

use crate::dynamic::to_dynamic;

/// What an expression may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    event: Option<&'a Event>,
    now: Timestamp,
    run: Option<(&'a Run, &'a WorkflowSpec)>,
    window: Option<Window>,
    /// The parameters of a draft, of which the run beside it has some.
    defaults: Option<&'a WorkflowSpec>,
}

impl<'a> Scene<'a> {
    /// Nothing but an event.
    #[cfg(test)]
    pub(crate) const fn of_event(event: &'a Event, now: Timestamp) -> Self {
        Self { event: Some(event), now, run: None, window: None, defaults: None }
    }

    /// What a rule sees of an event.
    pub(crate) fn of_rule(
        state: &'a State,
        at: RuleId,
        event: Option<&'a Event>,
        now: Timestamp,
    ) -> Self {
        let run = state.run_looked_at(at).and_then(|id| look(state, id));
        let defaults = match at {
            RuleId::Draft { draft, .. } => state.drafts.get(&draft).map(|draft| &draft.began.spec),
            RuleId::Task { .. } | RuleId::Trigger(_) => None,
        };
        Self { event, now, run, window: None, defaults }
    }

    /// The same, of tasks those executions that work on a window.
    pub(crate) const fn within(self, window: Option<Window>) -> Self {
        Self { window, ..self }
    }

    /// What a derived event is made from.
    pub(crate) fn of_emission(
        state: &'a State,
        at: RuleId,
        (event, window): (&'a Event, Option<Window>),
        now: Timestamp,
    ) -> Self {
        Self::of_rule(state, at, Some(event), now).within(window)
    }

    /// What is seen of a run, of its tasks those executions that work on a window.
    pub(crate) fn of_run(
        state: &'a State,
        run: RunId,
        (event, window): (Option<&'a Event>, Option<Window>),
        now: Timestamp,
    ) -> Self {
        Self { event, now, run: look(state, run), window, defaults: None }
    }

    /// The scope of an evaluation; `params` and `tasks` only where they are looked at.
    pub(crate) fn scope(&self, looks_at_run: bool) -> Scope<'static> {
        let mut scope = Scope::new();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let value = self.event.map_or(Dynamic::UNIT, |event| to_dynamic(event.value.to_value()));
        scope.push_constant_dynamic("value", value);
        scope.push_constant("key", text(self.event.map(|event| event.key.as_str())));
        scope.push_constant("source", text(self.event.map(|event| event.source.as_str())));
        scope.push_constant("time", self.now.to_string());
        if let Some((run, spec)) = self.run.filter(|_| looks_at_run) {
            scope.push_constant("params", self.params(run));
            scope.push_constant("tasks", self.tasks(run, spec));
        } else {
            scope.push_constant("params", Map::new());
            scope.push_constant("tasks", Map::new());
        }
        scope
    }

    fn params(&self, run: &Run) -> Map {
        let defaults = self.defaults.into_iter().flat_map(|spec| &spec.params);
        let params = defaults.chain(&run.params);
        params.map(|(name, value)| (name.as_str().into(), to_dynamic(value.to_value()))).collect()
    }

    /// Of each task that has run `status` and `outputs`.
    fn tasks(&self, run: &Run, spec: &WorkflowSpec) -> Map {
        let known = spec.tasks.iter().zip(&run.tasks);
        let tasks = known.filter_map(|(task, state)| {
            let (status, _) = state.standing(state.counting(self.window)?);
            let outputs = outputs_of(state, self.window);
            let outputs = outputs.into_iter();
            let outputs: Map = outputs
                .map(|(name, value)| (name.as_str().into(), to_dynamic(value.to_value())))
                .collect();
            let mut seen = Map::new();
            seen.insert("status".into(), status.word().into());
            seen.insert("outputs".into(), outputs.into());
            Some((task.name.as_str().into(), seen.into()))
        });
        tasks.collect()
    }
}

fn look(state: &State, run: RunId) -> Option<(&Run, &WorkflowSpec)> {
    Some((state.run(run)?, &state.snapshot_of(run)?.spec))
}

/// What a task said of its work, as those see it that come after.
pub(crate) fn outputs_of(task: &TaskState, window: Option<Window>) -> Vec<(OutputName, JsonText)> {
    let Some(execution) = task.counting(window) else { return Vec::new() };
    if let Some(fan) = task.fan_of(execution) {
        return outputs_of_fan(task, fan);
    }
    execution.outputs.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Each output that any execution of a fan set: the list of what all of them did, in the order of
/// the items.
fn outputs_of_fan(task: &TaskState, fan: &Fan) -> Vec<(OutputName, JsonText)> {
    let members = || fan.members.iter().filter_map(|sequence| task.execution(*sequence));
    let names: BTreeSet<&OutputName> = members().flat_map(|e| e.outputs.keys()).collect();
    let list = |name: &OutputName| {
        let values = members().map(|e| e.outputs.get(name).map_or("null", JsonText::as_str));
        let list = format!("[{}]", values.collect::<Vec<_>>().join(","));
        Some((name.clone(), JsonText::parse(&list).ok()?))
    };
    names.into_iter().filter_map(list).collect()
}
