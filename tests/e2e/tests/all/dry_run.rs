//! `--dry-run`: what would happen is told, and does not happen.

use aiflow_test_support::Daemon;
use serde_json::{Value, json};

const DEFINITION: &str = "\
workflow: w
triggers: [{on: data.ready}]
tasks: {a: {kind: stream, bash: 'sleep 1000'}, b: {bash: 'true', start: {on: go}}}
";

fn durable(daemon: &Daemon) -> Value {
    daemon.socket().call("daemon.status", &json!({})).unwrap()["durable"].clone()
}

#[test]
fn every_verb_that_changes_something_can_be_tried() {
    let daemon = Daemon::start();
    let file = daemon.scratch().join("w.yaml");
    std::fs::write(&file, DEFINITION).unwrap();
    let file = file.to_str().unwrap();
    let foretold = daemon.ok(&["workflow", "upload", file, "--dry-run"]);
    assert!(foretold.contains("WorkflowUploaded") && foretold.contains("TriggerAdded"));
    daemon.ok(&["workflow", "upload", file]);
    daemon.ok(&["run", "w"]);
    daemon.wait_for(1, "a", 1, "running");
    daemon.ok(&["run", "w"]);
    daemon.wait_for(2, "a", 1, "running");
    daemon.ok(&["workflow-execution", "stop", "2"]);
    daemon.wait_for(2, "a", 1, "stopped");
    daemon.ok(&["workflow-schedule", "add", "w", "@daily"]);
    daemon.ok(&["namespace", "add", "n"]);
    let before = durable(&daemon);
    for (words, expected) in [
        ("run w --wait", "launch 3.a.1.1"),
        ("workflow-execution start w", "RunStarted"),
        ("workflow-execution stop 1", "stop 1.a.1.1"),
        ("workflow-execution pause 1", "paused"),
        ("workflow-execution stop-all w", "stop 1.a.1.1"),
        ("workflow-execution delete 2", "RunDeleted"),
        ("task-execution start 1 b", "launch 1.b.1.1"),
        ("task-execution stop 1 a", "stop 1.a.1.1"),
        ("task-execution restart 1 a", "TaskRestartRequested"),
        ("task-execution skip 1 b", "skipped"),
        ("task-execution mark-success 1 a", "mark_success"),
        ("task-execution rerun 2 a --from-here", "launch 2.a.2.1"),
        ("emit go 1", "launch 1.b.1.1"),
        ("emit data.ready 1", "launch 3.a.1.1"),
        ("workflow disable w", "WorkflowEnabled"),
        ("workflow-trigger add w {\"on\":\"k\"}", "TriggerAdded"),
        ("workflow-schedule add w 1h", "TriggerAdded"),
        ("workflow-schedule pause 2", "paused"),
        ("workflow-schedule delete 2", "deleted"),
        ("workflow-schedule delete-all w", "deleted"),
        ("workflow-trigger pause 1", "paused"),
        ("namespace add m", "NamespaceAdded"),
        ("namespace delete n", "NamespaceDeleted"),
    ] {
        let mut line: Vec<&str> = words.split(' ').collect();
        let output = daemon.cli(&{
            line.push("--dry-run");
            line
        });
        assert_eq!(output.code, 0, "{words}: {}", output.stderr);
        assert!(output.stdout.contains(expected), "{words}: {}", output.stdout);
        assert_eq!(durable(&daemon), before, "{words} wrote something");
    }
    let nothing = daemon.cli(&["workflow", "enable", "w", "--dry-run"]);
    assert_eq!(nothing.stderr.trim(), "nothing would change");
    let whole = daemon.ok(&["-o", "json", "--dry-run", "run", "w"]);
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole["result"]["run"], 3);
    assert_eq!(whole["effects"], json!([{"launch": "3.a.1.1"}]));
    assert_eq!(whole["records"][0]["offset"], before);
    assert_eq!(daemon.ok(&["run", "w"]), "3", "nothing was used up");
}

#[test]
fn what_would_be_refused_is_refused_and_what_cannot_be_tried_too() {
    let daemon = Daemon::start();
    let refused = daemon.cli(&["--dry-run", "run", "w"]);
    assert_eq!(refused.code, i32::from(aiflow_model::exit_code::REFUSED));
    assert!(refused.stderr.contains("E0102"), "{}", refused.stderr);
    let file = daemon.scratch().join("bad.yaml");
    std::fs::write(&file, "workflow: w\ntasks:\n  a: {bahs: x}\n").unwrap();
    let refused = daemon.cli(&["--dry-run", "workflow", "upload", file.to_str().unwrap()]);
    assert!(refused.stderr.contains("bad.yaml:3:"), "{}", refused.stderr);
    let refused = daemon.cli(&["--dry-run", "server", "stop"]);
    assert_eq!(refused.code, i32::from(aiflow_model::exit_code::USAGE), "{}", refused.stderr);
    let mut socket = daemon.socket();
    for (method, code) in [("daemon.stop", "E0004"), ("follow", "E0004"), ("nonsense", "E0003")] {
        let refused = socket.call("dry_run", &json!({"method": method, "params": {}}));
        assert_eq!(refused.unwrap_err()["code"], code, "{method}");
    }
    let refused = socket.call("dry_run", &json!({"method": "execution.stop", "params": {}}));
    assert_eq!(refused.unwrap_err()["code"], "E0004");
}
