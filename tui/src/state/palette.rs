//! The palette: everything that can be done or gone to from here, found by a few letters.
//!
//! Must never do anything itself: what is chosen is handed to the actions.

use super::input_line::InputLine;
use super::item::Item;
use super::model::Model;
use super::runs::{self, Row};
use super::{Screen, tasks};
use crate::actions::keymap::Place;
use crate::actions::{self, Action};

/// Entries of one kind that are offered.
const PLACES_MAX: usize = 200;

/// A command looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Palette {
    pub(crate) line: InputLine,
    /// Which of those that fit is chosen.
    pub(crate) chosen: usize,
}

/// Something that can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) words: String,
    /// The key that does the same.
    pub(crate) key: Option<String>,
    /// The command line that does or shows the same.
    pub(crate) line: Option<String>,
    pub(crate) does: Does,
}

/// What choosing it does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Does {
    Act(Action),
    Go(Item),
    Follow(super::link::Link),
}

/// The entries that fit what is written, the best first.
pub(crate) fn entries(model: &Model, palette: &Palette) -> Vec<Entry> {
    let wanted = palette.line.text();
    if let Ok(link) = wanted.parse::<super::link::Link>() {
        let words = format!("open {link}");
        return vec![Entry { words, key: None, line: None, does: Does::Follow(link) }];
    }
    let mut scored: Vec<(i64, usize, Entry)> = all(model)
        .into_iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((score(&entry.words, &wanted)?, index, entry)))
        .collect();
    if wanted.trim().is_empty() {
        // What was done before comes first.
        let used =
            |entry: &Entry| model.palette_history.iter().rposition(|words| *words == entry.words);
        scored.sort_by_key(|(_, index, entry)| (std::cmp::Reverse(used(entry)), *index));
    } else {
        scored.sort_by_key(|(score, index, _)| (std::cmp::Reverse(*score), *index));
    }
    scored.into_iter().map(|(_, _, entry)| entry).collect()
}

fn all(model: &Model) -> Vec<Entry> {
    let mut places = vec![Place::of_screen(model.screen)];
    if Place::of_screen(model.screen).has_tasks() {
        places.push(Place::Tasks);
    }
    places.push(Place::Screens);
    let known = model.keymap.bindings.iter().filter(|b| places.contains(&b.place));
    let is_offered =
        |action: &Action| !matches!(action, Action::Up | Action::Down | Action::Palette);
    let mut entries: Vec<Entry> = known
        .filter(|binding| is_offered(&binding.action))
        .map(|binding| Entry {
            words: match binding.action {
                Action::Show(screen) => format!("show {}: {}", screen.word(), binding.help),
                action => format!("{}: {}", action.name(), binding.help),
            },
            key: binding.keys.first().map(|key| key.name()),
            line: actions::line_of(model, binding.action),
            does: Does::Act(binding.action),
        })
        .collect();
    entries.extend(goes(model));
    entries
}

fn goes(model: &Model) -> Vec<Entry> {
    let mut items: Vec<(String, Item)> = Vec::new();
    for row in runs::rows(model.state()).into_iter().take(PLACES_MAX) {
        match row {
            Row::Workflow(row) => {
                let words = format!("go to workflow {}", row.workflow);
                items.push((words, Item::Workflow(row.namespace, row.workflow)));
            }
            Row::Run(run) => {
                let known = model.state().run(run);
                let of = known.map(|run| format!(" of {}", run.workflow)).unwrap_or_default();
                items.push((format!("go to run {run}{of}"), Item::Run(run)));
            }
        }
    }
    if let Some(run) = model.open_run() {
        for row in tasks::rows(model.state(), run).into_iter().take(PLACES_MAX) {
            let words = format!("go to task {} of run {}", row.task, run.id);
            items.push((words, Item::Task(run.id, row.task)));
        }
    }
    let entry = |(words, item): (String, Item)| {
        let line = actions::line_of_item(&item);
        Entry { words, key: None, line, does: Does::Go(item) }
    };
    items.into_iter().map(entry).collect()
}

/// How well a text fits what is written: all letters in order, best where words begin and where
/// they stand together; none where it does not fit.
pub(crate) fn score(text: &str, wanted: &str) -> Option<i64> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut total = 0;
    for word in wanted.to_lowercase().split_whitespace() {
        total += score_word(&text, word)?;
    }
    Some(total)
}

fn score_word(text: &[char], word: &str) -> Option<i64> {
    let word: Vec<char> = word.chars().collect();
    let starts = (0..text.len()).filter(|at| text.get(*at) == word.first());
    starts.filter_map(|at| score_from(text, at, &word)).max()
}

fn score_from(text: &[char], start: usize, word: &[char]) -> Option<i64> {
    let mut score = if start == 0 { 4 } else { 0 };
    let mut at = start;
    let mut last: Option<usize> = None;
    for letter in word {
        let found = at + text.get(at..)?.iter().position(|c| c == letter)?;
        let begins = found == 0 || text.get(found - 1).is_some_and(|c| !c.is_alphanumeric());
        let follows = last.is_some_and(|last| last + 1 == found);
        score += 1 + if begins { 3 } else { 0 } + if follows { 4 } else { 0 };
        last = Some(found);
        at = found + 1;
    }
    Some(score * 16 - i64::try_from(at - start).unwrap_or(i64::MAX / 2))
}

/// The screen that shows an item.
pub(crate) const fn screen_of(item: &Item) -> Screen {
    match item {
        Item::Workflow(..) => Screen::Workflow,
        Item::Run(_) => Screen::Run,
        Item::Task(..) | Item::Execution(..) => Screen::Task,
        Item::Event(_) => Screen::Events,
        Item::Trigger(_) => Screen::Clocks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_fit_and_words_that_begin_with_them_fit_best() {
        let best = |wanted: &str| {
            let texts = ["stop-run: stop the whole run", "show streams", "start-task: start it"];
            let scored = texts.iter().filter_map(|text| Some((score(text, wanted)?, *text)));
            scored.max_by_key(|(score, _)| *score).map(|(_, text)| text)
        };
        assert_eq!(best("stru"), Some("stop-run: stop the whole run"));
        assert_eq!(best("streams"), Some("show streams"));
        assert_eq!(best("task"), Some("start-task: start it"));
        assert_eq!(best("run whole"), Some("stop-run: stop the whole run"));
        assert_eq!(best("xyz"), None);
    }
}
