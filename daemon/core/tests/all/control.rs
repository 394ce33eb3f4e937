//! What somebody asks of a run in its course: pause, skip, mark, rerun, restart.

use aiflow_core::{Answer, Input};
use aiflow_model::record::{Mark, RunControl};
use aiflow_model::wire::{RerunTask, TaskControl, TaskRequest};
use aiflow_model::{ErrorCode, Record, Rejection, RunId, Sequence, TaskName};

use crate::support::Scenario;

fn name(task: &str) -> TaskName {
    TaskName::new(task).unwrap()
}

fn ask(run: RunId, task: &str) -> TaskControl {
    TaskControl { run, task: name(task), sequence: None, request: None }
}

fn skip(s: &mut Scenario, run: RunId, task: &str) -> Result<Answer, Rejection> {
    s.try_give(Input::MarkTask(ask(run, task), Mark::Skipped))
}

fn mark(s: &mut Scenario, run: RunId, task: &str) -> Result<Answer, Rejection> {
    s.try_give(Input::MarkTask(ask(run, task), Mark::Success))
}

fn rerun_input(run: RunId, task: &str, from_here: bool) -> RerunTask {
    RerunTask { run, task: name(task), sequence: None, from_here, request: None }
}

fn rerun(s: &mut Scenario, run: RunId, task: &str, here: bool) -> Result<Answer, Rejection> {
    s.try_give(Input::RerunTask(rerun_input(run, task, here)))
}

const CHAIN: &str =
    "a: {bash: x}\nb: {bash: x, start: {after: a}}\nc: {bash: x, start: {after: b}}";

#[test]
fn what_waits_for_a_success_goes_on_after_a_skip() {
    let mut s = Scenario::new(CHAIN);
    let run = s.run();
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
    s.give(Input::AttemptStarted("1.a.1.1".parse().unwrap(), 7));
    skip(&mut s, run, "a").unwrap();
    assert_eq!(s.effects(), ["stop 1.a.1.1"]);
    assert_eq!(s.executions(run, "a"), ["1:stopping"]);
    s.exit("1.a.1.1", 143);
    assert_eq!(s.executions(run, "a"), ["1:skipped"]);
    assert_eq!(s.effects(), ["launch 1.b.1.1"]);
    mark(&mut s, run, "b").unwrap();
    s.exit("1.b.1.1", 143);
    assert_eq!(s.executions(run, "b"), ["1:success"]);
    s.exit("1.c.1.1", 0);
    assert_eq!(s.status(run), "success", "a run in which a task was skipped may succeed");
}

#[test]
fn a_skip_is_its_own_status_where_a_rule_asks_for_it() {
    let mut s = Scenario::new(
        "a: {bash: x}\nb: {bash: x, start: {after: {a: skipped}}}\nf: {bash: x, start: {after: {a: failed}}}",
    );
    let run = s.run();
    s.exit("1.a.1.1", 0);
    assert_eq!(s.executions(run, "b"), [""; 0]);
    let run = s.run();
    skip(&mut s, run, "a").unwrap();
    s.exit("2.a.1.1", 1);
    assert_eq!(s.executions(run, "b"), ["1:queued"]);
    assert_eq!(s.executions(run, "f"), [""; 0]);
}

#[test]
fn a_task_that_never_ran_is_skipped_in_advance() {
    let mut s = Scenario::new("a: {bash: x, start: {on: go}}\nb: {bash: x, start: {after: a}}");
    let run = s.run();
    skip(&mut s, run, "a").unwrap();
    assert_eq!(s.executions(run, "a"), ["1:skipped"]);
    assert_eq!(s.effects(), ["launch 1.b.1.1"]);
    let refused = skip(&mut s, run, "a").unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotAlive);
    assert!(refused.message.contains("skipped"), "{refused}");
}

#[test]
fn a_failed_run_goes_on_where_somebody_says_that_it_is_done() {
    let mut s = Scenario::new(CHAIN);
    let run = s.run();
    s.exit("1.a.1.1", 1);
    assert_eq!(s.status(run), "failed");
    mark(&mut s, run, "a").unwrap();
    assert_eq!(s.executions(run, "a"), ["1:failed", "2:success"], "what was stays as it was");
    assert_eq!(s.status(run), "running");
    assert_eq!(s.engine.state().run(run).unwrap().ended_at, None);
    s.exit("1.b.1.1", 0);
    s.exit("1.c.1.1", 0);
    assert_eq!(s.status(run), "success");
    assert_eq!(s.count(|r| matches!(r, Record::RunFinished { .. })), 2);
}

#[test]
fn of_windows_that_wait_one_is_skipped_at_a_time() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {every: 1h, clock: {watermark: w}, from: 2026-01-01T00:00:00Z}}\n\
         b: {bash: x, start: {after: a}}",
    );
    let run = s.run();
    s.emit("w", "\"2026-01-01T04:00:00Z\"");
    assert_eq!(s.executions(run, "a"), ["1:queued", "2:waiting", "3:waiting", "4:waiting"]);
    skip(&mut s, run, "a").unwrap();
    s.exit("1.a.1.1", 1);
    assert_eq!(s.executions(run, "a"), ["1:skipped", "2:queued", "3:waiting", "4:waiting"]);
    let third = TaskControl { sequence: Some(Sequence(3)), ..ask(run, "a") };
    s.give(Input::MarkTask(third, Mark::Skipped));
    assert_eq!(s.executions(run, "a"), ["1:skipped", "2:queued", "3:skipped", "4:waiting"]);
    assert_eq!(s.windows(run, "b"), ["2026-01-01T00:00:00Z", "2026-01-01T02:00:00Z"]);
    s.exit("1.a.2.1", 1);
    let second = TaskControl { sequence: Some(Sequence(2)), ..ask(run, "a") };
    s.give(Input::MarkTask(second, Mark::Success));
    assert_eq!(s.windows(run, "a")[4], "2026-01-01T01:00:00Z", "for the window that failed");
    assert_eq!(s.windows(run, "b")[2], "2026-01-01T01:00:00Z");
}

#[test]
fn a_rerun_alone_tells_nothing_new_if_it_ends_as_before() {
    let mut s = Scenario::new(CHAIN);
    let run = s.run();
    for attempt in ["1.a.1.1", "1.b.1.1", "1.c.1.1"] {
        s.exit(attempt, 0);
    }
    assert_eq!(s.status(run), "success");
    rerun(&mut s, run, "a", false).unwrap();
    assert_eq!(s.status(run), "running");
    s.exit("1.a.2.1", 0);
    assert_eq!(s.executions(run, "b"), ["1:success"]);
    assert_eq!(s.status(run), "success");
}

#[test]
fn a_rerun_that_ends_otherwise_is_news() {
    let mut s = Scenario::new(CHAIN);
    let run = s.run();
    s.exit("1.a.1.1", 1);
    rerun(&mut s, run, "a", false).unwrap();
    s.exit("1.a.2.1", 1);
    assert_eq!(s.status(run), "failed");
    rerun(&mut s, run, "a", false).unwrap();
    s.exit("1.a.3.1", 0);
    assert_eq!(s.executions(run, "b"), ["1:queued"], "it had waited for this");
}

#[test]
fn a_rerun_from_here_does_all_that_follows_anew() {
    let mut s = Scenario::new(CHAIN);
    let run = s.run();
    for attempt in ["1.a.1.1", "1.b.1.1", "1.c.1.1"] {
        s.exit(attempt, 0);
    }
    rerun(&mut s, run, "b", true).unwrap();
    let refused = rerun(&mut s, run, "a", true).unwrap_err();
    assert_eq!(refused.code, ErrorCode::AlreadyAlive, "b follows a, and is alive");
    s.exit("1.b.2.1", 0);
    s.exit("1.c.2.1", 0);
    assert_eq!(s.executions(run, "a"), ["1:success"]);
    assert_eq!(s.executions(run, "c"), ["1:success", "2:success"]);
    assert_eq!(s.status(run), "success");
}

#[test]
fn a_rerun_has_the_events_and_the_window_of_what_it_repeats() {
    let mut s = Scenario::new("a: {bash: x, start: {on: k}}\nz: {bash: x, start: {on: never}}");
    let run = s.run();
    s.emit("k", "1");
    s.exit("1.a.1.1", 0);
    rerun(&mut s, run, "a", false).unwrap();
    let task = s.engine.state().task(run, &name("a")).unwrap();
    assert_eq!(task.executions[1].events, task.executions[0].events);
    assert_eq!(task.executions[1].repeats, Some(Sequence(1)));
    s.exit("1.a.2.1", 0);
    let next = s.engine.state().next_offset;
    s.give(Input::TrimLog(next, aiflow_model::record::TrimReason::Retention));
    let refused = rerun(&mut s, run, "a", false).unwrap_err();
    assert_eq!(refused.code, ErrorCode::OffsetOutOfRange);
    assert!(refused.hint.unwrap().contains("start"));
}

#[test]
fn asked_twice_with_one_identity_it_is_done_once() {
    let mut s = Scenario::new(CHAIN);
    let run = s.run();
    s.exit("1.a.1.1", 1);
    let request = Some("r-1".to_owned());
    let asked = RerunTask { request: request.clone(), ..rerun_input(run, "a", false) };
    let first = s.give(Input::RerunTask(asked.clone()));
    s.exit("1.a.2.1", 1);
    let records = s.log.len();
    assert_eq!(s.give(Input::RerunTask(asked)), first);
    assert_eq!(s.log.len(), records);
    let other = TaskControl { request: request.clone(), ..ask(run, "a") };
    let refused = s.try_give(Input::MarkTask(other, Mark::Skipped)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::RequestConflict);
    let here = RerunTask { request, ..rerun_input(run, "a", true) };
    assert_eq!(s.try_give(Input::RerunTask(here)).unwrap_err().code, ErrorCode::RequestConflict);
    let skip = TaskControl { request: Some("r-2".to_owned()), ..ask(run, "a") };
    let first = s.give(Input::MarkTask(skip.clone(), Mark::Skipped));
    assert_eq!(s.give(Input::MarkTask(skip, Mark::Skipped)), first);
    assert_eq!(s.executions(run, "a"), ["1:failed", "2:failed", "3:skipped"]);
}

#[test]
fn nothing_new_starts_in_a_paused_run() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {on: k}}\nr: {bash: x, retry: {attempts: 2, backoff: 1m}}\n\
         w: {bash: x, start: {every: 1h, clock: {watermark: w}, from: 2026-01-01T00:00:00Z}}",
    );
    let run = s.run();
    s.exit("1.r.1.1", 1);
    s.give(Input::PauseRun(run));
    s.give(Input::PauseRun(run));
    assert_eq!(s.engine.next_deadline(), None, "a retry that may not start wakes nobody");
    s.effects();
    s.emit("k", "1");
    s.emit("k", "2");
    s.emit("w", "\"2026-01-01T02:00:00Z\"");
    s.pass("1h");
    assert_eq!(s.effects(), [""; 0]);
    assert_eq!(s.executions(run, "a"), ["1:waiting"], "as if the task were busy");
    assert_eq!(s.executions(run, "w"), ["1:waiting", "2:waiting"]);
    assert_eq!(s.executions(run, "r"), ["1:retrying"]);
    s.give(Input::ResumeRun(run));
    s.give(Input::Tick);
    assert_eq!(s.effects(), ["launch 1.a.1.1", "launch 1.w.1.1", "launch 1.r.1.2"]);
    let controls = |wanted: &RunControl| {
        s.count(|r| matches!(r, Record::RunControlled(c) if c.control == *wanted))
    };
    assert_eq!((controls(&RunControl::Paused), controls(&RunControl::Resumed)), (1, 1));
}

#[test]
fn what_is_alive_in_a_paused_run_ends_and_is_restarted_later() {
    let mut s = Scenario::new("a: {kind: stream, bash: x, restart: {on: again}}");
    let run = s.run();
    s.give(Input::AttemptStarted("1.a.1.1".parse().unwrap(), 7));
    s.give(Input::PauseRun(run));
    s.emit("again", "1");
    s.exit("1.a.1.1", 143);
    assert_eq!(s.executions(run, "a"), ["1:stopped", "2:waiting"]);
    s.give(Input::ResumeRun(run));
    assert_eq!(s.executions(run, "a"), ["1:stopped", "2:queued"]);
    s.give(Input::PauseRun(run));
    s.give(Input::StopRun(run));
    s.exit("1.a.2.1", 143);
    assert_eq!(s.status(run), "stopped");
    assert!(!s.engine.state().run(run).unwrap().paused);
    assert_eq!(s.try_give(Input::PauseRun(run)).unwrap_err().code, ErrorCode::RunEnded);
}

#[test]
fn clocks_of_a_run_that_goes_on_begin_anew() {
    let mut s = Scenario::new("a: {bash: x}\nc: {bash: x, start: {cron: \"0 * * * *\"}}");
    let run = s.run();
    s.exit("1.a.1.1", 0);
    s.give(Input::StopRun(run));
    assert_eq!(s.status(run), "stopped");
    assert_eq!(s.engine.next_deadline(), None);
    s.pass("5h30m");
    rerun(&mut s, run, "a", false).unwrap();
    s.pass("10m");
    assert_eq!(s.executions(run, "c"), [""; 0], "what went by is not caught up with");
    s.pass("20m");
    assert_eq!(s.executions(run, "c"), ["1:queued"]);
}

#[test]
fn a_restart_by_hand_is_done_once() {
    let mut s = Scenario::new("a: {kind: stream, bash: x}");
    let run = s.run();
    s.give(Input::AttemptStarted("1.a.1.1".parse().unwrap(), 7));
    let asked = TaskRequest { run, task: name("a"), request: Some("r".to_owned()) };
    s.give(Input::RestartTask(asked.clone()));
    s.exit("1.a.1.1", 143);
    s.give(Input::RestartTask(asked));
    assert_eq!(s.executions(run, "a"), ["1:stopped", "2:queued"]);
}

#[test]
fn what_cannot_be_asked_is_refused_and_changes_nothing() {
    let mut s = Scenario::new(CHAIN);
    let run = s.run();
    let records = s.log.len();
    let ghost = RunId(9);
    let code = |answer: Result<Answer, Rejection>| answer.unwrap_err().code;
    assert_eq!(code(skip(&mut s, ghost, "a")), ErrorCode::UnknownRun);
    assert_eq!(code(skip(&mut s, run, "z")), ErrorCode::UnknownTask);
    assert_eq!(code(rerun(&mut s, run, "a", false)), ErrorCode::AlreadyAlive);
    assert_eq!(code(rerun(&mut s, run, "b", false)), ErrorCode::UnknownExecution);
    let none = RerunTask { sequence: Some(Sequence(7)), ..rerun_input(run, "a", false) };
    assert_eq!(code(s.try_give(Input::RerunTask(none))), ErrorCode::UnknownExecution);
    let none = TaskControl { sequence: Some(Sequence(7)), ..ask(run, "a") };
    assert_eq!(code(s.try_give(Input::MarkTask(none, Mark::Success))), ErrorCode::UnknownExecution);
    assert_eq!(code(s.try_give(Input::PauseRun(ghost))), ErrorCode::UnknownRun);
    assert_eq!(code(s.try_give(Input::ResumeRun(ghost))), ErrorCode::UnknownRun);
    assert_eq!(s.log.len(), records);
    s.give(Input::StopRun(run));
    assert_eq!(code(skip(&mut s, run, "a")), ErrorCode::RunEnded);
    assert_eq!(code(rerun(&mut s, run, "b", false)), ErrorCode::UnknownExecution);
    assert_eq!(code(s.try_give(Input::PauseRun(run))), ErrorCode::RunEnded);
    let asked = TaskRequest { run, task: name("a"), request: None };
    assert_eq!(code(s.try_give(Input::RestartTask(asked.clone()))), ErrorCode::RunEnded);
    s.exit("1.a.1.1", 143);
    s.give(Input::RestartTask(asked));
    assert_eq!(s.status(run), "running", "once it has ended it may go on");
}
