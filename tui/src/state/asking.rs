//! What the open screen wants to be told of by the daemon, beyond what is followed.
//!
//! Must never wait for it: the answer comes as a message.

use aiflow_model::wire::EventRef;

use super::exchange::Request;
use super::model::Model;
use super::recent::Fate;
use super::screen::Screen;

/// Asks for the receipt of the event that is looked at, unless what is known will do.
pub(crate) fn ask(model: &mut Model) {
    let Some((about, fate)) = wanted(model) else { return };
    let is_chosen = model.event_cursor.is_some() || model.past.is_some();
    let present = (model.now, model.live.state.next_offset);
    let receipts = &model.receipts;
    if receipts.is_waiting() || !receipts.is_due(about, fate, is_chosen, present) {
        return;
    }
    let fate = fate.clone();
    model.receipts.note(about, fate);
    model.outbox.push(Request::Receipt(about));
}

/// Whether an answer to come is shown.
pub(crate) fn is_waiting(model: &Model) -> bool {
    model.receipts.is_waiting() && model.screen == Screen::Events
}

/// The event that is looked at, as it is to be asked about; with what is seen of its fate here.
fn wanted(model: &Model) -> Option<(EventRef, &Fate)> {
    if model.screen != Screen::Events || (model.is_zoomed && model.view() == 0) {
        return None;
    }
    let about = about(model)?;
    Some((about, &model.recent().get(about.offset)?.fate))
}

/// The event that is looked at; in the past only what had become of it by then is asked for.
pub(crate) fn about(model: &Model) -> Option<EventRef> {
    let until = match &model.past {
        Some(past) => Some(past.record()?.offset.next()),
        None => None,
    };
    Some(EventRef { offset: model.selected_event()?.offset, until })
}
