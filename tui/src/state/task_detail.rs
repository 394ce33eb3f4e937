//! One task and its executions: which of them is looked at.
//!
//! Must never list more than people scroll through: the newest count.

use aiflow_model::TaskName;
use aiflow_model::spec::TaskSpec;
use aiflow_model::state::{Execution, Run, TaskState};

use super::item::Item;
use super::model::Model;
use super::tasks;

/// Executions that are listed.
const EXECUTIONS_MAX: usize = 500;

/// The task that is open.
pub(crate) struct Open<'a> {
    pub(crate) run: &'a Run,
    pub(crate) spec: &'a TaskSpec,
    pub(crate) state: &'a TaskState,
}

/// The task under the cursor, with all that is known of it.
pub(crate) fn open(model: &Model) -> Option<Open<'_>> {
    let run = model.open_run()?;
    let spec = &model.state().snapshots.get(&run.snapshot)?.spec;
    let index = model.task_cursor.min(spec.tasks.len().checked_sub(1)?);
    Some(Open { run, spec: spec.tasks.get(index)?, state: run.tasks.get(index)? })
}

/// Its executions, newest first.
pub(crate) fn listed<'a>(open: &Open<'a>) -> impl Iterator<Item = &'a Execution> + use<'a> {
    open.state.executions.iter().rev().take(EXECUTIONS_MAX)
}

/// The same as items.
pub(crate) fn executions(model: &Model) -> Vec<Item> {
    let Some(open) = open(model) else { return Vec::new() };
    let (run, task): (_, TaskName) = (open.run.id, open.spec.name.clone());
    listed(&open).map(|e| Item::Execution(run, task.clone(), e.sequence)).collect()
}

/// The execution that is looked at: the chosen one, else the one that says most.
pub(crate) fn shown(model: &Model) -> Option<&Execution> {
    let open = open(model)?;
    let chosen = model.execution.and_then(|sequence| open.state.execution(sequence));
    chosen.or_else(|| tasks::shown(open.state))
}
