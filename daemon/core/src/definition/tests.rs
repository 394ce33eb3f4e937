//! A good definition gives its spec; each bad one gives line, column, message and hint.

mod confinement;
mod warnings;

use super::*;
use aiflow_model::spec::{Clock, Condition, RetryOn, TaskKind};

const FLIGHTS: &str = include_str!("../../../../examples/flight-delays/workflow.yaml");

#[test]
fn the_founding_example_is_read() {
    let spec = read(FLIGHTS).unwrap();
    assert_eq!(warnings(FLIGHTS, &spec), []);
    assert_eq!(spec.name.as_str(), "flight_delays");
    let train = spec.task("train").unwrap();
    let Condition::Every { clock: Clock::Watermark(keys), .. } = &train.rules[0].condition else {
        panic!("train does not tick on a watermark: {:?}", train.rules);
    };
    assert_eq!(keys.len(), 2);
    assert_eq!(train.retry.as_ref().unwrap().attempts_max, Some(3));
    let ingest = spec.task("ingest").unwrap();
    assert_eq!(
        (ingest.kind, ingest.retry.as_ref().unwrap().on),
        (TaskKind::Stream, RetryOn::Failure)
    );
    assert!(ingest.starts_with_run() && !train.starts_with_run());
}

/// The fault that a definition gives, as `line:column message | hint`.
fn fault_of(text: &str) -> String {
    let faults = read(text).unwrap_err();
    let lines = faults.iter().map(|fault| {
        let hint = fault.hint.as_deref().unwrap_or("-");
        format!("{}:{} {} | {hint}", fault.line, fault.column, fault.message)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let fault = fault_of(text);
    assert!(fault.contains(expected), "expected {expected:?} in:\n{fault}");
}

#[test]
fn every_kind_of_fault_names_its_place() {
    refused("", "1:1 the file is empty");
    refused("workflow: w\n", "1:1 the workflow has no tasks | tasks:");
    refused("tasks: {a: {bash: x}}\n", "1:1 the workflow has no name | workflow:");
    refused(
        "workflow: w\nworkfow: x\ntasks: {a: {bash: x}}",
        "2:1 a workflow has no key `workfow` | did you mean `workflow`?",
    );
    refused(
        "workflow: w\ntasks:\n  a:\n    bsh: x\n",
        "4:5 a task has no key `bsh` | did you mean `bash`?",
    );
    refused(
        "workflow: w\ntasks:\n  a:\n    bash: [x]\n",
        "4:11 bash has to be a single value, not a list",
    );
    refused(
        "workflow: w\ntasks:\n  a: {bash: x}\n  a: {bash: y}\n",
        "4:3 `a` stands twice; first in line 3",
    );
    refused(
        "workflow: w\ntasks:\n  a:\n    bash: x\n    timeout: 10 minutes\n",
        "5:14 timeout: \"10 minutes\" is not a length of time",
    );
    refused("workflow: w\ntasks:\n  a.b: {bash: x}\n", "3:3 task \"a.b\" is not a valid name");
    refused(
        "workflow: w\ntasks:\n  a:\n    bash: x\n    parallel: 0\n",
        "5:15 parallel has to be a whole number from 1",
    );
    refused("workflow: w\ntasks:\n  a: {bash: x, exec: [y]}\n", "a task has one of `bash`, `exec`");
    refused("workflow: w\ntasks:\n  a: {kind: stream}\n", "does not say what to run");
    refused(
        "workflow: w\ntasks:\n  a: {bash: x, kind: straem}\n",
        "kind cannot be `straem` | did you mean `stream`?",
    );
    refused(
        "workflow: w\ntasks:\n  a: {bash: x, env: {AIFLOW_X: y}}\n",
        "cannot be set as a variable",
    );
    refused("workflow: w\nfiles: [../x]\ntasks: {a: {bash: x}}\n", "2:9 \"../x\" lies outside");
    refused("workflow: w\ntasks: {a: {bash: x}}\n---\nworkflow: v\n", "a second document");
    refused("workflow: w\ntasks: {a: {bash: x}\n", "not YAML");
    refused("workflow: &x w\ntasks: *x\n", "aliases");
}

#[test]
fn faults_of_conditions_name_their_place() {
    let with = |start: &str| {
        format!("workflow: w\ntasks:\n  a: {{bash: x}}\n  b:\n    bash: y\n    start: {start}\n")
    };
    refused(&with("{after: aa}"), "6:20 there is no task `aa` | did you mean `a`?");
    refused(&with("{after: {a: succes}}"), "a status cannot be `succes` | did you mean `success`?");
    refused(&with("{onn: x}"), "this is no condition | did you mean `on`?");
    refused(&with("{on: x, after: a}"), "more than one condition | join them");
    refused(&with("{on: x, when: y}"), "a condition `on` has no key `when`");
    refused(&with("{on: \"a b\"}"), "event key \"a b\" is not a valid name");
    refused(&with("{on: x, if: value.mae <}"), "`if` does not compile");
    refused(&with("{on: x, if: valeu > 1}"), "`if` does not compile");
    refused(&with("{all: []}"), "`all` needs at least one condition");
    refused(&with("{count: {of: {on: x}}}"), "count needs `of` and `n`");
    refused(&with("{count: {of: {on: x}, n: 0}}"), "n has to be a whole number from 1");
    refused(&with("{every: 0s}"), "every has to be at least 1ms");
    refused(&with("{every: 1h, clock: {watermark: []}}"), "at least one event key");
    refused(&with("{every: 1h, clock: wal}"), "clock cannot be `wal` | did you mean `wall`?");
    refused(&with("{every: 1h, from: yesterday}"), "from: \"yesterday\" is not a time");
    refused(&with("{on: \"a b*\"}"), "event key \"a b*\" is not a valid name");
    refused(&with("{sequence: [{on: x}], within: 0s}"), "within has to be at least 1ms");
    refused(&with("{any: [{on: x}], within: 1m}"), "a condition `any` has no key `within`");
    refused(&with("{count: {of: {on: x}, n: 1001}, within: 1m}"), "at most 1000 are counted");
    refused(&with("{sum: {of: {on: x}, expr: value}}"), "sum needs `of`, `expr` and `reaches`");
    refused(&with("{sum: {of: {on: x}, expr: value +, reaches: 1}}"), "`expr` does not compile");
    refused(&with("{sum: {of: {on: x}, expr: value, reaches: 0}}"), "a number greater than 0");
    refused(&with("{sum: {of: {on: x}, expr: value, reaches: nan}}"), "a number greater than 0");
    refused(&with("{sum: {of: {after: a}, expr: value, reaches: 1}}"), "sum looks at events alone");
    refused(
        &with("{sum: {of: {on: x}, expr: value, reaches: 1, cary: true}}"),
        "did you mean `carry`?",
    );
    refused(&with("{state: {of: {on: x}}}"), "state needs `of` and `script`");
    refused(&with("{state: {of: {on: x}, script: \"stat > 1\"}}"), "`script` does not compile");
    refused(&with("{state: {of: {every: 1h}, script: \"true\"}}"), "state looks at events alone");
    refused(&with("{absent: {of: {on: x}}}"), "absent needs `of` and `for` | absent: {of:");
    refused(&with("{debounce: {of: {on: x}, for: soon}}"), "for: \"soon\" is not a length of time");
    refused(&with("{throttle: {of: {on: x}, for: 1s}}"), "throttle has no key `for`");
    refused(&with("{cron: \"61 * * * *\"}"), "is no cron expression");
    refused(&with("{cron: \"0 0 31 2 *\"}"), "names no time that ever comes");
    refused(&with("{cron: \"0 0 * * *\", tz: Berlin}"), "there is no time zone \"Berlin\"");
    refused(&with("{every: 1h, missed: al}"), "missed cannot be `al` | did you mean `all`?");
    refused(
        &with("{every: 1h, clock: {watermark: w}, missed: skip}"),
        "a watermark misses nothing",
    );
    refused(&with("{on: x, reset: never}"), "a condition `on` has no key `reset`");
    let counted = "count: {of: {on: x}, n: 2}";
    assert!(read(&with(&format!("{{{counted}, reset: on fire}}"))).is_ok());
    refused(
        &with(&format!("{{{counted}, reset: per kye}}")),
        "reset cannot be `per kye` | did you mean `per key`?",
    );
    let key = "6:49 only events have keys of their own";
    refused(
        &with("{count: {of: {after: a}, n: 2}, reset: per key}"),
        "only events have keys of their own",
    );
    refused(&with("{all: [{on: x}, {every: 1h}], reset: per key}"), key);
    refused(
        &with("{sequence: [{on: x}, {on: y}], reset: per window}"),
        "only `all` and `count` gather for each",
    );
    refused(
        &with("{sum: {of: {on: x}, expr: value, reaches: 1, carry: true}, reset: never}"),
        "a sum that carries over is used up | leave out either",
    );
    let clocked = |rest: &str| with(&format!("{{every: 1h, {rest}}}"));
    refused(
        &clocked("clock: {watermark: w, idle: 5m}"),
        "6:43 the only source of a clock cannot be",
    );
    refused(
        &clocked("clock: {watermark: [{key: w, idle: 5m}]}"),
        "the only source of a clock cannot",
    );
    refused(&clocked("clock: {watermark: [v, {key: w, idel: 5m}]}"), "did you mean `idle`?");
    refused(
        &clocked("clock: {watermark: [v, {idle: 5m}]}"),
        "6:47 the source does not say its `key`",
    );
    refused(&clocked("clock: {watermark: [v, w], idle: 0s}"), "6:57 idle has to be at least 1ms");
    refused(&clocked("late: rerun"), "6:30 nothing is late on the wall | leave `late` out, or say");
    refused(&clocked("clock: {watermark: w}, late: retry"), "late cannot be `retry`");
    refused(&clocked("until: soon"), "6:31 until: \"soon\" is not a time");
    refused(
        &clocked("from: 2013-01-01T00:00:00Z, until: 2013-01-01T00:59:00Z"),
        "6:59 no window fits between `from` and `until`",
    );
    let cron = |rest: &str| with(&format!("{{cron: \"0 6 * * *\", {rest}}}"));
    assert!(read(&cron("jitter: 5m, except: [SAT, 2026-12-25]")).is_ok());
    refused(
        &cron("except: [SAT, Sunday]"),
        "6:46 \"Sunday\" is neither a date nor a day of the week",
    );
    refused(&cron("except: 2026-02-30"), "neither a date nor a day of the week | except: [SAT,");
    refused(&cron("except: [MON, TUE, WED, THU, FRI, SAT, SUN]"), "names no time that ever comes");
    refused(&cron("jitter: 0s"), "jitter has to be at least 1ms");
    let deep = format!("{}{{on: x}}{}", "{any: [".repeat(20), "]}".repeat(20));
    refused(&with(&deep), "nested deeper than");
}

#[test]
fn faults_of_pools_and_retries_name_their_place() {
    let with = |task: &str| {
        format!("workflow: w\npools: {{gpu: 2}}\ntasks:\n  a:\n    bash: x\n    {task}\n")
    };
    assert!(read(&with("pools: {gpu: 2}")).is_ok() && read(&with("priority: -3")).is_ok());
    refused(&with("pools: gpi"), "6:12 the workflow has no pool `gpi` | did you mean `gpu`?");
    refused(
        &with("pools: [disk]"),
        "no pool `disk` | say how many slots it has, at the top: pools: {disk: 1}",
    );
    refused(&with("pools: {gpu: 3}"), "6:12 3 slots of `gpu` are never free: the pool has 2");
    refused(&with("pools: {gpu: 0}"), "6:18 gpu has to be a whole number from 1");
    refused(&with("pools: [gpu, gpu]"), "6:18 `gpu` stands twice | pools: {gpu: 2}");
    refused(&with("priority: 1001"), "6:15 priority has to lie between -1000 and 1000");
    refused(&with("priority: high"), "6:15 priority: ");
    refused(&with("overlap: lates"), "6:14 overlap cannot be `lates` | did you mean `latest`?");
    refused(&with("retry: {attempts: 2, on: []}"), "6:30 on names no exit code");
    refused(
        &with("retry: {attempts: 2, on: [0]}"),
        "6:31 an exit code has to be a whole number from 1",
    );
    refused(&with("retry: {attempts: 2, jitter: 0s}"), "6:34 jitter has to be at least 1ms");
    let top = |line: &str| format!("workflow: w\n{line}\ntasks: {{a: {{bash: x}}}}\n");
    refused(&top("max_active_runs: 0"), "2:18 max_active_runs has to be a whole number from 1");
    refused(&top("max_active_tasks: many"), "2:19 max_active_tasks has to be a whole number");
    refused(&top("pools: {a.b: 1}"), "2:9 pool \"a.b\" is not a valid name");
    refused(&top("max_active_run: 1"), "2:1 a workflow has no key `max_active_run` | did you mean");
}

#[test]
fn derived_events_and_their_circles_name_their_place() {
    let with = |emit: &str| {
        format!("workflow: w\ntasks:\n  a:\n    bash: x\n    emit: {emit}\n  b: {{bash: y}}\n")
    };
    assert!(read(&with("{when: {on: p}, key: q, value: value.n + 1, scope: namespace}")).is_ok());
    assert!(read(&with("[{when: {on: p}, key: q}, {when: {on: q}, key: r}]")).is_ok());
    refused(&with("{when: {on: p}}"), "5:11 emit needs `when` and `key` | emit: {when:");
    refused(&with("{when: {onn: p}, key: q}"), "5:18 this is no condition | did you mean `on`?");
    refused(&with("{when: {after: c}, key: q}"), "5:26 there is no task `c`");
    refused(
        &with("{when: {on: p}, key: \"q*\"}"),
        "5:32 key: event key \"q*\" is not a valid name",
    );
    refused(&with("{when: {on: p}, key: q, value: 1 +}"), "`value` does not compile");
    refused(&with("{when: {on: p}, key: q, scope: all}"), "scope cannot be `all`");
    refused(&with("{when: {on: p}, kye: q}"), "did you mean `key`?");
    refused(
        &with("{when: {on: \"p*\", if: value < 3}, key: p.next}"),
        "3:3 the event `p.next` comes back to the rule that emits it: p.next, then p.next",
    );
    refused(
        &with("[{when: {on: p}, key: q}, {when: {count: {of: {on: q}, n: 2}}, key: p}]"),
        "3:3 the event `q` comes back to the rule that emits it: q, then p, then q | emit a key",
    );
}

#[test]
fn parameters_that_say_their_kind_are_read() {
    let with =
        |params: &str| format!("workflow: w\nparams:\n  {params}\ntasks: {{a: {{bash: x}}}}\n");
    let spec = read(&with("a: {type: int, default: 3}\n  b: {type: list}\n  c: [1]")).unwrap();
    assert_eq!(spec.params.keys().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(spec.param_types.keys().collect::<Vec<_>>(), ["a", "b"]);
    refused(
        &with("a: {type: int, default: x}"),
        "3:27 the default has to be of kind int, not \"x\" | default: 3",
    );
    refused(&with("a: {type: itn}"), "3:13 type cannot be `itn` | did you mean `int`?");
    refused(&with("a: {b: 1}"), "3:7 a parameter has no key `b`");
    refused(
        &with("a: {default: 1}"),
        "3:6 the parameter does not say its `type` | a: {type: object, default: {...}}",
    );
    refused(&with("a b: 1"), "3:3 parameter \"a b\"");
}

#[test]
fn what_expressions_name_of_a_run_has_to_be_there() {
    let with = |start: &str| {
        format!(
            "workflow: w\nparams: {{days: 1}}\ntasks:\n  a: {{bash: x}}\n  b: {{bash: x, start: {start}}}\n"
        )
    };
    assert!(read(&with("{after: a, if: tasks.a.outputs.n > params.days}")).is_ok());
    assert!(read(&with("{on: k, if: value > tasks.a.outputs.n}")).is_ok());
    refused(
        &with("{after: a, if: tasks.aa.outputs.n > 1}"),
        "5:38 there is no task `aa` | did you mean `a`?",
    );
    refused(
        &with("{on: k, if: params.dais > 1}"),
        "5:35 there is no parameter `dais` | did you mean `days`?",
    );
    refused(&with("{after: a, if: value > 1}"), "an expression over time, params, tasks, such as");
    let trigger = "workflow: w\ntriggers: [{on: k, if: params.x}]\ntasks: {a: {bash: x}}\n";
    refused(trigger, "an expression over value, key, source, time, such as");
}

#[test]
fn lists_whose_items_are_done_each_are_read_and_their_faults_name_their_place() {
    let with = |part: &str| {
        format!(
            "workflow: w\nparams: {{n: [1]}}\ntasks:\n  a: {{bash: x}}\n  b:\n    bash: x\n    {part}\n"
        )
    };
    for good in ["for_each: params.n", "start: {on: k}\n    for_each: value + params.n"] {
        assert!(read(&with(good)).unwrap().task("b").unwrap().for_each.is_some(), "{good}");
    }
    let no_event = "for_each: value.files";
    refused(&with(no_event), "7:15 `for_each` does not compile: Undefined variable: value");
    refused(&with(no_event), "an expression over time, params, tasks");
    refused(&with("for_each: params.m"), "7:15 there is no parameter `m` | did you mean `n`?");
    refused(&with("for_each: [1, 2]"), "7:15 for_each has to be a single value, not a list");
    refused(
        &with("for_each: params.n\n    restart: {on: k}"),
        "7:15 a task with `for_each` cannot be started anew by a rule | stop it by `stop`",
    );
}

#[test]
fn readiness_is_a_condition_and_has_to_be_said() {
    let with = |a: &str, b: &str| {
        format!(
            "workflow: w\ntasks:\n  a: {{bash: x{a}}}\n  b: {{bash: x, start: {{after: {{a: {b}}}}}}}\n"
        )
    };
    assert!(read(&with(", ready: {on: k}", "ready")).is_ok());
    refused(
        &with("", "ready"),
        "4:32 task `a` does not say when it is `ready` | give `a` a `ready: {on: it.is.ready}`",
    );
    refused(&with(", ready: {onn: k}", "ready"), "this is no condition | did you mean `on`?");
    refused(&with("", "redy"), "a status cannot be `redy` | did you mean `ready`?");
}

#[test]
fn hooks_stand_at_the_top_and_their_faults_name_their_place() {
    let with = |hooks: &str| format!("workflow: w\n{hooks}\ntasks: {{a: {{bash: x}}}}\n");
    let spec = read(&with("on_failure: {webhook: 'https://example.org/x'}")).unwrap();
    assert_eq!(spec.hooks().count(), 1);
    assert_eq!(warnings(&with("on_failure: {bash: x}"), &spec), []);
    refused(
        &with("on_failure: {bash: x, start: {on: k}}"),
        "2:23 a hook has no key `start` | known keys: bash",
    );
    refused(&with("on_success: {retry: {attempts: 2}}"), "does not say what to run");
    refused(
        &with("on_success: {webhook: example.org}"),
        "2:23 webhook has to be an address | webhook: https://example.org/hook",
    );
    refused(&with("on_late: {bash: x}"), "2:10 nothing says when a run is late | late_after: 2h");
    refused(&with("late_after: 2h"), "2:13 nothing is done when a run is late | on_late:");
    refused(
        "workflow: w\ntasks: {on_late: {bash: x}}\n",
        "2:9 `on_late` is a hook of the workflow, not a task | write `on_late` at the top",
    );
    refused(
        "workflow: w\non_failure: {bash: x}\ntasks: {a: {bash: x, start: {after: on_failure}}}\n",
        "3:37 there is no task `on_failure`",
    );
    refused("workflow: w\ntasks: {a: {bash: x, webhook: 'http://y'}}\n", "not several");
}

#[test]
fn what_a_workflow_emits_knows_no_tasks_and_no_circles() {
    let with = |emit: &str| format!("workflow: w\nemit: {emit}\ntasks: {{a: {{bash: x}}}}\n");
    let spec = read(&with("{when: {on: p}, key: q}")).unwrap();
    assert!(spec.emits[0].emission.as_ref().unwrap().to_namespace);
    refused(
        &with("{when: {after: a}, key: q}"),
        "2:22 `emit` of a workflow knows no task, so it cannot wait for `a`",
    );
    refused(&with("{when: {on: p}}"), "2:7 emit needs `when` and `key`");
    refused(&with("{when: {on: p}, key: p}"), "the event `p` comes back to the rule");
    let task = "workflow: w\nemit: {when: {on: p}, key: q}\ntasks:\n  a: {bash: x, emit: {when: {on: q}, key: p}}\n";
    refused(task, "comes back to the rule that emits it");
    let wall = |clock: &str| {
        format!("workflow: w\ntasks:\n  a: {{bash: x, start: {{every: 1h, {clock}}}}}\n")
    };
    assert!(read(&wall("jitter: 10m")).is_ok());
    refused(
        &wall("clock: {watermark: w}, jitter: 10m"),
        "3:66 only the wall puts windows off; a watermark fires when it has passed | leave `jitter`",
    );
    refused(&wall("jitter: soon"), "jitter: \"soon\" is not a length of time");
}

#[test]
fn triggers_know_no_tasks() {
    let with = |trigger: &str| {
        format!("workflow: w\ntriggers:\n  - {trigger}\ntasks:\n  a: {{bash: x}}\n")
    };
    assert_eq!(read(&with("{on: go}")).unwrap().triggers.len(), 1);
    refused(
        &with("{after: a}"),
        "3:13 a trigger knows no task, so it cannot wait for `a` | say of which workflow, as in \
         `after: etl/a`",
    );
    refused(&with("{onn: x}"), "3:5 this is no condition | did you mean `on`?");
    refused("workflow: w\ntriggers: {on: x}\ntasks: {a: {bash: x}}", "triggers has to be a list");
    assert!(read_trigger("{on: go}").is_ok());
    assert!(read_trigger("{after: a}").is_err() && read_trigger("on: [").is_err());
}

#[test]
fn what_the_guide_shows_is_read() {
    let conditions = include_str!("../../../../docs/guide/conditions.md");
    let tasks = include_str!("../../../../docs/guide/tasks.md");
    let guides = [conditions, tasks].into_iter();
    let blocks: Vec<&str> = guides.flat_map(|guide| guide.split("```yaml\n").skip(1)).collect();
    assert!(blocks.len() > 10);
    for block in blocks {
        let block = block.split("```").next().unwrap();
        if block.starts_with("workflow:") {
            assert_eq!(read(block).map(drop), Ok(()), "{block}");
            continue;
        }
        for line in block.lines() {
            let text = format!(
                "workflow: w\ntasks:\n  a: {{bash: x, heartbeat: 1m}}\n  b: {{bash: x}}\n  c: {{bash: x, start: {line}}}\n"
            );
            assert_eq!(read(&text).map(drop), Ok(()), "{line}");
        }
    }
}

#[test]
fn circles_that_can_never_start_are_refused() {
    let circle = "workflow: w\ntasks:\n  a: {bash: x, start: {after: b}}\n  b: {bash: y, start: {after: a}}\n";
    refused(circle, "3:3 task `a` can never start: it waits for b");
    let opened = circle.replace("{after: b}", "{any: [{after: b}, {on: go}]}");
    assert!(read(&opened).is_ok());
}

#[test]
fn all_faults_are_told_at_once() {
    let text = "workflow: w\ntasks:\n  a: {bash: x, timeout: y}\n  b: {bash: x, kind: z}\n  c: {bahs: x}\n";
    assert_eq!(fault_of(text).lines().count(), 4, "{}", fault_of(text));
}

#[test]
fn no_text_makes_the_reader_panic() {
    use proptest::prelude::*;
    proptest!(ProptestConfig::with_cases(300), |(text in "[a-z:{}\\[\\]\\-, \n\"'&*!|>#]{0,80}")| {
        let _ = read(&text);
    });
}

#[test]
fn what_is_no_task_of_another_workflow_is_refused() {
    let task = |line: &str| format!("workflow: w\ntasks:\n  a:\n    bash: x\n    {line}\n");
    for (line, expected) in [
        (
            "start: {after: [etl/load, a]}",
            "5:20 tasks of other workflows have no run in common, so each stands by itself | all: [",
        ),
        (
            "start: {after: etl/}",
            "5:20 after: task of a workflow \"etl/\" is not a valid name: WORKFLOW/TASK",
        ),
        ("start: {after: {etl/load: done}}", "5:31 a status cannot be `done` | one of: running"),
        (
            "start: {after: etl/load, if: \"true\"}",
            "5:34 `if` looks at tasks of the run, and this one is of another workflow | let that",
        ),
    ] {
        refused(&task(line), expected);
    }
}
