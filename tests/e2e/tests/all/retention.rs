//! The beginning of a log may be dropped, by its retention or by a repair: the daemon goes on with
//! all that it knew, and whoever asks for what is gone is told so.

use std::path::PathBuf;
use std::process::Command;

use aiflow_test_support::{Daemon, Output, program, run, wait_until};
use serde_json::{Value, json};

const SMALL: [&str; 4] = ["--snapshot-every", "200", "--segment-bytes", "16KiB"];

fn small_and(more: &[&'static str]) -> Vec<&'static str> {
    [&SMALL, more].concat()
}

fn emit(daemon: &Daemon, ids: std::ops::Range<u64>) {
    let mut socket = daemon.socket();
    for id in ids {
        let event =
            json!({"key": "k", "value": "x".repeat(100), "source": "s", "id": id.to_string()});
        socket.call("emit", &event).unwrap();
    }
}

fn log_begins(daemon: &Daemon) -> u64 {
    daemon.socket().call("daemon.status", &json!({})).unwrap()["log_begins"].as_u64().unwrap()
}

fn await_begin(daemon: &Daemon, at_least: u64) -> u64 {
    wait_until("the log's beginning is dropped", || {
        Some(log_begins(daemon)).filter(|begins| *begins >= at_least)
    })
}

/// Files of the log with this end, ascending.
fn files(daemon: &Daemon, end: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(daemon.home().join("log")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.to_string_lossy().ends_with(end)).collect();
    found.sort();
    found
}

fn log(daemon: &Daemon, arguments: &[&str]) -> Output {
    let mut command = Command::new(program("aiflowd"));
    run(command.arg("--home").arg(daemon.home()).arg("log").args(arguments))
}

fn start_once(daemon: &Daemon) -> Output {
    run(Command::new(program("aiflowd")).arg("--home").arg(daemon.home()))
}

#[test]
fn a_log_that_is_kept_short_forgets_records_and_no_state() {
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&small_and(&["--keep-bytes", "140KiB"]));
    let run = daemon.start_run(
        "workflow: w\ntasks:\n  keep: {kind: stream, bash: 'exec sleep 1000'}\n  each: {bash: 'true', overlap: queue, start: {count: {of: {on: rare}, n: 2}}}\n",
    );
    let mut emitted = 0;
    wait_until("some segments are compressed and some dropped", || {
        emit(&daemon, emitted..emitted + 200);
        emitted += 200;
        (log_begins(&daemon) > 0 && !files(&daemon, ".log.zst").is_empty()).then_some(())
    });
    let listed = daemon.cli(&["event", "list", "k", "--limit", "10000", "-o", "json"]);
    assert!(listed.stderr.contains("the log begins at offset"), "{}", listed.stderr);
    let events: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    assert!(!events.is_empty() && (events.len() as u64) < emitted, "{}", events.len());
    assert_eq!(events.last().unwrap()["id"], (emitted - 1).to_string());
    let newest = daemon.cli(&["event", "list", "k", "--limit", "3"]);
    assert_eq!(newest.stderr, "", "nothing is missing from what was asked for");
    let counted = daemon.cli(&["event", "count", "k"]);
    // More may have been dropped meanwhile.
    let count: usize = counted.stdout.trim().parse().unwrap();
    assert!((1..=events.len()).contains(&count), "{count}");
    assert!(counted.stderr.contains("the log begins at"), "{}", counted.stderr);
    let all = emitted.to_string();
    assert_eq!(daemon.ok(&["event", "count"]), all, "the state has counted them all");
    let refused = daemon.cli(&["event", "listen", "k", "--from", "5"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("record 5 is not kept any more"), "{}", refused.stderr);
    let again = json!({"key": "k", "source": "s", "id": "3"});
    assert_eq!(daemon.socket().call("emit", &again).unwrap()["duplicate"], true);

    daemon.kill();
    let checked = log(&daemon, &["verify", "--deep"]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let dumped = log(&daemon, &["dump"]).stdout;
    let first: Value = serde_json::from_str(dumped.lines().next().unwrap()).unwrap();
    let begins = first["offset"].as_u64().unwrap();
    assert!(begins > 0);
    let stat = log(&daemon, &["stat"]);
    assert!(stat.stdout.contains(&format!("the log begins at {begins}")), "{}", stat.stdout);
    assert!(dumped.contains("LogTrimmed"));
    let compacted = log(&daemon, &["compact"]);
    assert_eq!(compacted.code, 0, "{}", compacted.stderr);
    assert_eq!(files(&daemon, ".log").len(), 1, "all but the last are compressed");

    daemon.resume();
    assert_eq!(log_begins(&daemon), begins);
    assert_eq!(daemon.ok(&["event", "count"]), all);
    daemon.ok(&["emit", "rare"]);
    daemon.ok(&["emit", "rare"]);
    daemon.wait_for(run, "each", 1, "success");

    // Without the snapshots, what came of the dropped records is not known any more.
    daemon.kill();
    let snapshots = files(&daemon, ".snapshot");
    assert_eq!(snapshots.len(), 2);
    snapshots.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let refused = start_once(&daemon);
    assert_eq!(refused.code, i32::from(aiflow_model::exit_code::LOG_REFUSED), "{}", refused.stderr);
    assert!(refused.stderr.contains("no snapshot can be used"), "{}", refused.stderr);
}

#[test]
fn what_something_alive_may_ask_for_is_kept() {
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&small_and(&["--keep-bytes", "32KiB"]));
    let run = daemon.start_run(
        "workflow: w\ntasks:\n  keep: {kind: stream, bash: 'exec sleep 1000'}\n  both: {bash: 'echo \"$AIFLOW_EVENT\"', start: {all: [{on: first}, {on: second}]}}\n",
    );
    daemon.ok(&["emit", "first", "{\"n\": 41}"]);
    emit(&daemon, 0..1000);
    wait_until("the daemon has looked what may go", || {
        daemon.errors().contains("old records are kept").then_some(())
    });
    assert_eq!(log_begins(&daemon), 0);
    daemon.ok(&["emit", "second", "{\"n\": 42}"]);
    daemon.wait_for(run, "both", 1, "success");
    let output = daemon.ok(&["logs", &run.to_string(), "both"]);
    assert!(output.contains("41") && output.contains("42"), "{output}");
    emit(&daemon, 1000..2000);
    await_begin(&daemon, 1000);
}

#[test]
fn damage_behind_the_snapshots_costs_what_comes_after_it_and_only_with_yes() {
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&["--segment-bytes", "16KiB"]);
    emit(&daemon, 0..300);
    daemon.kill();
    let segment = files(&daemon, ".log")[2].clone();
    let good = std::fs::read(&segment).unwrap();
    let mut bytes = good.clone();
    bytes[8000] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();

    let root = daemon.home().display().to_string();
    let hints = ["log verify", "log repair", "log repair --yes"];
    let refusals = [start_once(&daemon), log(&daemon, &["verify"]), log(&daemon, &["repair"])];
    for (refused, hint) in refusals.iter().zip(hints) {
        assert_eq!(refused.code, i32::from(aiflow_model::exit_code::LOG_REFUSED), "{hint}");
        let hint = format!("aiflowd --home {root} {hint}");
        assert!(refused.stderr.contains(&hint), "{hint}: {}", refused.stderr);
    }
    assert!(refusals[2].stdout.contains("the log will end at offset"), "{}", refusals[2].stdout);
    assert_eq!(std::fs::read(&segment).unwrap(), bytes, "nothing was changed");

    let repaired = log(&daemon, &["repair", "--yes"]);
    assert_eq!(repaired.code, 0, "{}", repaired.stderr);
    assert!(repaired.stdout.contains(".removed-1"), "{}", repaired.stdout);
    assert_eq!(std::fs::read(segment.with_extension("log.removed-1")).unwrap(), bytes);
    daemon.resume();
    let count: u64 = daemon.ok(&["event", "count"]).parse().unwrap();
    assert!((1..300).contains(&count), "{count}");
    emit(&daemon, 0..300);
    assert_eq!(daemon.ok(&["event", "count"]), "300", "what was lost can be emitted again");
}

#[test]
fn damage_before_a_snapshot_costs_the_records_and_no_state() {
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&small_and(&["--no-compress"]));
    emit(&daemon, 0..1000);
    wait_until("two snapshots are made", || (files(&daemon, ".snapshot").len() == 2).then_some(()));
    daemon.kill();
    let segment = files(&daemon, ".log")[1].clone();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[8000] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let repaired = log(&daemon, &["repair", "--yes"]);
    assert_eq!(repaired.code, 0, "{}", repaired.stderr);
    assert!(repaired.stdout.contains("the state is whole"), "{}", repaired.stdout);
    daemon.resume();
    let begins = await_begin(&daemon, 1);
    assert_eq!(daemon.ok(&["event", "count"]), "1000");
    daemon.kill();
    let dumped = log(&daemon, &["dump"]).stdout;
    assert!(dumped.starts_with(&format!("{{\"offset\":{begins},")), "{dumped:.100}");
    assert!(dumped.contains(r#""reason":"missing""#));
}
