//! The past: a slice of the log around the record that is looked at, folded up to it.
//!
//! Must never change what is followed, and never hold more of the log than one slice.

use std::collections::VecDeque;

use aiflow_model::state::ApplyError;
use aiflow_model::time::Timestamp;
use aiflow_model::wire::LogSlice;
use aiflow_model::{LoggedRecord, Offset, Record};

use super::words;
use super::world::World;

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
    pub(super) view: Option<View>,
    /// What was asked for and has not come, and how many slices were looked through for it.
    pub(super) waits: Option<(Wanted, u32)>,
    /// Where to go once it has come: no key is lost while the log is read.
    pub(super) then: VecDeque<Wanted>,
}

#[derive(Debug)]
pub(super) struct View {
    slice: LogSlice,
    world: World,
    /// Records of the slice that are folded.
    taken: usize,
}

impl Kind {
    pub(super) fn is_of(self, record: &Record) -> bool {
        match self {
            Self::Any => true,
            Self::Event => matches!(record, Record::EventEmitted(_)),
            Self::Failure => words::is_failure(record),
        }
    }

    pub(super) const fn name(self) -> &'static str {
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
    pub(super) fn of(slice: LogSlice) -> Result<Self, ApplyError> {
        let world = World::of(slice.state.as_ref().clone().with_derived());
        let at = slice.at;
        let mut view = Self { slice, world, taken: 0 };
        view.go(at)?;
        Ok(view)
    }

    pub(super) fn position(&self, offset: Offset) -> Option<usize> {
        self.slice.records.binary_search_by_key(&offset, |record| record.offset).ok()
    }

    /// Folds up to and with a record of the slice, from its beginning if that is behind.
    pub(super) fn go(&mut self, offset: Offset) -> Result<(), ApplyError> {
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
    pub(super) fn find(&self, kind: Kind, back: bool) -> Option<Offset> {
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
    pub(super) fn beyond(&self, back: bool) -> Option<Offset> {
        if back {
            let first = self.slice.records.first()?.offset;
            (first > self.slice.log_begins).then(|| Offset(first.0 - 1))
        } else {
            let next = Offset(self.slice.records.last()?.offset.0 + 1);
            (next < self.slice.log_ends).then_some(next)
        }
    }
}
