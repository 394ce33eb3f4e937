//! What the core decides, told as scenarios: tasks, rules, clocks, retries, runs.

use aiflow_core::{Answer, Input};
use aiflow_model::record::{Outcome, TrimReason};
use aiflow_model::state::Needed;
use aiflow_model::{ErrorCode, Offset, Record, RunId};

use crate::support::Scenario;

#[test]
fn a_run_with_plain_tasks_ends_in_success() {
    let mut s = Scenario::new("a: {bash: x}\nb: {bash: y, start: {after: a}}");
    let run = s.run();
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
    s.exit("1.a.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.b.1.1"]);
    assert_eq!(s.status(run), "running");
    s.exit("1.b.1.1", 0);
    assert_eq!(s.status(run), "success");
}

#[test]
fn a_failed_task_fails_the_run_and_starts_nothing_after_it() {
    let mut s = Scenario::new("a: {bash: x}\nb: {bash: y, start: {after: a}}");
    let run = s.run();
    s.exit("1.a.1.1", 2);
    assert_eq!(s.executions(run, "a"), ["1:failed"]);
    assert!(s.executions(run, "b").is_empty());
    assert_eq!(s.status(run), "failed");
}

#[test]
fn a_rule_on_failure_runs_before_the_run_is_given_up() {
    let mut s = Scenario::new("a: {bash: x}\nb: {bash: y, start: {after: {a: failed}}}");
    let run = s.run();
    s.exit("1.a.1.1", 2);
    assert_eq!(s.status(run), "running");
    s.exit("1.b.1.1", 0);
    assert_eq!(s.status(run), "failed");
}

#[test]
fn an_event_and_all_it_causes_are_one_batch_with_its_causes() {
    let mut s = Scenario::new("a: {bash: x, start: {on: go, if: value.n > 1}}");
    s.run();
    let before = s.log.len();
    s.emit("go", r#"{"n": 1}"#);
    assert_eq!(s.log.len(), before + 1, "a filtered event leaves only itself");
    s.emit("go", r#"{"n": 2}"#);
    let batch = &s.log[before + 1..];
    let causes: Vec<_> = batch.iter().map(|r| r.cause).collect();
    let first = batch[0].offset;
    let at = |n: u64| Some(Offset(first.0 + n));
    assert_eq!(causes, [None, at(0), at(1), at(2)]);
    assert!(matches!(batch[3].record, Record::AttemptQueued { .. }));
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
}

#[test]
fn a_value_that_no_reader_can_read_is_refused() {
    let mut s = Scenario::new("a: {bash: x, start: {on: go}}");
    s.run();
    let before = s.log.len();
    for value in ["1e999", r#"{"n": [-2, 1e400]}"#, r#""\ud800""#, r#"{"\udfff": 1}"#] {
        let refused = s.try_emit("go", value).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidParams, "{value}");
    }
    assert_eq!(s.log.len(), before, "nothing was recorded");
    for value in ["1e-999", "1e300", r#""\ud83d\ude00""#, "123456789012345678901234567890"] {
        s.try_emit("go", value).unwrap();
    }
}

#[test]
fn the_same_event_twice_is_one_event() {
    let mut s = Scenario::new("a: {bash: x, start: {count: {of: {on: go}, n: 2}}}");
    s.run();
    let first = s.emit_as("go", "1", "same", None);
    let Answer::Emitted { offset, duplicate: false } = first else { panic!("{first:?}") };
    assert_eq!(s.emit_as("go", "1", "same", None), Answer::Emitted { offset, duplicate: true });
    assert!(s.effects().is_empty());
    s.emit_as("go", "1", "other", None);
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
}

#[test]
fn a_scoped_event_reaches_its_run_alone() {
    let mut s = Scenario::new("a: {bash: x, start: {on: go}}");
    let (one, two) = (s.run(), s.run());
    s.emit_as("go", "1", "1", Some(two));
    assert_eq!(s.effects(), ["launch 2.a.1.1"]);
    s.emit("go", "1");
    assert_eq!(s.effects(), ["launch 1.a.1.1"], "what is alive is not started again");
    assert_eq!(s.executions(one, "a").len(), 1);
}

#[test]
fn all_clears_when_it_fires() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {all: [{on: p}, {on: q}]}}\nkeep: {kind: stream, bash: y}",
    );
    s.run();
    s.effects();
    s.emit("p", "1");
    s.emit("p", "2");
    assert!(s.effects().is_empty());
    s.emit("q", "1");
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
    s.exit("1.a.1.1", 0);
    s.emit("q", "2");
    assert!(s.effects().is_empty(), "the first half was used up");
    s.emit("p", "3");
    assert_eq!(s.effects(), ["launch 1.a.2.1"]);
}

#[test]
fn any_and_count_nest() {
    let mut s =
        Scenario::new("a: {bash: x, start: {count: {of: {any: [{on: p}, {on: q}]}, n: 3}}}");
    let run = s.run();
    s.emit("p", "1");
    s.emit("q", "1");
    assert!(s.effects().is_empty());
    s.emit("q", "1");
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
    let execution = s.engine.state().task(run, &"a".parse().unwrap()).unwrap().latest().unwrap();
    assert_eq!(execution.events.len(), 3, "all three are handed to the task");
}

#[test]
fn a_filter_that_fails_is_a_recorded_non_match() {
    let mut s = Scenario::new("a: {bash: x, start: {on: go, if: value.n > 1}}");
    s.run();
    s.emit("go", "{}");
    assert_eq!(s.count(|r| matches!(r, Record::FilterFailed { .. })), 1);
    assert!(s.effects().is_empty());
}

#[test]
fn overlap_queue_keeps_what_ignore_drops() {
    let mut s = Scenario::new(
        "i: {bash: x, start: {on: go}}\nq: {bash: x, start: {on: go}, overlap: queue}",
    );
    let run = s.run();
    s.emit("go", "1");
    s.emit("go", "2");
    s.emit("go", "3");
    assert_eq!(s.executions(run, "i").len(), 1);
    assert_eq!(s.executions(run, "q"), ["1:queued", "2:waiting", "3:waiting"]);
    s.effects();
    s.exit("1.q.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.q.2.1"]);
}

const CLOCKED: &str = "train: {bash: x, start: {every: 1h, clock: {watermark: [f, w]}}}";

#[test]
fn a_watermark_fires_each_hour_once_and_in_order() {
    let mut s = Scenario::new(CLOCKED);
    let run = s.run();
    s.emit("f", r#""2013-01-01T05:20:00Z""#);
    assert!(s.executions(run, "train").is_empty(), "the other source has not spoken");
    s.emit("w", r#"{"watermark": "2013-01-01T05:10:00Z"}"#);
    assert!(s.executions(run, "train").is_empty(), "armed at 05:00, which has not ended");
    s.emit("w", r#""2013-01-01T09:00:00Z""#);
    assert!(s.executions(run, "train").is_empty(), "the lower one holds the clock");
    s.emit("f", r#""2013-01-01T08:30:00Z""#);
    let hours = ["2013-01-01T05:00:00Z", "2013-01-01T06:00:00Z", "2013-01-01T07:00:00Z"];
    assert_eq!(s.windows(run, "train"), hours, "a jump of three hours fires three times");
    assert_eq!(s.executions(run, "train"), ["1:queued", "2:waiting", "3:waiting"]);
    s.emit("f", r#""2013-01-01T08:30:00Z""#);
    s.emit("f", r#""2013-01-01T06:00:00Z""#);
    assert_eq!(s.windows(run, "train"), hours, "repeating or going back fires nothing");
    for sequence in 1..=3 {
        s.exit(&format!("1.train.{sequence}.1"), 0);
    }
    assert_eq!(s.executions(run, "train"), ["1:success", "2:success", "3:success"]);
    assert_eq!(s.status(run), "running", "a run with a clock never ends by itself");
}

#[test]
fn parallel_lets_several_windows_run_at_once() {
    let mut s = Scenario::new(
        "t: {bash: x, parallel: 2, start: {every: 1h, clock: {watermark: f}, from: 2013-01-01T00:00:00Z}}",
    );
    let run = s.run();
    s.emit("f", r#""2013-01-01T04:00:00Z""#);
    let expected = ["1:queued", "2:queued", "3:waiting", "4:waiting"];
    assert_eq!(s.executions(run, "t"), expected);
    s.exit("1.t.2.1", 0);
    assert_eq!(s.executions(run, "t")[2], "3:queued");
}

#[test]
fn a_jump_over_thousands_of_windows_drops_none() {
    let mut s = Scenario::new(
        "t: {bash: x, start: {every: 1m, clock: {watermark: f}, from: 2013-01-01T00:00:00Z}}",
    );
    let run = s.run();
    s.emit("f", r#""2013-01-02T18:40:00Z""#);
    assert_eq!(s.executions(run, "t").len(), 1_000, "one batch holds so many");
    while s.engine.next_deadline().is_some_and(|due| due <= s.now) {
        s.give(Input::Tick);
    }
    let windows = s.windows(run, "t");
    assert_eq!(windows.len(), 42 * 60 + 40);
    assert_eq!(windows.last().unwrap(), "2013-01-02T18:39:00Z");
}

#[test]
fn a_value_that_is_no_watermark_is_recorded_and_passed_over() {
    let mut s = Scenario::new(CLOCKED);
    s.run();
    s.emit("f", "12");
    assert_eq!(s.count(|r| matches!(r, Record::FilterFailed { .. })), 1);
}

#[test]
fn after_carries_the_window_and_joins_by_it() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {every: 1h, clock: {watermark: f}, from: 2013-01-01T00:00:00Z}}\n\
         b: {bash: x, start: {every: 1h, clock: {watermark: f}, from: 2013-01-01T00:00:00Z}}\n\
         join: {bash: y, start: {after: [a, b]}}",
    );
    let run = s.run();
    s.emit("f", r#""2013-01-01T02:00:00Z""#);
    s.exit("1.a.1.1", 0);
    s.exit("1.a.2.1", 0);
    assert!(s.executions(run, "join").is_empty());
    s.exit("1.b.1.1", 0);
    s.exit("1.b.2.1", 0);
    assert_eq!(s.windows(run, "join"), ["2013-01-01T00:00:00Z", "2013-01-01T01:00:00Z"]);
}

#[test]
fn the_wall_clock_fires_each_boundary() {
    let mut s = Scenario::new("t: {bash: x, start: {every: 10s}}");
    let run = s.run();
    s.pass("9s");
    assert!(s.executions(run, "t").is_empty());
    s.pass("1s");
    assert_eq!(s.executions(run, "t"), ["1:queued"]);
    s.pass("30s");
    assert_eq!(s.executions(run, "t").len(), 4, "boundaries passed at once are all fired");
    s.give(Input::Tick);
    assert_eq!(s.executions(run, "t").len(), 4);
}

#[test]
fn retries_wait_longer_each_time_and_give_up() {
    let mut s = Scenario::new("a: {bash: x, retry: {attempts: 3, backoff: 2s..1m}}");
    let run = s.run();
    s.exit("1.a.1.1", 1);
    assert_eq!(s.executions(run, "a"), ["1:retrying"]);
    s.effects();
    s.pass("1s");
    assert!(s.effects().is_empty());
    s.pass("1s");
    assert_eq!(s.effects(), ["launch 1.a.1.2"]);
    s.exit("1.a.1.2", 1);
    s.pass("4s");
    assert_eq!(s.effects(), ["launch 1.a.1.3"]);
    s.exit("1.a.1.3", 1);
    assert_eq!(s.executions(run, "a"), ["1:failed"]);
    assert_eq!(s.status(run), "failed");
}

#[test]
fn a_stream_restarts_for_ever_but_not_after_a_stop() {
    let mut s =
        Scenario::new("a: {kind: stream, bash: x, restart: {on: failure, backoff: 1s..4s}}");
    let run = s.run();
    for attempt in 1..=8 {
        s.exit(&format!("1.a.1.{attempt}"), 1);
        s.pass("4s");
    }
    assert_eq!(s.executions(run, "a"), ["1:queued"]);
    s.effects();
    s.stop_task(run, "a").unwrap();
    assert_eq!(s.effects(), ["stop 1.a.1.9"]);
    s.end("1.a.1.9", Outcome::Signaled { signal: 15 });
    assert_eq!(s.executions(run, "a"), ["1:stopped"]);
    assert_eq!(s.status(run), "stopped");
}

#[test]
fn a_timeout_stops_the_attempt_and_counts_as_failure() {
    let mut s = Scenario::new("a: {bash: x, timeout: 10s, retry: {attempts: 2, backoff: 1s}}");
    let run = s.run();
    s.give(Input::AttemptStarted("1.a.1.1".parse().unwrap(), 7));
    s.effects();
    s.pass("10s");
    assert_eq!(s.effects(), ["stop 1.a.1.1"]);
    s.end("1.a.1.1", Outcome::Signaled { signal: 15 });
    assert_eq!(s.executions(run, "a"), ["1:retrying"]);
    s.pass("1s");
    assert_eq!(s.effects(), ["launch 1.a.1.2"]);
    s.exit("1.a.1.2", 0);
    assert_eq!(s.executions(run, "a"), ["1:success"], "the stop was of the first attempt alone");
}

#[test]
fn stop_and_restart_rules_act_on_their_task() {
    let mut s = Scenario::new("a: {bash: x, stop: {on: enough}, restart: {on: again}}");
    let run = s.run();
    s.effects();
    s.emit("again", "1");
    assert_eq!(s.effects(), ["stop 1.a.1.1"]);
    s.emit("again", "2");
    assert!(s.effects().is_empty(), "one restart at a time");
    s.end("1.a.1.1", Outcome::Signaled { signal: 15 });
    assert_eq!(s.executions(run, "a"), ["1:stopped", "2:queued"]);
    s.effects();
    s.emit("enough", "1");
    assert_eq!(s.effects(), ["stop 1.a.2.1"]);
    s.end("1.a.2.1", Outcome::Signaled { signal: 15 });
    assert_eq!(s.status(run), "stopped");
}

#[test]
fn a_stop_takes_back_a_restart() {
    let mut s = Scenario::new("a: {bash: x, restart: {on: again}}");
    let run = s.run();
    s.emit("again", "1");
    s.stop_task(run, "a").unwrap();
    s.end("1.a.1.1", Outcome::Signaled { signal: 15 });
    assert_eq!(s.executions(run, "a"), ["1:stopped"]);
}

#[test]
fn stopping_a_run_stops_all_of_it_and_starts_nothing_more() {
    let mut s =
        Scenario::new("a: {kind: stream, bash: x}\nb: {bash: y, start: {on: go}, overlap: queue}");
    let run = s.run();
    s.emit("go", "1");
    s.emit("go", "2");
    s.effects();
    s.give(Input::StopRun(run));
    assert_eq!(s.effects(), ["stop 1.a.1.1", "stop 1.b.1.1"]);
    s.emit("go", "3");
    s.end("1.b.1.1", Outcome::Signaled { signal: 15 });
    s.end("1.a.1.1", Outcome::Signaled { signal: 15 });
    assert_eq!(s.status(run), "stopped");
    assert!(s.effects().is_empty());
    assert_eq!(s.executions(run, "b"), ["1:stopped", "2:stopped"]);
    assert_eq!(s.try_give(Input::StopRun(run)).unwrap_err().code, ErrorCode::RunEnded);
}

#[test]
fn what_never_started_is_tried_again_at_once_and_costs_no_attempt() {
    let mut s = Scenario::new("a: {bash: x, retry: {attempts: 1}}");
    let run = s.run();
    s.effects();
    s.give(Input::AttemptEnded("1.a.1.1".parse().unwrap(), Outcome::NeverStarted, <_>::default()));
    assert_eq!(s.effects(), ["launch 1.a.1.2"]);
    s.exit("1.a.1.2", 0);
    assert_eq!(s.status(run), "success");
}

#[test]
fn an_attempt_ends_once_whatever_is_told_later() {
    let mut s = Scenario::new("a: {bash: x, start: {on: go}}");
    let run = s.run();
    s.emit("go", "1");
    s.exit("1.a.1.1", 0);
    let before = s.log.len();
    s.exit("1.a.1.1", 1);
    s.end("9.z.1.1", Outcome::Interrupted);
    assert_eq!(s.log.len(), before);
    assert_eq!(s.executions(run, "a"), ["1:success"]);
}

#[test]
fn a_reboot_marks_what_was_alive() {
    let mut s = Scenario::new("a: {kind: stream, bash: x, restart: {on: failure, backoff: 1s}}");
    s.run();
    s.start_daemon("boot-1");
    let is_marked =
        |s: &Scenario| s.engine.state().attempt(&"1.a.1.1".parse().unwrap()).unwrap().before_reboot;
    assert!(!is_marked(&s));
    s.start_daemon("boot-2");
    assert!(is_marked(&s));
}

#[test]
fn requests_that_cannot_be_met_change_nothing() {
    let mut s = Scenario::new("a: {bash: x}");
    let run = s.run();
    let before = s.log.len();
    let code = |s: &mut Scenario, input| s.try_give(input).unwrap_err().code;
    let task = |name: &str| name.parse().unwrap();
    assert_eq!(code(&mut s, Input::StopRun(RunId(9))), ErrorCode::UnknownRun);
    assert_eq!(code(&mut s, Input::StartTask(run, task("zz"))), ErrorCode::UnknownTask);
    assert_eq!(code(&mut s, Input::StartTask(run, task("a"))), ErrorCode::AlreadyAlive);
    assert_eq!(code(&mut s, Input::StopTask(RunId(9), task("a"))), ErrorCode::UnknownRun);
    s.exit("1.a.1.1", 0);
    assert_eq!(code(&mut s, Input::StartTask(run, task("a"))), ErrorCode::RunEnded);
    assert_eq!(code(&mut s, Input::StopTask(run, task("a"))), ErrorCode::NotAlive);
    assert_eq!(s.log.len(), before + 4, "started, ended, finished, run finished; no more");
}

#[test]
fn a_request_to_start_a_run_counts_once() {
    let mut s = Scenario::new("a: {bash: x}");
    let start = aiflow_model::wire::StartRun {
        namespace: aiflow_model::Namespace::default_namespace(),
        workflow: "w".parse().unwrap(),
        params: [("days".to_owned(), aiflow_model::JsonText::parse("5").unwrap())].into(),
        request: Some("r1".to_owned()),
    };
    let first = s.give(Input::StartRun(start.clone()));
    assert_eq!(s.give(Input::StartRun(start.clone())), first);
    let mut other = start.clone();
    other.request = None;
    other.params = [("dayz".to_owned(), aiflow_model::JsonText::null())].into();
    assert_eq!(s.try_give(Input::StartRun(other)).unwrap_err().code, ErrorCode::UnknownParam);
    let params = &s.engine.state().run(RunId(1)).unwrap().params;
    assert_eq!(params["days"].as_str(), "5");
    s.exit("1.a.1.1", 0);
    s.give(Input::DeleteRun(RunId(1)));
    assert_eq!(s.give(Input::StartRun(start)), first, "also when the run is gone");
    assert!(s.engine.state().runs.is_empty());
}

#[test]
fn an_upload_with_faults_stores_nothing_and_one_without_change_neither() {
    let mut s = Scenario::new("a: {bash: x}");
    let before = s.log.len();
    let upload = |source: &str| Input::Upload {
        namespace: aiflow_model::Namespace::default_namespace(),
        source: source.to_owned(),
        files: vec![],
    };
    let rejection =
        s.try_give(upload("workflow: w\ntasks: {b: {bash: x, start: {after: c}}}")).unwrap_err();
    assert_eq!(rejection.code, ErrorCode::InvalidDefinition);
    assert_eq!(rejection.diagnostics[0].line, 2);
    let source = s.engine.state().current_snapshot("default", "w").unwrap().source.clone();
    let Answer::Uploaded { unchanged: true, .. } = s.give(upload(&source)) else {
        panic!("the same text was stored again")
    };
    assert_eq!(s.log.len(), before);
}

#[test]
fn a_run_keeps_the_snapshot_it_started_with() {
    let mut s = Scenario::new("a: {bash: x, start: {on: go}}");
    let run = s.run();
    s.give(Input::Upload {
        namespace: aiflow_model::Namespace::default_namespace(),
        source: "workflow: w\ntasks: {a: {bash: z, start: {on: other}}}".to_owned(),
        files: vec![],
    });
    s.emit("other", "1");
    assert!(s.executions(run, "a").is_empty());
    s.emit("go", "1");
    assert_eq!(s.executions(run, "a").len(), 1);
}

#[test]
fn the_log_is_trimmed_only_behind_what_something_alive_may_ask_for() {
    let mut s = Scenario::new(
        "keep: {kind: stream, bash: x}\nboth: {bash: y, start: {all: [{on: a}, {on: b}]}}",
    );
    let run = s.run();
    s.effects();
    s.emit("a", "1");
    let remembered = Offset(s.log.len() as u64 - 2);
    assert_eq!(s.engine.state().oldest_needed(), Some((remembered, Needed::Run(run))));
    let trim = |s: &mut Scenario, before: u64, reason| {
        s.give(Input::TrimLog(Offset(before), reason));
        s.engine.state().first_offset.0
    };
    assert_eq!(trim(&mut s, remembered.0 + 1, TrimReason::Retention), 0);
    assert_eq!(trim(&mut s, remembered.0, TrimReason::Retention), remembered.0);
    assert_eq!(s.effects(), [format!("drop the log before {remembered}")]);
    let lower = trim(&mut s, remembered.0 - 1, TrimReason::Retention);
    assert_eq!(lower, remembered.0, "the beginning never goes back");
    assert_eq!(trim(&mut s, u64::MAX, TrimReason::Missing), remembered.0);
    s.emit("b", "2");
    let fired = s.engine.state().oldest_needed();
    assert_eq!(fired, Some((remembered, Needed::Run(run))), "the execution is given both events");
    s.exit("1.both.1.1", 0);
    assert_eq!(s.engine.state().oldest_needed(), None);
    // What is already gone is recorded, whatever may ask for it.
    s.emit("a", "3");
    let end = s.log.len() as u64;
    assert_eq!(trim(&mut s, end, TrimReason::Missing), end);
}

#[test]
fn the_log_is_not_trimmed_behind_the_event_of_a_restart_that_waits() {
    let mut s = Scenario::new("a: {bash: x, restart: {on: again}}");
    let run = s.run();
    let again = Offset(s.log.len() as u64);
    s.emit("again", "1");
    assert_eq!(s.engine.state().oldest_needed(), Some((again, Needed::Run(run))));
    s.give(Input::TrimLog(Offset(again.0 + 1), TrimReason::Retention));
    assert_eq!(s.engine.state().first_offset, Offset(0));
    s.end("1.a.1.1", Outcome::Signaled { signal: 15 });
    assert_eq!(s.executions(run, "a"), ["1:stopped", "2:queued"]);
    assert_eq!(
        s.engine.state().oldest_needed(),
        Some((again, Needed::Run(run))),
        "it is given the event"
    );
    s.give(Input::TrimLog(again, TrimReason::Retention));
    assert_eq!(s.engine.state().first_offset, again);
}
