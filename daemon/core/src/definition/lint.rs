//! What a definition may well say, and hardly means: rules that never fire, or on everything; tasks
//! that cannot start; circles that go on by themselves.
//!
//! Warnings refuse nothing. Must never warn of what depends on what events come to say.

use std::collections::{BTreeMap, BTreeSet};

use aiflow_model::TaskName;
use aiflow_model::error::Diagnostic;
use aiflow_model::spec::{Action, Condition, RetryOn, RetryPolicy, Rule, TaskSpec, WorkflowSpec};
use aiflow_model::status::ExecutionStatus;

use super::node::{self, Entry, Node, Place, Value};
use crate::expression;

/// Why a condition can never be met, in words.
type Never = String;

/// Warns of a definition that was read without a fault.
#[must_use]
pub fn warnings(text: &str, spec: &WorkflowSpec) -> Vec<Diagnostic> {
    let Ok(root) = node::parse(text) else { return Vec::new() };
    let mut lint = Lint { root: &root, spec, startable: BTreeSet::new(), found: Vec::new() };
    lint.startable = lint.startable();
    lint.triggers();
    spec.tasks.iter().for_each(|task| lint.task(task));
    lint.circles();
    let mut found = lint.found;
    found.sort_by_key(|warning| (warning.line, warning.column));
    found
}

struct Lint<'a> {
    root: &'a Node,
    spec: &'a WorkflowSpec,
    /// Tasks that can start somehow.
    startable: BTreeSet<&'a TaskName>,
    found: Vec<Diagnostic>,
}

impl<'a> Lint<'a> {
    fn warn(&mut self, place: Place, message: String, hint: &str) {
        let Place { line, column } = place;
        let hint = Some(hint.to_owned());
        self.found.push(Diagnostic { line, column, message, hint });
    }

    fn triggers(&mut self) {
        let items = match entry(self.root, "triggers").map(|entry| &entry.node.value) {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        for (item, condition) in items.iter().zip(&self.spec.triggers) {
            if let Err(never) = self.can_be_met(condition) {
                self.warn(item.place, format!("this trigger never fires: {never}"), "delete it");
            }
            if let Some(always) = fires_on_everything(condition) {
                let message = format!(
                    "{always} starts a run, those that the run's own tasks emit too: it starts itself"
                );
                self.warn(item.place, message, "name the keys that are meant");
            }
        }
    }

    fn task(&mut self, task: &'a TaskSpec) {
        for rule in &task.rules {
            let (word, name) = (rule.action.word(), &task.name);
            let place = self.place_of(task, rule.action);
            if let Err(never) = self.can_be_met(&rule.condition) {
                let message = format!("`{word}` of task `{name}` never fires: {never}");
                self.warn(place, message, "delete the rule, or write what can come");
            }
            if let Some(always) = fires_on_everything(&rule.condition) {
                let message = format!("{always} fires `{word}` of task `{name}`, also its own");
                self.warn(place, message, "name the keys that are meant");
            }
        }
        if !self.startable.contains(&task.name) {
            let message = format!("task `{}` is never started: none of its rules can", task.name);
            let place = self.place_of_task(task);
            self.warn(place, message, "aiflow task-execution start RUN TASK starts it by hand");
        }
    }

    /// Tasks that start by the end of one another, without anything that has to come from outside.
    fn circles(&mut self) {
        let mut next: BTreeMap<&TaskName, BTreeSet<&TaskName>> = BTreeMap::new();
        for task in &self.spec.tasks {
            for rule in task.rules.iter().filter(|rule| starts(rule)) {
                for upstream in moved_by(&rule.condition).unwrap_or_default() {
                    next.entry(upstream).or_default().insert(&task.name);
                }
            }
        }
        let mut told: BTreeSet<&TaskName> = BTreeSet::new();
        for task in &self.spec.tasks {
            let Some(way) = circle(&next, &task.name) else { continue };
            if way.iter().any(|name| told.contains(name)) {
                continue;
            }
            told.extend(&way);
            let way: Vec<&str> = way.iter().map(|name| name.as_str()).collect();
            let message = format!(
                "task `{}` starts again by its own end ({}): begun once, it goes on until it is stopped",
                task.name,
                way.join(" → ")
            );
            let place = self.place_of_task(task);
            self.warn(place, message, "let an event say when to go on: all: [{after: …}, {on: …}]");
        }
    }

    fn startable(&self) -> BTreeSet<&'a TaskName> {
        let mut startable = BTreeSet::new();
        loop {
            let known = Lint { startable, found: Vec::new(), ..*self };
            let can = |task: &&TaskSpec| {
                let mut rules = task.rules.iter().filter(|rule| starts(rule));
                task.starts_with_run() || rules.any(|r| known.can_be_met(&r.condition).is_ok())
            };
            let grown = self.spec.tasks.iter().filter(can).map(|task| &task.name).collect();
            if grown == known.startable {
                return grown;
            }
            startable = grown;
        }
    }

    fn can_be_met(&self, condition: &Condition) -> Result<(), Never> {
        let all = |parts: &[Condition]| parts.iter().try_for_each(|part| self.can_be_met(part));
        match condition {
            Condition::On { filter: Some(filter), .. } => match expression::constant(filter) {
                Some(constant) if constant.as_bool() == Some(true) => Ok(()),
                Some(constant) => {
                    Err(format!("`{filter}` is always {constant}, whatever the event says"))
                }
                None => Ok(()),
            },
            Condition::After { filter: Some(filter), .. }
                if expression::constant(filter).is_some_and(|it| it.as_bool() != Some(true)) =>
            {
                Err(format!("`{filter}` is never true, whatever the tasks say"))
            }
            Condition::After { tasks, .. } => {
                tasks.iter().try_for_each(|(task, status)| self.can_come_to(task, *status))
            }
            Condition::Any(parts) => {
                let met = parts.iter().map(|part| self.can_be_met(part));
                met.reduce(Result::or).unwrap_or(Ok(()))
            }
            // What never comes is absent.
            Condition::Absent { .. } => Ok(()),
            Condition::Sum { of, expr, .. } => {
                self.can_be_met(of)?;
                let constant = expression::constant(expr).and_then(|it| it.as_number());
                match constant.filter(|number| *number <= 0.0) {
                    Some(number) => Err(format!("a sum of {number} reaches nothing")),
                    None => Ok(()),
                }
            }
            other => all(other.children()),
        }
    }

    fn can_come_to(&self, task: &TaskName, status: ExecutionStatus) -> Result<(), Never> {
        if !self.startable.contains(task) {
            return Err(format!("task `{task}` is never started"));
        }
        let retry = self.spec.task(task.as_str()).and_then(|task| task.retry.as_ref());
        // One that minds the exit code gives up at any other.
        let is_endless = |p: &&RetryPolicy| p.attempts_max.is_none() && p.codes.is_empty();
        let for_ever = retry.filter(is_endless).map(|policy| policy.on);
        let never = match for_ever {
            Some(RetryOn::Always) => {
                matches!(status, ExecutionStatus::Success | ExecutionStatus::Failed)
            }
            Some(RetryOn::Failure) => status == ExecutionStatus::Failed,
            None => false,
        };
        if never {
            return Err(format!("task `{task}` is tried again for ever, so it is never {status}"));
        }
        Ok(())
    }

    fn entry_of_task(&self, task: &TaskSpec) -> Option<&'a Entry> {
        entry(&entry(self.root, "tasks")?.node, task.name.as_str())
    }

    fn place_of_task(&self, task: &TaskSpec) -> Place {
        self.entry_of_task(task).map_or(self.root.place, |entry| entry.place)
    }

    fn place_of(&self, task: &TaskSpec, action: Action) -> Place {
        let of_rule = self.entry_of_task(task).and_then(|own| entry(&own.node, action.word()));
        of_rule.map_or_else(|| self.place_of_task(task), |entry| entry.place)
    }
}

fn entry<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
        Value::Scalar { .. } | Value::List(_) => None,
    }
}

fn starts(rule: &Rule) -> bool {
    rule.action.starts()
}

/// Which events all fire it, in words.
fn fires_on_everything(condition: &Condition) -> Option<&'static str> {
    match condition {
        Condition::On { key, filter } if key.as_str() == "*" => match filter {
            None => Some("every event of the namespace"),
            Some(filter) => {
                let constant = expression::constant(filter)?;
                (constant.as_bool() == Some(true)).then_some("every event of the namespace")
            }
        },
        Condition::Any(parts) => parts.iter().find_map(fires_on_everything),
        _ => None,
    }
}

/// The tasks whose ends alone meet a condition; none when something else has to come.
fn moved_by(condition: &Condition) -> Option<BTreeSet<&TaskName>> {
    match condition {
        Condition::After { tasks, .. } => Some(tasks.keys().collect()),
        Condition::Any(parts) => {
            let moved: BTreeSet<_> = parts.iter().filter_map(moved_by).flatten().collect();
            (!moved.is_empty()).then_some(moved)
        }
        other if other.children().is_empty() => None,
        Condition::Absent { .. } => None,
        other => {
            let moved: Option<Vec<_>> = other.children().iter().map(moved_by).collect();
            moved.map(|sets| sets.into_iter().flatten().collect())
        }
    }
}

/// The shortest way from a task back to itself, both ends included.
fn circle<'a>(
    next: &BTreeMap<&'a TaskName, BTreeSet<&'a TaskName>>,
    from: &'a TaskName,
) -> Option<Vec<&'a TaskName>> {
    let mut before: BTreeMap<&TaskName, &TaskName> = BTreeMap::new();
    let mut level = vec![from];
    while !level.is_empty() {
        let mut below = Vec::new();
        for task in level {
            for follower in next.get(task).into_iter().flatten() {
                if *follower == from {
                    let mut way = vec![from, task];
                    while let Some(earlier) = way.last().and_then(|last| before.get(last)) {
                        way.push(earlier);
                    }
                    // From itself to itself: the first step is the last one.
                    if task == from {
                        way.pop();
                        way.push(from);
                    }
                    way.reverse();
                    return Some(way);
                }
                if !before.contains_key(follower) {
                    before.insert(follower, task);
                    below.push(*follower);
                }
            }
        }
        level = below;
    }
    None
}
