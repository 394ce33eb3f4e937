//! What the palette offers: everything that can be done or gone to from here.
//!
//! Must never do anything itself: what is chosen is handed back.

use super::action::Action;
use super::place::Place;
use super::{control, lines};
use crate::palette_history;
use crate::state::chore::Chore;
use crate::state::item::Item;
use crate::state::items;
use crate::state::link::Link;
use crate::state::palette::{self, Palette};
use crate::state::runs::{self, Row};
use crate::state::{Model, tasks};

/// Entries of one kind that are offered.
const PLACES_MAX: usize = 200;

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
    Follow(Link),
}

/// The entries that fit what is written, the best first.
pub(crate) fn entries(model: &Model, palette: &Palette) -> Vec<Entry> {
    let wanted = palette.line.text();
    if let Ok(link) = wanted.parse::<Link>() {
        let words = format!("open {link}");
        return vec![Entry { words, key: None, line: None, does: Does::Follow(link) }];
    }
    let mut scored: Vec<(i64, usize, Entry)> = all(model)
        .into_iter()
        .enumerate()
        .filter_map(|(index, entry)| Some((palette::score(&entry.words, &wanted)?, index, entry)))
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
    let mut places = vec![Place::Screen(model.screen)];
    if Place::Screen(model.screen).has_tasks() {
        places.push(Place::Tasks);
    }
    places.push(Place::Everywhere);
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
            line: line_of(model, binding.action),
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
        let line = lines::line_of_item(&item);
        Entry { words, key: None, line, does: Does::Go(item) }
    };
    items.into_iter().map(entry).collect()
}

/// The command line that does the same, where there is one.
fn line_of(model: &Model, action: Action) -> Option<String> {
    match action {
        Action::Show(screen) => Some(lines::line_of_screen(model, screen)),
        Action::Why => items::selected(model).as_ref().and_then(lines::line_of_why),
        Action::Diff => {
            let selected = items::selected(model).and_then(|item| item.run());
            selected.or(model.run).map(lines::line_of_diff)
        }
        Action::Logs => items::selected(model).as_ref().and_then(lines::line_of_log),
        Action::Emit => Some("aiflow emit KEY VALUE".to_owned()),
        action => control::plan(model, action).ok()?.commands.first().map(|one| one.line()),
    }
}

/// What is chosen, remembered; none where nothing fits.
pub(super) fn choose(model: &mut Model, chosen: &Palette) -> Option<Does> {
    let entries = entries(model, chosen);
    let at = chosen.chosen.min(entries.len().saturating_sub(1));
    let entry = entries.into_iter().nth(at)?;
    palette_history::push(&mut model.palette_history, entry.words.clone());
    model.chores.push(Chore::Remember(entry.words));
    Some(entry.does)
}
