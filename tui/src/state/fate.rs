//! The fate of an event in a few words.
//!
//! Must never claim more than the records say: a rule that looked and did nothing "did not fire".

use super::mark::Tone;
use super::recent::{Fate, Started};
use super::text;

/// The fate in words: `→ train 04h`, `◌ train waits on`, `no rule`.
pub(crate) fn words(fate: &Fate) -> (String, Tone) {
    if let Some(fault) = &fate.fault {
        return (format!("! filter failed: {fault}"), Tone::Bad);
    }
    if !fate.started.is_empty() {
        return (format!("→ {}", started(&fate.started)), Tone::Good);
    }
    if !fate.stopped.is_empty() {
        return (format!("■ stops {}", join(fate.stopped.iter())), Tone::Wait);
    }
    if !fate.noted_by.is_empty() {
        return (format!("◌ {} waits on", join(fate.noted_by.iter())), Tone::Plain);
    }
    let words = if fate.has_rule { "no rule fired" } else { "no rule" };
    (words.to_owned(), Tone::Dim)
}

/// Every execution that the event led to, one by one.
pub(crate) fn started_one_by_one(fate: &Fate) -> Vec<String> {
    fate.started.iter().map(|one| format!("run {} · {}", one.run, named(one))).collect()
}

fn started(all: &[Started]) -> String {
    let Some(first) = all.first() else { return String::new() };
    if all.iter().all(|one| one.task == first.task) && all.len() > 1 {
        return match first.window {
            Some(_) => range(all),
            None => format!("{} in {} runs", first.task, all.len()),
        };
    }
    let names: Vec<String> = all.iter().take(3).map(named).collect();
    let more = all.len().saturating_sub(3);
    let rest = if more > 0 { format!(" +{more}") } else { String::new() };
    names.join(", ") + rest.as_str()
}

/// Windows of one task: `train 04h–06h`.
fn range(all: &[Started]) -> String {
    let by_start = |one: &&Started| one.window.map(|window| window.start);
    let (first, last) = (all.iter().min_by_key(by_start), all.iter().max_by_key(by_start));
    let (Some(first), Some(window)) = (first, last.and_then(|last| last.window)) else {
        return String::new();
    };
    let end = text::window_short(window.start, window.end.since(window.start));
    format!("{}–{end}", named(first))
}

fn named(one: &Started) -> String {
    match one.window {
        Some(window) => {
            let name = text::window_short(window.start, window.end.since(window.start));
            format!("{} {name}", one.task)
        }
        None => one.task.to_string(),
    }
}

fn join<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
