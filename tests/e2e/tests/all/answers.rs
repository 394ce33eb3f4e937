//! What the daemon tells of waiting, of events and of the past, through the real programs.

use aiflow_model::{LoggedRecord, State};
use aiflow_test_support::Daemon;
use serde_json::{Value, json};

const DEFINITION: &str = "\
workflow: w
tasks:
  a: {bash: 'exit 3', start: {on: go, if: value > 3}}
  b: {bash: 'true', start: {all: [{on: go}, {on: other}]}}
  c: {bash: 'true', start: {after: a}}
  k: {kind: stream, bash: 'sleep 1000'}
";

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// All records so far, as a follower gets them.
fn records(daemon: &Daemon) -> Vec<LoggedRecord> {
    let mut socket = daemon.socket();
    let end = socket.call("daemon.status", &json!({})).unwrap()["durable"].as_u64().unwrap();
    socket.call("follow", &json!({"from": 0})).unwrap();
    let mut records: Vec<LoggedRecord> = Vec::new();
    while (records.len() as u64) < end {
        let told = socket.receive()["params"]["records"].take();
        records.extend(serde_json::from_value::<Vec<LoggedRecord>>(told).unwrap());
    }
    records
}

#[test]
fn what_waits_what_an_event_did_and_how_things_stood_is_told() {
    let daemon = Daemon::start();
    let run = daemon.start_run(DEFINITION);
    let small = daemon.ok(&["emit", "go", "1"]);
    let large = daemon.ok(&["emit", "go", "5"]);
    daemon.wait_for(run, "a", 1, "failed");

    let why = daemon.ok(&["why", &run.to_string(), "b"]);
    assert!(why.contains("1 of 2 seen: missing on other"), "{why}");
    assert!(why.contains("aiflow emit other VALUE"), "{why}");
    let why = parsed(&daemon.ok(&["-o", "json", "why", &run.to_string()]));
    assert_eq!(why["tasks"].as_array().unwrap().len(), 4);
    let chain = why["tasks"][0]["chain"].as_array().unwrap();
    assert_eq!(chain.last().unwrap()["offset"].to_string(), large);

    let receipt = parsed(&daemon.ok(&["-o", "json", "event", "show", &small]));
    let fates: Vec<&str> =
        receipt["rules"].as_array().unwrap().iter().map(|r| r["fate"].as_str().unwrap()).collect();
    assert_eq!(fates, ["filtered", "expired"], "a later event took its place: {receipt}");
    let then = parsed(&daemon.ok(&["-o", "json", "event", "show", &small, "--until", &large]));
    assert_eq!(then["rules"][1]["fate"], "held", "before the later one came: {then}");
    let receipt = daemon.ok(&["event", "show", &large]);
    assert!(receipt.contains("consumed") && receipt.contains("held"), "{receipt}");

    daemon.ok(&["emit", "other", "1"]);
    daemon.wait_for(run, "b", 1, "success");
    let since = daemon.ok(&["since", &small]);
    assert!(since.contains("failed") && since.contains("a of run 1"), "{since}");
    let before = daemon.ok(&["state", "--at", &small, "--run", &run.to_string()]);
    assert!(!before.contains("failed"), "{before}");

    let mut state = State::empty();
    let mut socket = daemon.socket();
    for record in records(&daemon) {
        let told = socket.call("state.at", &json!({"offset": record.offset})).unwrap();
        assert_eq!(told["state"], serde_json::to_value(&state).unwrap(), "{}", record.offset);
        state.apply(&record).unwrap();
    }
}

#[test]
fn what_cannot_be_told_is_refused_with_a_hint() {
    let daemon = Daemon::start();
    let some = daemon.ok(&["emit", "some", "1"]);
    for (line, code) in [
        ("why 7", "E0103"),
        ("event show 0", "E0004"),
        ("event show 999", "E0403"),
        (&format!("event show {some} --until {some}"), "E0004"),
        (&format!("event show {some} --until 999"), "E0403"),
        ("state --at 999", "E0403"),
        ("state --at 1 --run 7", "E0103"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let output = daemon.cli(&words);
        assert_eq!(output.code, i32::from(aiflow_model::exit_code::REFUSED), "{line}");
        assert!(output.stderr.contains(code), "{line}: {}", output.stderr);
    }
    let run = daemon.start_run(DEFINITION);
    let output = daemon.cli(&["why", &run.to_string(), "nothing"]);
    assert!(output.stderr.contains("E0104"), "{}", output.stderr);
    let refused = daemon.socket().call("state.at", &json!({"offset": 1, "time": 1}));
    assert_eq!(refused.unwrap_err()["code"], "E0004");
}
