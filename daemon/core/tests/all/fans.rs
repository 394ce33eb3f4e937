//! One execution for each item of a list, and what waits for all of them.

use std::collections::BTreeMap;

use aiflow_core::{Input, launch_plan};
use aiflow_model::record::{Mark, Outcome};
use aiflow_model::wire::{RerunTask, TaskControl};
use aiflow_model::{AttemptId, JsonText, Record, RunId, Sequence, TaskName};

use crate::support::Scenario;

const FAN: &str = "\
part: {bash: x, start: {on: files}, for_each: value, parallel: 2, overlap: queue}
join: {bash: x, start: {after: part}, overlap: queue}
failed: {bash: x, start: {after: {part: failed}}, overlap: queue}
begun: {bash: x, start: {after: {part: running}}, overlap: queue}";

fn environment(s: &Scenario, attempt: &str) -> BTreeMap<String, String> {
    launch_plan(s.engine.state(), &attempt.parse().unwrap()).unwrap().environment
}

fn rerun(s: &mut Scenario, run: RunId, sequence: u32) {
    let (task, sequence) = (TaskName::new("part").unwrap(), Some(Sequence(sequence)));
    s.give(Input::RerunTask(RerunTask { run, task, sequence, from_here: false, request: None }));
}

#[test]
fn each_item_is_an_execution_and_the_end_of_all_is_one() {
    let mut s = Scenario::new(FAN);
    let run = s.run();
    s.emit("files", r#"["a", {"b": 1}, 3]"#);
    assert_eq!(s.executions(run, "part"), ["1:queued", "2:queued", "3:waiting"]);
    let second = environment(&s, "1.part.2.1");
    assert_eq!(second["AIFLOW_ITEM"], r#"{"b":1}"#);
    assert_eq!((&*second["AIFLOW_ITEM_INDEX"], &*second["AIFLOW_ITEM_COUNT"]), ("1", "3"));
    assert_eq!(environment(&s, "1.part.1.1")["AIFLOW_ITEM"], "a");
    for attempt in ["1.part.2.1", "1.part.1.1"] {
        s.exit(attempt, 0);
        assert!(s.executions(run, "join").is_empty());
    }
    s.exit("1.part.3.1", 0);
    assert_eq!(s.executions(run, "join"), ["1:queued"]);
    assert_eq!(s.executions(run, "begun"), ["1:queued"]);
    assert!(s.executions(run, "failed").is_empty());
}

#[test]
fn one_that_fails_fails_all_and_done_anew_makes_it_good() {
    let mut s = Scenario::new(FAN);
    let run = s.run();
    s.emit("files", "[1, 2, 3]");
    for (attempt, code) in [("1.part.1.1", 0), ("1.part.2.1", 1), ("1.part.3.1", 1)] {
        s.exit(attempt, code);
    }
    assert_eq!(s.executions(run, "failed"), ["1:queued"]);
    s.exit("1.failed.1.1", 0);
    rerun(&mut s, run, 2);
    assert_eq!(environment(&s, "1.part.4.1")["AIFLOW_ITEM"], "2");
    s.exit("1.part.4.1", 0);
    assert_eq!(s.executions(run, "failed").len(), 1, "it fails as before: that is no news");
    assert!(s.executions(run, "join").is_empty());
    rerun(&mut s, run, 3);
    s.exit("1.part.5.1", 0);
    assert_eq!(s.executions(run, "join"), ["1:queued"]);
    rerun(&mut s, run, 1);
    s.exit("1.part.6.1", 0);
    assert_eq!(s.executions(run, "join").len(), 1);
}

#[test]
fn an_item_may_be_skipped_by_hand() {
    let mut s = Scenario::new(FAN);
    let run = s.run();
    s.emit("files", "[1, 2]");
    s.exit("1.part.1.1", 0);
    s.exit("1.part.2.1", 1);
    let (task, sequence) = (TaskName::new("part").unwrap(), Some(Sequence(2)));
    let skip = TaskControl { run, task, sequence, request: None };
    s.give(Input::MarkTask(skip, Mark::Skipped));
    assert_eq!(s.executions(run, "part"), ["1:success", "2:failed", "3:skipped"]);
    assert_eq!(s.executions(run, "join"), ["1:queued"]);
}

#[test]
fn a_list_of_nothing_is_skipped_and_what_is_no_list_fails() {
    let mut s = Scenario::new(FAN);
    let run = s.run();
    s.emit("files", "[]");
    assert_eq!(s.executions(run, "part"), ["1:skipped"]);
    assert_eq!(s.executions(run, "join"), ["1:queued"]);
    let long = format!("[{}0]", "0,".repeat(10_000));
    let wide = format!("[\"{}\"]", "x".repeat(70_000));
    for (value, reason) in [
        ("7", "gave 7, not a list"),
        ("null", "gave null, not a list"),
        (&long, "gave 10001 items, at most 10000"),
        (&wide, "item 0 of `value` has more than 65536 bytes"),
    ] {
        s.emit("files", value);
        let last = s.executions(run, "part").pop().unwrap();
        assert!(last.ends_with(":failed"), "{last}");
        let failed = |record: &Record| match record {
            Record::FanFailed { reason: why, .. } => why.contains(reason),
            _ => false,
        };
        assert_eq!(s.count(failed), 1, "{reason}");
    }
}

#[test]
fn lists_come_from_parameters_outputs_and_windows_and_join_by_the_window() {
    let mut s = Scenario::new(
        "list: {bash: x, start: {every: 1h, clock: {watermark: w}, from: 2026-01-01T00:00:00Z}, \
         parallel: 2}\n\
         part: {bash: x, start: {after: list}, for_each: \"tasks.list.outputs.files\", parallel: 9}\n\
         join: {bash: x, start: {after: part}, parallel: 2}\n\
         days: {bash: x, for_each: \"(0..params.days).map(|n| n * 10)\"}",
    );
    let run = s.run();
    assert_eq!(s.executions(run, "days"), ["1:failed"], "a range is no list");
    s.emit("w", "\"2026-01-01T02:00:00Z\"");
    for (attempt, files) in [("1.list.1.1", "[\"a\"]"), ("1.list.2.1", "[\"b\", \"c\"]")] {
        let (id, value) = (attempt.parse().unwrap(), JsonText::parse(files).unwrap());
        s.give(Input::SetOutput(id, "files".parse().unwrap(), value));
    }
    s.exit("1.list.2.1", 0);
    s.exit("1.list.1.1", 0);
    let windows = s.windows(run, "part");
    assert_eq!(windows.iter().filter(|w| *w == "2026-01-01T01:00:00Z").count(), 2);
    assert_eq!(environment(&s, "1.part.1.1")["AIFLOW_ITEM"], "b");
    let id: AttemptId = "1.part.2.1".parse().unwrap();
    s.give(Input::SetOutput(id, "rows".parse().unwrap(), JsonText::parse("5").unwrap()));
    s.exit("1.part.1.1", 0);
    s.exit("1.part.2.1", 0);
    assert_eq!(s.windows(run, "join"), ["2026-01-01T01:00:00Z"]);
    assert_eq!(environment(&s, "1.join.1.1")["AIFLOW_OUTPUT_PART__ROWS"], "[null,5]");
    s.exit("1.part.3.1", 0);
    assert_eq!(s.windows(run, "join").len(), 2);
}

#[test]
fn stops_retries_and_restarts_keep_the_fan_whole() {
    let mut s = Scenario::new(
        "part: {bash: x, start: {on: go}, for_each: \"[1, 2, 3]\", parallel: 2, overlap: latest, \
         retry: {attempts: 2, backoff: 1s}}\n\
         join: {bash: x, start: {after: part}}\nhalt: {bash: x, start: {after: {part: stopped}}}",
    );
    let run = s.run();
    s.emit("go", "null");
    s.exit("1.part.1.1", 1);
    s.pass("1s");
    s.start_daemon("boot-2");
    s.end("1.part.2.1", Outcome::Interrupted);
    s.pass("1s");
    // A later one takes the place of what waits, all of it together.
    s.emit("go", "null");
    let waiting = s.executions(run, "part");
    assert_eq!(waiting[2], "3:stopped", "{waiting:?}");
    assert_eq!(waiting[3..], ["4:waiting", "5:waiting", "6:waiting"]);
    s.exit("1.part.1.2", 0);
    s.exit("1.part.2.2", 0);
    assert_eq!(s.executions(run, "halt"), ["1:queued"]);
    s.stop_task(run, "part").unwrap();
    s.exit("1.part.4.1", 0);
    s.exit("1.part.5.1", 0);
    assert!(s.executions(run, "join").is_empty());
    assert_eq!(s.executions(run, "part")[3..], ["4:stopped", "5:stopped", "6:stopped"]);
}

#[test]
fn a_circle_that_executes_nothing_is_cut_and_the_log_says_so() {
    let circle = "{any: [{on: go}, {after: {fan: success, other: success}}, {after: fan}]}";
    let mut s = Scenario::new(&format!(
        "fan: {{bash: x, start: {circle}, for_each: \"[]\", overlap: queue}}\n\
         other: {{bash: x, start: {circle}, for_each: \"[]\", overlap: queue}}\n\
         keep: {{bash: x}}",
    ));
    s.replays_each_step = false;
    let run = s.run();
    s.emit("go", "1");
    let told = s.count(|record| {
        matches!(record, Record::FilterFailed { reason, .. } if reason.contains("a circle"))
    });
    assert_eq!(told, 2, "each rule once");
    assert_eq!(s.status(run), "running");
    s.check_replay();
}
