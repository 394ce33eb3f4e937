//! Slices of the log: the state before them and the records in them give what the whole log gives.

use aiflow_model::wire::LogSlice;
use aiflow_model::{LoggedRecord, State};
use aiflow_test_support::{Daemon, program, run};
use serde_json::{Value, json};

const DEFINITION: &str = "workflow: w\ntasks:\n  keep: {kind: stream, bash: 'exec sleep 1000'}\n  \
    each: {bash: 'true', overlap: queue, start: {count: {of: {on: go}, n: 3}}}\n";

fn slice(daemon: &Daemon, query: &Value) -> LogSlice {
    let answer = daemon.socket().call("log.slice", query).unwrap();
    serde_json::from_value(answer).unwrap()
}

/// The state at the end of a slice, as it is sent.
fn folded(slice: LogSlice) -> Value {
    let mut state: State = slice.state.with_derived();
    for record in &slice.records {
        state.apply(record).unwrap();
    }
    serde_json::to_value(&state).unwrap()
}

fn busy() -> Daemon {
    let mut daemon = Daemon::on_fresh_home();
    // Snapshots, so that some states begin with one.
    daemon.resume_with(&["--snapshot-every", "40"]);
    let run = daemon.start_run(DEFINITION);
    for _ in 0..30 {
        daemon.ok(&["emit", "go"]);
    }
    daemon.wait_for(run, "each", 10, "success");
    daemon
}

#[test]
fn any_slice_folds_to_what_the_whole_log_gives() {
    let daemon = busy();
    let all = slice(&daemon, &json!({"before": 10_000}));
    assert_eq!((all.log_begins.0, all.at.0 + 1), (0, all.log_ends.0));
    let records: Vec<LoggedRecord> = all.records.clone();
    assert!(records.len() > 100);
    for at in (0..records.len() as u64).step_by(9) {
        let piece = slice(&daemon, &json!({"at": at, "before": 5, "after": 3}));
        let (first, last) = (piece.records[0].offset.0, piece.records.last().unwrap().offset.0);
        assert!(first <= at.saturating_sub(5) && piece.state.next_offset.0 == first);
        assert_eq!(last, (at + 3).min(records.len() as u64 - 1));
        let mut whole = State::empty();
        for record in &records[..=last as usize] {
            whole.apply(record).unwrap();
        }
        let whole: State = serde_json::from_value(serde_json::to_value(&whole).unwrap()).unwrap();
        assert_eq!(folded(piece), serde_json::to_value(&whole).unwrap(), "at {at}");
    }
    // By time: the last record that is not after it.
    let middle = &records[records.len() / 2];
    let found = slice(&daemon, &json!({"time": middle.time.0})).at.0;
    let later = records.iter().find(|record| record.time > middle.time).unwrap();
    assert_eq!(found + 1, later.offset.0);
    assert_eq!(slice(&daemon, &json!({"time": 0})).at.0, 0);
}

#[test]
fn what_does_not_exist_is_refused_and_nothing_is_stored() {
    let daemon = busy();
    let mut socket = daemon.socket();
    let before = socket.call("daemon.status", &json!({})).unwrap()["durable"].clone();
    let refused = socket.call("log.slice", &json!({"at": 1_000_000})).unwrap_err();
    assert!(refused.to_string().contains("does not exist yet"), "{refused}");
    assert_eq!(socket.call("daemon.status", &json!({})).unwrap()["durable"], before);
}

#[test]
fn the_program_reads_the_same_from_a_copy_and_refuses_what_is_none() {
    let mut daemon = busy();
    let query = json!({"at": 60, "before": 20, "after": 10});
    let live: Value = daemon.socket().call("log.slice", &query).unwrap();
    daemon.kill();
    let ask = |directory: &std::path::Path, query: &str| {
        let mut command = std::process::Command::new(program("aiflowd"));
        run(command.arg("slice").arg(directory).arg(query))
    };
    for directory in [daemon.home(), daemon.home().join("log")] {
        let output = ask(&directory, &query.to_string());
        assert_eq!(output.code, 0, "{}", output.stderr);
        let mut copied: Value = serde_json::from_str(&output.stdout).unwrap();
        // The log has grown since.
        copied["log_ends"] = live["log_ends"].clone();
        assert_eq!(copied, live);
    }
    let empty = daemon.scratch().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let output = ask(&empty, "{}");
    assert!(output.code != 0 && output.stderr.contains("cannot"), "{}", output.stderr);
    let output = ask(&daemon.home(), "no query");
    assert!(output.code == 2 && output.stderr.contains("query"), "{}", output.stderr);
}
