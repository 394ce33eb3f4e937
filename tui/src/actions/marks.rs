//! Marks: what is done next is done to all that carry one.

use crate::state::Model;
use crate::state::items;
use crate::state::mark::Tone;

/// Marks the selected line, or takes its mark away, and goes on to the next.
pub(super) fn toggle(model: &mut Model) {
    let Some(item) = items::selected(model) else { return };
    if !model.marks.remove(&item) {
        model.marks.insert(item.clone());
    }
    model.last_mark = Some(item);
    super::navigate::by(model, 1);
    tell(model);
}

/// Marks everything from the last mark to here.
pub(super) fn range(model: &mut Model) {
    let items = items::items(model);
    let at = model.cursor_in(&items);
    let last = model.last_mark.as_ref();
    let from = last.and_then(|last| items.iter().position(|item| item == last)).unwrap_or(at);
    let all = items.into_iter().skip(from.min(at)).take(from.abs_diff(at) + 1);
    model.marks.extend(all);
    tell(model);
}

fn tell(model: &mut Model) {
    let text = match model.marks.len() {
        0 => return,
        1 => "1 marked: the next command is about it; Esc takes it away".to_owned(),
        many => {
            format!("{many} marked: the next command is about all of them; Esc takes them away")
        }
    };
    model.say(text, Tone::Busy);
}
