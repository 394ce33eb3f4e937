//! Events: the same (source, id) is the same event; a new one reaches the rules that look at its
//! key.

use std::sync::Arc;

use aiflow_model::record::Event;
use aiflow_model::state::Identity;
use aiflow_model::wire::{EVENT_ID_BYTES_MAX, EVENT_VALUE_BYTES_MAX, EVENT_VALUE_DEPTH_MAX};
use aiflow_model::{AttemptId, ErrorCode, Offset, Record, Rejection};

use crate::input::Answer;
use crate::transaction::{Stimulus, Transaction};

impl Transaction<'_> {
    /// `speaker`: the attempt that says it, when that is proven.
    pub(crate) fn emit(
        &mut self,
        event: Event,
        speaker: Option<&AttemptId>,
    ) -> Result<Answer, Rejection> {
        self.check_event(&event)?;
        let identity = Identity::of_event(event.namespace.as_str(), &event.source, &event.id);
        if let Some(offset) = self.state.event_ids.find(identity) {
            return Ok(Answer::Emitted { offset: Offset(offset), duplicate: true });
        }
        if let (Some(id), Some(run)) = (speaker, event.execution) {
            self.check_speaks(id, run)?;
        }
        let offset = self.record(None, Record::EventEmitted(event.clone()));
        if let Some(id) = speaker {
            self.hear_of(id);
        }
        self.stimulate(Stimulus::Event { offset, event: Arc::new(event), depth: 0 });
        Ok(Answer::Emitted { offset, duplicate: false })
    }

    pub(crate) fn check_event(&self, event: &Event) -> Result<(), Rejection> {
        let too_large = |what: &str, bytes: usize, bytes_max: usize| {
            let message = format!(
                "emit {}: {what} has {bytes} bytes, at most {bytes_max} are allowed",
                event.key
            );
            Rejection::new(ErrorCode::ValueTooLarge, message)
        };
        let value_bytes = event.value.as_str().len();
        if value_bytes > EVENT_VALUE_BYTES_MAX {
            return Err(too_large("the value", value_bytes, EVENT_VALUE_BYTES_MAX)
                .hint("put the data in a file and emit its path"));
        }
        if event.value.depth() > EVENT_VALUE_DEPTH_MAX {
            let key = &event.key;
            let message =
                format!("emit {key}: the value is nested deeper than {EVENT_VALUE_DEPTH_MAX}");
            return Err(Rejection::new(ErrorCode::ValueTooLarge, message));
        }
        // JSON has numbers that no double holds, and halves of surrogate pairs. Filters and other
        // readers could make nothing of them.
        if let Err(error) = event.value.to::<serde_json::Value>() {
            let message = format!("emit {}: the value cannot be read back: {error}", event.key);
            return Err(Rejection::new(ErrorCode::InvalidParams, message)
                .hint("write such a number or such text as a plain string"));
        }
        for (what, text) in [("the source", &event.source), ("the id", &event.id)] {
            if text.len() > EVENT_ID_BYTES_MAX {
                return Err(too_large(what, text.len(), EVENT_ID_BYTES_MAX));
            }
        }
        self.check_namespace(&event.namespace)?;
        let Some(id) = event.execution else { return Ok(()) };
        let run = self.find_run(id)?;
        if run.namespace != event.namespace {
            let message = format!(
                "emit {}: run {id} lives in namespace {}, not in {}",
                event.key, run.namespace, event.namespace
            );
            return Err(Rejection::new(ErrorCode::UnknownRun, message)
                .hint(format!("-n {}", run.namespace)));
        }
        Ok(())
    }
}
