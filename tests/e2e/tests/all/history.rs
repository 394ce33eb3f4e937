//! The history behind a real daemon: both databases say what the daemon says, whatever is killed
//! in between.

use std::process::Command;

use aiflow_history::{Postgres, Sqlite, Store, list_runs};
use aiflow_model::wire::RunQuery;
use aiflow_test_support::{Daemon, program, run, wait_until};
use serde_json::{Value, json};

const DEFINITION: &str = "\
workflow: w
tasks:
  a: {bash: 'exit $((AIFLOW_SEQUENCE % 3 == 0))', start: {on: go}, overlap: queue, parallel: 4}
  k: {kind: stream, bash: 'sleep 1000'}
";

fn durable(daemon: &Daemon) -> u64 {
    daemon.socket().call("daemon.status", &json!({})).unwrap()["durable"].as_u64().unwrap()
}

/// Waits until a database holds all that is durable, and gives what it says of runs.
fn told(daemon: &Daemon, store: &mut dyn Store) -> Value {
    let end = durable(daemon);
    wait_until("the history has caught up", || (store.checkpoint().ok()? >= end).then_some(()));
    serde_json::to_value(list_runs(store, &RunQuery::default()).unwrap()).unwrap()
}

fn stop(daemon: &mut Daemon) {
    daemon.ok(&["server", "stop"]);
    assert_eq!(daemon.wait(), 0);
}

fn settle(daemon: &Daemon, run: u64, sequence: u64) {
    let status = if sequence.is_multiple_of(3) { "failed" } else { "success" };
    daemon.wait_for(run, "a", sequence, status);
}

#[test]
fn both_databases_say_what_the_daemon_says_after_kills_of_either() {
    let mut server = aiflow_test_support::Postgres::start();
    let (mut daemon, url) = (Daemon::on_fresh_home(), server.url());
    daemon.resume_with(&["--postgres", &url]);
    let id = daemon.start_run(DEFINITION);
    for round in 0..3_u64 {
        if round == 1 {
            server.kill();
        }
        for event in 1..=5 {
            daemon.ok(&["emit", "go", &event.to_string()]);
        }
        if round == 1 {
            // The daemon goes on while the database is away.
            settle(&daemon, id, 10);
            server.start_again();
        }
        daemon.kill();
        daemon.resume_with(&["--postgres", &url]);
        settle(&daemon, id, round * 5 + 5);
    }
    let listed = daemon.socket().call("execution.list", &json!({})).unwrap();
    let mut sqlite = Sqlite::read(&daemon.home().join("history.sqlite")).unwrap();
    assert_eq!(told(&daemon, &mut sqlite), listed);
    let mut postgres = Postgres::connect(&url).unwrap();
    assert_eq!(told(&daemon, &mut postgres), listed);
    // What is asked right after an event has it in.
    let failed = daemon.ok(&["workflow-execution", "list", "--task", "a", "--limit", "1"]);
    assert!(failed.contains("running"), "{failed}");
}

#[test]
fn a_damaged_history_does_not_keep_the_daemon_and_is_made_anew() {
    let mut daemon = Daemon::start();
    daemon.start_run(DEFINITION);
    daemon.ok(&["workflow-execution", "list", "--limit", "1"]);
    stop(&mut daemon);
    let file = daemon.home().join("history.sqlite");
    for name in ["history.sqlite-wal", "history.sqlite-shm"] {
        let _ = std::fs::remove_file(daemon.home().join(name));
    }
    std::fs::write(&file, "this is no database, whatever it was".repeat(400)).unwrap();
    daemon.resume();
    daemon.ok(&["emit", "go", "1"]);
    stop(&mut daemon);
    let mut rebuild = Command::new(program("aiflowd"));
    rebuild.arg("--home").arg(daemon.home()).args(["history", "rebuild"]);
    let output = run(&mut rebuild);
    assert_eq!(output.code, 0, "{}", output.stderr);
    daemon.resume();
    assert!(daemon.ok(&["workflow-execution", "list", "--limit", "1"]).contains("running"));
}

#[test]
fn without_a_history_questions_that_need_one_are_refused() {
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&["--no-history"]);
    let refused = daemon.cli(&["workflow-execution", "list", "--status", "failed"]);
    assert!(refused.stderr.contains("E0405"), "{}", refused.stderr);
    assert!(!daemon.home().join("history.sqlite").exists());
}
