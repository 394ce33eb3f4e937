//! Going about in the past: to a record, to a time, to the next of a kind.
//!
//! Must never lose a step that is asked for while the log is read.

use aiflow_model::Offset;
use aiflow_model::state::ApplyError;
use aiflow_model::wire::{LogSlice, SliceQuery};

use super::exchange::Request;
use super::mark::Tone;
use super::model::Model;
use super::past::{Kind, Past, View, Wanted};

/// Records before the one that is looked at that a slice brings, and after it.
const BEFORE: u32 = 2_000;
const AFTER: u32 = 1_000;
/// Slices that one search looks through.
const SEARCHED_MAX: u32 = 20;
/// Steps that are kept while a slice is on its way.
const STEPS_MAX: usize = 64;

/// Into the past, or back to now.
pub(crate) fn toggle(model: &mut Model) {
    if model.past.take().is_some() {
        model.say("back to now", Tone::Good);
        return;
    }
    if model.live.state.next_offset == Offset(0) {
        model.say("nothing has been recorded yet", Tone::Wait);
        return;
    }
    enter(model, Wanted::Offset(last(model)));
}

/// The newest record that is known.
const fn last(model: &Model) -> Offset {
    Offset(model.live.state.next_offset.0.saturating_sub(1))
}

/// To a point of the past.
pub(crate) fn enter(model: &mut Model, wanted: Wanted) {
    model.marks.clear();
    if model.past.is_none() {
        model.past = Some(Past::default());
        if matches!(wanted, Wanted::Next { .. }) {
            // A step into the past is one from its end.
            go(model, Wanted::Offset(last(model)), 0);
        }
    }
    match &mut model.past {
        Some(past) if past.waits.is_some() => {
            if past.then.len() < STEPS_MAX {
                past.then.push_back(wanted);
            }
        }
        _ => go(model, wanted, 0),
    }
}

/// Goes there, or asks for the slice that holds it.
fn go(model: &mut Model, wanted: Wanted, searched: u32) {
    let Some(past) = &mut model.past else { return };
    let query = match (wanted, &mut past.view) {
        (Wanted::Offset(offset), Some(view)) if view.position(offset).is_some() => {
            let gone = view.go(offset);
            return report(model, gone);
        }
        (Wanted::Next { kind, back }, Some(view)) => match view.find(kind, back) {
            Some(offset) => {
                let gone = view.go(offset);
                return report(model, gone);
            }
            None => match view.beyond(back) {
                Some(at) if searched < SEARCHED_MAX => around(at, back),
                Some(_) => {
                    return model.say("nothing found so far; press again to look on", Tone::Wait);
                }
                None => {
                    let way = if back { "before" } else { "after" };
                    return model.say(format!("no {} {way} this", kind.name()), Tone::Wait);
                }
            },
        },
        (Wanted::Offset(at), _) => {
            SliceQuery { at: Some(at), time: None, before: BEFORE, after: AFTER }
        }
        (Wanted::Time(time), _) => {
            SliceQuery { at: None, time: Some(time), before: BEFORE, after: AFTER }
        }
        // Before there is a view, what is wanted waits for it.
        (Wanted::Next { .. }, None) => return,
    };
    past.waits = Some((wanted, searched + 1));
    model.outbox.push(Request::Slice(query));
}

/// A slice that begins or ends with the record.
const fn around(at: Offset, back: bool) -> SliceQuery {
    let (before, after) = if back { (BEFORE + AFTER, 0) } else { (0, BEFORE + AFTER) };
    SliceQuery { at: Some(at), time: None, before, after }
}

fn report(model: &mut Model, gone: Result<(), ApplyError>) {
    if let Err(error) = gone {
        model.say(format!("the past cannot be folded: {error}"), Tone::Bad);
    }
}

/// Takes in the slice that was asked for.
pub(crate) fn take(model: &mut Model, slice: Result<Box<LogSlice>, String>) {
    let Some(past) = &mut model.past else { return };
    let waited = past.waits.take();
    let slice = match slice {
        Ok(slice) => *slice,
        Err(reason) => {
            past.then.clear();
            if past.view.is_none() {
                model.past = None;
            }
            return model.say(reason, Tone::Bad);
        }
    };
    match View::of(slice) {
        Ok(view) => past.view = Some(view),
        Err(error) => return model.say(format!("the past cannot be folded: {error}"), Tone::Bad),
    }
    if let Some((Wanted::Next { kind, back }, searched)) = waited {
        found_in_slice(model, kind, back, searched);
    }
    while let Some(wanted) = next_step(model) {
        go(model, wanted, 0);
    }
}

/// What was asked for meanwhile, unless another slice has to come first.
fn next_step(model: &mut Model) -> Option<Wanted> {
    let past = model.past.as_mut().filter(|past| past.waits.is_none())?;
    past.then.pop_front()
}

/// A search goes on in the slice that came: its own end counts too.
fn found_in_slice(model: &mut Model, kind: Kind, back: bool, searched: u32) {
    let Some(record) = model.past.as_ref().and_then(Past::record) else { return };
    if !kind.is_of(&record.record) {
        go(model, Wanted::Next { kind, back }, searched);
    }
}
