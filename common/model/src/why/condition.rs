//! What a condition waits for: its parts one by one, each with how far it is, and the least that
//! would meet it.
//!
//! Made from what its nodes know alone. Must never evaluate: what an expression or a script would
//! say of an event that has not come, nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Line, NAMES_MAX, Need, Scene, Step, Sum};
use crate::firing::{Firing, NodeState};
use crate::spec::{Condition, Reset};
use crate::state::{ExecutionStatus, Run, TaskState};
use crate::time::{Span, Timestamp};
use crate::{KeyPattern, Offset, TaskName, TaskOf};

/// What a condition waits for.
pub(super) struct Told {
    pub(super) lines: Vec<Line>,
    /// The least that would meet it; none: nothing ever will.
    pub(super) needs: Option<Vec<Need>>,
}

/// What is known on the way down a condition.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) scene: Scene<'a>,
    nodes: &'a BTreeMap<u32, NodeState>,
    /// The key that this node and all below gather for.
    key: Option<&'a str>,
    /// The window that this node gathers for.
    window: Option<&'a str>,
    /// What is older does not count.
    within: Option<Span>,
}

/// How much somebody has to do.
pub(super) fn cost(needs: &[Need]) -> u64 {
    needs.iter().fold(0, |sum, need| sum.saturating_add(need.times))
}

/// The least of several.
fn least(all: impl Iterator<Item = Option<Vec<Need>>>) -> Option<Vec<Need>> {
    all.flatten().min_by_key(|needs| cost(needs))
}

fn repeated(needs: Vec<Need>, times: u64) -> Vec<Need> {
    let again = |need: Need| {
        let times = need.times.saturating_mul(times.max(1));
        need.step.times(times)
    };
    needs.into_iter().map(again).collect()
}

fn offsets(firing: &Firing) -> impl Iterator<Item = Offset> + '_ {
    firing.events.iter().chain(&firing.ends).copied()
}

impl<'a> Way<'a> {
    pub(super) fn new(scene: Scene<'a>, nodes: &'a BTreeMap<u32, NodeState>) -> Self {
        Self { scene, nodes, key: None, window: None, within: None }
    }

    /// What a node waits for, in lines from `depth` on.
    pub(super) fn told(&self, condition: &Condition, node: u32, depth: u32) -> Told {
        match condition {
            Condition::On { key, filter } => self.on(condition, (key, filter.as_deref()), depth),
            Condition::After { tasks, .. } => self.after(tasks, depth),
            Condition::Elsewhere { of, status } => self.elsewhere(of, *status, depth),
            Condition::Silent { task } => self.silent(task, depth),
            Condition::All(_) => self.all(condition, node, depth),
            Condition::Any(_) => self.any(condition, node, depth),
            Condition::Sequence(_) => self.sequence(condition, node, depth),
            Condition::Within { of, span } => {
                let way = Self { within: Some(*span), ..*self };
                self.around(format!("within {span}"), (of, node), depth, way)
            }
            Condition::Reset { of, mode } => self.reset(of, *mode, node, depth),
            Condition::Count { of, n } => self.count((condition, of, *n), node, depth),
            Condition::Sum { of, expr, reaches, .. } => {
                self.sum((condition, of), (expr, *reaches), node, depth)
            }
            Condition::Absent { of, span } => self.absent((condition, of, *span), node, depth),
            Condition::Debounce { of, span } => self.debounce((condition, of, *span), node, depth),
            Condition::Throttle { of, .. } => self.throttle((condition, of), node, depth),
            Condition::Every { .. } => self.every(condition, node, depth),
            Condition::Cron { .. } => self.cron(condition, node, depth),
            code => self.code(code, node, depth),
        }
    }

    pub(super) fn known(&self, node: u32) -> Option<&'a NodeState> {
        match (self.nodes.get(&node)?, self.key.or(self.window)) {
            (NodeState::Parts(parts), Some(part)) => parts.get(part),
            (NodeState::Parts(_), None) | (_, Some(_)) => None,
            (whole, None) => Some(whole),
        }
    }

    /// A way below a node that gathers: a window and a limit are of that node alone.
    fn below(&self) -> Self {
        Self { window: None, within: None, ..*self }
    }

    fn children(&self, condition: &Condition, node: u32, depth: u32) -> Vec<Told> {
        let way = self.below();
        let children = condition.numbered_children(node);
        children.map(|(number, child)| way.told(child, number, depth)).collect()
    }

    fn around(&self, head: String, (of, node): (&Condition, u32), depth: u32, way: Self) -> Told {
        let mut told = way.told(of, node + 1, depth + 1);
        told.lines.insert(0, Line::new(depth, head + ":"));
        told
    }

    fn is_recent(&self, firing: &Firing) -> bool {
        let (Some(within), Some(began)) = (self.within, firing.began) else { return true };
        began.plus(within) >= self.scene.now
    }

    /// Until when something that was gathered counts, in words.
    fn counts_until(&self, firing: &Firing) -> String {
        let until = self.within.zip(firing.began).map(|(within, began)| began.plus(within));
        until.map_or_else(String::new, |until| {
            let left = until.since(self.scene.now);
            format!(", counts until {until} ({left} left)")
        })
    }

    fn on(
        &self,
        condition: &Condition,
        (key, filter): (&KeyPattern, Option<&str>),
        d: u32,
    ) -> Told {
        let own = self.key.and_then(|own| KeyPattern::new(own).ok());
        let key = own.filter(|own| key.matches(own.as_str())).unwrap_or_else(|| key.clone());
        let (namespace, filter) = (self.scene.run.namespace.clone(), filter.map(str::to_owned));
        let step = Step::Event { namespace, key, filter, sum: None, script: false };
        let line = Line::new(d, format!("{condition}: no such event has come"));
        Told { lines: vec![line], needs: Some(vec![step.once()]) }
    }

    fn after(&self, tasks: &BTreeMap<TaskName, ExecutionStatus>, depth: u32) -> Told {
        let known = |name: &TaskName| self.scene.state.task(self.scene.run.id, name);
        // Ends of the same window belong together.
        let latest = |name: &TaskName| known(name).and_then(TaskState::latest);
        let window = tasks.keys().filter_map(latest).filter_map(|e| e.window).max();
        let mut lines = Vec::new();
        let (mut missing, mut all) = (Vec::new(), Vec::new());
        for (name, wanted) in tasks {
            let same = known(name).and_then(|task| {
                window.and_then(|_| task.executions.iter().rev().find(|e| e.window == window))
            });
            let run = self.scene.run.id;
            let step = Step::Task { run, task: name.clone(), status: *wanted };
            let Some(execution) = same.or_else(|| latest(name)) else {
                let text = format!("after {name}: it has not run; {wanted} is wanted");
                lines.push(Line::new(depth, text));
                missing.push(step.once());
                continue;
            };
            let (sequence, status) = (execution.sequence, execution.status);
            let is_met = status.meets(*wanted);
            let rest = if is_met { "that is met" } else { "another end is wanted" };
            let rest = if status.is_alive() && !is_met { "it has not ended" } else { rest };
            let text = format!(
                "after {name}: execution {run}.{name}.{sequence} is {status}, {wanted} is wanted: \
                 {rest}"
            );
            lines.push(Line::new(depth, text).at([execution.offset]));
            let needs = if is_met { &mut all } else { &mut missing };
            needs.push(step.once());
        }
        if missing.is_empty() {
            lines.push(Line::new(depth, "all of it is met, and was used up; it has to come again"));
            missing.extend(all.into_iter().take(1));
        }
        Told { lines, needs: Some(missing) }
    }

    fn elsewhere(&self, of: &TaskOf, status: ExecutionStatus, depth: u32) -> Told {
        let namespace = &self.scene.run.namespace;
        let is_of = |run: &&Run| run.namespace == *namespace && run.workflow == of.workflow;
        let latest = self.scene.state.runs.values().rev().find(is_of);
        let stands = match latest {
            None if self
                .scene
                .state
                .current_snapshot(namespace.as_str(), of.workflow.as_str())
                .is_none() =>
            {
                format!("there is no workflow {}", of.workflow)
            }
            None => format!("no run of {} is known", of.workflow),
            Some(run) => {
                match self.scene.state.task(run.id, &of.task).and_then(TaskState::latest) {
                    None => format!("it has not run in run {}", run.id),
                    Some(known) => format!("in run {} it is {}", run.id, known.status),
                }
            }
        };
        let text = format!("after {of}: {stands}; it has to come to {status} from now on");
        let alive = latest.filter(|run| run.status.is_alive()).map(|run| run.id);
        let (namespace, of) = (namespace.clone(), of.clone());
        let step = Step::Elsewhere { namespace, of, status, run: alive };
        Told { lines: vec![Line::new(depth, text)], needs: Some(vec![step.once()]) }
    }

    fn silent(&self, task: &TaskName, depth: u32) -> Told {
        let known = self.scene.state.task(self.scene.run.id, task);
        let mut alive = known.into_iter().flat_map(TaskState::alive_executions);
        let heard = alive.find_map(|execution| Some((execution.contact_due?, execution.offset)));
        let line = match heard {
            Some((due, offset)) => {
                let text = format!("{task} was heard of; it is silent at {due} if nothing comes");
                Line::new(depth, text).at([offset])
            }
            None => Line::new(depth, format!("{task} does not run, or is silent already")),
        };
        let due = heard.map(|(due, _)| due);
        let step = Step::Silence { task: task.clone(), due };
        Told { lines: vec![line], needs: Some(vec![step.once()]) }
    }

    fn all(&self, condition: &Condition, node: u32, depth: u32) -> Told {
        let empty = Vec::new();
        let met = match self.known(node) {
            Some(NodeState::All { met }) => met,
            _ => &empty,
        };
        let told = self.children(condition, node, depth + 1);
        let parts = condition.children();
        let recent = |index: usize| -> Vec<&Firing> {
            let queue = met.get(index).into_iter().flatten();
            queue.filter(|firing| self.is_recent(firing)).collect()
        };
        let missing: Vec<String> = (0..parts.len())
            .filter(|index| recent(*index).is_empty())
            .map(|index| parts[index].to_string())
            .collect();
        let (count, all) = (parts.len() - missing.len(), parts.len());
        let rest = if missing.is_empty() {
            "all were seen, and one has to come again".to_owned()
        } else {
            format!("missing {}", missing.join(", "))
        };
        let mut lines = vec![Line::new(depth, format!("{count} of {all} seen: {rest}"))];
        let mut needs = Some(Vec::new());
        let mut again = Vec::new();
        for (index, told) in told.into_iter().enumerate() {
            let Some(firing) = recent(index).first().copied() else {
                lines.extend(told.lines);
                needs = needs.zip(told.needs).map(|(all, own)| [all, own].concat());
                continue;
            };
            let text = format!("{}: seen{}", parts[index], self.counts_until(firing));
            lines.push(Line::new(depth + 1, text).at(recent(index).into_iter().flat_map(offsets)));
            again.push(told.needs);
        }
        if missing.is_empty() {
            needs = least(again.into_iter());
        }
        Told { lines, needs }
    }

    fn any(&self, condition: &Condition, node: u32, depth: u32) -> Told {
        let told = self.children(condition, node, depth + 1);
        let mut lines = vec![Line::new(depth, "one of these:")];
        let mut all = Vec::new();
        for told in told {
            lines.extend(told.lines);
            all.push(told.needs);
        }
        Told { lines, needs: least(all.into_iter()) }
    }

    fn sequence(&self, condition: &Condition, node: u32, depth: u32) -> Told {
        let reached = match self.known(node) {
            Some(NodeState::Sequence { reached }) => reached.as_slice(),
            _ => &[],
        };
        let valid =
            |way: &Option<Firing>| way.as_ref().is_some_and(|firing| self.is_recent(firing));
        let step = reached.iter().rposition(valid).map_or(0, |step| step + 1);
        let parts = condition.children();
        let mut head = Line::new(depth, format!("step {step} of {} was reached", parts.len()));
        if let Some(firing) = step.checked_sub(1).and_then(|at| reached[at].as_ref()) {
            head.text += &self.counts_until(firing);
            head = head.at(offsets(firing));
        }
        let mut lines = vec![head];
        let mut needs = Some(Vec::new());
        for told in self.children(condition, node, depth + 1).into_iter().skip(step) {
            lines.extend(told.lines);
            needs = needs.zip(told.needs).map(|(all, own)| [all, own].concat());
        }
        Told { lines, needs }
    }

    fn reset(&self, of: &Condition, mode: Reset, node: u32, depth: u32) -> Told {
        let words = match mode {
            Reset::Never => {
                return self.around("what was seen stays".to_owned(), (of, node), depth, *self);
            }
            Reset::PerKey => "for each key",
            Reset::PerWindow => "for each window",
        };
        let below = node + 1..node + 1 + of.node_count();
        let parts = below.filter_map(|node| match self.nodes.get(&node) {
            Some(NodeState::Parts(parts)) => Some(parts.keys().map(String::as_str)),
            _ => None,
        });
        let parts: BTreeSet<&str> = parts.flatten().collect();
        if parts.is_empty() {
            return self.around(format!("{words}: none has begun"), (of, node), depth, *self);
        }
        let more = parts.len().saturating_sub(NAMES_MAX);
        let more = if more > 0 { format!("; {more} are not told") } else { String::new() };
        let head = format!("{words}: {} have begun{more}:", parts.len());
        let mut lines = vec![Line::new(depth, head)];
        let mut all = Vec::new();
        for (index, part) in parts.into_iter().enumerate() {
            let way = match mode {
                Reset::PerKey => Self { key: Some(part), ..*self },
                Reset::PerWindow | Reset::Never => Self { window: Some(part), ..*self },
            };
            let told = self.around(part.to_owned(), (of, node), depth + 1, way);
            if index < NAMES_MAX {
                lines.extend(told.lines);
            }
            all.push(told.needs);
        }
        Told { lines, needs: least(all.into_iter()) }
    }

    fn count(&self, (own, of, n): (&Condition, &Condition, u64), node: u32, depth: u32) -> Told {
        let (met, seen, first) = match self.known(node) {
            Some(NodeState::Count { met, so_far }) => (*met, offsets(so_far).collect(), None),
            Some(NodeState::Recent { met }) => {
                let recent: Vec<&Firing> = met.iter().filter(|f| self.is_recent(f)).collect();
                let seen = recent.iter().flat_map(|firing| offsets(firing)).collect();
                (recent.len() as u64, seen, recent.first().copied())
            }
            _ => (0, Vec::new(), None),
        };
        let until = first.map_or_else(String::new, |firing| self.counts_until(firing));
        let head = Line::new(depth, format!("{own}: {met}/{n}{until}")).at(seen);
        let mut told = self.below().told(of, node + 1, depth + 1);
        told.lines.insert(0, head);
        let left = n.saturating_sub(met).max(1);
        told.needs = told.needs.map(|needs| repeated(needs, left));
        told
    }

    fn sum(
        &self,
        (own, of): (&Condition, &Condition),
        (expr, reaches): (&str, f64),
        node: u32,
        depth: u32,
    ) -> Told {
        let (total, seen) = match self.known(node) {
            Some(NodeState::Sum { total, so_far }) => (*total, offsets(so_far).collect()),
            _ => (0.0, Vec::new()),
        };
        let head = Line::new(depth, format!("{own}: {total}/{reaches}")).at(seen);
        let mut told = self.below().told(of, node + 1, depth + 1);
        told.lines.insert(0, head);
        let left = (reaches - total).max(0.0);
        let with_sum = |mut need: Need| {
            if let Step::Event { sum, .. } = &mut need.step {
                *sum = Some(Sum { expr: expr.to_owned(), left });
            }
            need.step.times(need.times)
        };
        told.needs = told.needs.map(|needs| needs.into_iter().map(with_sum).collect());
        told
    }

    /// What a script or other code has the last word on.
    fn code(&self, condition: &Condition, node: u32, depth: u32) -> Told {
        let children = self.children(condition, node, depth + 1);
        let kept = match self.known(node) {
            Some(NodeState::Script { state }) => {
                let kept: String = state.as_str().chars().take(80).collect();
                format!("it keeps {kept}")
            }
            _ => "it keeps nothing yet".to_owned(),
        };
        let mut lines = vec![Line::new(depth, format!("{condition}: {kept}"))];
        let mut all = Vec::new();
        for told in children {
            lines.extend(told.lines);
            all.push(told.needs);
        }
        let asked = |mut need: Need| {
            if let Step::Event { script, .. } = &mut need.step {
                *script = true;
            }
            need.step.times(need.times)
        };
        let needs = least(all.into_iter());
        Told { lines, needs: needs.map(|needs| needs.into_iter().map(asked).collect()) }
    }

    fn timer(&self, node: u32) -> (Option<Timestamp>, Option<&'a Firing>) {
        match self.known(node) {
            Some(NodeState::Timer { due, gathered }) => (*due, gathered.as_ref()),
            _ => (None, None),
        }
    }

    fn absent(&self, (own, of, span): (&Condition, &Condition, Span), node: u32, d: u32) -> Told {
        if let (Some(due), _) = self.timer(node) {
            let text = format!("{own}: fires at {due} unless {of} comes");
            return self.until((Line::new(d, text), due));
        }
        let mut told = self.below().told(of, node + 1, d + 1);
        let text = format!("{own}: it has fired, and waits until that comes again");
        told.lines.insert(0, Line::new(d, text));
        told.needs = told.needs.map(|needs| [needs, vec![Step::Calm { span }.once()]].concat());
        told
    }

    fn debounce(&self, (own, of, span): (&Condition, &Condition, Span), node: u32, d: u32) -> Told {
        if let (Some(due), gathered) = self.timer(node) {
            let text = format!("{own}: fires at {due} unless another comes");
            return self
                .until((Line::new(d, text).at(gathered.into_iter().flat_map(offsets)), due));
        }
        let mut told = self.below().told(of, node + 1, d + 1);
        told.lines.insert(0, Line::new(d, format!("{own}: nothing has come")));
        told.needs = told.needs.map(|needs| [needs, vec![Step::Calm { span }.once()]].concat());
        told
    }

    fn throttle(&self, (own, of): (&Condition, &Condition), node: u32, depth: u32) -> Told {
        let (due, gathered) = self.timer(node);
        let due = due.filter(|due| *due > self.scene.now || gathered.is_some());
        if let (Some(due), Some(gathered)) = (due, gathered) {
            let text = format!("{own}: what came is held back until {due}");
            return self.until((Line::new(depth, text).at(offsets(gathered)), due));
        }
        let mut told = self.below().told(of, node + 1, depth + 1);
        let held = due.map_or_else(String::new, |due| format!("; what comes waits until {due}"));
        told.lines.insert(0, Line::new(depth, format!("{own}: nothing has come{held}")));
        let wait = due.map(|until| Step::Time { until }.once());
        told.needs = told.needs.map(|mut needs| {
            needs.extend(wait);
            needs
        });
        told
    }
}
