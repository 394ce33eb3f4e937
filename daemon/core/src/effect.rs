//! What a record asks of the world, once it is durable.
//!
//! Effects are data; the server carries them out and brings the results back as inputs. Carrying
//! one out twice must be harmless: an attempt's claim lets it run once, what is gone is gone.

use aiflow_model::{AttemptId, Offset, Record, State};

/// Something to do outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Launch the attempt.
    Launch(AttemptId),
    /// Ask the attempt's process to end, and kill it after its grace.
    Stop(AttemptId),
    /// Drop what the log holds before this offset.
    DropLog(Offset),
    /// Clear away what deleted runs have left outside the log.
    ClearAway,
}

/// What a record asks for; `state` is at or after the record.
#[must_use]
pub fn effect_of(state: &State, record: &Record) -> Option<Effect> {
    match record {
        Record::AttemptQueued { id } => Some(Effect::Launch(id.clone())),
        Record::TaskExecutionStopRequested { id, .. } => {
            let attempt = state.execution(id)?.current_attempt()?;
            Some(Effect::Stop(id.attempt(attempt.number)))
        }
        Record::LogTrimmed { before, .. } => Some(Effect::DropLog(*before)),
        Record::WorkflowDeleted { .. } | Record::RunDeleted { .. } => Some(Effect::ClearAway),
        Record::DaemonStarted(_)
        | Record::NamespaceAdded { .. }
        | Record::NamespaceChanged { .. }
        | Record::WorkflowUploaded(_)
        | Record::EventEmitted(_)
        | Record::RunStarted(_)
        | Record::RunBegan { .. }
        | Record::RunStopRequested { .. }
        | Record::RunControlled(_)
        | Record::RunLate { .. }
        | Record::RunFinished { .. }
        | Record::RunArchived { .. }
        | Record::ConditionAdvanced { .. }
        | Record::FilterFailed { .. }
        | Record::EmissionFailed { .. }
        | Record::RuleFired { .. }
        | Record::TicksMissed { .. }
        | Record::OutputSet(_)
        | Record::TriggerAdded(_)
        | Record::TriggerChanged { .. }
        | Record::WorkflowEnabled { .. }
        | Record::DraftStarted(_)
        | Record::DraftChanged { .. }
        | Record::NamespaceDeleted { .. }
        | Record::BackfillRequested(_)
        | Record::FanStarted(_)
        | Record::FanFailed { .. }
        | Record::TaskExecutionCreated { .. }
        | Record::TaskRestartRequested { .. }
        | Record::AttemptStarted { .. }
        | Record::AttemptReady { .. }
        | Record::HeartbeatReceived { .. }
        | Record::ContactLost { .. }
        | Record::AttemptEnded { .. }
        | Record::RetryScheduled { .. }
        | Record::TaskExecutionFinished { .. } => None,
    }
}

/// Attempts without an end, whose processes a new daemon has to find: each with whether it is to
/// stop.
#[must_use]
pub fn outstanding(state: &State) -> Vec<(AttemptId, bool)> {
    let is_stopping =
        |id: &AttemptId| state.execution(&id.execution).is_some_and(|e| e.stop.is_some());
    state.alive_attempts().map(|(id, _)| (id.clone(), is_stopping(&id))).collect()
}
