//! How the events and the log are looked at.

use aiflow_model::Sequence;

use crate::state::{Model, Screen};

/// A log: follows, or stops to. Events: to the newest.
pub(super) fn follow(model: &mut Model) {
    match (model.screen, &mut model.log) {
        (Screen::Log, Some(log)) => log.toggle_follow(),
        _ => model.event_cursor = None,
    }
}

/// The log of the execution before or after the one that is read.
pub(super) fn step_log(model: &mut Model, by: i64) {
    let Some(log) = &model.log else { return };
    let (run, task) = (log.target.run, log.target.task.clone());
    let newest = model.state.task(run, &task).and_then(|state| state.latest());
    let Some(newest) = newest.map(|execution| i64::from(execution.sequence.0)) else { return };
    let read = log.attempt.as_ref().and_then(|id| id.parse::<aiflow_model::AttemptId>().ok());
    let shown = log.target.sequence.or_else(|| read.map(|id| id.execution.sequence));
    let at = shown.map_or(newest, |sequence| i64::from(sequence.0));
    let sequence = u32::try_from((at + by).clamp(1, newest)).unwrap_or(1);
    model.open_log(run, task, Some(Sequence(sequence)));
}
