//! The client's command line, form by form, as the README and the issue tracker promise it.

use aiflow_test_support::{Daemon, wait_until};
use serde_json::Value;

const DEFINITION: &str = "\
workflow: demo
params: {who: world}
tasks:
  hello: {bash: 'echo hello $AIFLOW_PARAM_WHO; echo oops >&2'}
  after: {bash: 'exit $AIFLOW_PARAM_CODE', start: {after: hello}, env: {X: y}}
";

fn upload(daemon: &Daemon, text: &str) -> String {
    let file = daemon.scratch().join("workflow.yaml");
    std::fs::write(&file, text).unwrap();
    daemon.ok(&["workflow", "upload", file.to_str().unwrap()])
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn the_server_is_started_told_about_and_stopped() {
    let daemon = Daemon::on_fresh_home();
    let none = daemon.cli(&["server", "status"]);
    assert_eq!(none.code, i32::from(aiflow_model::exit_code::NO_DAEMON));
    assert!(none.stderr.contains("hint: aiflow --home"), "{}", none.stderr);
    let started = daemon.ok(&["server", "start"]);
    assert!(started.starts_with("ready "), "{started}");
    let again = daemon.cli(&["server", "start"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let status = json(&daemon.ok(&["-o", "json", "server", "status"]));
    assert_eq!(status["epoch"], 1);
    daemon.ok(&["server", "stop"]);
    assert!(!daemon.home().join("aiflow.sock").exists());
}

#[test]
fn a_run_is_uploaded_started_listed_and_waited_for() {
    let daemon = Daemon::start();
    let definition = DEFINITION.replace("who: world", "who: world, code: 0");
    upload(&daemon, &definition);
    let list = json(&daemon.ok(&["workflow", "list", "-o", "json"]));
    assert_eq!(list[0]["workflow"], "demo");
    assert_eq!(list[0]["tasks"][1]["rules"][0], "start after hello");
    assert!(daemon.ok(&["workflow", "show", "demo"]).contains("demo"));
    let run = daemon.ok(&["workflow-execution", "start", "demo", "--param", "who=you"]);
    assert_eq!(run, "1", "the id alone");
    let waited = daemon.cli(&["run", "demo", "--wait"]);
    assert_eq!(waited.code, 0, "{}", waited.stderr);
    let failed = daemon.cli(&["run", "demo", "--wait", "--param", "code=3"]);
    assert_eq!(failed.code, i32::from(aiflow_model::exit_code::RUN_FAILED), "{}", failed.stderr);
    let runs = json(&daemon.ok(&["-o", "json", "workflow-execution", "list", "demo"]));
    assert_eq!(runs.as_array().unwrap().len(), 3);
    assert_eq!(runs[2]["status"], "failed");
    wait_until("the first run has ended", || {
        let shown = json(&daemon.ok(&["-o", "json", "workflow-execution", "show", "1"]));
        (shown["status"] == "success").then_some(())
    });
    assert_eq!(daemon.ok(&["logs", "1", "hello"]), "hello you");
    assert_eq!(daemon.cli(&["logs", "1", "hello"]).stderr.trim(), "oops");
    let tasks = json(&daemon.ok(&["-o", "json", "task-execution", "list", "3"]));
    assert_eq!(tasks[1]["attempts"][0]["exit_code"], 3);
    for format in ["table", "yaml", "plain"] {
        let text = daemon.ok(&["-o", format, "task-execution", "list", "1"]);
        assert!(text.contains("hello") && text.contains("success"), "{format}: {text}");
    }
}

#[test]
fn tasks_of_a_run_are_stopped_started_and_shown() {
    let daemon = Daemon::start();
    upload(
        &daemon,
        "workflow: s\ntasks: {a: {kind: stream, bash: 'sleep 1000'}, b: {bash: 'true', start: {on: go}}}",
    );
    let run = daemon.ok(&["workflow-execution", "start", "s"]);
    daemon.wait_for(1, "a", 1, "running");
    let ps = daemon.ok(&["ps"]);
    assert!(ps.contains('a') && ps.contains("running"), "{ps}");
    daemon.ok(&["task-execution", "start", &run, "b"]);
    daemon.wait_for(1, "b", 1, "success");
    let again = daemon.cli(&["task-execution", "start", &run, "a"]);
    assert_eq!(again.code, i32::from(aiflow_model::exit_code::REFUSED), "{}", again.stderr);
    assert!(again.stderr.contains("E0302"), "{}", again.stderr);
    daemon.ok(&["task-execution", "stop", &run, "a"]);
    daemon.wait_for(1, "a", 1, "stopped");
}

#[test]
fn events_are_emitted_listed_counted_and_listened_to() {
    let daemon = Daemon::start();
    let first: u64 = daemon.ok(&["emit", "data.ready", r#"{"rows": 3}"#]).parse().unwrap();
    let words = daemon.ok(&["emit", "data.ready", "not json", "--source", "s", "--id", "1"]);
    let again = daemon.ok(&["emit", "data.ready", "not json", "--source", "s", "--id", "1"]);
    assert_eq!(words, again, "the same event is one event");
    daemon.ok(&["emit", "other"]);
    let events = json(&daemon.ok(&["-o", "json", "event", "list", "data.ready"]));
    assert_eq!(events.as_array().unwrap().len(), 2);
    assert_eq!(events[0]["value"]["rows"], 3);
    assert_eq!(events[1]["value"], "not json");
    assert!(daemon.ok(&["event", "count"]).contains('3'));
    let unknown = daemon.cli(&["emit", "k", "-n", "nowhere"]);
    assert_eq!(unknown.code, i32::from(aiflow_model::exit_code::REFUSED));
    assert!(unknown.stderr.contains("there is no namespace"), "{}", unknown.stderr);
    daemon.ok(&["namespace", "add", "nowhere"]);
    daemon.ok(&["emit", "k", "-n", "nowhere"]);

    let from = first.to_string();
    let mut listener =
        daemon.aiflow(&["-o", "json", "event", "listen", "data.ready", "--from", &from]);
    let mut listener = listener.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines =
        std::io::BufRead::lines(std::io::BufReader::new(listener.stdout.take().unwrap()));
    daemon.ok(&["emit", "data.ready", "3"]);
    let values: Vec<Value> =
        (0..3).map(|_| json(&lines.next().unwrap().unwrap())["value"].clone()).collect();
    assert_eq!(values, [json(r#"{"rows": 3}"#), json("\"not json\""), json("3")]);
    listener.kill().unwrap();
    listener.wait().unwrap();
}

#[test]
fn a_task_emits_into_its_own_run_unless_told_otherwise() {
    let daemon = Daemon::start();
    upload(
        &daemon,
        "workflow: e\ntasks:\n  a: {bash: 'aiflow emit mine && aiflow emit all --global'}\n  \
         m: {bash: 'true', start: {on: mine}}\n  g: {bash: 'true', start: {on: all}}\n  \
         keep: {kind: stream, bash: 'sleep 1000'}",
    );
    daemon.ok(&["workflow-execution", "start", "e"]);
    daemon.wait_for(1, "m", 1, "success");
    daemon.wait_for(1, "g", 1, "success");
    let events = json(&daemon.ok(&["-o", "json", "event", "list"]));
    assert_eq!(events[0]["execution"], 1);
    assert_eq!(events[0]["source"], "e/a");
    assert_eq!(events[1]["execution"], Value::Null);
    daemon.ok(&["workflow-execution", "start", "e"]);
    daemon.wait_for(2, "m", 1, "success");
    let views = daemon.executions(1);
    assert_eq!(views.iter().filter(|view| view["task"] == "m").count(), 1, "not the other run's");
}

#[test]
fn a_large_event_comes_by_file() {
    let daemon = Daemon::start();
    upload(
        &daemon,
        "workflow: l\ntasks: {a: {bash: 'wc -c < $AIFLOW_EVENT_FILE', start: {on: big}}}",
    );
    daemon.ok(&["workflow-execution", "start", "l"]);
    daemon.ok(&["emit", "big", &format!("\"{}\"", "x".repeat(100_000))]);
    daemon.wait_for(1, "a", 1, "success");
    let bytes: u64 = daemon.ok(&["logs", "1", "a"]).trim().parse().unwrap();
    assert!(bytes > 100_000, "{bytes}");
}

#[test]
fn wrong_words_are_usage_errors() {
    let daemon = Daemon::start();
    for words in
        [&["nonsense"][..], &["emit"], &["-o", "xml", "ps"], &["task-execution", "list", "x"]]
    {
        let output = daemon.cli(words);
        assert_eq!(output.code, i32::from(aiflow_model::exit_code::USAGE), "{words:?}");
        assert!(!output.stderr.is_empty() && !output.stderr.contains("panicked"));
    }
}

#[test]
fn the_scripts_emit_without_our_programs() {
    let daemon = Daemon::start();
    let script = aiflow_test_support::repository().join("scripts/emit-socket.sh");
    let mut command = std::process::Command::new("bash");
    command.arg(script).env("AIFLOW_SOCKET", daemon.home().join("aiflow.sock"));
    let output = command.output().unwrap();
    let reply = json(String::from_utf8_lossy(&output.stdout).trim());
    assert_eq!(reply["result"]["duplicate"], false, "{reply}");
    assert!(daemon.ok(&["event", "count"]).contains('1'));
}

#[test]
fn events_are_found_by_key_offset_and_time_also_after_a_restart() {
    let mut daemon = Daemon::start();
    for number in 0..30 {
        let key = format!("k{}", number % 3);
        daemon.ok(&["emit", &key, &number.to_string()]);
    }
    let values = |daemon: &Daemon, arguments: &[&str]| -> Vec<i64> {
        let mut all = vec!["-o", "json", "event", "list"];
        all.extend(arguments);
        let events = json(&daemon.ok(&all));
        events.as_array().unwrap().iter().map(|event| event["value"].as_i64().unwrap()).collect()
    };
    let all = json(&daemon.ok(&["-o", "json", "event", "list", "k1"]));
    let (offset, time) = (all[4]["offset"].to_string(), all[4]["time"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(values(&daemon, &["k1"]), [1, 4, 7, 10, 13, 16, 19, 22, 25, 28]);
        assert_eq!(values(&daemon, &["k1", "--limit", "2"]), [25, 28]);
        assert_eq!(values(&daemon, &["k1", "--from", &offset]), [13, 16, 19, 22, 25, 28]);
        assert_eq!(values(&daemon, &["k1", "--since", time]), [13, 16, 19, 22, 25, 28]);
        assert_eq!(values(&daemon, &["--limit", "3"]), [27, 28, 29]);
        assert_eq!(values(&daemon, &["k9"]), [0; 0]);
        assert_eq!(daemon.ok(&["event", "count", "k2"]), "10");
        assert_eq!(daemon.ok(&["event", "count", "k1", "--since", time]), "6");
        assert_eq!(daemon.ok(&["event", "count", "--from", &offset]), "17");
        assert_eq!(daemon.ok(&["event", "count", "k1", "--since", "2999-01-01T00:00:00Z"]), "0");
        daemon.kill();
        daemon.resume();
    }
}

#[test]
fn what_aiflow_users_type_is_understood() {
    let daemon = Daemon::on_fresh_home();
    daemon.ok(&["server", "start", "-d"]);
    let file = daemon.scratch().join("w.yaml");
    std::fs::write(&file, "workflow: w\ntasks: {a: {bash: 'cat one.txt two.txt'}}\n").unwrap();
    for name in ["one.txt", "two.txt"] {
        std::fs::write(daemon.scratch().join(name), name).unwrap();
    }
    let file = file.to_str().unwrap();
    daemon.ok(&["workflow", "upload", file, "-f", "one.txt,two.txt"]);
    let missing = daemon.cli(&["workflow", "upload", file, "-f", "three.txt"]);
    assert!(missing.code != 0 && missing.stderr.contains("three.txt"), "{}", missing.stderr);
    daemon.ok(&["run", "w", "--wait"]);
    assert_eq!(daemon.ok(&["logs", "1", "a"]), "one.txttwo.txt");
    let shown = json(&daemon.ok(&["-o", "json", "task-execution", "show", "1.a.1"]));
    assert_eq!(shown["status"], "success");
    let unknown = daemon.cli(&["task-execution", "show", "1.a.7"]);
    assert_eq!(unknown.code, i32::from(aiflow_model::exit_code::REFUSED));
    assert!(unknown.stderr.contains("E0105"), "{}", unknown.stderr);
    let wrong = daemon.cli(&["task-execution", "show", "1.a"]);
    assert_eq!(wrong.code, i32::from(aiflow_model::exit_code::USAGE));
    assert!(wrong.stderr.contains("RUN.TASK.SEQUENCE"), "{}", wrong.stderr);
    let send = ["notification", "event", "send", "k", "7", "--sender", "s"];
    let offset = daemon.ok(&send);
    let listed = ["-o", "json", "notification", "event", "list", "k", "--begin-offset", &offset];
    let listed = json(&daemon.ok(&listed));
    assert_eq!((&listed[0]["value"], &listed[0]["source"]), (&7.into(), &"s".into()));
    assert_eq!(daemon.ok(&["notification", "event", "count", "k"]), "1");
    daemon.ok(&["server", "stop"]);
}

#[test]
fn every_verb_has_a_manual_page() {
    let daemon = Daemon::on_fresh_home();
    let directory = daemon.scratch().join("man");
    daemon.ok(&["man", directory.to_str().unwrap()]);
    let page = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    assert!(page("aiflow.1").contains("Event\\-driven workflows"), "{}", page("aiflow.1"));
    assert!(page("aiflow-task-execution-rerun.1").contains("from\\-here"));
    assert!(std::fs::read_dir(&directory).unwrap().count() > 40);
    let refused = daemon.cli(&["man", "/proc/none"]);
    assert_eq!(refused.code, i32::from(aiflow_model::exit_code::OPERATING), "{}", refused.stderr);
}
