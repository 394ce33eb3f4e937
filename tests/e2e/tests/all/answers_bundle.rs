//! Bundles: what a daemon has come to can be had from them, and nothing that users wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use aiflow_test_support::{Daemon, Output, program, run, wait_until};
use serde_json::{Value, json};

/// In whatever a user can write, and in nothing else.
const SECRET: &str = "hunter2";

fn definition() -> String {
    format!(
        "# {SECRET}\nworkflow: w\nparams: {{account: {SECRET}}}\ntasks:\n  \
         say: {{bash: 'aiflow output set it {SECRET}; exit 0', env: {{KEY: {SECRET}}}, \
         start: {{on: go, if: 'value.word == \"{SECRET}\"'}}}}\n  \
         fail: {{bash: 'echo {SECRET}; exit 3', start: {{after: say}}}}\n  \
         broken: {{bash: 'true', start: {{on: go, if: value.word > 3}}}}\n  \
         none: {{exec: [/no/{SECRET}], start: {{on: go}}}}\n  \
         each: {{bash: 'true', for_each: 'value.list', start: {{on: list}}}}\n  \
         kept: {{bash: 'true', start: {{state: {{of: {{on: go}}, \
         script: 'state = \"{SECRET}\"; false'}}}}}}\n  \
         summed: {{bash: 'true', start: {{sum: {{of: {{on: cost}}, expr: value, reaches: 1e15}}}}}}\n"
    )
}

fn busy() -> Daemon {
    let daemon = Daemon::start();
    let mut socket = daemon.socket();
    let property = json!({"namespace": "other", "properties": {"p": SECRET}});
    socket.call("namespace.add", &property).unwrap();
    socket.call("workflow.upload", &json!({"source": definition()})).unwrap();
    let params = json!({"account": format!("{SECRET}-1")});
    let start = json!({"workflow": "w", "params": params, "request": SECRET});
    let run = socket.call("execution.start", &start).unwrap()["run"].as_u64().unwrap();
    let events = [
        ("go", json!({"word": SECRET})),
        ("list", json!({"list": [SECRET, {SECRET: 1}]})),
        ("cost", json!(424_242_424_242_u64)),
        ("cost", json!(0.725_172_51)),
    ];
    for (key, value) in events {
        let id = format!("{SECRET}-{value}");
        let event = json!({"key": key, "value": value, "source": SECRET, "id": id});
        socket.call("emit", &event).unwrap();
    }
    daemon.wait_for(run, "fail", 1, "failed");
    daemon.wait_for(run, "each", 2, "success");
    daemon.wait_for(run, "none", 1, "failed");
    let condition = format!("{{on: x, if: 'value == \"{SECRET}\"'}}");
    let trigger = json!({"workflow": "w", "condition": condition, "request": SECRET});
    socket.call("trigger.add", &trigger).unwrap();
    daemon
}

fn aiflowd(arguments: &[&str]) -> Output {
    run(Command::new(program("aiflowd")).args(arguments))
}

fn bundle(daemon: &Daemon, name: &str, more: &[&str]) -> (PathBuf, String) {
    let path = daemon.scratch().join(name);
    let file = path.to_str().unwrap();
    let told = daemon.ok(&[&["-o", "json", "bundle", file], more].concat());
    let told: Value = serde_json::from_str(&told).unwrap();
    (path, told["state_hash"].as_str().unwrap().to_owned())
}

fn replayed(path: &Path, more: &[&str]) -> Value {
    let output = aiflowd(&[&["log", "replay", path.to_str().unwrap(), "--json"], more].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    serde_json::from_str(&output.stdout).unwrap()
}

/// Everything below a directory, by its place.
fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(content(&path));
        } else if path.is_file() {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_redacted_bundle_holds_no_secret_and_gives_the_state_that_it_tells() {
    let mut daemon = busy();
    let (redacted, told) = bundle(&daemon, "redacted", &["--redact"]);
    let (whole, told_whole) = bundle(&daemon, "whole", &[]);
    let live = daemon.socket().call("state.at", &json!({"time": i64::MAX})).unwrap();
    daemon.kill();

    let bytes = std::fs::read(&redacted).unwrap();
    for secret in [SECRET, "424242424242", "0.72517251"] {
        assert!(!holds(&bytes, secret), "{secret} is in the bundle");
        assert!(holds(&std::fs::read(&whole).unwrap(), secret), "{secret} is not even in the log");
    }
    // Also none that was cut or written in another way.
    assert!(!holds(&bytes.to_ascii_lowercase(), &SECRET[..5]));

    let state = replayed(&redacted, &[]);
    assert_eq!((&state["state_hash"], &state["told"]), (&json!(told), &json!(told)));
    let all = replayed(&whole, &[]);
    assert_eq!((&all["state_hash"], &all["state"]), (&json!(told_whole), &live["state"]));
    assert_ne!(told, told_whole);
    // Names, times, statuses and counts are what they were.
    let shape = |state: &Value| {
        let run = &state["state"]["runs"]["1"];
        let mut told = vec![run["status"].clone(), run["started_at"].clone()];
        for task in run["tasks"].as_array().unwrap() {
            for execution in task["executions"].as_array().unwrap() {
                let of = ["status", "created_at", "ended_at", "events"].map(|k| &execution[k]);
                told.extend(of.into_iter().cloned());
            }
        }
        told
    };
    assert_eq!(shape(&state), shape(&all));
    assert_eq!(state["at"], all["at"]);

    // Whatever looks at copied logs looks at an unpacked bundle too.
    let unpacked = daemon.scratch().join("unpacked");
    let into = unpacked.to_str().unwrap();
    let output = aiflowd(&["log", "unpack", redacted.to_str().unwrap(), into]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(replayed(&unpacked, &[])["state_hash"], json!(told));
    assert_eq!(aiflowd(&["--home", into, "log", "verify"]).code, 0);
    let screen = daemon.ok(&["tui", "--log", into, "--once"]);
    assert!(screen.contains('w') && !screen.contains(SECRET), "{screen}");
    let again = aiflowd(&["log", "unpack", redacted.to_str().unwrap(), into]);
    assert_eq!(again.code, i32::from(aiflow_model::exit_code::OPERATING));
    assert!(content(&unpacked).values().all(|bytes| !holds(bytes, SECRET)));

    // Any earlier state can be had, and the copied log gives the same, and is left as it is.
    let copy = daemon.scratch().join("copy");
    let copied = run(Command::new("cp").arg("-r").arg(daemon.home()).arg(&copy));
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    let before = content(&copy);
    let end = all["at"].as_u64().unwrap();
    for at in (0..=end).step_by(7).chain([end]) {
        let at = at.to_string();
        let of_bundle = replayed(&whole, &["--at", &at]);
        let of_log = replayed(&copy, &["--at", &at]);
        assert_eq!(of_bundle["state_hash"], of_log["state_hash"], "at {at}");
        assert_eq!(of_bundle["state"], of_log["state"], "at {at}");
    }
    assert!(content(&copy) == before, "a replay wrote to the copy");
    let deep = aiflowd(&["--home", copy.to_str().unwrap(), "log", "verify", "--deep"]);
    let hash = replayed(&copy, &[])["state_hash"].as_str().unwrap().to_owned();
    assert!(deep.stdout.contains(&hash), "{} {hash}", deep.stdout);
}

#[test]
fn what_is_no_whole_bundle_is_refused_and_nothing_is_overwritten() {
    let mut daemon = busy();
    let (path, _) = bundle(&daemon, "good", &["--redact"]);
    let text = std::fs::read_to_string(&path).unwrap();
    let again = daemon.cli(&["bundle", path.to_str().unwrap()]);
    assert_eq!(again.code, i32::from(aiflow_model::exit_code::OPERATING));
    assert!(again.stderr.contains("cannot write"), "{}", again.stderr);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

    let refused = |text: &str, reason: &str| {
        let path = daemon.scratch().join("bad");
        std::fs::write(&path, text).unwrap();
        let output = aiflowd(&["log", "replay", path.to_str().unwrap()]);
        assert_eq!(output.code, i32::from(aiflow_model::exit_code::LOG_REFUSED), "{reason}");
        assert!(output.stderr.contains(reason), "{reason}: {}", output.stderr);
    };
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len() - 1;
    refused("", "it is empty");
    refused("hello\n", "its first line is not that of a bundle");
    refused(&text.replacen("\"bundle\":1", "\"bundle\":2", 1), "it has version 2");
    refused(&lines[..last].join("\n"), &format!("it is cut off: line {}", last + 1));
    refused(&[&lines[..5], &lines[6..]].concat().join("\n"), "line 6: record");
    refused(&text.replacen("\"failed\"", "\"success\"", 1), "gives another state than it says");
    refused(&text.replacen("\"TaskExecutionFinished\"", "\"Oops\"", 1), "unknown variant");

    // Without a daemon it is made of what the log holds.
    daemon.kill();
    let (path, told) = bundle(&daemon, "later", &["--redact"]);
    assert_eq!(replayed(&path, &[])["state_hash"], told);
    let nowhere = daemon.scratch().join("nowhere");
    let output = run(Command::new(program("aiflow"))
        .args(["--home", nowhere.to_str().unwrap(), "bundle"])
        .arg(daemon.scratch().join("none")));
    assert_ne!(output.code, 0);
    assert!(!daemon.scratch().join("none").exists() && !nowhere.exists(), "{}", output.stderr);
}

#[test]
fn a_log_that_begins_late_is_bundled_with_the_state_before_it() {
    let mut daemon = Daemon::on_fresh_home();
    let small = ["--snapshot-every", "200", "--segment-bytes", "16KiB", "--keep-bytes", "140KiB"];
    daemon.resume_with(&small);
    daemon.start_run(&definition());
    let mut socket = daemon.socket();
    let mut count = 0;
    wait_until("the log's beginning is dropped", || {
        for _ in 0..200 {
            count += 1;
            let event = json!({"key": "go", "value": {"word": SECRET}, "id": count.to_string(),
                "source": format!("{SECRET}{}", "x".repeat(100))});
            socket.call("emit", &event).unwrap();
        }
        let status = socket.call("daemon.status", &json!({})).unwrap();
        (status["log_begins"].as_u64().unwrap() > 0).then_some(())
    });
    let (path, told) = bundle(&daemon, "late", &["--redact"]);
    assert!(!holds(&std::fs::read(&path).unwrap(), SECRET));
    let state = replayed(&path, &[]);
    assert!(state["from"].as_u64().unwrap() > 0, "{}", state["from"]);
    assert_eq!((&state["state_hash"], &state["told"]), (&json!(told), &json!(told)));
    let path = path.to_str().unwrap();
    let output = aiflowd(&["log", "replay", path, "--at", "3"]);
    assert!(output.stderr.contains("it begins at"), "{}", output.stderr);
    let into = daemon.scratch().join("into");
    let output = aiflowd(&["log", "unpack", path, into.to_str().unwrap()]);
    assert!(output.stderr.contains("it begins at") && !into.exists(), "{}", output.stderr);
}
