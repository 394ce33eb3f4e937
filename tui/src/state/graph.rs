//! The tasks of a workflow as a graph: what leads to what, and by which condition.
//!
//! Must never show more than people can read: of a large one only what is near the selected task.

use std::collections::{BTreeMap, BTreeSet};

use aiflow_model::spec::{Action, Clock, Condition, WorkflowSpec};
use aiflow_model::state::ExecutionStatus;

/// From this many tasks on only the selected one and its neighbours are shown.
pub(crate) const TASKS_MAX: usize = 60;

/// What stands in the graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// The task at this place of the definition.
    Task(usize),
    /// An event that no task here derives, by its key.
    Event(String),
}

/// One leads to the other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: Node,
    pub(crate) to: usize,
    /// How, where it is not by success or simply by an event.
    pub(crate) label: Option<String>,
}

/// A graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) edges: Vec<Edge>,
    /// Only a part is shown.
    pub(crate) is_focused: bool,
}

/// The graph of a definition; all of it, or what is one step away from the selected task.
pub(crate) fn of(spec: &WorkflowSpec, selected: usize, is_focused: bool) -> Graph {
    let edges = edges(spec);
    let is_focused = is_focused || spec.tasks.len() > TASKS_MAX;
    if !is_focused {
        let events = edges.iter().map(|edge| edge.from.clone());
        let tasks = (0..spec.tasks.len()).map(Node::Task);
        let nodes: BTreeSet<Node> = tasks.chain(events).collect();
        return Graph { nodes: nodes.into_iter().collect(), edges, is_focused };
    }
    let here = Node::Task(selected);
    let near: Vec<Edge> =
        edges.into_iter().filter(|edge| edge.from == here || edge.to == selected).collect();
    let ends = near.iter().flat_map(|edge| [edge.from.clone(), Node::Task(edge.to)]);
    let nodes: BTreeSet<Node> = ends.chain([here.clone()]).collect();
    Graph { nodes: nodes.into_iter().collect(), edges: near, is_focused }
}

fn edges(spec: &WorkflowSpec) -> Vec<Edge> {
    let mut found: BTreeMap<(Node, usize), Option<String>> = BTreeMap::new();
    // Who derives which key, so that the edge leads from the task.
    let emits = spec.rules().filter_map(|(_, task, rule)| {
        let emission = rule.emission.as_ref()?;
        Some((emission.key.to_string(), spec.task_index(task.name.as_str())?))
    });
    let emitters: BTreeMap<String, usize> = emits.collect();
    for (to, task) in spec.tasks.iter().enumerate() {
        for rule in task.rules.iter().filter(|rule| rule.action != Action::Emit) {
            let verb = match rule.action {
                Action::Stop => Some("stops"),
                Action::Restart => Some("restarts"),
                _ => None,
            };
            for node in rule.condition.nodes() {
                for (from, label) in sources(spec, node, &emitters) {
                    let label = verb.map(str::to_owned).or(label);
                    found.entry((from, to)).or_insert(label);
                }
            }
        }
    }
    let edge = |((from, to), label)| Edge { from, to, label };
    found.into_iter().map(edge).collect()
}

fn sources(
    spec: &WorkflowSpec,
    part: &Condition,
    emitters: &BTreeMap<String, usize>,
) -> Vec<(Node, Option<String>)> {
    let event = |key: String, label: Option<&str>| match emitters.get(&key) {
        Some(task) => (Node::Task(*task), Some(key)),
        None => (Node::Event(key), label.map(str::to_owned)),
    };
    match part {
        Condition::On { key, filter } => {
            vec![event(key.to_string(), filter.as_ref().map(|_| "if"))]
        }
        Condition::Every { clock: Clock::Watermark(keys), .. } => {
            keys.iter().map(|key| event(key.to_string(), None)).collect()
        }
        Condition::After { tasks, .. } => tasks
            .iter()
            .filter_map(|(task, status)| {
                let label = (*status != ExecutionStatus::Success).then(|| status.to_string());
                Some((Node::Task(spec.task_index(task.as_str())?), label))
            })
            .collect(),
        Condition::Silent { task } => spec
            .task_index(task.as_str())
            .map(|index| (Node::Task(index), Some("silent".to_owned())))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}
