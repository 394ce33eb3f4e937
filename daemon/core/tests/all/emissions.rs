//! Events that rules derive.

use aiflow_core::Input;
use aiflow_model::record::{Event, TriggerChange};
use aiflow_model::{Namespace, Offset, Record};

use crate::support::Scenario;

fn derived(s: &Scenario) -> Vec<(Option<Offset>, Event)> {
    let events = s.log.iter().filter_map(|logged| match &logged.record {
        Record::EventEmitted(event) if event.source.starts_with("rule ") => {
            Some((logged.cause, event.clone()))
        }
        _ => None,
    });
    events.collect()
}

const BATCH: &str = "\
a:
  bash: x
  start: {on: rows.ready}
  emit:
    - when: {sum: {of: {on: rows}, expr: value.n, reaches: 100, carry: true}}
      key: rows.ready
      value: \"#{last: value.n, from: source}\"
keep: {kind: stream, bash: x}
";

#[test]
fn a_derived_event_is_part_of_the_batch_and_names_its_cause() {
    let mut s = Scenario::new(BATCH);
    let run = s.run();
    s.emit("rows", r#"{"n": 60}"#);
    let before = s.log.len();
    s.effects();
    s.emit("rows", r#"{"n": 50}"#);
    let batch = &s.log[before..];
    let place = |test: fn(&Record) -> bool| batch.iter().find(|r| test(&r.record)).unwrap().offset;
    let fired = place(|r| matches!(r, Record::RuleFired { .. }));
    let found = derived(&s);
    let [(cause, event)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(*cause, Some(fired));
    assert_eq!(event.value.as_str(), r#"{"from":"test","last":50}"#);
    assert_eq!((event.key.as_str(), event.execution), ("rows.ready", Some(run)));
    assert_eq!(s.effects(), ["launch 1.a.1.1"], "in the same batch");
}

#[test]
fn the_event_of_a_run_is_its_own_unless_it_is_for_the_namespace() {
    let definition = |scope: &str| {
        format!(
            "workflow: w\ntasks:\n  a: {{bash: x, start: {{on: q}}, emit: {{when: {{on: p}}, key: q, scope: {scope}}}}}\n"
        )
    };
    let mut s = Scenario::of(&definition("run"));
    let (one, two) = (s.run(), s.run());
    s.emit_as("p", "7", "1", Some(one));
    assert_eq!((s.executions(one, "a").len(), s.executions(two, "a").len()), (1, 0));
    assert_eq!(derived(&s)[0].1.value.as_str(), "7", "without an expression the value goes on");
    let mut s = Scenario::of(&definition("namespace"));
    let (one, two) = (s.run(), s.run());
    s.emit_as("p", "7", "1", Some(one));
    assert_eq!((s.executions(one, "a").len(), s.executions(two, "a").len()), (1, 1));
}

#[test]
fn a_tick_and_the_end_of_a_task_derive_events_too() {
    let mut s = Scenario::new(
        "a: {bash: x, emit: [{when: {after: a}, key: a.done}, {when: {every: 1h}, key: hour, value: '1 + 1'}]}",
    );
    s.run();
    s.exit("1.a.1.1", 0);
    s.pass("1h");
    let found = derived(&s);
    let found: Vec<_> = found.iter().map(|(_, e)| (e.key.as_str(), e.value.as_str())).collect();
    assert_eq!(found, [("a.done", "null"), ("hour", "2")]);
}

#[test]
fn a_circle_over_several_workflows_is_cut_and_the_log_says_so() {
    let other = |name: &str, on: &str, key: &str, when: &str| {
        format!(
            "workflow: {name}\ntasks:\n  a: {{kind: stream, bash: x, emit: {{when: {when}, key: {key}, scope: namespace}}}}\n"
        )
        .replace("ON", on)
    };
    let mut s = Scenario::of(&other("w", "p", "q", "{on: ON}"));
    s.upload(&other("v", "q", "p", "{count: {of: {on: ON}, n: 1}}"));
    s.run_of("w");
    s.run_of("v");
    s.emit("p", "1");
    let cut = |r: &Record| matches!(r, Record::EmissionFailed { reason, .. } if reason.contains("in a row"));
    assert_eq!((derived(&s).len(), s.count(cut)), (16, 1));
    // The depth outlives a wait.
    let mut s = Scenario::of(&other("w", "p", "q", "{on: ON}"));
    s.upload(&other("v", "q", "p", "{debounce: {of: {on: ON}, for: 1s}}"));
    s.run_of("w");
    s.run_of("v");
    s.emit("p", "1");
    for _ in 0..20 {
        s.pass("1s");
    }
    assert_eq!((derived(&s).len(), s.count(cut)), (16, 1));
    s.emit("p", "2");
    assert_eq!(derived(&s).len(), 17, "what comes from outside begins anew");
}

#[test]
fn what_cannot_be_derived_is_recorded_with_its_reason() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {on: p}, emit: {when: {on: p}, key: q, value: value.n}}\nkeep: {kind: stream, bash: x}",
    );
    let run = s.run();
    s.emit("p", "{}");
    let failed = |r: &Record| matches!(r, Record::EmissionFailed { reason, .. } if reason.contains("value.n"));
    assert_eq!((derived(&s).len(), s.count(failed)), (0, 1));
    assert_eq!(s.executions(run, "a").len(), 1, "the other rules are as they would be");
}

#[test]
fn a_workflow_derives_events_without_a_run_as_long_as_it_is_enabled() {
    let definition = |emit: &str| {
        format!("workflow: w\nemit: {emit}\ntriggers: [{{on: batch}}]\ntasks: {{a: {{bash: x}}}}\n")
    };
    let count = "[{when: {count: {of: {on: row}, n: 2}}, key: batch, value: \"#{of: value.n}\"}]";
    let mut s = Scenario::of(&definition(count));
    s.emit("row", r#"{"n": 1}"#);
    s.emit("row", r#"{"n": 2}"#);
    let events: Vec<&Event> = s
        .log
        .iter()
        .filter_map(|logged| match &logged.record {
            Record::EventEmitted(event) if event.key.as_str() == "batch" => Some(event),
            _ => None,
        })
        .collect();
    assert_eq!((events.len(), events[0].value.as_str()), (1, r#"{"of":2}"#));
    assert!(events[0].source.starts_with("trigger ") && events[0].execution.is_none());
    assert_eq!(s.engine.state().runs.len(), 1, "its own trigger saw it");
    // What cannot be made is told, and nothing else happens.
    s.emit("row", "1");
    s.emit("row", "1");
    let failed = |record: &Record| {
        matches!(
            record,
            Record::TriggerChanged { change: TriggerChange::EmissionFailed { .. }, .. }
        )
    };
    assert_eq!(s.count(failed), 1);
    // An upload that keeps it keeps what it has counted; one that drops it ends it.
    s.emit("row", r#"{"n": 1}"#);
    s.upload(&format!("{}# again\n", definition(count)));
    s.emit("row", r#"{"n": 2}"#);
    assert_eq!(s.engine.state().runs.len(), 2);
    let workflow = "w".parse().unwrap();
    s.give(Input::EnableWorkflow(Namespace::default_namespace(), workflow, false));
    s.emit("row", r#"{"n": 1}"#);
    s.emit("row", r#"{"n": 2}"#);
    assert_eq!(s.engine.state().runs.len(), 2, "a disabled workflow derives nothing");
}

#[test]
fn workflows_that_answer_each_other_are_cut() {
    let mut s =
        Scenario::of("workflow: w\nemit: {when: {on: ping}, key: pong}\ntasks: {a: {bash: x}}\n");
    s.upload("workflow: v\nemit: {when: {on: pong}, key: ping}\ntasks: {a: {bash: x}}\n");
    s.emit("ping", "1");
    let events = s.count(|record| matches!(record, Record::EventEmitted(_)));
    assert_eq!(events, 17, "the event, and 16 that were derived");
}
