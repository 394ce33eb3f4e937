//! Who starts when not all can: pools, priorities, runs and tasks at once, and retries that spread.

use aiflow_core::Input;
use aiflow_model::record::StopReason;
use aiflow_model::{Record, RunId};

use crate::support::Scenario;

const SHARED: &str = "\
workflow: w
pools: {gpu: 2, db: 1}
tasks:
  low: {bash: x, start: {on: go}, overlap: queue, parallel: 9, pools: gpu, priority: -1}
  high: {bash: x, start: {on: go}, overlap: queue, parallel: 9, pools: [gpu], priority: 5}
  big: {bash: x, start: {on: big}, pools: {gpu: 2, db: 1}}
  small: {bash: x, start: {on: small}, pools: db}
";

#[test]
fn slots_go_by_priority_and_then_by_age() {
    let mut s = Scenario::of(SHARED);
    s.run();
    s.emit("go", "1");
    s.emit("go", "2");
    let started = ["launch 1.high.1.1", "launch 1.low.1.1"];
    assert_eq!(s.effects(), started, "of what one event starts, the highest priority is first");
    s.exit("1.low.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.high.2.1"]);
    s.exit("1.high.1.1", 0);
    s.exit("1.high.2.1", 0);
    assert_eq!(s.effects(), ["launch 1.low.2.1"]);
}

#[test]
fn runs_and_workflows_of_a_namespace_share_a_pool() {
    let mut s = Scenario::of(SHARED);
    s.upload("workflow: v\npools: {gpu: 2}\ntasks: {t: {bash: x, pools: gpu}}\n");
    s.run();
    s.emit("big", "1");
    assert_eq!(s.effects(), ["launch 1.big.1.1"]);
    let other = s.run_of("v");
    assert_eq!(s.executions(other, "t"), ["1:waiting"], "both slots are taken by another workflow");
    s.exit("1.big.1.1", 1);
    assert_eq!(s.effects(), ["launch 2.t.1.1"]);
}

#[test]
fn the_first_in_line_is_not_overtaken_for_want_of_slots() {
    let mut s = Scenario::of(SHARED);
    s.upload("workflow: v\npools: {gpu: 2}\ntasks: {t: {bash: x, pools: gpu}}\n");
    s.run();
    s.run_of("v");
    s.emit("big", "1");
    s.run_of("v");
    assert_eq!(s.effects(), ["launch 2.t.1.1"], "one slot is free, and big needs both");
    s.emit("small", "1");
    assert_eq!(s.effects(), ["launch 1.small.1.1"], "big lacks no slot of db");
    s.exit("2.t.1.1", 0);
    assert_eq!(s.effects(), ["launch 3.t.1.1"], "what big lacks now is db, which t does not need");
    s.exit("1.small.1.1", 0);
    assert!(s.effects().is_empty());
    s.exit("3.t.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.big.1.1"]);
}

#[test]
fn who_leaves_the_line_makes_way() {
    let mut s = Scenario::of(SHARED);
    s.upload("workflow: v\npools: {gpu: 2}\ntasks: {t: {bash: x, pools: gpu}}\n");
    let run = s.run();
    s.run_of("v");
    s.emit("big", "1");
    s.run_of("v");
    s.effects();
    s.stop_task(run, "big").unwrap();
    assert_eq!(s.effects(), ["launch 3.t.1.1"]);
}

#[test]
fn a_slot_is_kept_while_a_retry_waits() {
    let mut s = Scenario::of(
        "workflow: w\npools: {p: 1}\ntasks:\n  a: {bash: x, pools: p, retry: {attempts: 2, backoff: 10s}}\n  b: {bash: x, pools: p, start: {on: go}}\n",
    );
    let run = s.run();
    s.emit("go", "1");
    s.effects();
    s.exit("1.a.1.1", 1);
    assert!(s.effects().is_empty());
    s.start_daemon("boot-2");
    s.pass("10s");
    assert_eq!(s.effects(), ["launch 1.a.1.2"]);
    s.exit("1.a.1.2", 1);
    assert_eq!(s.effects(), ["launch 1.b.1.1"]);
    assert_eq!(s.executions(run, "a"), ["1:failed"]);
}

#[test]
fn no_more_tasks_of_a_workflow_are_active_than_may_be() {
    let mut s = Scenario::of(
        "workflow: w\nmax_active_tasks: 2\ntasks:\n  a: {bash: x}\n  b: {bash: x}\n  c: {bash: x, priority: 1}\n",
    );
    s.run();
    s.run();
    assert_eq!(s.effects(), ["launch 1.c.1.1", "launch 1.a.1.1"]);
    s.exit("1.a.1.1", 0);
    assert_eq!(s.effects(), ["launch 2.c.1.1"], "over all runs of the workflow");
    s.exit("1.c.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.b.1.1"]);
}

const ONE_RUN: &str = "workflow: w\nmax_active_runs: 1\ntriggers: [{on: data}]\ntasks:\n  a: {bash: x}\n  b: {bash: x, start: {on: go}}\n";

#[test]
fn a_run_waits_for_its_turn_and_looks_at_nothing_until_then() {
    let mut s = Scenario::of(ONE_RUN);
    s.emit("data", "1");
    s.emit("data", "2");
    s.emit("data", "3");
    let (one, two, three) = (RunId(1), RunId(2), RunId(3));
    assert_eq!([one, two, three].map(|r| s.status(r)), ["running", "waiting", "waiting"]);
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
    assert!(s.try_give(Input::StartTask(two, "b".parse().unwrap())).is_err());
    s.emit("go", "1");
    s.exit("1.b.1.1", 0);
    s.effects();
    s.start_daemon("boot-1");
    s.exit("1.a.1.1", 0);
    assert_eq!([one, two, three].map(|r| s.status(r)), ["success", "running", "waiting"]);
    assert_eq!(s.effects(), ["launch 2.a.1.1"]);
    assert!(s.executions(two, "b").is_empty(), "what came before its turn is not its own");
    let fired =
        |s: &Scenario, run: RunId| s.engine.state().runs[&run].tasks[0].executions[0].clone();
    assert_eq!(fired(&s, two).events, s.engine.state().runs[&two].events);
    s.give(Input::StopRun(three));
    assert_eq!(s.status(three), "stopped", "nothing of it was alive");
    s.give(Input::StopRun(two));
    s.exit("2.a.1.1", 0);
    assert_eq!(s.status(two), "stopped");
    s.emit("data", "4");
    assert_eq!(s.status(RunId(4)), "running");
}

#[test]
fn the_newest_firing_replaces_those_that_wait() {
    let mut s = Scenario::new(
        "a: {bash: x, overlap: latest, start: {on: go}}\nb: {bash: x, start: {after: {a: stopped}}}",
    );
    let run = s.run();
    for n in 1..=4 {
        s.emit("go", &n.to_string());
    }
    assert_eq!(s.executions(run, "a"), ["1:queued", "2:stopped", "3:stopped", "4:waiting"]);
    let replaced = |r: &Record| {
        matches!(r, Record::TaskExecutionStopRequested { reason: StopReason::Replaced, .. })
    };
    assert_eq!(s.count(replaced), 2, "each is recorded");
    assert!(s.executions(run, "b").is_empty(), "what never began stops nothing");
    s.effects();
    s.exit("1.a.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.a.4.1"]);
}

#[test]
fn a_window_is_never_replaced() {
    let mut s =
        Scenario::new("a: {bash: x, overlap: latest, start: {any: [{every: 1h}, {on: go}]}}");
    let run = s.run();
    s.pass("3h");
    s.emit("go", "1");
    s.emit("go", "2");
    let expected = ["1:queued", "2:waiting", "3:waiting", "4:stopped", "5:waiting"];
    assert_eq!(s.executions(run, "a"), expected);
}

#[test]
fn only_the_exit_codes_that_are_named_are_tried_again() {
    let mut s = Scenario::new("a: {bash: x, retry: {attempts: 9, backoff: 1s, on: [75, 111]}}");
    let run = s.run();
    for (attempt, code) in [(1, 75), (2, 111), (3, 1)] {
        s.exit(&format!("1.a.1.{attempt}"), code);
        s.pass("1m");
    }
    assert_eq!(s.executions(run, "a"), ["1:failed"]);
    let mut s = Scenario::new("a: {bash: x, retry: {attempts: 2, on: 75}}");
    let run = s.run();
    s.end("1.a.1.1", aiflow_model::record::Outcome::Signaled { signal: 9 });
    assert_eq!(s.executions(run, "a"), ["1:failed"], "a signal is no exit code");
}

#[test]
fn retries_spread_and_each_replay_spreads_them_alike() {
    let tasks: String = (0..50)
        .map(|n| format!("t{n}: {{bash: x, retry: {{attempts: 2, backoff: 10s, jitter: 20s}}}}\n"))
        .collect();
    let mut s = Scenario::new(&tasks);
    s.replays_each_step = false;
    s.run();
    for n in 0..50 {
        s.exit(&format!("1.t{n}.1.1"), 1);
    }
    let waits: std::collections::BTreeSet<u64> = s
        .log
        .iter()
        .filter_map(|logged| match &logged.record {
            Record::RetryScheduled { due, .. } => Some(due.since(s.now).0),
            _ => None,
        })
        .collect();
    assert!(waits.len() > 45, "only {} different waits", waits.len());
    assert!(waits.iter().all(|wait| (10_000_000..=30_000_000).contains(wait)), "{waits:?}");
    s.check_replay();
}
