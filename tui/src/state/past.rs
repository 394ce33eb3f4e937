//! The past: a slice of the log around the record that is looked at, folded up to it.
//!
//! Must never change what is followed, and never hold more of the log than one slice.

use std::collections::VecDeque;

use aiflow_model::state::ApplyError;
use aiflow_model::time::Timestamp;
use aiflow_model::wire::{LogSlice, SliceQuery};
use aiflow_model::{LoggedRecord, Offset, Record};

use super::mark::Tone;
use super::model::Model;
use super::words;
use super::world::World;
use crate::conn::Request;

/// Records before the one that is looked at that a slice brings, and after it.
const BEFORE: u32 = 2_000;
const AFTER: u32 = 1_000;
/// Slices that one search looks through.
const SEARCHED_MAX: u32 = 20;
/// Steps that are kept while a slice is on its way.
const STEPS_MAX: usize = 64;

/// Where to go in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Offset(Offset),
    Time(Timestamp),
    /// The next record of a kind, or the one before.
    Next {
        kind: Kind,
        back: bool,
    },
}

/// Which records one steps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Event,
    Failure,
}

/// What was, while somebody looks at it.
#[derive(Debug, Default)]
pub(crate) struct Past {
    view: Option<View>,
    /// What was asked for and has not come, and how many slices were looked through for it.
    waits: Option<(Wanted, u32)>,
    /// Where to go once it has come: no key is lost while the log is read.
    then: VecDeque<Wanted>,
}

#[derive(Debug)]
struct View {
    slice: LogSlice,
    world: World,
    /// Records of the slice that are folded.
    taken: usize,
}

impl Kind {
    fn is_of(self, record: &Record) -> bool {
        match self {
            Self::Any => true,
            Self::Event => matches!(record, Record::EventEmitted(_)),
            Self::Failure => words::is_failure(record),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Any => "record",
            Self::Event => "event",
            Self::Failure => "failure",
        }
    }
}

impl Past {
    /// What is shown; none while the first slice is on its way.
    pub(crate) fn world(&self) -> Option<&World> {
        self.view.as_ref().map(|view| &view.world)
    }

    /// The record that is looked at.
    pub(crate) fn record(&self) -> Option<&LoggedRecord> {
        let view = self.view.as_ref()?;
        view.slice.records.get(view.taken.checked_sub(1)?)
    }

    /// When it was.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        self.record().map(|record| record.time)
    }

    /// What led to the record that is looked at, as far as the slice holds it.
    pub(crate) fn cause(&self) -> Option<&LoggedRecord> {
        let cause = self.record()?.cause?;
        let records = &self.view.as_ref()?.slice.records;
        let at = records.binary_search_by_key(&cause, |record| record.offset).ok()?;
        records.get(at)
    }

    /// The bounds of the log.
    pub(crate) fn bounds(&self) -> Option<(Offset, Offset)> {
        self.view.as_ref().map(|view| (view.slice.log_begins, view.slice.log_ends))
    }

    /// Whether something that was asked for has not come.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.waits.is_some()
    }
}

impl View {
    fn of(slice: LogSlice) -> Result<Self, ApplyError> {
        let world = World::of(slice.state.as_ref().clone().with_derived());
        let at = slice.at;
        let mut view = Self { slice, world, taken: 0 };
        view.go(at)?;
        Ok(view)
    }

    fn position(&self, offset: Offset) -> Option<usize> {
        self.slice.records.binary_search_by_key(&offset, |record| record.offset).ok()
    }

    /// Folds up to and with a record of the slice, from its beginning if that is behind.
    fn go(&mut self, offset: Offset) -> Result<(), ApplyError> {
        let Some(at) = self.position(offset) else { return Ok(()) };
        if at + 1 < self.taken {
            self.world = World::of(self.slice.state.as_ref().clone().with_derived());
            self.taken = 0;
        }
        for record in self.slice.records.get(self.taken..=at).unwrap_or_default() {
            self.world.take(record)?;
        }
        self.taken = at + 1;
        Ok(())
    }

    /// The next record of a kind in the slice, or the one before.
    fn find(&self, kind: Kind, back: bool) -> Option<Offset> {
        let records = &self.slice.records;
        let at = self.taken.saturating_sub(1);
        let found = if back {
            records.get(..at)?.iter().rev().find(|record| kind.is_of(&record.record))
        } else {
            records.get(self.taken..)?.iter().find(|record| kind.is_of(&record.record))
        };
        found.map(|record| record.offset)
    }

    /// The slice after this one, or before it; none at an end of the log.
    fn beyond(&self, back: bool) -> Option<Offset> {
        if back {
            let first = self.slice.records.first()?.offset;
            (first > self.slice.log_begins).then(|| Offset(first.0 - 1))
        } else {
            let next = Offset(self.slice.records.last()?.offset.0 + 1);
            (next < self.slice.log_ends).then_some(next)
        }
    }
}

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
