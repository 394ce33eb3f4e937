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
    if all.iter().all(|one| one.task == first.task)
        && let (Some(last), true) = (all.last(), all.len() > 1)
    {
        return match last.window {
            Some(_) => format!("{} … ({} windows)", named(first), all.len()),
            None => format!("{} in {} runs", first.task, all.len()),
        };
    }
    let names: Vec<String> = all.iter().take(3).map(named).collect();
    let more = all.len().saturating_sub(3);
    let rest = if more > 0 { format!(" +{more}") } else { String::new() };
    names.join(", ") + rest.as_str()
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
