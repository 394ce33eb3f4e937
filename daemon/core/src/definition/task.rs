//! One task of a definition.
//!
//! Must never start from another task: each is read by itself, references are checked later.

use std::collections::BTreeMap;

use aiflow_model::TaskName;
use aiflow_model::spec::{
    Action, Backoff, Command, FILTER_BYTES_MAX, Hook, Overlap, RetryOn, RetryPolicy, Rule,
    TaskKind, TaskSpec,
};
use aiflow_model::time::Span;

use super::node::{Node, Value};
use super::reader::{Map, Mapping, Reader, Reference};
use super::{condition, confinement, emission, plugin, pool};
use crate::expression::{Kind, Sight};

const KEYS: &[&str] = &[
    "kind",
    "bash",
    "exec",
    "webhook",
    "operator",
    "executor",
    "env",
    "start",
    "stop",
    "restart",
    "overlap",
    "parallel",
    "retry",
    "timeout",
    "emit",
    "grace",
    "priority",
    "pools",
    "heartbeat",
    "limits",
    "run_as",
    "secrets",
    "for_each",
    "ready",
];
pub(super) const TASK: Mapping = Mapping { what: "a task", keys: KEYS };
pub(super) const RETRY: Mapping =
    Mapping { what: "retry", keys: &["attempts", "backoff", "on", "jitter"] };
pub(super) const RESTART: Mapping =
    Mapping { what: "a restart policy", keys: &["on", "attempts", "backoff", "jitter"] };
const GRACE_DEFAULT: Span = Span::from_seconds(10);
const BACKOFF_DEFAULT: Backoff =
    Backoff { min: Span::from_seconds(1), max: Span::from_seconds(60) };
/// How often a hook is tried that does not say so.
const HOOK_RETRY: RetryPolicy = RetryPolicy {
    on: RetryOn::Failure,
    attempts_max: Some(5),
    backoff: BACKOFF_DEFAULT,
    codes: Vec::new(),
    jitter: None,
};
const PARALLEL_MAX: u64 = 10_000;

pub(crate) fn read(
    reader: &mut Reader,
    name: TaskName,
    node: &Node,
    references: &mut Vec<Reference>,
) -> Option<TaskSpec> {
    let map = reader.map(node, &TASK)?;
    let kinds = [("batch", TaskKind::Batch), ("stream", TaskKind::Stream)];
    let kind = match map.get("kind") {
        Some(node) => reader.word(node, "kind", &kinds)?,
        None => TaskKind::Batch,
    };
    let overlaps =
        [("ignore", Overlap::Ignore), ("queue", Overlap::Queue), ("latest", Overlap::Latest)];
    let overlap = match map.get("overlap") {
        Some(node) => reader.word(node, "overlap", &overlaps)?,
        None => Overlap::Ignore,
    };
    let parallel = match map.get("parallel") {
        Some(node) => reader.number(node, "parallel", 1, PARALLEL_MAX)?,
        None => 1,
    };
    let mut rules = Vec::new();
    let mut restart_policy = None;
    for action in [Action::Start, Action::Stop, Action::Restart, Action::Ready] {
        let Some(node) = map.get(action.word()) else { continue };
        if action == Action::Restart && is_restart_policy(node) {
            restart_policy = read_restart(reader, node);
            continue;
        }
        let condition = condition::read(reader, node, references, 0);
        rules.extend(condition.map(|condition| Rule { action, condition, emission: None }));
    }
    rules.extend(emission::read_emits(reader, map, references));
    let for_each = match map.get("for_each") {
        Some(node) => Some(read_for_each(reader, node, &rules)?),
        None => None,
    };
    let retry = match map.get("retry") {
        Some(node) if restart_policy.is_some() => {
            reader.fault(node.place, "a task has either `retry` or a `restart` policy");
            None
        }
        Some(node) => read_retry(reader, node),
        None => restart_policy,
    };
    Some(TaskSpec {
        command: read_command(reader, map)?,
        executor: match map.get("executor") {
            Some(node) => Some(plugin::read(reader, node, "executor")?),
            None => None,
        },
        name,
        kind,
        env: map.get("env").and_then(|node| read_env(reader, node)).unwrap_or_default(),
        rules,
        for_each,
        hook: None,
        overlap,
        parallel: u32::try_from(parallel).unwrap_or(1),
        retry,
        timeout: map.get("timeout").and_then(|node| reader.span(node, "timeout")),
        grace: read_grace(reader, map),
        priority: pool::read_priority(reader, map).unwrap_or(0),
        pools: pool::read_uses(reader, map).unwrap_or_default(),
        heartbeat: map.get("heartbeat").and_then(|node| reader.span(node, "heartbeat")),
        confinement: confinement::read(reader, map),
    })
}

/// What a hook runs; it is tried again unless it says otherwise.
pub(crate) fn read_hook(reader: &mut Reader, map: Map<'_>, hook: Hook) -> Option<TaskSpec> {
    let retry = match map.get("retry") {
        Some(node) => read_retry(reader, node),
        None => Some(HOOK_RETRY),
    };
    Some(TaskSpec {
        command: read_command(reader, map)?,
        name: TaskName::new(hook.name()).ok()?,
        kind: TaskKind::Batch,
        env: map.get("env").and_then(|node| read_env(reader, node)).unwrap_or_default(),
        rules: Vec::new(),
        for_each: None,
        hook: Some(hook),
        overlap: Overlap::Ignore,
        parallel: 1,
        retry,
        timeout: map.get("timeout").and_then(|node| reader.span(node, "timeout")),
        grace: read_grace(reader, map),
        priority: 0,
        pools: BTreeMap::new(),
        heartbeat: None,
        executor: None,
        confinement: confinement::read(reader, map),
    })
}

fn read_grace(reader: &mut Reader, map: Map<'_>) -> Span {
    map.get("grace").and_then(|node| reader.parse(node, "grace")).unwrap_or(GRACE_DEFAULT)
}

/// An expression that gives a list; over the event only where events start the task.
fn read_for_each(reader: &mut Reader, node: &Node, rules: &[Rule]) -> Option<String> {
    if rules.iter().any(|rule| rule.action == Action::Restart) {
        let message = "a task with `for_each` cannot be started anew by a rule";
        let hint = Some("stop it by `stop`, and start it by another event".to_owned());
        reader.fault_with_hint(node.place, message, hint);
        return None;
    }
    let mut starts = rules.iter().filter(|rule| rule.action == Action::Start);
    let has_event = starts.any(|rule| rule.condition.event_keys().next().is_some());
    let sight = if has_event { Sight::EventInRun } else { Sight::Run };
    let before = std::mem::replace(&mut reader.sight, sight);
    let kind = Kind::Expression;
    let read = condition::read_expression(reader, node, "for_each", kind, FILTER_BYTES_MAX);
    reader.sight = before;
    read
}

fn read_command(reader: &mut Reader, map: Map<'_>) -> Option<Command> {
    let said: Vec<(&str, &Node)> = ["bash", "exec", "operator", "webhook"]
        .into_iter()
        .filter_map(|key| Some((key, map.get(key)?)))
        .collect();
    match said.as_slice() {
        [("bash", node)] => reader.text(node, "bash").map(|t| Command::Bash(t.to_owned())),
        [("exec", node)] => reader.command(node, "exec").map(Command::Exec),
        [("operator", node)] => plugin::read(reader, node, "operator").map(Command::Operator),
        [(_, node)] => {
            let url = reader.text(node, "webhook")?;
            let is_url = url.starts_with("http://") || url.starts_with("https://");
            if !is_url || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
                let hint = Some("webhook: https://example.org/hook".to_owned());
                reader.fault_with_hint(node.place, "webhook has to be an address", hint);
            }
            Some(Command::Webhook(url.to_owned()))
        }
        [] => {
            let hint = Some("bash: echo hello".to_owned());
            reader.fault_with_hint(map.place, "the task does not say what to run", hint);
            None
        }
        [(_, node), ..] => {
            let message = "a task has one of `bash`, `exec`, `operator` and `webhook`, not several";
            reader.fault(node.place, message);
            None
        }
    }
}

fn read_env(reader: &mut Reader, node: &Node) -> Option<BTreeMap<String, String>> {
    let mut env = BTreeMap::new();
    for entry in reader.open_map(node, "env")? {
        reader.check_variable(entry);
        if let Some(value) = reader.text(&entry.node, "a variable") {
            env.insert(entry.key.clone(), value.to_owned());
        }
    }
    Some(env)
}

fn read_retry(reader: &mut Reader, node: &Node) -> Option<RetryPolicy> {
    let map = reader.map(node, &RETRY)?;
    let attempts = match map.get("attempts") {
        Some(node) => reader.number(node, "attempts", 1, 1_000_000)?,
        None => {
            let hint = Some("retry: {attempts: 3, backoff: 1s..1m}".to_owned());
            reader.fault_with_hint(map.place, "retry does not say how many attempts", hint);
            return None;
        }
    };
    let attempts_max = u32::try_from(attempts).ok();
    let codes = match map.get("on") {
        Some(node) => read_codes(reader, node)?,
        None => Vec::new(),
    };
    let (on, backoff) = (RetryOn::Failure, read_backoff(reader, map)?);
    Some(RetryPolicy { on, attempts_max, backoff, codes, jitter: read_jitter(reader, map) })
}

/// Exit codes that are worth another attempt: `75` or `[75, 111]`.
fn read_codes(reader: &mut Reader, node: &Node) -> Option<Vec<i32>> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Scalar { .. } | Value::Map(_) => std::slice::from_ref(node),
    };
    if items.is_empty() {
        let hint = Some("leave `on` out to retry after every failure".to_owned());
        reader.fault_with_hint(node.place, "on names no exit code", hint);
        return None;
    }
    let codes = items.iter().map(|item| reader.number(item, "an exit code", 1, 255));
    let codes: Vec<Option<u64>> = codes.collect();
    codes.into_iter().map(|code| code.and_then(|code| i32::try_from(code).ok())).collect()
}

fn read_jitter(reader: &mut Reader, map: Map<'_>) -> Option<Span> {
    map.get("jitter").and_then(|node| reader.span(node, "jitter"))
}

/// `restart` stands for a policy when it says on which ends; else it is a condition.
fn is_restart_policy(node: &Node) -> bool {
    let Value::Map(entries) = &node.value else { return false };
    entries.iter().any(|entry| {
        let is_end = matches!(&entry.node.value, Value::Scalar { text, .. }
            if matches!(text.as_str(), "failure" | "always"));
        matches!(entry.key.as_str(), "backoff" | "attempts") || (entry.key == "on" && is_end)
    })
}

fn read_restart(reader: &mut Reader, node: &Node) -> Option<RetryPolicy> {
    let map = reader.map(node, &RESTART)?;
    let ends = [("failure", RetryOn::Failure), ("always", RetryOn::Always)];
    let on = match map.get("on") {
        Some(node) => reader.word(node, "on", &ends)?,
        None => RetryOn::Failure,
    };
    let attempts = match map.get("attempts") {
        Some(node) => Some(reader.number(node, "attempts", 1, 1_000_000)?),
        None => None,
    };
    let attempts_max = attempts.and_then(|number| u32::try_from(number).ok());
    let (backoff, codes) = (read_backoff(reader, map)?, Vec::new());
    Some(RetryPolicy { on, attempts_max, backoff, codes, jitter: read_jitter(reader, map) })
}

/// `5s`, or `1s..1m`: the first wait and the longest.
fn read_backoff(reader: &mut Reader, map: Map<'_>) -> Option<Backoff> {
    let Some(node) = map.get("backoff") else { return Some(BACKOFF_DEFAULT) };
    let text = reader.text(node, "backoff")?;
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    match (min.parse::<Span>(), max.parse::<Span>()) {
        (Ok(min), Ok(max)) if min <= max => Some(Backoff { min, max }),
        (Ok(_), Ok(_)) => {
            reader.fault(node.place, "backoff: the first wait is longer than the longest");
            None
        }
        (Err(error), _) | (_, Err(error)) => {
            let hint = Some("backoff: 1s..1m".to_owned());
            reader.fault_with_hint(node.place, format!("backoff: {error}"), hint);
            None
        }
    }
}
