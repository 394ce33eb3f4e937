//! Readiness: what runs is ready once a rule says so, and each attempt anew.

use aiflow_core::Input;
use aiflow_model::AttemptId;

use crate::support::Scenario;

fn begin(s: &mut Scenario, attempt: &str) {
    let id: AttemptId = attempt.parse().unwrap();
    s.give(Input::AttemptStarted(id, 7));
}

#[test]
fn what_waits_for_a_stream_to_be_ready_starts_once_for_each_time_that_it_is() {
    let mut s = Scenario::new(
        "ingest: {kind: stream, bash: x, ready: {on: ingest.ready}, restart: {backoff: 1s}}\n\
         begun: {bash: x, start: {after: {ingest: running}}, overlap: queue}\n\
         query: {bash: x, start: {after: {ingest: ready}}, overlap: queue}\n\
         both: {bash: x, start: {after: {ingest: running, other: success}}}\n\
         other: {bash: x, start: {on: go}}",
    );
    let run = s.run();
    begin(&mut s, "1.ingest.1.1");
    assert!(s.executions(run, "query").is_empty());
    s.emit("ingest.ready", "null");
    s.emit("ingest.ready", "null");
    assert_eq!(s.executions(run, "query").len(), 1);
    assert_eq!(s.executions(run, "begun").len(), 1, "that it is ready is no second beginning");
    // What is ready runs.
    s.emit("go", "null");
    s.exit("1.other.1.1", 0);
    assert_eq!(s.executions(run, "both").len(), 1);
    s.exit("1.ingest.1.1", 1);
    s.emit("ingest.ready", "null");
    s.pass("1s");
    assert_eq!(s.executions(run, "query").len(), 1, "another attempt begins unready");
    // It may say so before its process has been seen running.
    s.emit("ingest.ready", "null");
    begin(&mut s, "1.ingest.1.2");
    assert_eq!(s.executions(run, "query").len(), 2);
    s.start_daemon("boot-1");
    s.emit("ingest.ready", "null");
    assert_eq!(s.executions(run, "query").len(), 2, "it was ready before the restart");
}

#[test]
fn a_probe_is_a_task_that_is_tried_until_it_succeeds() {
    let mut s = Scenario::new(
        "serve: {kind: stream, bash: x, ready: {after: probe}}\n\
         probe: {bash: x, start: {after: {serve: running}}, retry: {attempts: 9, backoff: 1s}}\n\
         ask: {bash: x, start: {after: {serve: ready}}}",
    );
    let run = s.run();
    begin(&mut s, "1.serve.1.1");
    s.exit("1.probe.1.1", 1);
    assert!(s.executions(run, "ask").is_empty());
    s.pass("1s");
    s.exit("1.probe.1.2", 0);
    assert_eq!(s.executions(run, "ask"), ["1:queued"]);
}

#[test]
fn a_fan_is_ready_when_all_that_runs_of_it_is() {
    let mut s = Scenario::new(
        "part: {kind: stream, bash: x, start: {on: go}, for_each: \"[1, 2]\", parallel: 2, \
         ready: {on: part.ready}}\nnext: {bash: x, start: {after: {part: ready}}}",
    );
    let run = s.run();
    s.emit("go", "null");
    begin(&mut s, "1.part.1.1");
    begin(&mut s, "1.part.2.1");
    s.emit("part.ready", "null");
    assert_eq!(s.executions(run, "next"), ["1:queued"]);
}
