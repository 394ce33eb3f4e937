//! Large workflows come to their end: long chains, wide fans, many that wait for a pool.

use aiflow_core::Input;
use aiflow_model::AttemptId;

use crate::support::Scenario;

fn alive(s: &Scenario) -> Vec<AttemptId> {
    s.engine.state().alive_attempts().map(|(id, _)| id).collect()
}

#[test]
fn a_chain_of_a_thousand_tasks_completes() {
    let next = |n: u32| format!("t{n}: {{bash: x, start: {{after: t{}}}}}\n", n - 1);
    let tasks: String = (1..1_000).map(next).collect();
    let mut s = Scenario::new(&format!("t0: {{bash: x}}\n{tasks}"));
    s.replays_each_step = false;
    let run = s.run();
    for n in 0..1_000 {
        assert_eq!(s.status(run), "running");
        s.exit(&format!("1.t{n}.1.1"), 0);
    }
    assert_eq!(s.status(run), "success");
    s.check_replay();
}

#[test]
fn a_fan_of_ten_thousand_windows_and_their_join_complete() {
    let mut s = Scenario::new(
        "part: {bash: x, parallel: 10000, start: {every: 1m, clock: {watermark: w}, from: 2026-01-01T00:00:00Z}}\njoin: {bash: x, start: {count: {of: {after: part}, n: 10000}}}",
    );
    s.replays_each_step = false;
    let run = s.run();
    s.emit("w", "\"2026-01-07T22:40:00Z\"");
    while s.engine.next_deadline().is_some_and(|due| due <= s.now) {
        s.give(Input::Tick);
    }
    let parts = alive(&s);
    assert_eq!(parts.len(), 10_000);
    for id in parts {
        assert!(s.executions(run, "join").is_empty());
        s.exit(&id.to_string(), 0);
    }
    s.exit("1.join.1.1", 0);
    assert_eq!(s.executions(run, "join"), ["1:success"]);
    s.check_replay();
}

#[test]
fn a_fan_of_ten_thousand_items_and_their_join_complete() {
    let mut s = Scenario::new(
        "part: {bash: x, start: {on: files}, for_each: value, parallel: 100}\njoin: {bash: x, start: {after: part}}",
    );
    s.replays_each_step = false;
    let run = s.run();
    let items: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    s.emit("files", &format!("[{}]", items.join(",")));
    let mut ended = 0;
    loop {
        let parts = alive(&s);
        if parts.iter().all(|id| id.execution.task.as_str() == "join") {
            break;
        }
        assert!(parts.len() <= 100);
        for id in parts {
            s.exit(&id.to_string(), 0);
            ended += 1;
        }
    }
    assert_eq!(ended, 10_000);
    s.exit("1.join.1.1", 0);
    assert_eq!(s.status(run), "success");
    s.check_replay();
}

#[test]
fn a_join_of_ten_thousand_tasks_completes() {
    let names: Vec<String> = (0..9_999).map(|n| format!("t{n:04}")).collect();
    let tasks: String = names.iter().map(|name| format!("{name}: {{bash: x}}\n")).collect();
    let all = names.join(", ");
    let mut s = Scenario::new(&format!("{tasks}join: {{bash: x, start: {{after: [{all}]}}}}"));
    s.replays_each_step = false;
    let run = s.run();
    for name in names.iter().rev() {
        assert!(s.executions(run, "join").is_empty());
        s.exit(&format!("1.{name}.1.1"), 0);
    }
    s.exit("1.join.1.1", 0);
    assert_eq!(s.status(run), "success");
    s.check_replay();
}

#[test]
fn thousands_that_wait_for_a_pool_all_get_their_turn() {
    let mut s = Scenario::of(
        "workflow: w\npools: {p: 7}\ntasks: {t: {bash: x, pools: p}, u: {bash: x, pools: {p: 3}, priority: 1}}\n",
    );
    s.replays_each_step = false;
    for _ in 0..1_000 {
        s.run();
    }
    let mut ended = 0;
    loop {
        let running = alive(&s);
        let slots = |id: &AttemptId| if id.execution.task.as_str() == "u" { 3 } else { 1 };
        assert!(running.iter().map(slots).sum::<u32>() <= 7);
        let Some(id) = running.first() else { break };
        s.exit(&id.to_string(), 0);
        ended += 1;
    }
    assert_eq!(ended, 2_000);
    let mut runs = s.engine.state().runs.values();
    assert!(runs.all(|run| run.status.to_string() == "success"));
    s.check_replay();
}
