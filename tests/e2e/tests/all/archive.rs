//! Runs that have left the daemon's state: the log and the history go on telling of them.

use aiflow_test_support::{Daemon, wait_until};

const DEFINITION: &str = "workflow: w\ntasks:\n  a: {bash: 'echo said by $AIFLOW_EXECUTION_ID'}\n";

/// A daemon that has archived the first three of five runs.
fn archived(arguments: &[&str]) -> (Daemon, Vec<String>) {
    let mut daemon = Daemon::on_fresh_home();
    let arguments: Vec<&str> = ["--keep-runs", "2"].iter().chain(arguments).copied().collect();
    daemon.resume_with(&arguments);
    let runs: Vec<u64> = (0..5)
        .map(|_| {
            let run = daemon.start_run(DEFINITION);
            daemon.wait_for(run, "a", 1, "success");
            wait_until("the run has ended", || {
                let shown = daemon.ok(&["workflow-execution", "show", &run.to_string()]);
                shown.contains("success").then_some(())
            });
            run
        })
        .collect();
    (daemon, runs.iter().map(u64::to_string).collect())
}

/// What is in the state, which is what a plain list shows.
fn listed(daemon: &Daemon) -> usize {
    daemon.ok(&["workflow-execution", "list", "-o", "plain"]).lines().count()
}

fn tells_of(daemon: &Daemon, run: &str) {
    let shown = daemon.ok(&["workflow-execution", "show", run]);
    assert!(shown.contains("success"), "{shown}");
    let tasks = daemon.ok(&["task-execution", "list", run]);
    assert!(tasks.contains("success"), "{tasks}");
    let why = daemon.ok(&["why", run]);
    assert!(why.contains("success") && why.contains("started"), "{why}");
    assert_eq!(daemon.ok(&["logs", run, "a"]), format!("said by {run}"));
}

#[test]
fn an_archived_run_is_told_of_as_it_was() {
    let (mut daemon, runs) = archived(&[]);
    assert_eq!(listed(&daemon), 2);
    tells_of(&daemon, &runs[0]);
    tells_of(&daemon, &runs[4]);
    let refused = daemon.cli(&["task-execution", "rerun", &runs[0], "a"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("ended long ago"), "{}", refused.stderr);
    let all = daemon.ok(&["workflow-execution", "list", "--status", "success", "-o", "plain"]);
    assert_eq!(all.lines().count(), 5, "the history has them all: {all}");
    daemon.kill();
    daemon.resume_with(&["--keep-runs", "2"]);
    assert_eq!(listed(&daemon), 2);
    tells_of(&daemon, &runs[1]);
    let home = daemon.home().join("runs");
    assert!(home.join(&runs[0]).exists(), "its output is kept as long as that of others");
    daemon.ok(&["workflow-execution", "delete", &runs[0], "-y"]);
    let gone = daemon.cli(&["workflow-execution", "show", &runs[0]]);
    assert!(gone.stderr.contains("there is no run"), "{}", gone.stderr);
    wait_until("its directory goes", || (!home.join(&runs[0]).exists()).then_some(()));
    daemon.kill();
    daemon.resume_with(&["--keep-runs", "2", "--keep-output", "0s"]);
    wait_until("what archived runs left goes in its time", || {
        (!home.join(&runs[1]).exists()).then_some(())
    });
}

#[test]
fn without_a_history_the_log_tells_of_it() {
    let (daemon, runs) = archived(&["--no-history"]);
    assert_eq!(listed(&daemon), 2);
    tells_of(&daemon, &runs[0]);
}
