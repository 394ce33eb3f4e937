//! What the log tells of the past: how things stood, what has happened since, what became of an
//! event.
//!
//! Runs off the loop, on what is durable. Must never write anything but waypoints.

use aiflow_log::DiskStorage;
use aiflow_model::digest::Gatherer;
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::wire::{EventRef, Moment, SinceReply, StateReply};
use aiflow_model::{Offset, State};

use crate::event_index::EventIndex;
use crate::queries::to_json;
use crate::question::{beyond, each_batch, unreadable};
use crate::receipt;
use crate::waypoints::{Lost, Waypoints};

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
        receipt::read(&self.log, self.end, asked, |offset| self.state_at(offset))
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
