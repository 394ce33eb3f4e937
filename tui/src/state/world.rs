//! What is known at one point of the log: the state, the recent events, their rates.
//!
//! Live it moves with the records that are followed; in the past it is folded anew. Must never
//! know which of the two it is.

use aiflow_model::state::ApplyError;
use aiflow_model::{LoggedRecord, Record, State};

use super::rates::Rates;
use super::recent::Recent;

/// All that screens are computed from, but for where the user is.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) recent: Recent,
    pub(crate) rates: Rates,
}

impl World {
    /// A state, and no event seen yet.
    pub(crate) fn of(state: State) -> Self {
        Self { state, ..Self::default() }
    }

    /// Takes in the next record; one that is known already is passed over.
    ///
    /// # Errors
    /// When it is not the next one.
    pub(crate) fn take(&mut self, logged: &LoggedRecord) -> Result<(), ApplyError> {
        if logged.offset < self.state.next_offset {
            return Ok(());
        }
        self.state.apply(logged)?;
        self.recent.take(logged, &self.state);
        if let Record::EventEmitted(event) = &logged.record {
            self.rates.count(&event.namespace, &event.key, logged.time);
        }
        Ok(())
    }
}
