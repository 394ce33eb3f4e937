//! What a new daemon makes of what the old one left: tasks that live, ended, or never began.

use aiflow_test_support::{Daemon, wait_until};
use serde_json::json;

fn pid(view: &serde_json::Value) -> u64 {
    view["attempts"].as_array().unwrap().last().unwrap()["pid"].as_u64().unwrap()
}

#[test]
fn a_stream_outlives_the_daemon_and_is_adopted() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(
        "workflow: w\ntasks: {s: {kind: stream, bash: 'trap \"exit 0\" TERM; while true; do sleep 0.05; done'}}",
    );
    let before = pid(&daemon.wait_for(run, "s", 1, "running"));
    for _ in 0..3 {
        daemon.kill();
        daemon.resume();
        assert_eq!(pid(&daemon.wait_for(run, "s", 1, "running")), before);
    }
    daemon.socket().call("daemon.stop", &json!({})).unwrap();
    assert_eq!(daemon.wait(), 0);
    daemon.resume();
    assert_eq!(pid(&daemon.wait_for(run, "s", 1, "running")), before, "also over a clean stop");
    daemon.socket().call("task.stop", &json!({"run": run, "task": "s"})).unwrap();
    let stopped = daemon.wait_for(run, "s", 1, "stopped");
    assert_eq!(stopped["attempts"][0]["exit_code"], 0, "an adopted task stops as any other");
}

#[test]
fn an_end_while_no_daemon_ran_is_recorded() {
    let mut daemon = Daemon::start();
    let gate = daemon.scratch().join("gate");
    let run = daemon.start_run(&format!(
        "workflow: w\ntasks: {{a: {{bash: 'while [ ! -e {} ]; do sleep 0.02; done; exit 7'}}}}",
        gate.display()
    ));
    daemon.wait_for(run, "a", 1, "running");
    daemon.kill();
    std::fs::write(&gate, "").unwrap();
    let exit = daemon.home().join(format!("runs/{run}/attempts/a.1.1/exit"));
    wait_until("the shim wrote the exit", || exit.exists().then_some(()));
    daemon.resume();
    let view = daemon.wait_for(run, "a", 1, "failed");
    assert_eq!(view["attempts"][0]["exit_code"], 7);
}

#[test]
fn an_attempt_whose_shim_and_task_died_is_unknown_and_not_silent() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run("workflow: w\ntasks: {a: {bash: 'sleep 1000'}}");
    let task = pid(&daemon.wait_for(run, "a", 1, "running"));
    daemon.kill();
    let shim = parent_of(task);
    for victim in [shim, task] {
        let victim = rustix::process::Pid::from_raw(i32::try_from(victim).unwrap()).unwrap();
        // The task may have followed its shim already.
        let _ = rustix::process::kill_process(victim, rustix::process::Signal::KILL);
    }
    daemon.resume();
    let view = daemon.wait_for(run, "a", 1, "failed");
    assert_eq!(view["attempts"][0]["state"], "unknown", "{view}");
    assert!(view["attempts"][0]["reason"].as_str().unwrap().contains("shim"), "{view}");
}

fn parent_of(pid: u64) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    after_name.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn an_event_and_its_task_survive_a_kill_right_after_the_reply() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(
        "workflow: w\ntasks: {a: {bash: 'echo $AIFLOW_ATTEMPT_ID >> witness', start: {on: go}, overlap: queue}, keep: {kind: stream, bash: 'sleep 1000'}}",
    );
    let witness = daemon.home().join(format!("runs/{run}/work/witness"));
    let count = || std::fs::read_to_string(&witness).unwrap_or_default().lines().count();
    for event in 1..=10_usize {
        let mut socket = daemon.socket();
        let emit = json!({"key": "go", "source": "test", "id": event.to_string()});
        let first = socket.call("emit", &emit).unwrap();
        daemon.kill();
        daemon.resume();
        let again = daemon.socket().call("emit", &emit).unwrap();
        assert_eq!(again, json!({"offset": first["offset"], "duplicate": true}));
        wait_until("the task has run", || (count() >= event).then_some(()));
    }
    daemon.wait_for(run, "a", 10, "success");
    assert_eq!(count(), 10, "each event started the task once");
}

#[test]
fn a_spooled_event_is_taken_once_at_the_start_and_while_running() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(
        "workflow: w\ntasks: {a: {bash: 'true', start: {on: go}, overlap: queue}, keep: {kind: stream, bash: 'sleep 1000'}}",
    );
    daemon.wait_for(run, "keep", 1, "running");
    daemon.kill();
    let output = daemon.cli(&["emit", "go", "1", "--wait", "100ms"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("spooled"), "{}", output.stderr);
    daemon.resume();
    daemon.wait_for(run, "a", 1, "success");
    // The same file again, as if the daemon had died before it could remove it; then a broken one.
    let spool = daemon.home().join("spool");
    let event = |id: &str| json!({"key": "go", "value": 1, "source": "test", "id": id}).to_string();
    for (name, text) in [("1", event("x")), ("2", event("x")), ("3", "{".to_owned())] {
        std::fs::write(spool.join(format!("{name}.part")), text).unwrap();
        let (from, to) = (format!("{name}.part"), format!("{name}.json"));
        std::fs::rename(spool.join(from), spool.join(to)).unwrap();
    }
    daemon.wait_for(run, "a", 2, "success");
    wait_until("the broken one is set aside", || spool.join("3.refused").exists().then_some(()));
    assert!(!spool.join("1.json").exists() && !spool.join("2.json").exists());
    assert_eq!(daemon.executions(run).iter().filter(|view| view["task"] == "a").count(), 2);
}

#[test]
fn what_cannot_be_judged_is_not_taken_as_ended() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(
        "workflow: w\ntasks: {s: {kind: stream, bash: 'sleep 1000', restart: {on: failure}}}",
    );
    let task = pid(&daemon.wait_for(run, "s", 1, "running"));
    daemon.kill();
    let claim = daemon.home().join(format!("runs/{run}/attempts/s.1.1/claim"));
    let good = std::fs::read(&claim).unwrap();
    // Written in place: the shim keeps its lock.
    std::fs::write(&claim, "no claim at all\n").unwrap();
    daemon.resume();
    wait_until("the daemon has looked", || {
        daemon.errors().contains("cannot be told yet").then_some(())
    });
    let view = daemon.wait_for(run, "s", 1, "running");
    assert_eq!(view["attempts"].as_array().unwrap().len(), 1, "nothing was started beside it");
    std::fs::write(&claim, good).unwrap();
    daemon.socket().call("task.stop", &json!({"run": run, "task": "s"})).unwrap();
    daemon.wait_for(run, "s", 1, "stopped");
    assert!(!std::path::Path::new(&format!("/proc/{task}")).exists(), "adopted and stopped");
}
