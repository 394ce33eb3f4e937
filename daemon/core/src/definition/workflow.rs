//! The top of a definition: name, parameters, files, triggers, tasks.
//!
//! Must never look into the meaning of a task's rules: that is `check`.

use aiflow_model::TaskName;
use aiflow_model::spec::{Condition, Hook, SpecIndex, TASKS_MAX, TaskSpec, WorkflowSpec};

use super::condition;
use super::emission;
use super::hook;
use super::node::{Node, Place};
use super::param;
use super::pool;
use super::reader::{Mapping, Reader, Reference};
use super::task;
use crate::expression::Sight;

/// A definition that was read, with the places that later checks need.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) spec: WorkflowSpec,
    /// Where each task stands.
    pub(crate) places: Vec<Place>,
    /// Tasks that conditions name, and where.
    pub(crate) references: Vec<Reference>,
}

const KEYS: &[&str] = &[
    "workflow",
    "params",
    "files",
    "triggers",
    "emit",
    "pools",
    "max_active_runs",
    "max_active_tasks",
    "tasks",
    "on_failure",
    "on_success",
    "on_late",
    "late_after",
];
pub(super) const WORKFLOW: Mapping = Mapping { what: "a workflow", keys: KEYS };
/// Most triggers of one definition.
const TRIGGERS_MAX: usize = 1_000;

pub(crate) fn read(reader: &mut Reader, root: &Node) -> Option<Draft> {
    let map = reader.map(root, &WORKFLOW)?;
    let name = match map.get("workflow") {
        Some(node) => reader.parse(node, "workflow"),
        None => {
            let hint = Some("workflow: my_workflow".to_owned());
            reader.fault_with_hint(map.place, "the workflow has no name", hint);
            None
        }
    };
    let params = map.get("params").and_then(|n| param::read(reader, n)).unwrap_or_default();
    let files = map.get("files").and_then(|node| read_files(reader, node)).unwrap_or_default();
    let pools = pool::read_pools(reader, map).unwrap_or_default();
    let mut draft_tasks = Vec::new();
    let mut places = Vec::new();
    let mut references = Vec::new();
    match map.get("tasks") {
        Some(node) => {
            let entries = reader.open_map(node, "tasks").unwrap_or_default();
            if entries.len() > TASKS_MAX {
                reader.fault(node.place, format!("more than {TASKS_MAX} tasks"));
            }
            for entry in entries.iter().take(TASKS_MAX) {
                match entry.key.parse::<TaskName>() {
                    Ok(name) if Hook::ALL.iter().any(|hook| hook.name() == name.as_str()) => {
                        let message = format!("`{name}` is a hook of the workflow, not a task");
                        let hint = Some(format!("write `{name}` at the top, beside `tasks`"));
                        reader.fault_with_hint(entry.place, message, hint);
                        places.push(entry.place);
                    }
                    Ok(name) => {
                        let spec = task::read(reader, name, &entry.node, &mut references);
                        if let Some(spec) = &spec {
                            pool::check_uses(reader, &entry.node, &spec.pools, &pools);
                        }
                        draft_tasks.extend(spec);
                        places.push(entry.place);
                    }
                    Err(error) => reader.fault(entry.place, error.to_string()),
                }
            }
            if entries.is_empty() {
                reader.fault(node.place, "a workflow needs at least one task");
            }
        }
        None => {
            let hint = Some("tasks: {hello: {bash: echo hello}}".to_owned());
            reader.fault_with_hint(map.place, "the workflow has no tasks", hint);
        }
    }
    for (hook, place) in hook::read(reader, map) {
        draft_tasks.push(hook);
        places.push(place);
    }
    let late_after = hook::read_late_after(reader, map);
    let triggers = map.get("triggers").and_then(|n| read_triggers(reader, n)).unwrap_or_default();
    let emits = emission::read_of_workflow(reader, map);
    let tasks: Vec<TaskSpec> = draft_tasks;
    let complete = places.len() == tasks.len();
    let spec = WorkflowSpec {
        name: name?,
        params: params.defaults,
        param_types: params.types,
        files,
        tasks,
        triggers,
        emits,
        pools,
        max_active_runs: pool::read_max(reader, map, "max_active_runs"),
        max_active_tasks: pool::read_max(reader, map, "max_active_tasks"),
        late_after,
        index: SpecIndex::default(),
    };
    complete.then_some(Draft { spec, places, references })
}

fn read_triggers(reader: &mut Reader, node: &Node) -> Option<Vec<Condition>> {
    let items = reader.list(node, "triggers")?;
    if items.len() > TRIGGERS_MAX {
        reader.fault(node.place, format!("more than {TRIGGERS_MAX} triggers"));
    }
    let triggers = items.iter().take(TRIGGERS_MAX).map(|item| read_trigger(reader, item));
    // All of them first, so that every fault is told.
    triggers.collect::<Vec<_>>().into_iter().collect()
}

/// A condition that looks at no task, since there is no run yet.
pub(crate) fn read_trigger(reader: &mut Reader, node: &Node) -> Option<Condition> {
    let mut references = Vec::new();
    let before = std::mem::replace(&mut reader.sight, Sight::Event);
    let condition = condition::read(reader, node, &mut references, 0);
    reader.sight = before;
    reader.refuse_tasks(references, "a trigger");
    condition
}

fn read_files(reader: &mut Reader, node: &Node) -> Option<Vec<String>> {
    let mut files = Vec::new();
    for item in reader.list(node, "files")? {
        let Some(path) = reader.text(item, "a file") else { continue };
        let is_inside = !path.starts_with('/') && path.split('/').all(|part| part != "..");
        if is_inside {
            files.push(path.to_owned());
        } else {
            let hint = Some("name files beside or below the definition".to_owned());
            reader.fault_with_hint(item.place, format!("{path:?} lies outside"), hint);
        }
    }
    Some(files)
}
