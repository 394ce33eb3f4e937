//! What each rule made of the event that is looked at, as the daemon found in the log.
//!
//! Must never be asked for more than one at a time, nor for each event of a feed that rushes by.

use aiflow_model::Offset;
use aiflow_model::time::{Span, Timestamp};
use aiflow_model::wire::{EventFate, EventRef, Receipt};

use super::mark::{Mark, Tone};
use super::recent::Fate;

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

    /// Whether an answer is to come.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.asked.is_some()
    }

    /// Notes that it is asked for.
    pub(crate) fn note(&mut self, about: EventRef, fate: Fate) {
        self.asked = Some((about, fate));
    }

    /// Whether what is known will not do. `is_chosen`: somebody looks at this one, rather than at
    /// the newest; `ends`: the log goes on to there.
    pub(crate) fn is_due(
        &self,
        about: EventRef,
        fate: &Fate,
        is_chosen: bool,
        (now, ends): (Timestamp, Offset),
    ) -> bool {
        let Some(known) = &self.known else { return true };
        let since = now.since(known.at);
        if known.about != about {
            return is_chosen || since >= NEWEST_EVERY;
        }
        let Ok(receipt) = &known.told else { return false };
        let is_open = receipt.rules.iter().any(|rule| rule.fate == EventFate::Held);
        let may_have_changed = is_open && receipt.looked_until < ends && since >= AGAIN_EVERY;
        about.until.is_none() && (known.fate != *fate || may_have_changed)
    }

    /// There is somebody to ask again.
    pub(crate) fn forget_fault(&mut self) {
        self.known.take_if(|known| known.told.is_err());
    }
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
