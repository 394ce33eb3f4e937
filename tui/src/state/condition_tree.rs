//! A condition as a tree of lines: what each part wants, whether it has it, how far it has come.
//!
//! Made from what its nodes know. Must never evaluate: what is not recorded is not known.

use std::collections::BTreeMap;

use aiflow_model::progress::progress;
use aiflow_model::spec::{Clock, Condition};
use aiflow_model::state::{ClockState, NodeState};
use aiflow_model::{EventKey, Offset, Timestamp};

use super::text;

/// Whether a part has what it wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It has been met, and that is kept for the others.
    Met,
    /// It waits.
    Waits,
    /// Only its parts tell.
    Whole,
}

/// One part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) depth: usize,
    pub(crate) truth: Truth,
    pub(crate) words: String,
    /// How far it has come.
    pub(crate) note: String,
    /// So much of so much.
    pub(crate) meter: Option<(f64, f64)>,
    /// The event that said so.
    pub(crate) event: Option<Offset>,
    /// The key whose event would bring it on.
    pub(crate) key: Option<EventKey>,
    /// What a watermark would have to say.
    pub(crate) until: Option<Timestamp>,
}

/// The parts, each below the one that it belongs to.
pub(crate) fn of(condition: &Condition, nodes: &BTreeMap<u32, NodeState>) -> Vec<Node> {
    let mut lines = Vec::new();
    walk(condition, 0, 0, None, nodes, &mut lines);
    lines
}

fn walk(
    part: &Condition,
    number: u32,
    depth: usize,
    known: Option<Truth>,
    nodes: &BTreeMap<u32, NodeState>,
    lines: &mut Vec<Node>,
) {
    let state = nodes.get(&number);
    let truth = known.unwrap_or(match part.children() {
        [] => Truth::Waits,
        _ => Truth::Whole,
    });
    let key = match part {
        Condition::On { key, .. } => key.to_string().parse::<EventKey>().ok(),
        _ => None,
    };
    let meter = meter(part, state);
    // A meter says it shorter.
    let note = note(part, state).filter(|_| meter.is_none()).unwrap_or_default();
    let words = words(part);
    lines.push(Node { depth, truth, words, note, meter, event: None, key, until: None });
    if let (Condition::Every { .. }, Some(NodeState::Clock(clock))) = (part, state) {
        sources(part, clock, depth + 1, lines);
    }
    for (index, (number, child)) in part.numbered_children(number).enumerate() {
        walk(child, number, depth + 1, child_truth(state, index), nodes, lines);
    }
}

/// Whether the part at `index` has been met already, as far as its parent keeps that.
fn child_truth(state: Option<&NodeState>, index: usize) -> Option<Truth> {
    let is_met = match state? {
        NodeState::All { met } => met.get(index).is_some_and(|queue| !queue.is_empty()),
        NodeState::Sequence { reached } => reached.get(index).is_some_and(Option::is_some),
        _ => return None,
    };
    Some(if is_met { Truth::Met } else { Truth::Waits })
}

fn meter(part: &Condition, state: Option<&NodeState>) -> Option<(f64, f64)> {
    let of = |met: usize, n: u64| Some((met as f64, n as f64));
    match (part, state) {
        (Condition::Count { n, .. }, Some(NodeState::Count { met, .. })) => {
            of(usize::try_from(*met).unwrap_or(usize::MAX), *n)
        }
        (Condition::Count { n, .. }, Some(NodeState::Recent { met })) => of(met.len(), *n),
        (Condition::Count { n, .. }, None) => of(0, *n),
        (Condition::Sum { reaches, .. }, Some(NodeState::Sum { total, .. })) => {
            Some((*total, *reaches))
        }
        (Condition::Sum { reaches, .. }, None) => Some((0.0, *reaches)),
        (Condition::Sequence(parts), state) => {
            let reached = match state {
                Some(NodeState::Sequence { reached }) => {
                    reached.iter().rposition(Option::is_some).map_or(0, |step| step + 1)
                }
                _ => 0,
            };
            of(reached, parts.len() as u64)
        }
        (Condition::All(parts), state) => {
            let met = match state {
                Some(NodeState::All { met }) => met.iter().filter(|q| !q.is_empty()).count(),
                _ => 0,
            };
            of(met, parts.len() as u64)
        }
        _ => None,
    }
}

fn note(part: &Condition, state: Option<&NodeState>) -> Option<String> {
    // The sources of a clock have lines of their own.
    if matches!(part, Condition::Every { clock: Clock::Watermark(_), .. }) {
        return None;
    }
    let own: BTreeMap<u32, NodeState> = state.map(|state| (0, state.clone())).into_iter().collect();
    let tells = match part {
        Condition::Debounce { .. } | Condition::Throttle { .. } => {
            matches!(state, Some(NodeState::Timer { due: Some(_), .. }))
        }
        Condition::Any(_)
        | Condition::Within { .. }
        | Condition::State { .. }
        | Condition::Custom { .. } => false,
        Condition::Reset { .. } => matches!(state, Some(NodeState::Parts(_))),
        _ => true,
    };
    progress(part, &own).into_iter().next().filter(|_| tells)
}

/// What a part wants, its own parts left out.
fn words(part: &Condition) -> String {
    match part {
        Condition::All(_) => "all of".to_owned(),
        Condition::Any(_) => "any of".to_owned(),
        Condition::Sequence(_) => "one after the other".to_owned(),
        Condition::Within { span, .. } => format!("within {span}"),
        Condition::Count { n, .. } => text::count(*n, "time"),
        Condition::Sum { expr, reaches, .. } => format!("sum of {expr} reaches {reaches}"),
        Condition::Absent { span, .. } => format!("nothing for {span} of"),
        Condition::Debounce { span, .. } => format!("calm for {span} after"),
        Condition::Throttle { span, .. } => format!("at most once in {span}"),
        Condition::State { .. } => "a script says so of".to_owned(),
        Condition::Custom { .. } => "code says so of".to_owned(),
        Condition::Reset { of, .. } => {
            // What it says of its part stands before the part's own words.
            let whole = part.to_string();
            whole
                .strip_suffix(&of.to_string())
                .map_or(whole.clone(), |lead| lead.trim_end_matches([':', ' ']).to_owned())
        }
        other => other.to_string(),
    }
}

/// One line for each source of a clock: whether it has passed the end of the next window.
fn sources(part: &Condition, clock: &ClockState, depth: usize, lines: &mut Vec<Node>) {
    let Condition::Every { period, clock: Clock::Watermark(keys), until, .. } = part else {
        return;
    };
    let end = clock.next_end(*period, *until);
    for (index, key) in keys.iter().enumerate() {
        let mark = clock.marks.get(index).copied().flatten();
        let is_silent = clock.silent.contains(&index);
        let is_met = match end {
            Some(end) => mark.is_some_and(|mark| mark.time >= end),
            None => mark.is_some(),
        };
        let is_met = is_met || is_silent;
        let words = match end {
            Some(end) => format!("{key} ≥ {}", text::date_time(end)),
            None => format!("the first watermark of {key}"),
        };
        let note = match (is_silent, mark) {
            (true, _) => "passed, since it is silent".to_owned(),
            (false, Some(mark)) => {
                let left = end.map(|end| end.since(mark.time)).filter(|left| left.0 > 0);
                let left = left.map(|left| format!(", {} to go", text::length_in_words(left)));
                let at = text::beside(mark.time, end.unwrap_or(mark.time));
                format!("is {at}{}", left.unwrap_or_default())
            }
            (false, None) => "has not spoken".to_owned(),
        };
        lines.push(Node {
            depth,
            truth: if is_met { Truth::Met } else { Truth::Waits },
            words,
            note,
            meter: None,
            event: mark.map(|mark| mark.event),
            key: Some(key.clone()),
            until: end,
        });
    }
}
