//! The filter of the events.

use crate::state::input_line::InputLine;
use crate::state::{Dialog, Model};

/// Begins to write it; what is shown changes with each letter.
pub(super) fn begin(model: &mut Model) {
    let before = model.filter.clone();
    model.dialog = Some(Dialog::Filter { line: InputLine::of(&before), before });
    model.event_cursor = None;
}
