//! How far a condition has come, in words: what it has gathered, what it waits for, until when.
//!
//! Made from what its nodes know alone. Must never evaluate.

use std::collections::BTreeMap;

use crate::EventKey;
use crate::firing::{ClockState, NodeState};
use crate::spec::{Clock, Condition};

/// Most keys or windows that are told one by one.
const PARTS_MAX: usize = 10;

/// How far each node has come that gathers or waits, from the top on.
#[must_use]
pub fn progress(condition: &Condition, nodes: &BTreeMap<u32, NodeState>) -> Vec<String> {
    let numbered = (0..).zip(condition.nodes());
    numbered.filter_map(|(node, part)| of_node(part, nodes.get(&node))).collect()
}

fn of_node(part: &Condition, state: Option<&NodeState>) -> Option<String> {
    if let Some(NodeState::Parts(parts)) = state {
        let told = parts.iter().take(PARTS_MAX);
        let told = told
            .filter_map(|(name, state)| Some(format!("{name}: {}", of_node(part, Some(state))?)));
        let told: Vec<String> = told.collect();
        let more = parts.len().saturating_sub(PARTS_MAX);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        return Some(told.join("; ") + &more);
    }
    match part {
        Condition::Count { n, .. } => Some(match state {
            Some(NodeState::Count { met, .. }) => format!("{met}/{n}"),
            Some(NodeState::Recent { met }) => format!("{}/{n}", met.len()),
            _ => format!("0/{n}"),
        }),
        Condition::Sum { reaches, .. } => Some(match state {
            Some(NodeState::Sum { total, .. }) => format!("{total}/{reaches}"),
            _ => format!("0/{reaches}"),
        }),
        Condition::All(parts) => Some(of_all(parts, state)),
        Condition::Sequence(parts) => {
            let reached = match state {
                Some(NodeState::Sequence { reached }) => reached.iter().rposition(Option::is_some),
                _ => None,
            };
            let step = reached.map_or(0, |step| step + 1);
            let next = parts.get(step).map_or(String::new(), |next| format!(": waits for {next}"));
            Some(format!("{step}/{}{next}", parts.len()))
        }
        Condition::Absent { .. } => Some(match state {
            Some(NodeState::Timer { due: Some(due), .. }) => {
                format!("fires at {due} if it stays so")
            }
            _ => "waits until it comes again".to_owned(),
        }),
        Condition::Debounce { .. } => match state {
            Some(NodeState::Timer { due: Some(due), .. }) => {
                Some(format!("fires at {due} if it stays calm"))
            }
            _ => None,
        },
        Condition::Throttle { .. } => match state {
            Some(NodeState::Timer { due: Some(due), gathered: Some(_) }) => {
                Some(format!("held back until {due}"))
            }
            _ => None,
        },
        Condition::Every { .. } | Condition::Cron { .. } => of_clock(part, state),
        _ => None,
    }
}

fn of_all(parts: &[Condition], state: Option<&NodeState>) -> String {
    let is_met = |index: usize| match state {
        Some(NodeState::All { met }) => met.get(index).is_some_and(|queue| !queue.is_empty()),
        _ => false,
    };
    let missing: Vec<String> = parts
        .iter()
        .enumerate()
        .filter(|(index, _)| !is_met(*index))
        .map(|(_, part)| part.to_string())
        .collect();
    let met = parts.len() - missing.len();
    if missing.is_empty() {
        return format!("{met}/{}", parts.len());
    }
    format!("{met}/{}: waits for {}", parts.len(), missing.join(", "))
}

fn of_clock(part: &Condition, state: Option<&NodeState>) -> Option<String> {
    if part.is_over(state) {
        return Some("over".to_owned());
    }
    match (part, state) {
        (Condition::Cron { .. }, Some(NodeState::Cron { next, due, .. })) => {
            due.or(*next).map(|next| format!("next at {next}"))
        }
        (Condition::Every { period, clock, until, .. }, Some(NodeState::Clock(state))) => {
            let end = state.next_end(*period, *until);
            match clock {
                Clock::Wall => end.map(|end| format!("next at {}", state.due.unwrap_or(end))),
                Clock::Watermark(keys) => {
                    let end = end.map_or(String::new(), |end| format!("; next window ends {end}"));
                    Some(format!("{}{end}", of_sources(keys, state)))
                }
            }
        }
        _ => None,
    }
}

/// How far the sources have come, and which of them holds the clock.
pub(crate) fn of_sources(keys: &[EventKey], state: &ClockState) -> String {
    let sources = || keys.iter().enumerate().zip(&state.marks);
    let named = |names: Vec<&EventKey>| {
        names.into_iter().map(EventKey::as_str).collect::<Vec<_>>().join(", ")
    };
    let is_silent = |source: &usize| state.silent.contains(source);
    let mute = sources().filter(|((source, _), mark)| mark.is_none() && !is_silent(source));
    let mute: Vec<&EventKey> = mute.map(|((_, key), _)| key).collect();
    let words = match state.lowest() {
        Some(low) => {
            let lowest = sources().filter(|((source, _), mark)| {
                mark.is_some_and(|mark| mark.time == low.time) && !is_silent(source)
            });
            let lowest: Vec<&EventKey> = lowest.map(|((_, key), _)| key).collect();
            format!("at {}, held by {}", low.time, named(lowest))
        }
        None if mute.is_empty() => "stands: all sources are silent".to_owned(),
        None => format!("waits for {}", named(mute)),
    };
    let silent = sources().filter(|((source, _), _)| is_silent(source));
    let silent: Vec<&EventKey> = silent.map(|((_, key), _)| key).collect();
    if silent.is_empty() {
        return words;
    }
    format!("{words}; passed, since silent: {}", named(silent))
}
