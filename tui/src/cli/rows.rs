//! The wire's views as rows of tables.
//!
//! Must never compute what the daemon did not say: only choose and join.

use aiflow_model::LoggedRecord;
use aiflow_model::wire::{
    EventView, ExecutionView, NamespaceView, OutputView, RuleView, RunView, Status, TriggerView,
    WorkflowView,
};

use super::output::Row;

/// What stands where there is nothing.
pub(crate) const NONE: &str = "-";

pub(crate) fn or_none(text: Option<&impl ToString>) -> String {
    text.map_or_else(|| NONE.to_owned(), ToString::to_string)
}

impl Row for NamespaceView {
    const COLUMNS: &'static [&'static str] = &["namespace", "workflows", "events", "properties"];

    fn cells(&self) -> Vec<String> {
        let properties = self.properties.iter().map(|(name, value)| format!("{name}={value}"));
        let properties = Some(properties.collect::<Vec<_>>().join(" "));
        vec![
            self.namespace.to_string(),
            self.workflows.to_string(),
            self.events.to_string(),
            or_none(properties.filter(|text| !text.is_empty()).as_ref()),
        ]
    }
}

impl Row for WorkflowView {
    const COLUMNS: &'static [&'static str] =
        &["namespace", "workflow", "snapshot", "tasks", "alive", "uploaded"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.namespace.to_string(),
            self.workflow.to_string(),
            self.snapshot.to_string(),
            self.tasks.len().to_string(),
            self.alive_runs.to_string(),
            self.uploaded_at.clone(),
        ]
    }

    fn details(&self) -> Vec<(String, String)> {
        let count = |(name, _): &(&str, String)| *name != "tasks";
        let own = Self::COLUMNS.iter().copied().zip(self.cells()).filter(count);
        let own = own.map(|(name, text)| (name.to_owned(), text));
        let tasks = self.tasks.iter().map(|task| {
            let rules = [vec![task.kind.clone()], task.rules.clone()].concat();
            (format!("task {}", task.task), rules.join("; "))
        });
        let state = if self.enabled { "yes" } else { "no" };
        let state = [("enabled".to_owned(), state.to_owned())];
        let triggers = self.triggers.iter().map(|words| ("runs start".to_owned(), words.clone()));
        own.chain(state).chain(triggers).chain(tasks).collect()
    }
}

impl Row for TriggerView {
    const COLUMNS: &'static [&'static str] =
        &["id", "namespace", "workflow", "state", "next", "firings", "last", "when"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.namespace.to_string(),
            self.workflow.to_string(),
            if self.paused { "paused" } else { "looking" }.to_owned(),
            or_none(self.next_tick.as_ref()),
            self.firings.to_string(),
            or_none(self.fired_at.as_ref()),
            match &self.emits {
                Some(key) => format!("{} emits {key}", self.condition),
                None => self.condition.clone(),
            },
        ]
    }
}

impl Row for RunView {
    const COLUMNS: &'static [&'static str] = &[
        "run",
        "namespace",
        "workflow",
        "status",
        "alive",
        "success",
        "failed",
        "stopped",
        "started",
        "ended",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.namespace.to_string(),
            self.workflow.to_string(),
            self.status_word().to_owned(),
            self.alive.to_string(),
            self.ended.success.to_string(),
            self.ended.failed.to_string(),
            self.ended.stopped.to_string(),
            self.started_at.clone(),
            or_none(self.ended_at.as_ref()),
        ]
    }

    fn details(&self) -> Vec<(String, String)> {
        let own = Self::COLUMNS.iter().map(ToString::to_string).zip(self.cells());
        let trigger = self.trigger.map(|trigger| ("trigger".to_owned(), trigger.to_string()));
        let own = own.chain([("snapshot".to_owned(), self.snapshot.to_string())]).chain(trigger);
        let params = self.params.iter();
        own.chain(params.map(|(name, value)| (format!("param {name}"), value.to_plain()))).collect()
    }
}

impl Row for RuleView {
    const COLUMNS: &'static [&'static str] = &["rule", "task", "action", "when", "progress"];

    fn cells(&self) -> Vec<String> {
        let progress = Some(self.progress.join("; ")).filter(|words| !words.is_empty());
        vec![
            self.rule.to_string(),
            self.task.to_string(),
            self.action.clone(),
            self.condition.clone(),
            or_none(progress.as_ref()),
        ]
    }
}

impl Row for ExecutionView {
    const COLUMNS: &'static [&'static str] = &[
        "run", "task", "sequence", "status", "window", "attempt", "pid", "result", "created",
        "ended", "item",
    ];

    fn cells(&self) -> Vec<String> {
        let attempt = self.attempts.last();
        let result = attempt.and_then(|attempt| {
            let number = attempt.exit_code.or(attempt.signal).map(|number| format!(" {number}"));
            attempt.ended_at.as_ref()?;
            Some(format!("{}{}", attempt.state, number.unwrap_or_default()))
        });
        // The pid of a process that has ended may be another's by now.
        let pid = attempt.filter(|attempt| attempt.ended_at.is_none()).and_then(|a| a.pid);
        vec![
            self.run.to_string(),
            self.task.to_string(),
            self.sequence.to_string(),
            self.status_words(),
            or_none(self.window_start.as_ref()),
            or_none(attempt.map(|attempt| attempt.attempt).as_ref()),
            or_none(pid.as_ref()),
            or_none(result.as_ref()),
            self.created_at.clone(),
            or_none(self.ended_at.as_ref()),
            or_none(self.item.as_ref()),
        ]
    }
}

impl Row for LoggedRecord {
    const COLUMNS: &'static [&'static str] = &["offset", "time", "cause", "record"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.offset.to_string(),
            self.time.to_string(),
            or_none(self.cause.as_ref()),
            serde_json::to_string(&self.record).unwrap_or_default(),
        ]
    }
}

impl Row for OutputView {
    const COLUMNS: &'static [&'static str] = &["run", "task", "sequence", "name", "value"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.run.to_string(),
            self.task.to_string(),
            self.sequence.to_string(),
            self.name.to_string(),
            self.value.to_string(),
        ]
    }
}

impl Row for EventView {
    const COLUMNS: &'static [&'static str] =
        &["offset", "time", "namespace", "key", "value", "source", "run"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.offset.to_string(),
            self.time.clone(),
            self.namespace.to_string(),
            self.key.to_string(),
            self.value.to_string(),
            self.source.clone(),
            or_none(self.execution.as_ref()),
        ]
    }
}

impl Row for Status {
    const COLUMNS: &'static [&'static str] = &[
        "version",
        "pid",
        "home",
        "epoch",
        "started",
        "log begins at",
        "durable records",
        "alive runs",
        "alive attempts",
        "commits",
        "committed records",
        "committed bytes",
        "commit p50 (us)",
        "commit p99 (us)",
        "disk low",
        "resident bytes",
        "history at",
        "history in Postgres at",
        "requests that wait",
        "disk free bytes",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.version.clone(),
            self.pid.to_string(),
            self.home.clone(),
            self.epoch.to_string(),
            self.started_at.clone(),
            self.log_begins.to_string(),
            self.durable.to_string(),
            self.alive_runs.to_string(),
            self.alive_attempts.to_string(),
            self.commits.to_string(),
            self.committed_records.to_string(),
            self.committed_bytes.to_string(),
            self.commit_us_p50.to_string(),
            self.commit_us_p99.to_string(),
            self.disk_low.to_string(),
            self.rss_bytes.to_string(),
            or_none(self.history.as_ref()),
            or_none(self.postgres.as_ref()),
            self.queues.requests.to_string(),
            or_none(self.disk.map(|disk| disk.free_bytes).as_ref()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_execution_shows_its_latest_attempt() {
        let mut view: ExecutionView = serde_json::from_value(json!({
            "run": 1, "task": "train", "sequence": 2, "status": "running",
            "window_start": "2013-01-01T05:00:00Z", "window_end": "2013-01-01T06:00:00Z",
            "created_at": "C", "ended_at": null, "events": [4], "attempts": [{
                "attempt": 1, "state": "running", "pid": 77, "exit_code": null, "signal": null,
                "reason": null, "queued_at": "Q", "started_at": "S", "ended_at": null,
                "rss_bytes_max": 0, "cpu_us": 0}]}))
        .unwrap();
        let text = view.cells().join(" ");
        assert_eq!(text, "1 train 2 running 2013-01-01T05:00:00Z 1 77 - C - -");
        let attempt = &mut view.attempts[0];
        attempt.ended_at = Some("E".to_owned());
        (attempt.state, attempt.exit_code) = ("exited".to_owned(), Some(3));
        assert_eq!(view.cells()[6..8], ["-", "exited 3"]);
    }

    #[test]
    fn a_workflow_alone_shows_the_rules_of_its_tasks() {
        let view: WorkflowView = serde_json::from_value(json!({
            "namespace": "default", "workflow": "w", "snapshot": 3, "uploaded_at": "U",
            "alive_runs": 1, "tasks": [{"task": "a", "kind": "batch", "rules": ["start on k"]}]}))
        .unwrap();
        assert_eq!(view.cells().join(" "), "default w 3 1 1 U");
        let last = view.details().pop().unwrap();
        assert_eq!(last, ("task a".to_owned(), "batch; start on k".to_owned()));
        assert_eq!(view.details().len(), 7);
    }
}
