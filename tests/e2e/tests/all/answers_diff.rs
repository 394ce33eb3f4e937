//! How a run differs from another, through the real programs.

use aiflow_test_support::{Daemon, wait_until};
use serde_json::{Value, json};

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A workflow whose run ends with the third task: `day` says what it writes, `extra` is a line of
/// its definition.
fn definition(extra: &str) -> String {
    let check = "echo fine >&2; echo same; echo day $AIFLOW_PARAM_DAY; test $AIFLOW_PARAM_DAY = 1";
    format!(
        "workflow: w\nparams: {{day: 1}}\ntasks:\n  load: {{bash: 'echo loaded', \
         start: {{on: go}}}}\n{extra}  check: {{bash: '{check}', start: {{after: load}}}}\n"
    )
}

fn ended(daemon: &Daemon, run: u64) -> Value {
    wait_until("the run has ended", || {
        let listed = daemon.ok(&["-o", "json", "workflow-execution", "show", &run.to_string()]);
        Some(parsed(&listed)).filter(|run| run["ended_at"].is_string())
    })
}

/// A run of the definition, to its end.
fn run(daemon: &Daemon, extra: &str, day: u64, events: &[&str]) -> u64 {
    let mut socket = daemon.socket();
    socket.call("workflow.upload", &json!({"source": definition(extra)})).unwrap();
    let asked = json!({"workflow": "w", "params": {"day": day}});
    let run = socket.call("execution.start", &asked).unwrap()["run"].as_u64().unwrap();
    for key in events {
        daemon.ok(&["emit", key, "1", "--execution", &run.to_string()]);
    }
    ended(daemon, run);
    run
}

const EXTRA: &str = "  more: {bash: 'sleep 0.1', start: {on: more}}\n";

fn diff(daemon: &Daemon, runs: &[u64]) -> Value {
    let runs: Vec<String> = runs.iter().map(ToString::to_string).collect();
    let words = ["-o", "json", "diff"].into_iter().chain(runs.iter().map(String::as_str));
    parsed(&daemon.ok(&words.collect::<Vec<_>>()))
}

#[test]
fn what_differs_between_two_runs_is_told_also_when_both_have_long_ended() {
    let mut daemon = Daemon::start();
    let good = run(&daemon, "", 1, &["go"]);
    let again = run(&daemon, "", 1, &["go"]);
    let bad = run(&daemon, EXTRA, 2, &["more", "go"]);

    let same = diff(&daemon, &[good, again]);
    assert_eq!(same["definition"], json!({"same": true, "lines": [], "files": []}));
    assert_eq!((&same["params"], &same["params_same"]), (&json!([]), &json!(1)));
    assert_eq!(same["events"][0]["counts"], json!([1, 1]));
    let told = same["logs"].as_array().unwrap().iter().map(|log| log["differences"].clone());
    assert_eq!(told.collect::<Vec<_>>(), vec![json!([]); 2], "{same}");

    // Without another it is the last that succeeded. That the runs leave the state changes nothing.
    let found = diff(&daemon, &[bad]);
    assert_eq!(found["runs"][0]["run"], again);
    daemon.kill();
    daemon.resume_with(&["--keep-runs", "1"]);
    wait_until("the runs have left the state", || {
        daemon.ok(&["emit", "nothing"]);
        let state = daemon.socket().call("state.at", &json!({"time": i64::MAX})).unwrap();
        (state["state"]["runs"].as_object().unwrap().len() == 1).then_some(())
    });
    assert_eq!(diff(&daemon, &[bad]), found);
    let found_again = diff(&daemon, &[again, bad]);
    assert_eq!(found, found_again);

    assert_eq!([&found["runs"][0]["status"], &found["runs"][1]["status"]], ["success", "failed"]);
    let lines = found["definition"]["lines"].to_string();
    assert!(lines.contains("+  more: {bash:"), "{lines}");
    assert_eq!(found["params"], json!([{"name": "day", "values": [1, 2]}]));
    assert_eq!(found["events"][0]["key"], "more");
    assert_eq!(found["events"][0]["counts"], json!([0, 1]));
    let tasks: Vec<&str> =
        found["tasks"].as_array().unwrap().iter().map(|t| t["task"].as_str().unwrap()).collect();
    assert_eq!(tasks[2], "load", "what went as ever stands last: {tasks:?}");
    let checked = found["tasks"].as_array().unwrap().iter().find(|t| t["task"] == "check").unwrap();
    assert_eq!(checked["sides"][1]["outcome"], json!({"exited": {"code": 1}}));
    let log = found["logs"].as_array().unwrap().iter().find(|log| log["task"] == "check").unwrap();
    let texts = json!(["day 1", "day 2"]);
    assert_eq!(log["differences"], json!([{"stream": "stdout", "line": 2, "texts": texts}]));

    let text = daemon.ok(&["diff", &bad.to_string()]);
    for part in ["! check", "failed (exit 1)", "never ran", "check stdout, line 2", "+ day 2"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn output_that_is_gone_is_told_and_what_cannot_be_compared_is_refused() {
    let daemon = Daemon::start();
    let bad = run(&daemon, "", 2, &["go"]);
    let output = daemon.cli(&["diff", &bad.to_string()]);
    assert_eq!(output.code, i32::from(aiflow_model::exit_code::REFUSED));
    assert!(output.stderr.contains("no run of w before run 1 succeeded"), "{}", output.stderr);
    let output = daemon.cli(&["diff", &bad.to_string(), "99"]);
    assert!(output.stderr.contains("E0103") && output.stderr.contains("99"), "{}", output.stderr);

    let good = run(&daemon, "", 1, &["go"]);
    let attempts = daemon.home().join("runs").join(bad.to_string());
    std::fs::remove_dir_all(&attempts).unwrap();
    let text = daemon.ok(&["diff", &bad.to_string(), &good.to_string()]);
    assert!(text.contains("check is not compared: the output of 1.check.1.1"), "{text}");

    // A workflow that is gone takes its definitions with it; the log still has them.
    daemon.ok(&["workflow", "disable", "w"]);
    daemon.ok(&["workflow", "delete", "w", "-y"]);
    let told = diff(&daemon, &[bad, good]);
    assert_eq!(told["definition"]["same"], true, "{told}");
    assert_eq!(told["runs"][1]["status"], "success");
}
