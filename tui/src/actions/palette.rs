//! Doing what was chosen in the palette.

use crate::state::palette::{self, Does, Palette};
use crate::state::past::{self, Wanted};
use crate::state::{Model, link::Link};

/// Choices that are remembered.
const HISTORY_MAX: usize = 50;

/// Does what is chosen.
pub(super) fn choose(model: &mut Model, chosen: &Palette) {
    let entries = palette::entries(model, chosen);
    let Some(entry) = entries.get(chosen.chosen.min(entries.len().saturating_sub(1))) else {
        return model.say("nothing fits that", crate::state::mark::Tone::Wait);
    };
    model.palette_history.retain(|words| *words != entry.words);
    model.palette_history.push(entry.words.clone());
    if model.palette_history.len() > HISTORY_MAX {
        model.palette_history.remove(0);
    }
    match entry.does.clone() {
        Does::Act(action) => super::perform(model, action),
        Does::Go(item) => super::go_to(model, &item),
        Does::Follow(link) => follow(model, &link),
    }
}

/// Opens what a link leads to, in the past where it says so.
pub(crate) fn follow(model: &mut Model, link: &Link) {
    if let Some(run) = link.run {
        super::navigate::choose_run(model, run);
        if let Some(task) = &link.task {
            let spec = model.state().snapshot_of(run).map(|snapshot| &snapshot.spec);
            let index = spec.and_then(|spec| spec.task_index(task.as_str()));
            model.task_cursor = index.unwrap_or(0);
        }
        model.execution = link.sequence;
    }
    model.event_cursor = link.event;
    super::navigate::show(model, link.screen);
    if let Some(offset) = link.offset {
        past::enter(model, Wanted::Offset(offset));
    }
}
