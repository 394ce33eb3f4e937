//! What the log tells of the past: how things stood, what has happened since, what became of an
//! event.
//!
//! Runs off the loop, on what is durable. Must never write anything but waypoints.

use std::ops::Range;

use aiflow_core::{Engine, Tracker};
use aiflow_log::{DiskStorage, LogReader};
use aiflow_model::digest::Gatherer;
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::{EventView, Moment, Receipt, SinceReply, StateReply};
use aiflow_model::{LoggedRecord, Offset, Record, State, Timestamp};

use crate::event_index::{EventIndex, Stream};
use crate::queries::to_json;
use crate::question::{read, unreadable};
use crate::waypoints::{Lost, Waypoints};

/// Most records after an event that are looked at to find what became of it. What is about other
/// runs is not looked at where it comes in long stretches.
const RECORDS_AFTER_MAX: u64 = 1_000_000;
/// So many are looked at before the index is asked where to go on.
const STRETCH: u64 = 4_096;
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
        self.each_batch(from.0..self.end.0, |batch| {
            batch.iter().for_each(|logged| gatherer.note(logged));
            true
        })?;
        let digest = gatherer.finish(&self.state_at(self.end)?, from);
        to_json(&SinceReply { from, until: self.end, digest })
    }

    /// What became of the event at `offset`.
    pub(crate) fn receipt(&self, offset: Offset) -> Result<String, Rejection> {
        to_json(&self.receipt_within(offset, RECORDS_AFTER_MAX)?)
    }

    fn receipt_within(&self, offset: Offset, mut left: u64) -> Result<Receipt, Rejection> {
        self.check(offset)?;
        let mut reader = LogReader::new(self.log.clone());
        let found = if offset < self.end { read(&mut reader, offset)? } else { None };
        let Some(logged) = found else { return Err(self.beyond(offset)) };
        let Record::EventEmitted(event) = &logged.record else {
            let message = format!("record {offset} is no event");
            return Err(Rejection::new(ErrorCode::InvalidParams, message)
                .hint("aiflow event list shows the offsets of events"));
        };
        let mut engine = Engine::new(self.state_at(offset)?);
        let mut tracker = Tracker::new(&mut engine, offset, event, logged.time);
        let mut looked = offset;
        while looked < self.end && left > 0 {
            let until = self.end.0.min(looked.0 + left.min(STRETCH));
            self.each_batch(looked.0..until, |batch| {
                tracker.batch(batch);
                left = left.saturating_sub(batch.len() as u64);
                looked = batch.last().map_or(looked, |logged| logged.offset.next());
                !tracker.is_done()
            })?;
            if tracker.is_done() {
                break;
            }
            looked = self.next_of(&tracker, looked)?;
        }
        Ok(Receipt {
            event: EventView::of(event, offset, logged.time),
            cause: logged.cause,
            rules: tracker.finish(),
            looked_until: looked,
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

    fn each_batch(
        &self,
        range: Range<u64>,
        mut visit: impl FnMut(&[LoggedRecord<aiflow_model::record::EventIdentity<'_>>]) -> bool,
    ) -> Result<(), Rejection> {
        let mut reader = LogReader::new(self.log.clone());
        let mut batches = reader.read(range.start, range.end).map_err(unreadable)?;
        while let Some(batch) = batches.next_batch().map_err(unreadable)? {
            let records = batch.records().map(|record| {
                let (offset, time) = (Offset(record.offset), Timestamp(record.time_us));
                LoggedRecord::for_replay(offset, time, record.payload)
            });
            let records: Vec<_> = records.collect::<Result<_, _>>().map_err(unreadable)?;
            if !visit(&records) {
                return Ok(());
            }
        }
        Ok(())
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
            Moment { offset: Some(offset), time: None } => Err(self.beyond(offset)),
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

    fn beyond(&self, offset: Offset) -> Rejection {
        let message = format!("record {offset} does not exist yet; the next one is {}", self.end);
        Rejection::new(ErrorCode::OffsetOutOfRange, message)
    }
}

#[cfg(test)]
mod tests {
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
        past.each_batch(0..end, |batch| {
            let events = batch.iter().filter(|l| matches!(l.record, Record::EventEmitted(_)));
            emitted.extend(events.map(|logged| logged.offset));
            true
        })
        .unwrap();
        let within = |left| past.receipt_within(emitted[0], left).unwrap();
        let receipt = within(5_000);
        assert_eq!(receipt.rules.len(), 1);
        assert_eq!(receipt.rules[0].fate.word(), "consumed", "{receipt:?}");
        assert!(receipt.rules[0].records[0] > Offset(6_000), "{receipt:?}");
        // What is looked at is bounded: 5,000 are fewer than lie between.
        assert!(receipt.rules[0].records[0].0 - emitted[0].0 > 5_000);
        let short = within(10);
        assert_eq!(short.rules[0].fate.word(), "held");
        assert!(short.looked_until < receipt.rules[0].records[0], "{short:?}");
    }
}
