//! What tasks say of their work for those that come after.
//!
//! Must never take what an attempt says that is over: another one may have taken its place.

use aiflow_model::record::OutputSet;
use aiflow_model::wire::{EVENT_VALUE_DEPTH_MAX, OUTPUT_BYTES_MAX, OUTPUTS_MAX};
use aiflow_model::{AttemptId, ErrorCode, JsonText, OutputName, Record, Rejection};

use crate::input::Answer;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// An attempt says something of its work. What it said before by this name is replaced.
    pub(crate) fn set_output(
        &mut self,
        id: &AttemptId,
        name: OutputName,
        value: JsonText,
    ) -> Result<Answer, Rejection> {
        self.check_speaks(id, id.execution.run)?;
        self.check_output(id, &name, &value)?;
        let known = self.state.execution(&id.execution).and_then(|e| e.outputs.get(&name));
        if known != Some(&value) {
            let set = OutputSet { id: id.clone(), name, value };
            self.record(None, Record::OutputSet(Box::new(set)));
        }
        self.hear_of(id);
        Ok(Answer::Done)
    }

    fn check_output(
        &self,
        id: &AttemptId,
        name: &OutputName,
        value: &JsonText,
    ) -> Result<(), Rejection> {
        let refused = |why: String| {
            Err(Rejection::new(ErrorCode::ValueTooLarge, format!("output {name} of {id}: {why}"))
                .hint("put the data in a file and set its path"))
        };
        if value.depth() > EVENT_VALUE_DEPTH_MAX {
            return refused(format!("the value is nested deeper than {EVENT_VALUE_DEPTH_MAX}"));
        }
        if let Err(error) = value.to::<serde_json::Value>() {
            let message = format!("output {name} of {id}: the value cannot be read back: {error}");
            return Err(Rejection::new(ErrorCode::InvalidParams, message)
                .hint("write such a number or such text as a plain string"));
        }
        let Some(execution) = self.state.execution(&id.execution) else { return Ok(()) };
        let others = execution.outputs.iter().filter(|(other, _)| *other != name);
        if others.clone().count() >= OUTPUTS_MAX {
            return refused(format!("an execution has at most {OUTPUTS_MAX} outputs"));
        }
        let bytes: usize = others.map(|(_, value)| value.as_str().len()).sum();
        let bytes = bytes + value.as_str().len();
        if bytes > OUTPUT_BYTES_MAX {
            return refused(format!(
                "the outputs of the execution would have {bytes} bytes, at most {OUTPUT_BYTES_MAX} \
                 are allowed"
            ));
        }
        Ok(())
    }
}
