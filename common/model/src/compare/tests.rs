//! Two runs, given as records: what is told of how they differ.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::LoggedRecord;

/// A run from its records, one a second from 0 on.
fn story(records: &[Value]) -> Story {
    let logged = records.iter().enumerate().map(|(at, record)| {
        let time = record.get("at").and_then(Value::as_i64).unwrap_or(at as i64) * 1_000_000;
        let offset = record.get("offset").and_then(Value::as_u64).unwrap_or(at as u64);
        let text = json!({"offset": offset, "time": time, "record": record["record"]});
        serde_json::from_value::<LoggedRecord>(text).unwrap()
    });
    let mut story = None;
    for logged in logged {
        match &mut story {
            None => story = Some(Story::begin(&logged).unwrap()),
            Some(story) => story.note(&logged),
        }
    }
    story.unwrap()
}

fn began(run: u64, params: &Value) -> Value {
    json!({"record": {"RunStarted": {"run": run, "namespace": "default", "workflow": "w",
        "snapshot": run, "params": params}}})
}

/// One execution that took so many seconds and returned a code.
fn executed(run: u64, task: &str, at: i64, took: i64, code: i32) -> Vec<Value> {
    let id = json!({"run": run, "task": task, "sequence": 1});
    let attempt = format!("{run}.{task}.1.1");
    let status = if code == 0 { "success" } else { "failed" };
    let usage = json!({"rss_bytes_max": 0, "cpu_us": 0});
    vec![
        json!({"at": at, "record": {"TaskExecutionCreated": {"id": id}}}),
        json!({"at": at, "record": {"AttemptQueued": {"id": attempt}}}),
        json!({"at": at, "record": {"AttemptStarted": {"id": attempt, "pid": 7}}}),
        json!({"at": at + took, "record": {"AttemptEnded": {"id": attempt,
            "outcome": {"exited": {"code": code}}, "usage": usage}}}),
        json!({"at": at + took, "record": {"TaskExecutionFinished": {"id": id,
            "status": status}}}),
    ]
}

fn fired(run: u64, events: &[u64]) -> Value {
    json!({"record": {"RuleFired": {"run": run, "rule": 0, "firing": {"events": events}}}})
}

fn ended(run: u64, at: i64, status: &str) -> Value {
    json!({"at": at, "record": {"RunFinished": {"run": run, "status": status}}})
}

fn side(records: &[Value], source: &str) -> Side {
    let definition = Some(Definition { source: source.to_owned(), files: Vec::new() });
    Side { story: story(records), definition }
}

fn keys(keys: &[(u64, &str)]) -> BTreeMap<Offset, EventKey> {
    keys.iter().map(|(at, key)| (Offset(*at), EventKey::new(key).unwrap())).collect()
}

#[test]
fn what_differs_is_told_and_what_differs_most_stands_first() {
    // given a good run, and one with another definition, parameter and event, that failed
    let good = [
        vec![began(1, &json!({"day": 1, "size": 5})), fired(1, &[100, 101])],
        executed(1, "a", 1, 10, 0),
        executed(1, "b", 1, 100, 0),
        executed(1, "c", 1, 1, 0),
        executed(1, "same", 1, 5, 0),
        vec![ended(1, 102, "success")],
    ]
    .concat();
    let bad = [
        vec![began(2, &json!({"day": 2, "size": 5})), fired(2, &[200]), fired(2, &[201, 202])],
        executed(2, "a", 1, 60, 0),
        executed(2, "b", 1, 103, 0),
        executed(2, "c", 1, 1, 3),
        executed(2, "same", 1, 5, 0),
        vec![ended(2, 105, "failed")],
    ]
    .concat();
    // when they are compared
    let known = keys(&[(100, "go"), (101, "go"), (200, "go"), (201, "late")]);
    let diff = compare([&side(&good, "x\ny\n"), &side(&bad, "x\nz\n")], &known);
    // expect each difference, and the tasks in the order of how much they are to be looked at
    assert_eq!(diff.runs.each_ref().map(|run| run.took.unwrap().to_string()), ["1m 42s", "1m 45s"]);
    assert_eq!(diff.runs.each_ref().map(|run| run.status.word()), ["success", "failed"]);
    assert_eq!((diff.definition.same, diff.definition.lines.len()), (Some(false), 4));
    assert_eq!((diff.params.len(), diff.params_same), (1, 1));
    assert_eq!(diff.params[0].name, "day");
    let told: Vec<(&str, [u64; 2])> =
        diff.events.iter().map(|of_key| (of_key.key.as_str(), of_key.counts)).collect();
    assert_eq!(told, [("late", [0, 1]), ("go", [2, 1])]);
    assert_eq!(diff.events_unread, [0, 1], "one of them could not be looked up");
    let tasks: Vec<&str> = diff.tasks.iter().map(|task| task.task.as_str()).collect();
    assert_eq!(tasks, ["c", "a", "b", "same"]);
    let [Some(old), Some(new)] = &diff.tasks[1].sides else { panic!("{:?}", diff.tasks[1]) };
    assert_eq!([old.took, new.took], [10, 60].map(|s| Some(Span::from_seconds(s))));
    assert_eq!(new.ran, new.took);
    assert_eq!(new.latest.as_ref().unwrap().to_string(), "2.a.1.1");
}

#[test]
fn a_task_of_one_run_alone_and_a_run_that_goes_on_are_told_as_such() {
    let old = [vec![began(1, &json!({}))], executed(1, "gone", 1, 1, 0)].concat();
    let rerun = json!({"task_rerun": {"task": "t", "of": 1, "sequence": 2}});
    let new = [
        vec![began(2, &json!({}))],
        executed(2, "t", 1, 1, 1),
        vec![ended(2, 2, "failed")],
        vec![json!({"record": {"RunControlled": {"run": 2, "control": rerun}}})],
    ]
    .concat();
    let mut other = side(&new, "x");
    other.definition = None;
    let diff = compare([&side(&old, "x"), &other], &keys(&[]));
    assert_eq!((diff.runs[1].status, diff.runs[1].took), (RunStatus::Running, None));
    assert_eq!(diff.definition.same, None, "one is no longer kept");
    let sides = diff.tasks.iter().map(|task| task.sides.each_ref().map(Option::is_some));
    assert_eq!(sides.collect::<Vec<_>>(), [[true, false], [false, true]]);
}

/// What can come of a run, in any order: nothing of it may be lost or counted twice.
fn any_run(run: u64) -> impl Strategy<Value = Side> {
    let step = prop_oneof![
        (0_u64..30).prop_map(move |event| vec![fired(run, &[event])]),
        ("[abc]", 0_i64..90, 0_i32..2)
            .prop_map(move |(task, took, code)| executed(run, &task, 1, took, code)),
        Just(vec![ended(run, 99, "success")]),
    ];
    let params = prop::collection::btree_map("[xy]", 0..3, 0..3);
    (prop::collection::vec(step, 0..12), params, "[ab\n]{0,8}").prop_map(
        move |(steps, params, source)| {
            side(&[vec![began(run, &json!(params))], steps.concat()].concat(), &source)
        },
    )
}

proptest! {
    #[test]
    fn a_run_does_not_differ_from_itself_and_the_other_way_round_is_the_mirror(
        one in any_run(1),
        other in any_run(2),
    ) {
        let known: Vec<(u64, String)> = (0..25).map(|at| (at, format!("k{}", at % 4))).collect();
        let known = keys(&known.iter().map(|(at, key)| (*at, key.as_str())).collect::<Vec<_>>());
        let itself = compare([&one, &one], &known);
        prop_assert_eq!(itself.definition.same, Some(true));
        prop_assert!(itself.definition.lines.is_empty() && itself.params.is_empty());
        prop_assert!(itself.events.iter().all(|key| key.counts[0] == key.counts[1]));
        prop_assert!(itself.tasks.iter().all(|task| task.sides[0] == task.sides[1]));

        let there = compare([&one, &other], &known);
        let back = compare([&other, &one], &known);
        let turned = |[old, new]: [u64; 2]| [new, old];
        prop_assert_eq!(there.events_unread, turned(back.events_unread));
        prop_assert_eq!(there.events.len(), back.events.len());
        for (there, back) in there.events.iter().zip(&back.events) {
            prop_assert_eq!((&there.key, there.counts), (&back.key, turned(back.counts)));
        }
        for (there, back) in there.tasks.iter().zip(&back.tasks) {
            prop_assert_eq!(&there.task, &back.task);
            prop_assert_eq!(&there.sides[0], &back.sides[1]);
        }
        let counted: u64 = there.events.iter().map(|key| key.counts[0]).sum();
        let used_up = one.story.events().len() as u64;
        prop_assert_eq!(counted + there.events_unread[0], used_up);
        // What went over the wire is what was told.
        let sent = serde_json::to_string(&there).unwrap();
        prop_assert_eq!(serde_json::from_str::<RunDiff>(&sent).unwrap(), there);
    }
}
