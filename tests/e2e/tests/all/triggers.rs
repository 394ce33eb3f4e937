//! Triggers and schedules from the command line, across a killed daemon.

use aiflow_test_support::{Daemon, wait_until};
use serde_json::Value;

const REPORT: &str = "\
workflow: report
params: {day: none}
triggers: [{on: data.ready, if: value.day != \"\"}]
tasks: {make: {bash: 'echo report of $AIFLOW_PARAM_DAY'}}
";

fn json(daemon: &Daemon, words: &[&str]) -> Value {
    serde_json::from_str(&daemon.ok(&[&["-o", "json"], words].concat())).unwrap()
}

fn upload(daemon: &Daemon) {
    let file = daemon.scratch().join("report.yaml");
    std::fs::write(&file, REPORT).unwrap();
    daemon.ok(&["workflow", "upload", file.to_str().unwrap()]);
}

#[test]
fn events_start_runs_and_what_a_trigger_has_counted_survives_a_kill() {
    let mut daemon = Daemon::start();
    upload(&daemon);
    let id =
        daemon.ok(&["workflow-trigger", "add", "report", "{count: {of: {on: \"part.*\"}, n: 2}}"]);
    assert_eq!(id, "2");
    daemon.ok(&["emit", "data.ready", r#"{"day": "monday"}"#]);
    daemon.ok(&["emit", "data.ready", r#"{"day": ""}"#]);
    daemon.ok(&["emit", "part.1", "1"]);
    daemon.kill();
    daemon.resume();
    daemon.ok(&["emit", "part.2", "1"]);
    wait_until("two runs have ended well", || {
        let runs = json(&daemon, &["workflow-execution", "list", "report"]);
        let runs = runs.as_array().unwrap();
        assert!(runs.len() <= 2, "{runs:?}");
        (runs.iter().filter(|run| run["status"] == "success").count() == 2).then_some(())
    });
    let first = json(&daemon, &["workflow-execution", "show", "1"]);
    assert_eq!((&first["trigger"], &first["params"]["day"]), (&1.into(), &"monday".into()));
    assert_eq!(daemon.ok(&["logs", "1", "make"]).trim(), "report of monday");
    let second = json(&daemon, &["workflow-execution", "show", "2"]);
    assert_eq!(second["events"].as_array().unwrap().len(), 2, "{second}");
}

#[test]
fn a_schedule_ticks_is_paused_and_deleted() {
    let mut daemon = Daemon::start();
    upload(&daemon);
    let id = daemon.ok(&["workflow-schedule", "add", "report", "100ms"]);
    let ticks =
        |daemon: &Daemon| json(daemon, &["workflow-schedule", "show", &id])["firings"].as_u64();
    wait_until("it has ticked", || (ticks(&daemon) > Some(2)).then_some(()));
    daemon.ok(&["workflow-schedule", "pause", &id]);
    let paused_at = ticks(&daemon);
    daemon.kill();
    daemon.resume();
    assert_eq!(ticks(&daemon), paused_at, "it is paused after a restart, too");
    daemon.ok(&["workflow-schedule", "resume", &id]);
    wait_until("it ticks again", || (ticks(&daemon) > paused_at).then_some(()));
    let asks = daemon.cli(&["workflow-schedule", "delete", &id]);
    assert_eq!(asks.code, i32::from(aiflow_model::exit_code::USAGE), "{}", asks.stderr);
    assert!(asks.stderr.contains("hint: the same command with -y"), "{}", asks.stderr);
    daemon.ok(&["workflow-schedule", "delete-all", "report", "-y"]);
    let left = json(&daemon, &["workflow-trigger", "list"]);
    assert_eq!(left.as_array().unwrap().len(), 1, "the definition's own stays: {left}");
    let runs = json(&daemon, &["workflow-execution", "list"]).as_array().unwrap().len() as u64;
    assert!(Some(runs) >= paused_at);
}

#[test]
fn wrong_triggers_are_refused_with_their_place() {
    let daemon = Daemon::start();
    upload(&daemon);
    for (words, expected) in [
        (["workflow-trigger", "add", "report", "{onn: x}"], "did you mean `on`?"),
        (["workflow-trigger", "add", "report", "{after: make}"], "a trigger knows no task"),
        (["workflow-trigger", "add", "other", "{on: x}"], "there is no workflow other"),
        (["workflow-schedule", "add", "report", "cron@61 * * * *"], "is no cron expression"),
        (["workflow-schedule", "add", "report", "interval@1h"], "hint: interval@0 1 30 0"),
    ] {
        let output = daemon.cli(&words);
        assert_ne!(output.code, 0);
        assert!(output.stderr.contains(expected), "{expected:?} in:\n{}", output.stderr);
    }
    assert_eq!(json(&daemon, &["workflow-schedule", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn workflows_are_disabled_and_deleted() {
    let daemon = Daemon::start();
    upload(&daemon);
    daemon.ok(&["workflow", "disable", "report"]);
    daemon.ok(&["emit", "data.ready", r#"{"day": "monday"}"#]);
    let refused = daemon.cli(&["run", "report"]);
    assert!(refused.stderr.contains("E0304"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: aiflow workflow enable report"), "{}", refused.stderr);
    daemon.ok(&["workflow", "enable", "report"]);
    daemon.ok(&["run", "report", "--wait"]);
    daemon.ok(&["workflow-execution", "delete", "1", "-y"]);
    daemon.ok(&["run", "report", "--wait"]);
    daemon.ok(&["workflow-execution", "stop-all", "report", "-y"]);
    daemon.ok(&["workflow", "delete", "report", "-y"]);
    assert_eq!(json(&daemon, &["workflow", "list"]).as_array().unwrap().len(), 0);
    assert_eq!(json(&daemon, &["workflow-execution", "list"]).as_array().unwrap().len(), 0);
    daemon.ok(&["namespace", "add", "other"]);
    daemon.ok(&["namespace", "delete", "other", "-y"]);
    let refused = daemon.cli(&["namespace", "delete", "default", "-y"]);
    assert_eq!(refused.code, i32::from(aiflow_model::exit_code::REFUSED), "{}", refused.stderr);
}
