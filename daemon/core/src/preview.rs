//! What an input would cause: it is decided as ever, and the state is brought back.
//!
//! Costs what the input touches, as the decision itself does. Must never leave a trace.

use aiflow_model::{LoggedRecord, Rejection, Timestamp};

use crate::effect::{Effect, effect_of};
use crate::engine::Engine;
use crate::host::{Hearing, Question};
use crate::input::{Answer, Input};

/// What an input would cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The batch that it would be.
    pub records: Vec<LoggedRecord>,
    /// What that would ask of the world.
    pub effects: Vec<Effect>,
    /// What the one who asks would be told.
    pub answer: Answer,
    /// More falls due at once, in the batches after this one.
    pub more: bool,
}

impl Engine {
    /// Decides one input at `now` and takes it back: the state is as before. A condition whose host
    /// would have to be asked counts as not met.
    ///
    /// # Errors
    /// The [`Rejection`] that the input would meet.
    pub fn preview(&mut self, input: Input, now: Timestamp) -> Result<Preview, Rejection> {
        Ok(self.try_out(input, Hearing::default(), now)?.0)
    }

    /// As [`Self::preview`], with what hosts have said; gives also what they have yet to say.
    pub(crate) fn try_out(
        &mut self,
        input: Input,
        hearing: Hearing<'_>,
        now: Timestamp,
    ) -> Result<(Preview, Vec<Question>), Rejection> {
        let undo = self.state.begin_undo();
        let mut transaction = self.transaction(now);
        transaction.undo = Some(undo);
        transaction.hearing = hearing;
        // A rejection comes before the first record: there is nothing to take back.
        let answer = transaction.take(input)?;
        let records = transaction.finish();
        let asked = std::mem::take(&mut transaction.hearing.asked);
        let undo = transaction.undo.take();
        let effects = records.iter().filter_map(|logged| effect_of(&self.state, &logged.record));
        let effects = effects.collect();
        let more = self.state.deadlines.first_due(now).is_some();
        if let Some(undo) = undo {
            self.state.undo(undo);
        }
        Ok((Preview { records, effects, answer, more }, asked))
    }
}
