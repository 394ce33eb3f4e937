//! What the guide shows does what it says: its files are written, its commands run, in their order.
//!
//! A command may say what to expect: `# says TEXT` of its output, `# exit CODE` of its end. Before
//! each block what the one before began comes to rest.

use std::process::Command;

use aiflow_history::{Postgres, Sqlite, Store};
use aiflow_test_support::{Daemon, Output, program, repository, run, wait_until};
use serde_json::{Value, json};

/// Statuses in which something is under way.
const BUSY: [&str; 4] = ["queued", "running", "retrying", "stopping"];

fn come_to_rest(daemon: &Daemon) {
    wait_until("nothing is under way", || {
        let alive: Value = serde_json::from_str(&daemon.ok(&["-o", "json", "ps"])).unwrap();
        let tasks = alive.as_array().unwrap().iter().filter(|one| !one["task"].is_null());
        let busy = tasks.filter(|one| BUSY.contains(&one["status"].as_str().unwrap())).count();
        // The hook of a run that has ended is no task of one that is alive.
        let status = daemon.socket().call("daemon.status", &json!({})).unwrap();
        (busy == 0 && status["alive_attempts"] == 0).then_some(())
    });
}

fn type_in(daemon: &Daemon, line: &str) -> Output {
    let programs = program("aiflow").parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    // What begins with AIFLOW_ is taken away from whoever runs the tests, not from this.
    let script = format!("export AIFLOW_HOME='{}'; {line}", daemon.home().display());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(daemon.scratch());
    command.env("PATH", format!("{}:{path}", programs.display()));
    run(&mut command)
}

fn check(daemon: &Daemon, line: &str) {
    let (command, expected) = line.split_once(" # ").unwrap_or((line, ""));
    let output = type_in(daemon, command);
    let said = format!("{}{}", output.stdout, output.stderr);
    let code = expected.strip_prefix("exit ").map_or(0, |code| code.parse().unwrap());
    assert_eq!(output.code, code, "{line}\n{said}");
    if let Some(text) = expected.strip_prefix("says ") {
        assert!(said.contains(text), "{line}\n{said}");
    }
}

fn follow(page: &str) {
    follow_on(page, &Daemon::start(), None);
}

/// Asks each history a question, which has to have an answer in both or in none.
fn ask(daemon: &Daemon, postgres: &str, sql: &str) {
    let end = daemon.socket().call("daemon.status", &json!({})).unwrap()["durable"].as_u64();
    let mut stores: [Box<dyn Store>; 2] = [
        Box::new(Sqlite::read(&daemon.home().join("history.sqlite")).unwrap()),
        Box::new(Postgres::connect(postgres).unwrap()),
    ];
    let answers = stores.each_mut().map(|store| {
        wait_until("the history is there", || {
            (store.checkpoint().unwrap() >= end.unwrap()).then_some(())
        });
        store.query(sql, &[]).unwrap()
    });
    assert_eq!(answers[0].len(), answers[1].len(), "{sql}");
}

fn follow_on(page: &str, daemon: &Daemon, postgres: Option<&str>) {
    let text = std::fs::read_to_string(repository().join("docs/guide").join(page)).unwrap();
    let mut commands = 0;
    for block in text.split("\n```").skip(1).step_by(2) {
        let (kind, body) = block.split_once('\n').unwrap();
        match kind {
            "yaml" => {
                let name = body.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
                std::fs::write(daemon.scratch().join(name), body).unwrap();
            }
            "sh" => {
                come_to_rest(daemon);
                let lines = body.lines().filter(|line| !line.is_empty());
                commands += lines.clone().count();
                lines.for_each(|line| check(daemon, line));
            }
            // What is shown, not done: it has to be what it says that it is.
            "json" => drop(serde_json::from_str::<Value>(body).unwrap()),
            "sql" => ask(daemon, postgres.unwrap(), body.trim().trim_end_matches(';')),
            other => panic!("{page}: a block of {other:?} is not run"),
        }
    }
    assert!(commands > 3, "{page}: only {commands} commands");
}

#[test]
fn the_guide_to_concepts_does_what_it_says() {
    follow("concepts.md");
}

#[test]
fn the_guide_to_data_does_what_it_says() {
    follow("data.md");
}

#[test]
fn the_guide_to_operations_does_what_it_says() {
    follow("operations.md");
}

#[test]
fn the_guide_to_clocks_does_what_it_says() {
    follow("clocks.md");
}

#[test]
fn the_guide_to_schedules_does_what_it_says() {
    follow("schedules.md");
}

#[test]
fn the_guide_to_control_does_what_it_says() {
    follow("control.md");
}

#[test]
fn the_guide_to_why_does_what_it_says() {
    follow("why.md");
}

#[test]
fn the_guide_to_history_does_what_it_says() {
    let server = aiflow_test_support::Postgres::start();
    let mut daemon = Daemon::on_fresh_home();
    daemon.resume_with(&["--postgres", &server.url()]);
    follow_on("history.md", &daemon, Some(&server.url()));
}

#[test]
fn the_guide_to_bug_reports_does_what_it_says() {
    follow("bug-reports.md");
}

#[test]
fn the_guide_to_testing_rules_does_what_it_says() {
    follow("testing-rules.md");
}

#[test]
fn the_guide_to_checks_does_what_it_says() {
    follow("check.md");
}
