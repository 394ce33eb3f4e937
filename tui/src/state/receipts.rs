//! The receipt of the event that is looked at: what each rule made of it, as the daemon finds in
//! the log.
//!
//! Must never ask for more than one at a time, nor for each event of a feed that rushes by.

use aiflow_model::time::{Span, Timestamp};
use aiflow_model::wire::{EventFate, EventRef, Receipt};

use super::mark::{Mark, Tone};
use super::recent::Fate;
use super::{Model, Screen};
use crate::conn::Request;

/// Between two looks at the newest event of a feed, while nobody has chosen one.
const NEWEST_EVERY: Span = Span::from_seconds(1);
/// Between two looks at an event of which more may become.
const AGAIN_EVERY: Span = Span::from_seconds(5);

/// What was asked last, and what is known.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    asked: Option<(EventRef, Fate)>,
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    about: EventRef,
    /// What was seen of its fate here when the daemon was asked.
    fate: Fate,
    at: Timestamp,
    told: Result<Box<Receipt>, String>,
}

impl Receipts {
    /// What is known of an event.
    pub(crate) fn of(&self, about: EventRef) -> Option<Result<&Receipt, &str>> {
        let known = self.known.as_ref().filter(|known| known.about == about)?;
        Some(known.told.as_deref().map_err(String::as_str))
    }

    /// Takes in what the daemon found.
    pub(crate) fn take(
        &mut self,
        about: EventRef,
        told: Result<Box<Receipt>, String>,
        at: Timestamp,
    ) {
        if let Some((_, fate)) = self.asked.take_if(|(asked, _)| *asked == about) {
            self.known = Some(Known { about, fate, at, told });
        }
    }

    /// There is somebody to ask again.
    pub(crate) fn forget_fault(&mut self) {
        self.known.take_if(|known| known.told.is_err());
    }
}

/// Asks for the receipt of the event that is looked at, unless what is known will do.
pub(crate) fn ask(model: &mut Model) {
    let Some((about, fate)) = wanted(model) else { return };
    if model.receipts.asked.is_some() || !is_due(model, about, fate) {
        return;
    }
    model.receipts.asked = Some((about, fate.clone()));
    model.outbox.push(Request::Receipt(about));
}

/// Whether an answer to come is shown.
pub(crate) fn is_waiting(model: &Model) -> bool {
    model.receipts.asked.is_some() && model.screen == Screen::Events
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

fn is_due(model: &Model, about: EventRef, fate: &Fate) -> bool {
    let Some(known) = &model.receipts.known else { return true };
    let since = model.now.since(known.at);
    if known.about != about {
        return model.event_cursor.is_some() || model.past.is_some() || since >= NEWEST_EVERY;
    }
    let Ok(receipt) = &known.told else { return false };
    let is_open = receipt.rules.iter().any(|rule| rule.fate == EventFate::Held);
    let is_behind = receipt.looked_until < model.live.state.next_offset;
    let may_have_changed = is_open && is_behind && since >= AGAIN_EVERY;
    about.until.is_none() && (known.fate != *fate || may_have_changed)
}

/// A fate, shown.
pub(crate) const fn mark(fate: EventFate) -> Mark {
    let (glyph, tone) = match fate {
        EventFate::Consumed => ("→", Tone::Good),
        EventFate::Held => ("◌", Tone::Wait),
        EventFate::Expired | EventFate::Ended => ("■", Tone::Dim),
        EventFate::Filtered | EventFate::Unmoved => ("·", Tone::Dim),
        EventFate::Failed => ("!", Tone::Bad),
    };
    Mark { glyph, word: fate.word(), tone }
}
