//! `workflow check`: definitions are judged without a daemon, as an upload judges them.

use aiflow_test_support::{Daemon, Output, repository};
use serde_json::Value;

const GOOD: &str = "workflow: w\ntasks: {a: {bash: x}, b: {bash: x, start: {after: a}}}\n";
const DOUBTFUL: &str = "\
workflow: w
tasks:
  a: {bash: x, start: {any: [{on: go}, {after: a}]}}
  b: {bash: x, start: {on: k, if: 1 > 2}}
";
const BAD: &str =
    "workflow: w\ntasks:\n  a: {bash: x, tiemout: 1s}\n  b: {bash: x, start: {after: c}}\n";

fn judge(daemon: &Daemon, verb: &str, text: &str, options: &[&str]) -> Output {
    let file = daemon.scratch().join("w.yaml");
    std::fs::write(&file, text).unwrap();
    daemon.cli(&[options, &["workflow", verb, file.to_str().unwrap()]].concat())
}

#[test]
fn a_definition_is_checked_where_no_daemon_runs() {
    let daemon = Daemon::on_fresh_home();
    let good = judge(&daemon, "check", GOOD, &[]);
    assert_eq!((good.code, good.stdout.trim()), (0, "workflow w is good"), "{}", good.stderr);
    assert_eq!(good.stderr, "");
    let doubtful = judge(&daemon, "check", DOUBTFUL, &[]);
    assert_eq!(doubtful.code, 0);
    assert_eq!(doubtful.stdout.trim(), "workflow w is good, with 3 warnings");
    for expected in [
        "w.yaml:3:3: warning: task `a` starts again by its own end (a → a)",
        "w.yaml:4:16: warning: `start` of task `b` never fires: `1 > 2` is always false",
        "  4 |   b: {bash: x, start: {on: k, if: 1 > 2}}\n    |                ^",
        "w.yaml:4:3: warning: task `b` is never started",
        "  hint: ",
    ] {
        assert!(doubtful.stderr.contains(expected), "{expected:?} in\n{}", doubtful.stderr);
    }
    let bad = judge(&daemon, "check", BAD, &[]);
    assert_eq!(bad.code, i32::from(aiflow_model::exit_code::REFUSED));
    for expected in ["w.yaml:3:16: error: ", "did you mean `timeout`?", "w.yaml:4:", "E0201"] {
        assert!(bad.stderr.contains(expected), "{expected:?} in\n{}", bad.stderr);
    }
    let whole = judge(&daemon, "check", DOUBTFUL, &["-o", "json"]);
    let whole: Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!(whole["warnings"].as_array().unwrap().len(), 3);
    assert!(!daemon.home().exists(), "a check makes no home");
}

#[test]
fn the_schema_of_the_definitions_is_printed_as_it_is_kept() {
    let daemon = Daemon::on_fresh_home();
    let kept = std::fs::read_to_string(repository().join("docs/workflow.schema.json")).unwrap();
    assert_eq!(daemon.cli(&["workflow", "schema"]).stdout, kept);
    assert!(!daemon.home().exists(), "a schema makes no home");
}

#[test]
fn what_cannot_be_read_is_told() {
    let daemon = Daemon::on_fresh_home();
    let missing = daemon.cli(&["workflow", "check", "/nowhere/w.yaml"]);
    assert_eq!(missing.code, i32::from(aiflow_model::exit_code::OPERATING), "{}", missing.stderr);
    assert!(missing.stderr.contains("/nowhere/w.yaml"), "{}", missing.stderr);
    let long = format!("# {}\n{GOOD}", "x".repeat(2 << 20));
    let long = judge(&daemon, "check", &long, &[]);
    assert_eq!(long.code, i32::from(aiflow_model::exit_code::REFUSED), "{}", long.stderr);
    assert!(long.stderr.contains("are allowed"), "{}", long.stderr);
    let files = judge(&daemon, "check", &format!("files: [gone.py]\n{GOOD}"), &[]);
    assert_ne!(files.code, 0);
    assert!(files.stderr.contains("gone.py"), "{}", files.stderr);
}

#[test]
fn an_upload_tells_the_same_warnings() {
    let daemon = Daemon::start();
    let checked = judge(&daemon, "check", DOUBTFUL, &[]);
    let uploaded = judge(&daemon, "upload", DOUBTFUL, &[]);
    assert_eq!((uploaded.code, &uploaded.stderr), (0, &checked.stderr));
    assert_eq!(uploaded.stdout.trim(), "uploaded default/w snapshot 1");
    let again = judge(&daemon, "upload", DOUBTFUL, &[]);
    assert_eq!(again.stderr, checked.stderr);
    let tried = judge(&daemon, "upload", DOUBTFUL, &["--dry-run", "-o", "json"]);
    let tried: Value = serde_json::from_str(&tried.stdout).unwrap();
    assert_eq!(tried["result"]["warnings"].as_array().unwrap().len(), 3, "{tried}");
}
