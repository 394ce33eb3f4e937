//! What is warned of in a definition that is taken.

use super::*;

/// Each warning of a good definition, as `line:column message`.
fn warned(tasks: &str) -> Vec<String> {
    let text = format!("workflow: w\n{tasks}");
    let spec = read(&text).unwrap_or_else(|faults| panic!("{text}\n{faults:?}"));
    let show = |w: Diagnostic| {
        assert!(w.hint.is_some(), "{w:?}");
        format!("{}:{} {}", w.line, w.column, w.message)
    };
    warnings(&text, &spec).into_iter().map(show).collect()
}

#[test]
fn rules_that_never_fire_are_warned_of() {
    for (rule, why) in [
        ("{on: k, if: 1 > 2}", "`1 > 2` is always false, whatever the event says"),
        ("{on: k, if: 6 * 7}", "`6 * 7` is always 42, whatever the event says"),
        ("{all: [{on: p}, {on: k, if: \"false\"}]}", "`false` is always false"),
        ("{count: {of: {on: k, if: \"false\"}, n: 3}}", "`false` is always false"),
        ("{sum: {of: {on: k}, expr: 0, reaches: 5}}", "a sum of 0 reaches nothing"),
        ("{after: {s: failed}}", "task `s` is tried again for ever, so it is never failed"),
    ] {
        let tasks = format!(
            "tasks:\n  s: {{kind: stream, bash: x, restart: {{on: failure, backoff: 1s}}}}\n  t:\n    bash: x\n    start: {rule}\n"
        );
        let told = warned(&tasks);
        assert_eq!(told.len(), 2, "{rule}: {told:?}");
        assert!(told[0].starts_with("4:3 task `t` is never started"), "{rule}: {told:?}");
        assert!(told[1].starts_with("6:5 `start` of task `t` never fires: "), "{rule}: {told:?}");
        assert!(told[1].contains(why), "{rule}: {told:?}");
    }
    let told = warned(
        "tasks:\n  a: {bash: x, start: {on: k, if: \"false\"}}\n  b: {bash: x, start: {after: a}}\n",
    );
    assert!(told.iter().any(|t| t.starts_with("4:3 task `b` is never started")), "{told:?}");
    let told = warned("triggers:\n  - {on: k, if: \"false\"}\ntasks: {a: {bash: x}}\n");
    assert_eq!(
        told,
        ["3:5 this trigger never fires: `false` is always false, whatever the event says"]
    );
}

#[test]
fn what_fires_on_everything_is_warned_of() {
    let told = warned("triggers: [{on: \"*\"}]\ntasks: {a: {bash: x}}\n");
    assert!(told[0].starts_with("2:12 every event of the namespace starts a run"), "{told:?}");
    let told =
        warned("tasks:\n  a: {bash: x, start: {any: [{on: k}, {on: \"*\", if: \"true\"}]}}\n");
    assert!(told[0].starts_with("3:16 every event of the namespace fires `start`"), "{told:?}");
}

#[test]
fn circles_that_go_on_by_themselves_are_warned_of_once() {
    let told = warned("tasks:\n  a: {bash: x, start: {any: [{on: k}, {after: a}]}}\n");
    assert_eq!(
        told,
        [
            "3:3 task `a` starts again by its own end (a → a): begun once, it goes on until it is stopped"
        ]
    );
    let told = warned(
        "tasks:\n  a: {bash: x, start: {any: [{on: k}, {after: {c: failed}}]}}\n  b: {bash: x, start: {after: a}}\n  c: {bash: x, start: {after: b}}\n",
    );
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("(a → b → c → a)"), "{told:?}");
    let awaited = "tasks:\n  a: {bash: x, start: {any: [{on: k}, {all: [{after: b}, {on: go}]}]}}\n  b: {bash: x, start: {after: a}}\n";
    assert_eq!(warned(awaited), [""; 0], "somebody has to say go");
}
