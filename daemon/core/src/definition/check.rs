//! What only the whole definition can tell: tasks that do not exist, and tasks that can never
//! start.
//!
//! Must never change the draft.

use std::collections::BTreeSet;

use aiflow_model::TaskName;
use aiflow_model::spec::{Action, Condition, TaskSpec};

use super::emission;
use super::mention::Named;
use super::reader::{Needs, Reader, nearest};
use super::workflow::Draft;

pub(crate) fn check(reader: &mut Reader, draft: &Draft) {
    let own = draft.spec.tasks.iter().filter(|task| task.hook.is_none());
    let names: Vec<&str> = own.map(|task| task.name.as_str()).collect();
    let mut all_exist = true;
    for reference in &draft.references {
        let name = reference.task.as_str();
        if let Some(task) = draft.spec.task(name).filter(|task| task.hook.is_none()) {
            let is_ready = || task.rules.iter().any(|rule| rule.action == Action::Ready);
            let lacks = match reference.needs {
                Needs::Heartbeat if task.heartbeat.is_none() => {
                    Some(("has no heartbeat, so it is never silent", "heartbeat: 30s"))
                }
                Needs::Ready if !is_ready() => {
                    Some(("does not say when it is `ready`", "ready: {on: it.is.ready}"))
                }
                Needs::Nothing | Needs::Heartbeat | Needs::Ready => None,
            };
            if let Some((lacks, what)) = lacks {
                let hint = Some(format!("give `{name}` a `{what}`"));
                reader.fault_with_hint(reference.place, format!("task `{name}` {lacks}"), hint);
            }
            continue;
        }
        all_exist = false;
        let hint = nearest(name, &names).map_or_else(
            || format!("the tasks are: {}", names.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        reader.fault_with_hint(reference.place, format!("there is no task `{name}`"), Some(hint));
    }
    if all_exist {
        check_startable(reader, draft);
    }
    check_mentions(reader, draft);
    emission::check_circles(reader, &draft.spec, &draft.places);
}

/// Grows the set of tasks that can start until it grows no more; the others never can.
fn check_startable(reader: &mut Reader, draft: &Draft) {
    let tasks = &draft.spec.tasks;
    let mut startable: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = startable.len();
        for task in tasks {
            if can_start(task, &startable) {
                startable.insert(task.name.as_str());
            }
        }
        if startable.len() == before {
            break;
        }
    }
    for (task, place) in tasks.iter().zip(&draft.places) {
        if task.hook.is_some() || startable.contains(task.name.as_str()) {
            continue;
        }
        let waits: BTreeSet<&str> = task
            .rules
            .iter()
            .flat_map(|rule| rule.condition.upstream_tasks())
            .map(TaskName::as_str)
            .filter(|name| !startable.contains(name))
            .collect();
        let waits = waits.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!(
            "task `{}` can never start: it waits for {waits}, which cannot start before it",
            task.name
        );
        let hint = Some("break the circle: start one of them by an event or with the run".into());
        reader.fault_with_hint(*place, message, hint);
    }
}

fn can_start(task: &TaskSpec, startable: &BTreeSet<&str>) -> bool {
    task.starts_with_run()
        || task
            .rules
            .iter()
            .filter(|rule| rule.action.starts())
            .any(|rule| can_be_met(&rule.condition, startable))
}

fn can_be_met(condition: &Condition, startable: &BTreeSet<&str>) -> bool {
    match condition {
        Condition::On { .. }
        | Condition::Elsewhere { .. }
        | Condition::Every { .. }
        | Condition::Cron { .. } => true,
        Condition::After { tasks, .. } => {
            tasks.keys().all(|task| startable.contains(task.as_str()))
        }
        Condition::Silent { task } => startable.contains(task.as_str()),
        // What never comes is absent.
        Condition::Absent { .. } => true,
        Condition::Any(parts) => parts.iter().any(|part| can_be_met(part, startable)),
        Condition::All(_)
        | Condition::Sequence(_)
        | Condition::Within { .. }
        | Condition::Reset { .. }
        | Condition::Count { .. }
        | Condition::Sum { .. }
        | Condition::State { .. }
        | Condition::Custom { .. }
        | Condition::Debounce { .. }
        | Condition::Throttle { .. } => {
            condition.children().iter().all(|part| can_be_met(part, startable))
        }
    }
}

/// Refuses names that expressions use and that are not there.
fn check_mentions(reader: &mut Reader, draft: &Draft) {
    let params = draft.spec.params.keys().chain(draft.spec.param_types.keys());
    let params: Vec<&str> = params.map(String::as_str).collect();
    let tasks = draft.spec.tasks.iter().filter(|task| task.hook.is_none());
    let tasks: Vec<&str> = tasks.map(|task| task.name.as_str()).collect();
    for (named, name, place) in reader.take_mentions() {
        let (what, known) = match named {
            Named::Param => ("parameter", &params),
            Named::Task => ("task", &tasks),
        };
        if known.contains(&name.as_str()) {
            continue;
        }
        let hint = nearest(&name, known).map_or_else(
            || match known.len() {
                0 => format!("there is no {what} at all"),
                _ => format!("there are: {}", known.join(", ")),
            },
            |near| format!("did you mean `{near}`?"),
        );
        reader.fault_with_hint(place, format!("there is no {what} `{name}`"), Some(hint));
    }
}
