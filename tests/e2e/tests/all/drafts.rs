//! Drafts through the real programs, across killed daemons: what they would do is recorded, and
//! nothing is done.

use aiflow_test_support::{Daemon, wait_until};
use serde_json::Value;

const DEFINITION: &str = "\
workflow: w
tasks:
  a: {bash: 'true', start: {on: go, if: value > 9}}
  k: {kind: stream, bash: 'sleep 1000'}
";

const DRAFT: &str = "\
workflow: w
tasks:
  a: {bash: 'true', start: {count: {of: {on: go}, n: 2}}}
  b: {bash: 'true', start: {after: {k: running}}, stop: {on: halt}}
  k: {kind: stream, bash: 'sleep 1000'}
";

fn json(daemon: &Daemon, words: &[&str]) -> Value {
    serde_json::from_str(&daemon.ok(&[&["-o", "json"], words].concat())).unwrap()
}

fn written(daemon: &Daemon, name: &str, text: &str) -> String {
    let file = daemon.scratch().join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

fn drafts(daemon: &Daemon) -> Vec<u64> {
    let list = json(daemon, &["workflow", "drafts"]);
    list.as_array().unwrap().iter().map(|draft| draft["draft"].as_u64().unwrap()).collect()
}

#[test]
fn a_draft_survives_kills_does_nothing_and_is_promoted() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(DEFINITION);
    daemon.wait_for(run, "k", 1, "running");
    let file = written(&daemon, "draft.yaml", DRAFT);
    let foretold = daemon.ok(&["workflow", "draft", &file, "--dry-run"]);
    assert!(foretold.contains("DraftStarted"), "{foretold}");
    assert_eq!(drafts(&daemon), [0; 0]);
    assert_eq!(daemon.ok(&["workflow", "draft", &file, "--expires", "2d"]), "1");
    daemon.ok(&["emit", "go", "1"]);
    daemon.kill();
    daemon.resume();
    let second = daemon.ok(&["emit", "go", "2"]);
    daemon.ok(&["emit", "halt", "2"]);
    daemon.kill();
    daemon.resume();
    let known = json(&daemon, &["workflow", "drafts", "1"]);
    let would: Vec<&str> = known["latest"]
        .as_array()
        .unwrap()
        .iter()
        .map(|firing| firing["would"].as_str().unwrap())
        .collect();
    assert_eq!(would, ["start a", "stop b"], "what it counted survived: {known}");
    assert_eq!((&known["beside"], &known["firings"]), (&run.into(), &2.into()));
    let receipt = daemon.ok(&["event", "show", &second]);
    assert!(receipt.contains("a draft, it would start a"), "{receipt}");
    let started = daemon.executions(run).iter().filter(|one| one["task"] != "k").count();
    assert_eq!(started, 0, "nothing is done");
    assert_eq!(json(&daemon, &["workflow-execution", "list"]).as_array().unwrap().len(), 1);
    let promoted = daemon.ok(&["workflow", "promote", "1"]);
    assert!(promoted.contains("uploaded default/w"), "{promoted}");
    daemon.kill();
    daemon.resume();
    assert_eq!(drafts(&daemon), [0; 0]);
    let shown = json(&daemon, &["workflow", "show", "w"]);
    assert_eq!(shown["source"], DRAFT);
}

#[test]
fn a_draft_ends_with_its_time_by_hand_and_with_the_run() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(DEFINITION);
    daemon.wait_for(run, "k", 1, "running");
    let file = written(&daemon, "draft.yaml", DRAFT);
    daemon.ok(&["workflow", "draft", &file, "--expires", "500ms"]);
    daemon.kill();
    daemon.resume();
    wait_until("its time is over", || drafts(&daemon).is_empty().then_some(()));
    daemon.ok(&["workflow", "draft", &file]);
    daemon.ok(&["workflow", "draft", &file]);
    assert_eq!(drafts(&daemon), [2, 3]);
    daemon.ok(&["workflow", "discard", "2"]);
    assert_eq!(drafts(&daemon), [3]);
    daemon.ok(&["workflow-execution", "stop", &run.to_string()]);
    wait_until("the run has ended, and the draft with it", || {
        drafts(&daemon).is_empty().then_some(())
    });
}

#[test]
fn what_cannot_be_watched_is_refused_and_nothing_is_stored() {
    let daemon = Daemon::start();
    let file = written(&daemon, "draft.yaml", DRAFT);
    let wrong = written(&daemon, "wrong.yaml", &DRAFT.replace("count", "cuont"));
    let alone =
        written(&daemon, "alone.yaml", "workflow: v\ntasks: {a: {bash: x, start: {on: k}}}");
    let other = daemon.start_run(&DEFINITION.replace("workflow: w", "workflow: other"));
    let (other, refused) = (other.to_string(), i32::from(aiflow_model::exit_code::REFUSED));
    for (words, told) in [
        (vec!["draft", &file], "E0306"),
        (vec!["draft", &file], "no run of w is alive"),
        (vec!["draft", &alone, "--beside", &other], "E0306"),
        (vec!["draft", &alone, "--expires", "91d"], "E0004"),
        (vec!["draft", &wrong], ":3:"),
        (vec!["drafts", "9"], "E0107"),
        (vec!["promote", "9"], "E0107"),
        (vec!["discard", "9"], "E0107"),
    ] {
        let output = daemon.cli(&[vec!["workflow"], words.clone()].concat());
        assert!(output.stderr.contains(told), "{words:?}: {}", output.stderr);
        assert_eq!(output.code, refused, "{words:?}");
    }
    assert_eq!(drafts(&daemon), [0; 0]);
    daemon.ok(&["workflow", "draft", &alone]);
    let moved =
        written(&daemon, "moved.yaml", "workflow: v\ntasks: {b: {bash: x, start: {on: k}}}");
    daemon.ok(&["workflow", "upload", &moved]);
    let output = daemon.cli(&["workflow", "promote", "1"]);
    assert!(output.stderr.contains("E0307"), "{}", output.stderr);
    daemon.ok(&["workflow", "promote", "1", "--anyway"]);
}
