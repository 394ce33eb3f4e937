//! Runs that ended long ago leave the state: which, when, and what they leave behind.

use aiflow_core::{Answer, Input};
use aiflow_model::record::Mark;
use aiflow_model::time::Span;
use aiflow_model::wire::{StartRun, TaskControl};
use aiflow_model::{ErrorCode, Namespace, Record, RunId, TaskName};

use crate::support::Scenario;

fn keeping(runs: usize, definition: &str) -> Scenario {
    let mut s = Scenario::of(definition);
    s.engine.keep_runs(runs);
    s
}

const ONE_TASK: &str = "workflow: w\ntasks:\n  a: {bash: x}\n";

fn known(s: &Scenario) -> Vec<u64> {
    s.engine.state().runs.keys().map(|run| run.0).collect()
}

/// An attempt ends well, later than all before.
fn end(s: &mut Scenario, attempt: &str) {
    s.now = s.now.plus(Span(1));
    s.exit(attempt, 0);
}

/// A run that has ended well.
fn ended_run(s: &mut Scenario) -> RunId {
    let run = s.run();
    end(s, &format!("{run}.a.1.1"));
    run
}

#[test]
fn those_that_ended_first_leave_and_what_is_alive_stays() {
    let mut s = keeping(2, ONE_TASK);
    let old = s.run();
    for _ in 0..4 {
        ended_run(&mut s);
    }
    assert_eq!(known(&s), [1, 4, 5], "the oldest of all is alive");
    assert_eq!(s.engine.state().archived.len(), 2);
    end(&mut s, "1.a.1.1");
    assert_eq!(known(&s), [1, 5], "it ended last");
    assert_eq!(s.engine.state().pools.ended().collect::<Vec<_>>(), [(RunId(5), 1), (old, 1)]);
    assert_eq!(ended_run(&mut s), RunId(6), "ids are not given again");
}

#[test]
fn one_that_goes_on_counts_as_alive_until_it_ends_again() {
    let mut s = keeping(2, ONE_TASK);
    let first = ended_run(&mut s);
    let task = TaskName::new("a").unwrap();
    ended_run(&mut s);
    let control = TaskControl { run: first, task, sequence: None, request: None };
    let refused = s.try_give(Input::MarkTask(control.clone(), Mark::Success));
    assert_eq!(refused.unwrap_err().code, ErrorCode::NotAlive, "it ended well");
    let rerun = aiflow_model::wire::RerunTask {
        run: first,
        task: control.task.clone(),
        sequence: None,
        from_here: false,
        request: None,
    };
    s.give(Input::RerunTask(rerun));
    ended_run(&mut s);
    assert_eq!(known(&s), [1, 2, 3], "two have ended");
    end(&mut s, "1.a.2.1");
    assert_eq!(known(&s), [1, 3], "the second ended first");
}

#[test]
fn a_hook_that_runs_keeps_its_run() {
    let mut s = keeping(1, "workflow: w\non_success: {bash: x}\ntasks:\n  a: {bash: x}\n");
    ended_run(&mut s);
    ended_run(&mut s);
    ended_run(&mut s);
    assert_eq!(known(&s), [1, 2, 3]);
    end(&mut s, "1.on_success.1.1");
    end(&mut s, "2.on_success.1.1");
    assert_eq!(known(&s), [3]);
}

#[test]
fn what_is_asked_of_one_that_left_says_so() {
    let mut s = keeping(1, ONE_TASK);
    let first = ended_run(&mut s);
    ended_run(&mut s);
    let refused = s.try_give(Input::StopRun(first)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::RunEnded);
    assert!(refused.message.contains("ended long ago"), "{refused}");
    let unknown = s.try_give(Input::StopRun(RunId(99))).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::UnknownRun);
}

#[test]
fn it_can_be_deleted_once() {
    let mut s = keeping(1, ONE_TASK);
    let first = ended_run(&mut s);
    ended_run(&mut s);
    assert_eq!(s.give(Input::DeleteRun(first)), Answer::Done);
    assert!(s.engine.state().archived.is_empty());
    let again = s.try_give(Input::DeleteRun(first)).unwrap_err();
    assert_eq!(again.code, ErrorCode::UnknownRun);
}

#[test]
fn the_request_that_started_it_starts_no_other() {
    let mut s = keeping(1, ONE_TASK);
    let start = || {
        Input::StartRun(StartRun {
            namespace: Namespace::default_namespace(),
            workflow: "w".parse().unwrap(),
            params: [].into(),
            request: Some("once".to_owned()),
        })
    };
    assert_eq!(s.give(start()), Answer::Run(RunId(1)));
    end(&mut s, "1.a.1.1");
    ended_run(&mut s);
    assert!(s.engine.state().archived.contains(RunId(1)));
    assert_eq!(s.give(start()), Answer::Run(RunId(1)));
    assert_eq!(s.count(|record| matches!(record, Record::RunStarted(_))), 2);
}

#[test]
fn large_runs_leave_sooner_and_the_last_stays() {
    let task = "{bash: x, start: {on: files}, for_each: value, parallel: 1, overlap: queue}";
    let mut s = keeping(100, &format!("workflow: w\ntasks:\n  part: {task}\n"));
    s.replays_each_step = false;
    let mut end_with = |lists: &[u32]| {
        let run = s.run();
        for items in lists {
            let items: Vec<String> = (0..*items).map(|item| item.to_string()).collect();
            s.emit("files", &format!("[{}]", items.join(",")));
        }
        for at in 1..=lists.iter().sum() {
            end(&mut s, &format!("{run}.part.{at}.1"));
        }
        known(&s)
    };
    assert_eq!(end_with(&[1]), [1]);
    assert_eq!(end_with(&[10_000, 9_999]), [1, 2], "twenty thousand may stay");
    assert_eq!(end_with(&[1]), [2, 3]);
    assert_eq!(end_with(&[10_000, 10_000, 1]), [4], "it has more than may stay");
    s.check_replay();
}

#[test]
fn a_smaller_number_is_come_down_to_in_steps() {
    let mut s = keeping(100, ONE_TASK);
    s.replays_each_step = false;
    for _ in 0..60 {
        ended_run(&mut s);
    }
    s.engine.keep_runs(10);
    let mut left = Vec::new();
    for _ in 0..5 {
        s.emit("k", "1");
        left.push(known(&s).len());
    }
    assert_eq!(left, [44, 28, 12, 10, 10]);
    s.check_replay();
}
