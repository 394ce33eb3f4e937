//! Rules and triggers that look at tasks of other workflows, in whichever run.

use aiflow_model::{Record, RunId};

use crate::support::Scenario;

const ETL: &str = "workflow: etl\ntasks:\n  load: {bash: x, start: {any: [{on: go}, {every: 1h, clock: {watermark: m}}]}}\n  keep: {bash: x}\n";

/// The workflow `etl`, and another with these lines.
fn beside(other: &str) -> Scenario {
    let mut s = Scenario::of(ETL);
    s.upload(&format!("workflow: w\n{other}"));
    s
}

fn runs_of(s: &Scenario, workflow: &str) -> Vec<RunId> {
    let all = s.engine.state().runs.values();
    all.filter(|run| run.workflow.as_str() == workflow).map(|run| run.id).collect()
}

#[test]
fn a_trigger_starts_a_run_for_each_end_in_whichever_run() {
    let mut s = beside("triggers: [{after: etl/load}]\ntasks: {a: {bash: x}}\n");
    let (first, second) = (s.run_of("etl"), s.run_of("etl"));
    s.emit("go", "1");
    s.exit(&format!("{second}.load.1.1"), 0);
    assert_eq!(runs_of(&s, "w").len(), 1);
    s.exit(&format!("{first}.load.1.1"), 1);
    assert_eq!(runs_of(&s, "w").len(), 1, "it failed");
    s.emit("go", "2");
    s.exit(&format!("{first}.load.2.1"), 0);
    s.exit(&format!("{first}.keep.1.1"), 0);
    assert_eq!(runs_of(&s, "w").len(), 2);
}

#[test]
fn the_run_that_is_started_has_the_window_of_what_ended() {
    let mut s = beside("triggers: [{after: etl/load}]\ntasks: {a: {bash: x}}\n");
    let etl = s.run_of("etl");
    s.emit("m", "\"2026-01-01T00:00:00Z\"");
    s.emit("m", "\"2026-01-01T01:00:00Z\"");
    s.exit(&format!("{etl}.load.1.1"), 0);
    let [run] = runs_of(&s, "w")[..] else { panic!("{:?}", runs_of(&s, "w")) };
    let window = s.engine.state().runs[&run].window.unwrap();
    assert_eq!(window.start.to_string(), "2026-01-01T00:00:00Z");
}

#[test]
fn every_run_that_looks_reacts_and_one_that_has_ended_does_not() {
    let mut s =
        beside("tasks:\n  a: {bash: x, start: {after: {etl/load: failed}}}\n  k: {bash: x}\n");
    let etl = s.run_of("etl");
    let (ended, one, other) = (s.run_of("w"), s.run_of("w"), s.run_of("w"));
    s.give(aiflow_core::Input::StopRun(ended));
    s.exit(&format!("{ended}.k.1.1"), 1);
    s.emit("go", "1");
    s.exit(&format!("{etl}.load.1.1"), 1);
    assert_eq!(s.executions(one, "a"), ["1:queued"]);
    assert_eq!(s.executions(other, "a"), ["1:queued"]);
    assert!(s.executions(ended, "a").is_empty());
}

#[test]
fn it_gathers_with_what_the_own_run_does() {
    let mut s = beside(
        "tasks:\n  load: {bash: x, start: {on: own}}\n  \
         both: {bash: x, start: {all: [{after: etl/load}, {after: load}]}}\n",
    );
    let (etl, run) = (s.run_of("etl"), s.run_of("w"));
    s.emit("go", "1");
    s.exit(&format!("{etl}.load.1.1"), 0);
    assert!(s.executions(run, "both").is_empty(), "a task of that name elsewhere is another");
    s.emit("own", "1");
    s.exit(&format!("{run}.load.1.1"), 0);
    assert_eq!(s.executions(run, "both"), ["1:queued"]);
}

#[test]
fn a_workflow_may_look_at_all_runs_of_its_own_and_counts_an_end_once() {
    let mut s = beside(
        "tasks:\n  a: {bash: x, start: {on: p}}\n  \
         b: {bash: x, start: {count: {of: {any: [{after: w/a}, {on: q}]}, n: 2}}}\n  \
         c: {bash: x, start: {any: [{after: a}, {after: w/b}]}}\n",
    );
    let (one, other) = (s.run_of("w"), s.run_of("w"));
    s.emit_as("p", "1", "1", Some(one));
    s.exit(&format!("{one}.a.1.1"), 0);
    for run in [one, other] {
        assert!(s.executions(run, "b").is_empty(), "one end, counted once in each run");
    }
    assert_eq!((s.executions(one, "c").len(), s.executions(other, "c").len()), (1, 0));
    s.emit_as("p", "1", "2", Some(other));
    s.exit(&format!("{other}.a.1.1"), 0);
    for run in [one, other] {
        assert_eq!(s.executions(run, "b"), ["1:queued"]);
    }
}

#[test]
fn namespaces_do_not_see_each_other() {
    let mut s = Scenario::of(ETL);
    let namespace: aiflow_model::Namespace = "apart".parse().unwrap();
    s.give(aiflow_core::Input::AddNamespace(namespace.clone(), [].into()));
    let source = "workflow: w\ntriggers: [{after: etl/load}]\ntasks: {a: {bash: x}}\n".to_owned();
    s.give(aiflow_core::Input::Upload { namespace, source, files: vec![] });
    let etl = s.run_of("etl");
    s.emit("go", "1");
    s.exit(&format!("{etl}.load.1.1"), 0);
    assert!(runs_of(&s, "w").is_empty());
}

#[test]
fn a_circle_over_runs_is_cut() {
    let mut s = Scenario::of(
        "workflow: w\ntasks:\n  f: {bash: x, start: {any: [{on: go}, {after: w/f}]}, for_each: \"[]\", overlap: queue}\n  k: {bash: x}\n",
    );
    s.replays_each_step = false;
    s.run();
    s.run();
    s.emit("go", "1");
    let told = s
        .count(|r| matches!(r, Record::FilterFailed { reason, .. } if reason.contains("a circle")));
    assert_eq!(told, 2, "each rule once");
}

#[test]
fn a_rule_that_looks_from_inside_and_from_outside_is_asked_once() {
    let mut s = beside(
        "tasks:\n  a: {bash: x}\n  k: {bash: x}\n  \
         b: {bash: x, start: {count: {of: {any: [{after: a}, {after: w/a}]}, n: 3}}}\n",
    );
    let run = s.run_of("w");
    s.exit(&format!("{run}.a.1.1"), 0);
    assert!(s.executions(run, "b").is_empty(), "one end meets each part once");
}
