//! A start from a snapshot knows the same as one from the whole log, and a bad snapshot costs time
//! only; but what a snapshot proves to have been acknowledged is never given up in silence.

use std::path::PathBuf;

use aiflow_test_support::{Daemon, program, run, wait_until};
use serde_json::{Value, json};

const EVERY: [&str; 2] = ["--snapshot-every", "100"];

fn snapshots(daemon: &Daemon) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(daemon.home().join("log")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "snapshot")).collect();
    found.sort();
    found
}

/// Emits events `from..until`, and waits until a snapshot is made that holds them all but the last
/// hundred.
fn emit(daemon: &Daemon, from: u64, until: u64) {
    let mut socket = daemon.socket();
    let mut offset = 0;
    for id in from..until {
        let event = json!({"key": "k", "value": id, "source": "test", "id": id.to_string()});
        offset = socket.call("emit", &event).unwrap()["offset"].as_u64().unwrap();
    }
    wait_until("a snapshot is made", || {
        let newest = snapshots(daemon).pop()?;
        let newest: u64 = newest.file_stem()?.to_str()?.parse().ok()?;
        (newest + 100 > offset).then_some(())
    });
}

/// What the daemon knows, less what changes with each start.
fn known(daemon: &Daemon) -> (Vec<Value>, String) {
    let count = daemon.ok(&["event", "count"]);
    (daemon.executions(1), count)
}

fn verify_deep(daemon: &Daemon) -> aiflow_test_support::Output {
    let mut command = std::process::Command::new(program("aiflowd"));
    run(command.arg("--home").arg(daemon.home()).args(["log", "verify", "--deep"]))
}

#[test]
fn a_start_from_a_snapshot_knows_all_that_the_log_does() {
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&EVERY);
    let run = daemon.start_run(
        "workflow: w\ntasks:\n  keep: {kind: stream, bash: 'exec sleep 1000'}\n  each: {bash: 'true', overlap: queue, start: {count: {of: {on: k}, n: 150}}}\n",
    );
    emit(&daemon, 0, 400);
    daemon.wait_for(run, "each", 2, "success");
    let before = known(&daemon);
    assert_eq!(before.1, "400");
    daemon.kill();
    let checked = verify_deep(&daemon);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    assert!(checked.stdout.contains("give the same state"), "{}", checked.stdout);

    daemon.resume_with(&EVERY);
    assert!(!daemon.errors().contains("passed over"), "{}", daemon.errors());
    assert_eq!(known(&daemon), before);
    let again = json!({"key": "k", "value": 1, "source": "test", "id": "7"});
    let reply = daemon.socket().call("emit", &again).unwrap();
    assert_eq!(reply["duplicate"], true, "an event from before the snapshot is known again");
    emit(&daemon, 400, 450);
    daemon.wait_for(run, "each", 3, "success");
    wait_until("older snapshots are removed", || (snapshots(&daemon).len() <= 2).then_some(()));
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_an_older_one_or_the_whole_log() {
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&EVERY);
    emit(&daemon, 0, 150);
    emit(&daemon, 150, 300);
    wait_until("the oldest snapshot is removed", || (snapshots(&daemon).len() == 2).then_some(()));
    for damaged in 1..=2 {
        daemon.kill();
        let paths = snapshots(&daemon);
        let path = &paths[2 - damaged];
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
        // Not so often that it makes a good one again.
        daemon.resume();
        let said = daemon.errors().matches("a snapshot is passed over").count();
        assert_eq!(said, [1, 3][damaged - 1], "{}", daemon.errors());
        assert_eq!(daemon.ok(&["event", "count"]), "300");
    }
}

#[test]
fn a_log_that_lacks_what_a_snapshot_was_made_of_is_refused() {
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&EVERY);
    let segment = daemon.home().join("log").join(format!("{:020}.log", 0));
    let mut socket = daemon.socket();
    for id in 0..60 {
        socket.call("emit", &json!({"key": "k", "source": "test", "id": id.to_string()})).unwrap();
    }
    let earlier = std::fs::read(&segment).unwrap();
    emit(&daemon, 60, 250);
    daemon.kill();
    std::fs::write(&segment, &earlier).unwrap();
    let mut command = std::process::Command::new(program("aiflowd"));
    let refused = run(command.arg("--home").arg(daemon.home()));
    assert_eq!(refused.code, i32::from(aiflow_model::exit_code::LOG_REFUSED), "{}", refused.stderr);
    assert!(refused.stderr.contains("was safe when a snapshot was made"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: restore the log"), "{}", refused.stderr);
    assert_eq!(std::fs::read(&segment).unwrap(), earlier, "nothing was written");
    // What the hint says works, and says what it costs.
    let repair = |arguments: &[&str]| {
        let mut command = std::process::Command::new(program("aiflowd"));
        run(command.arg("--home").arg(daemon.home()).args(["log", "repair"]).args(arguments))
    };
    let planned = repair(&[]);
    assert!(planned.stdout.contains("the log will end at offset"), "{}", planned.stdout);
    assert_eq!(repair(&["--yes"]).code, 0);
    daemon.resume();
    assert_eq!(daemon.ok(&["event", "count"]), "60");
}
