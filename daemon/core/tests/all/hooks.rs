//! Hooks: what is done when a run has ended, or is late.

use aiflow_core::{Input, launch_plan};
use aiflow_model::record::Outcome;
use aiflow_model::wire::{RerunTask, TaskRequest};
use aiflow_model::{ErrorCode, Namespace, Record, RunId, Sequence, TaskName};
use serde_json::{Value, json};

use crate::support::Scenario;

const HOOKS: &str = "workflow: w
late_after: 1h
on_failure: {webhook: 'http://localhost/hook', retry: {attempts: 3, backoff: 1s}}
on_success: {bash: x}
on_late: {bash: x}
tasks:
  a: {bash: x}
  b: {bash: x, start: {after: a}}
";

#[test]
fn each_end_of_a_run_runs_its_hook_once_and_is_not_held_up() {
    let mut s = Scenario::of(HOOKS);
    let run = s.run();
    s.exit("1.a.1.1", 1);
    assert_eq!(s.status(run), "failed");
    assert_eq!(s.effects(), ["launch 1.a.1.1", "launch 1.on_failure.1.1"]);
    assert!(s.executions(run, "on_success").is_empty());
    let plan = launch_plan(s.engine.state(), &"1.on_failure.1.1".parse().unwrap()).unwrap();
    assert_eq!(plan.environment["AIFLOW_RUN_STATUS"], "failed");
    assert_eq!(plan.environment["AIFLOW_FAILED_TASKS"], "a");
    let message = plan.command.iter().find(|word| word.starts_with('{')).unwrap();
    let message: Value = serde_json::from_str(message).unwrap();
    let expected = json!({
        "namespace": "default", "workflow": "w", "run": 1, "task": "on_failure", "sequence": 1,
        "attempt": "1.on_failure.1.1", "status": "failed", "failed_tasks": ["a"],
    });
    assert_eq!(message, expected);
    assert!(plan.command.contains(&"Idempotency-Key: 1.on_failure.1".to_owned()));
    // It is tried again, across a restart and a reboot, and the run stays as it is.
    assert_eq!(s.engine.state().alive_attempts().count(), 1, "a new daemon looks for it");
    s.exit("1.on_failure.1.1", 22);
    s.start_daemon("boot-1");
    s.pass("1s");
    s.start_daemon("boot-2");
    s.end("1.on_failure.1.2", Outcome::Interrupted);
    s.pass("2s");
    s.exit("1.on_failure.1.3", 0);
    assert_eq!(s.executions(run, "on_failure"), ["1:success"]);
    assert_eq!(s.status(run), "failed");
    s.pass("2h");
    assert!(s.executions(run, "on_late").is_empty(), "it ended in time");
}

#[test]
fn a_run_that_goes_on_and_ends_again_runs_the_hook_of_that_end() {
    let mut s = Scenario::of(HOOKS);
    let run = s.run();
    s.exit("1.a.1.1", 1);
    let (task, sequence) = (TaskName::new("a").unwrap(), Some(Sequence(1)));
    let rerun = RerunTask { run, task, sequence, from_here: false, request: None };
    s.give(Input::RerunTask(rerun));
    // The hook of the first end goes on beside it.
    s.exit("1.on_failure.1.1", 0);
    assert_eq!(s.status(run), "running");
    s.exit("1.a.2.1", 0);
    s.exit("1.b.1.1", 0);
    assert_eq!(s.status(run), "success");
    assert_eq!(s.executions(run, "on_success"), ["1:queued"]);
    assert_eq!(s.executions(run, "on_failure").len(), 1);
}

#[test]
fn a_run_is_late_once_and_neither_held_up_nor_ended_by_it() {
    let mut s = Scenario::of(HOOKS);
    let run = s.run();
    s.pass("59m");
    s.start_daemon("boot-1");
    assert!(s.executions(run, "on_late").is_empty());
    s.pass("1m");
    s.pass("2h");
    assert_eq!(s.executions(run, "on_late"), ["1:queued"]);
    assert_eq!(s.count(|record| matches!(record, Record::RunLate { .. })), 1);
    s.exit("1.a.1.1", 0);
    s.exit("1.b.1.1", 0);
    assert_eq!(s.status(run), "success", "a hook that runs holds nothing up");
    s.exit("1.on_late.1.1", 1);
    assert_eq!(s.status(run), "success");
}

#[test]
fn a_run_that_is_stopped_runs_no_hook_and_one_that_runs_keeps_the_run() {
    let mut s = Scenario::of(HOOKS);
    let run = s.run();
    s.give(Input::StopRun(run));
    s.exit("1.a.1.1", 143);
    assert_eq!(s.status(run), "stopped");
    assert!(s.executions(run, "on_failure").is_empty());
    s.give(Input::DeleteRun(run));
    let run = s.run();
    s.exit("2.a.1.1", 1);
    let kept = s.try_give(Input::DeleteRun(run)).unwrap_err();
    assert_eq!(kept.code, ErrorCode::StillAlive);
    assert!(kept.message.contains("its hook on_failure has not ended"), "{kept:?}");
    let workflow = Input::DeleteWorkflow(Namespace::default_namespace(), "w".parse().unwrap());
    assert_eq!(s.try_give(workflow.clone()).unwrap_err().code, ErrorCode::StillAlive);
    s.stop_task(run, "on_failure").unwrap();
    s.exit("2.on_failure.1.1", 143);
    s.give(workflow);
}

#[test]
fn nothing_is_done_to_hooks_by_hand() {
    let mut s = Scenario::of(HOOKS);
    let run = s.run();
    let hook = || TaskName::new("on_success").unwrap();
    let restart = TaskRequest { run, task: hook(), request: None };
    for input in [Input::StartTask(run, hook()), Input::RestartTask(restart)] {
        let refusal = s.try_give(input).unwrap_err();
        assert!(refusal.message.contains("on_success is a hook of run 1"), "{refusal:?}");
    }
}

#[test]
fn hooks_take_no_slots() {
    let mut s = Scenario::of(&format!("{HOOKS}max_active_tasks: 1\nmax_active_runs: 1\n"));
    let (first, second) = (s.run(), s.run());
    s.exit("1.a.1.1", 1);
    assert_eq!(s.executions(first, "on_failure"), ["1:queued"]);
    assert_eq!(s.executions(second, "a"), ["1:queued"], "its turn has come");
    assert_eq!(second, RunId(2));
}
