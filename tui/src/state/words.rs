//! A record in a few words, for people.
//!
//! Must never be parsed, and never fail on a record that it has no words for.

use aiflow_model::record::{DraftChange, RunControl, StopReason, TriggerChange};
use aiflow_model::{ExecutionId, Record};

use super::text;

/// What happened.
pub(crate) fn of(record: &Record) -> String {
    match record {
        Record::DaemonStarted(started) => format!("daemon {} started", started.version),
        Record::NamespaceAdded { namespace, .. } => format!("namespace {namespace} added"),
        Record::WorkflowUploaded(uploaded) => {
            format!("{} uploaded as snapshot {}", uploaded.spec.name, uploaded.snapshot)
        }
        Record::EventEmitted(event) => format!("{} emitted by {}", event.key, event.source),
        Record::RunStarted(started) => {
            format!("run {} of {} starts", started.run, started.workflow)
        }
        Record::RunBegan { run } => format!("run {run} begins"),
        Record::RunStopRequested { run } => format!("run {run} is asked to stop"),
        Record::RunControlled(controlled) => {
            format!("run {}: {}", controlled.run, control(&controlled.control))
        }
        Record::RunFinished { run, status } => format!("run {run} ends: {status}"),
        Record::RunDeleted { run } => format!("run {run} deleted"),
        Record::RunArchived { run } => format!("run {run} is archived: it ended long ago"),
        Record::BackfillRequested(asked) => format!("windows of run {} asked for", asked.run),
        other => of_part(other),
    }
}

fn of_part(record: &Record) -> String {
    match record {
        Record::ConditionAdvanced { run, rule, .. } => format!("rule {rule} of run {run} advances"),
        Record::FilterFailed { reason, .. } => format!("a filter failed: {reason}"),
        Record::TicksMissed { run, rule, .. } => format!("rule {rule} of run {run} missed ticks"),
        Record::RuleFired { run, rule, firing } => {
            let window = firing
                .window
                .map(|window| text::window_name(window.start, window.end.since(window.start)));
            let window = window.map(|name| format!(" for {name}")).unwrap_or_default();
            format!("rule {rule} of run {run} fires{window}")
        }
        Record::EmissionFailed { reason, .. } => format!("nothing could be derived: {reason}"),
        Record::TaskExecutionCreated { id, window, .. } => {
            let window = window
                .map(|window| text::window_name(window.start, window.end.since(window.start)));
            let window = window.map(|name| format!(" for {name}")).unwrap_or_default();
            format!("{} created{window}", execution(id))
        }
        Record::TaskRestartRequested { run, task, .. } => {
            format!("{task} of run {run} starts anew once it has ended")
        }
        Record::TaskExecutionStopRequested { id, reason } => {
            format!("{} is asked to stop{}", execution(id), why(*reason))
        }
        Record::AttemptQueued { id } => format!("attempt {id} queued"),
        Record::AttemptStarted { id, pid } => format!("attempt {id} runs as process {pid}"),
        Record::HeartbeatReceived { id } => format!("attempt {id} was heard of"),
        Record::ContactLost { id } => format!("attempt {id} is silent"),
        Record::AttemptEnded { id, outcome, .. } => {
            format!("attempt {id} ends: {}", text::outcome_words(outcome))
        }
        Record::RetryScheduled { id, due } => {
            format!("{} tries again at {}", execution(id), text::clock(*due))
        }
        Record::TaskExecutionFinished { id, status } => format!("{} ends: {status}", execution(id)),
        Record::TriggerAdded(added) => format!("trigger {} added", added.trigger),
        Record::TriggerChanged { trigger, change } => match change {
            TriggerChange::Fired { .. } => format!("trigger {trigger} fires"),
            _ => format!("trigger {trigger} changes"),
        },
        Record::DraftStarted(started) => {
            format!("draft {} of {} watches", started.draft, started.spec.name)
        }
        Record::DraftChanged { draft, change } => match change {
            DraftChange::Fired { would, .. } => format!("draft {draft} would {would}"),
            DraftChange::FilterFailed { reason, .. } => format!("draft {draft}: {reason}"),
            DraftChange::Ended { end } => format!("draft {draft} ends: {}", end.words()),
            _ => format!("draft {draft} changes"),
        },
        Record::WorkflowEnabled { workflow, enabled, .. } => {
            format!("{workflow} {}", if *enabled { "enabled" } else { "disabled" })
        }
        Record::WorkflowDeleted { workflow, .. } => format!("{workflow} deleted"),
        Record::NamespaceChanged { namespace, .. } => format!("namespace {namespace} changed"),
        Record::OutputSet(set) => format!("{} sets its output {}", set.id, set.name),
        Record::FanStarted(fan) => {
            format!(
                "{} of run {} is done for {}",
                fan.task,
                fan.run,
                text::count(fan.items, "item")
            )
        }
        Record::FanFailed { reason, .. } => format!("no list to do: {reason}"),
        Record::AttemptReady { id } => format!("{id} is ready"),
        Record::RunLate { run } => format!("run {run} is late"),
        Record::NamespaceDeleted { namespace } => format!("namespace {namespace} deleted"),
        Record::LogTrimmed { before, .. } => format!("the log begins at {before} from now on"),
        // One that is newer than these words.
        other => name(other),
    }
}

fn execution(id: &ExecutionId) -> String {
    format!("{} {} of run {}", id.task, id.sequence, id.run)
}

fn name(record: &Record) -> String {
    let text = format!("{record:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

const fn why(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Rule => " by a rule",
        StopReason::Restart => " to start anew",
        _ => "",
    }
}

fn control(control: &RunControl) -> String {
    match control {
        RunControl::Paused => "paused".to_owned(),
        RunControl::Resumed => "resumed".to_owned(),
        RunControl::TaskMarked { task, sequence, mark } => {
            format!("{task} {sequence} is marked: {}", mark.status())
        }
        RunControl::TaskRerun { task, of, sequence, .. } => {
            format!("{task} {of} is done anew as {sequence}")
        }
        RunControl::TaskRestarted { task } => format!("{task} is restarted"),
    }
}

/// Whether it tells of something that went wrong.
pub(crate) fn is_failure(record: &Record) -> bool {
    use aiflow_model::state::{ExecutionStatus, RunStatus};
    match record {
        Record::AttemptEnded { outcome, .. } => !outcome.is_success(),
        Record::TaskExecutionFinished { status, .. } => *status == ExecutionStatus::Failed,
        Record::RunFinished { status, .. } => *status == RunStatus::Failed,
        Record::FilterFailed { .. }
        | Record::EmissionFailed { .. }
        | Record::FanFailed { .. }
        | Record::RunLate { .. }
        | Record::ContactLost { .. } => true,
        _ => false,
    }
}
