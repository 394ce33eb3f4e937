//! What the log tells of the past: how things stood, what has happened since, what became of an
//! event.
//!
//! Runs off the loop, on what is durable. Must never write anything but waypoints.

use aiflow_core::Tracker;
use aiflow_log::DiskStorage;
use aiflow_model::digest::Gatherer;
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::{EventRef, Moment, SinceReply, StateReply};
use aiflow_model::{Offset, State};

use crate::event_index::{EventIndex, Stream};
use crate::queries::to_json;
use crate::question::{beyond, each_batch, unreadable};
use crate::receipt;
use crate::waypoints::{Lost, Waypoints};

/// Most runs that the index is asked for.
const RUNS_ASKED_MAX: usize = 16;

/// What a question about the past needs.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) log: DiskStorage,
    pub(crate) waypoints: Waypoints,
    pub(crate) index: EventIndex,
    /// First record that is kept.
    pub(crate) first: Offset,
    /// Everything below is durable.
    pub(crate) end: Offset,
}

impl Past {
    /// How things stood at a moment.
    pub(crate) fn state(&self, moment: Moment) -> Result<String, Rejection> {
        let at = self.offset_of(moment)?;
        let state = self.state_at(at)?;
        to_json(&StateReply { at, state: Box::new(state) })
    }

    /// What has happened since a moment.
    pub(crate) fn since(&self, moment: Moment) -> Result<String, Rejection> {
        let from = self.offset_of(moment)?.max(self.first);
        let mut gatherer = Gatherer::default();
        each_batch(&self.log, from.0..self.end.0, |batch| {
            batch.iter().for_each(|logged| gatherer.note(logged));
            true
        })?;
        let digest = gatherer.finish(&self.state_at(self.end)?, from);
        to_json(&SinceReply { from, until: self.end, digest })
    }

    /// What became of an event.
    pub(crate) fn receipt(&self, asked: EventRef) -> Result<String, Rejection> {
        self.check(asked.offset)?;
        let state_at = |offset| self.state_at(offset);
        receipt::read(&self.log, self.end, asked, state_at, |tracker, from| {
            self.next_of(tracker, from)
        })
    }

    /// Where the next record stands that can tell more of an event.
    fn next_of(&self, tracker: &Tracker, from: Offset) -> Result<Offset, Rejection> {
        let open = tracker.open_runs().filter(|runs| runs.len() <= RUNS_ASKED_MAX);
        let Some(runs) = open else { return Ok(from) };
        let mut next = self.end.0;
        for run in runs {
            next = self.index.skip(&Stream::Run(run), from.0, next).map_err(unreadable)?.min(next);
        }
        Ok(Offset(next.max(from.0)))
    }

    pub(crate) fn state_at(&self, offset: Offset) -> Result<State, Rejection> {
        self.waypoints.state_at(offset.0).map_err(|error| match error {
            Lost::Gone(_) => self.gone(offset),
            Lost::Other(error) => unreadable(error),
        })
    }

    pub(crate) fn offset_of(&self, moment: Moment) -> Result<Offset, Rejection> {
        match moment {
            Moment { offset: Some(offset), time: None } if offset <= self.end => Ok(offset),
            Moment { offset: Some(offset), time: None } => Err(beyond(offset, self.end)),
            Moment { offset: None, time: Some(time) } => {
                self.index.after(time, self.end.0).map(Offset)
            }
            _ => {
                let message = "either `offset` or `time` is wanted";
                Err(Rejection::new(ErrorCode::InvalidParams, message))
            }
        }
    }

    pub(crate) fn check(&self, offset: Offset) -> Result<(), Rejection> {
        if offset < self.first { Err(self.gone(offset)) } else { Ok(()) }
    }

    fn gone(&self, offset: Offset) -> Rejection {
        let message = format!(
            "offset {offset} is no longer told of: the log begins at {}, and no state before it \
             is kept",
            self.first
        );
        Rejection::new(ErrorCode::OffsetOutOfRange, message)
            .hint("aiflowd --keep-for 90d keeps more from now on")
    }
}

#[cfg(test)]
mod tests {
    use aiflow_model::Record;
    use aiflow_model::wire::Receipt;

    use super::*;
    use crate::waypoints::tests::told;

    #[test]
    fn a_receipt_is_found_far_behind_the_event_where_nothing_of_its_run_is_between() {
        // A count of three: the first event is held, the third fires. Between them are many of
        // another key, which no rule looks at.
        let root = tempfile::tempdir().unwrap();
        let (waypoints, end) = told(root.path(), |story| {
            story.emit("k", 1);
            story.emit("noise", 6_000);
            story.emit("k", 2);
        });
        let log = DiskStorage::open(root.path().join("log")).unwrap();
        let index = EventIndex::new(log.clone()).unwrap();
        let first = Offset(0);
        let past = Past { log, waypoints, index, first, end: Offset(end) };
        let mut emitted = Vec::new();
        each_batch(&past.log, 0..end, |batch| {
            let events = batch.iter().filter(|l| matches!(l.record, Record::EventEmitted(_)));
            emitted.extend(events.map(|logged| logged.offset));
            true
        })
        .unwrap();
        let receipt = past.receipt(EventRef { offset: emitted[0], until: None }).unwrap();
        let receipt: Receipt = serde_json::from_str(&receipt).unwrap();
        assert_eq!(receipt.rules.len(), 1);
        assert_eq!(receipt.rules[0].fate.word(), "consumed", "{receipt:?}");
        // So it is found among fewer than lie between.
        let fired = receipt.rules[0].records[0];
        assert!(fired > Offset(6_000) && receipt.looked_until > fired, "{receipt:?}");
        let looked = |most| {
            let (state_at, mut looked) = (|offset| past.state_at(offset), 0);
            let asked = EventRef { offset: emitted[0], until: None };
            let end = Offset(end);
            let found = receipt::read_most(&past.log, end, asked, (most, state_at), |t, from| {
                looked += 1;
                past.next_of(t, from)
            });
            (found.unwrap().rules[0].fate.word().to_owned(), looked)
        };
        assert_eq!(looked(5_000), ("consumed".to_owned(), 1));
        assert_eq!(looked(10).0, "held");
    }
}
