//! Clocks of event time that do not go on by themselves: silent sources, late events, ends; and
//! windows that somebody asks for.

use aiflow_core::{Answer, Input};
use aiflow_model::wire::Backfill;
use aiflow_model::{ErrorCode, Record, Rejection, RunId};

use crate::support::Scenario;

fn clocked(rest: &str) -> Scenario {
    Scenario::new(&format!("t: {{bash: x, parallel: 100, start: {{every: 1h, {rest}}}}}"))
}

fn at(s: &mut Scenario, key: &str, time: &str) {
    s.emit(key, &format!("\"2013-01-01T{time}:00Z\""));
}

/// The hours of the windows that ran or run.
fn hours(s: &Scenario, run: RunId) -> Vec<String> {
    s.windows(run, "t").iter().map(|start| start[11..13].to_owned()).collect()
}

const IDLE: &str = "clock: {watermark: [f, {key: w, idle: 10m}]}";

#[test]
fn a_silent_source_is_passed_and_the_state_says_so() {
    let mut s = clocked(IDLE);
    let run = s.run();
    at(&mut s, "f", "05:00");
    at(&mut s, "w", "05:10");
    at(&mut s, "f", "08:00");
    assert!(hours(&s, run).is_empty(), "w holds the clock");
    s.pass("9m");
    assert!(hours(&s, run).is_empty());
    s.pass("1m");
    assert_eq!(hours(&s, run), ["05", "06", "07"], "w is passed");
    let says_so = |r: &Record| format!("{r:?}").contains("silent: {1}");
    assert_eq!(s.count(says_so), 1);
    assert_eq!(s.engine.next_deadline(), None, "nobody is woken again for what is silent");
    at(&mut s, "f", "09:00");
    assert_eq!(hours(&s, run).len(), 4);
    at(&mut s, "w", "05:20");
    at(&mut s, "f", "12:00");
    assert_eq!(hours(&s, run).len(), 4, "w is heeded again, and nothing fires twice");
    at(&mut s, "w", "10:00");
    assert_eq!(hours(&s, run).last().unwrap(), "09");
}

#[test]
fn each_event_of_a_source_begins_its_silence_anew() {
    let mut s = clocked(IDLE);
    let run = s.run();
    at(&mut s, "f", "05:00");
    at(&mut s, "w", "05:00");
    at(&mut s, "f", "08:00");
    for _ in 0..5 {
        s.pass("9m");
        at(&mut s, "w", "05:00");
    }
    assert!(hours(&s, run).is_empty(), "it speaks, though it does not come on");
    s.start_daemon("boot-1");
    s.pass("10m");
    assert_eq!(hours(&s, run).len(), 3);
}

#[test]
fn a_source_that_never_spoke_is_passed_too_but_not_all_of_them() {
    let mut s = clocked("clock: {watermark: [f, w], idle: 10m}");
    let run = s.run();
    s.pass("9m");
    at(&mut s, "f", "05:00");
    s.pass("1m");
    at(&mut s, "f", "06:30");
    assert_eq!(hours(&s, run), ["05"]);
    s.pass("1h");
    assert_eq!(hours(&s, run), ["05"], "when all are silent the clock stands");
    at(&mut s, "f", "07:10");
    assert_eq!(hours(&s, run), ["05", "06"]);
}

#[test]
fn a_silence_that_is_told_late_comes_before_what_ended_it() {
    let mut s = clocked(IDLE);
    let run = s.run();
    at(&mut s, "f", "05:00");
    at(&mut s, "w", "05:00");
    at(&mut s, "f", "08:00");
    // No tick in between: the daemon was busy, or down.
    s.now = s.now.plus("11m".parse().unwrap());
    at(&mut s, "w", "05:10");
    assert_eq!(hours(&s, run), ["05", "06", "07"]);
}

#[test]
fn late_events_are_ignored_unless_their_windows_shall_run_anew() {
    let mut s = clocked("clock: {watermark: f}, from: 2013-01-01T03:00:00Z");
    let run = s.run();
    at(&mut s, "f", "06:00");
    at(&mut s, "f", "04:10");
    assert_eq!(hours(&s, run), ["03", "04", "05"]);

    let mut s = clocked("clock: {watermark: f}, from: 2013-01-01T03:00:00Z, late: rerun");
    let run = s.run();
    at(&mut s, "f", "06:30");
    at(&mut s, "f", "04:10");
    assert_eq!(hours(&s, run), ["03", "04", "05", "04"], "a new execution of that window");
    at(&mut s, "f", "06:20");
    at(&mut s, "f", "02:59");
    assert_eq!(hours(&s, run).len(), 4, "not fired yet; before the first window");
    at(&mut s, "f", "07:00");
    assert_eq!(hours(&s, run).last().unwrap(), "06");
    let reruns = |r: &Record| matches!(r, Record::RuleFired { firing, .. } if firing.rerun);
    assert_eq!(s.count(reruns), 1);
}

#[test]
fn a_window_that_has_yet_to_begin_needs_no_rerun() {
    let mut s = Scenario::new(
        "t: {bash: x, start: {every: 1h, clock: {watermark: f}, late: rerun}}\nv: {bash: x, start: {after: t}}",
    );
    let run = s.run();
    at(&mut s, "f", "03:00");
    at(&mut s, "f", "06:00");
    at(&mut s, "f", "05:10");
    assert_eq!(hours(&s, run), ["03", "04", "05"], "05 waits and will see it");
    at(&mut s, "f", "03:10");
    at(&mut s, "f", "03:20");
    assert_eq!(hours(&s, run), ["03", "04", "05", "03"], "03 runs already, once more is enough");
    for sequence in 1..=4 {
        s.exit(&format!("1.t.{sequence}.1"), 0);
    }
    assert_eq!(s.windows(run, "v").len(), 4, "what comes after runs anew too");
}

#[test]
fn a_source_that_was_passed_makes_late_what_it_passes_now() {
    let mut s = clocked("clock: {watermark: [f, {key: w, idle: 10m}]}, late: rerun");
    let run = s.run();
    at(&mut s, "f", "03:00");
    at(&mut s, "w", "03:00");
    s.pass("10m");
    at(&mut s, "f", "06:00");
    assert_eq!(hours(&s, run), ["03", "04", "05"]);
    at(&mut s, "w", "04:30");
    at(&mut s, "w", "04:40");
    assert_eq!(hours(&s, run)[3..], ["03"], "w has passed it only now");
    at(&mut s, "w", "06:10");
    assert_eq!(hours(&s, run)[4..], ["04", "05"]);
    at(&mut s, "f", "07:00");
    at(&mut s, "w", "07:00");
    assert_eq!(hours(&s, run)[6..], ["06"], "from here on they go together");
}

#[test]
fn a_jump_over_thousands_of_late_windows_loses_none() {
    let mut s = Scenario::new(
        "t: {bash: x, parallel: 10000, start: {every: 1m, clock: {watermark: [f, {key: w, idle: 10m}]}, from: 2013-01-01T00:00:00Z, late: rerun}}",
    );
    let run = s.run();
    s.replays_each_step = false;
    s.pass("10m");
    s.emit("f", r#""2013-01-02T18:40:00Z""#);
    while s.engine.next_deadline().is_some_and(|due| due <= s.now) {
        s.give(Input::Tick);
    }
    assert_eq!(s.windows(run, "t").len(), 2_560);
    for _ in 0..3 {
        s.emit("w", r#""2013-01-02T18:40:00Z""#);
    }
    let windows = s.windows(run, "t");
    assert_eq!(windows.len(), 2 * 2_560);
    assert_eq!(windows[..2_560], windows[2_560..], "each once more, in order");
    s.check_replay();
}

#[test]
fn a_clock_that_is_over_lets_its_run_end() {
    let mut s =
        clocked("clock: {watermark: f}, from: 2013-01-01T03:00:00Z, until: 2013-01-01T05:30:00Z");
    let run = s.run();
    at(&mut s, "f", "04:00");
    s.exit("1.t.1.1", 0);
    assert_eq!(s.status(run), "running");
    at(&mut s, "f", "09:00");
    assert_eq!(hours(&s, run), ["03", "04"], "the window to 06:00 ends after `until`");
    s.exit("1.t.2.1", 0);
    assert_eq!(s.status(run), "success");
    let mut s = Scenario::new("t: {bash: x, start: {every: 1h, until: 2026-01-01T02:00:00Z}}");
    let run = s.run();
    s.pass("5h");
    assert_eq!(s.executions(run, "t").len(), 2);
    assert_eq!(s.engine.next_deadline(), None, "a clock that is over wakes nobody");
}

fn ask(run: RunId, task: &str, from: &str, to: Option<&str>, parallel: u32) -> Input {
    let time = |text: &str| text.parse().unwrap();
    Input::Backfill(Backfill {
        run,
        task: task.parse().unwrap(),
        from: time(from),
        to: to.map(time),
        parallel: Some(parallel),
        request: Some(format!("{task} {from}")),
    })
}

#[track_caller]
fn refused(answer: Result<Answer, Rejection>, code: ErrorCode, message: &str) {
    let rejection = answer.unwrap_err();
    assert_eq!(rejection.code, code);
    assert!(rejection.message.contains(message), "{}", rejection.message);
    assert!(rejection.hint.is_some() || message.contains("whole number"));
}

#[test]
fn a_backfill_has_a_lane_and_a_limit_of_its_own() {
    let mut s = Scenario::new(
        "t: {bash: x, start: {every: 1h, clock: {watermark: f}, from: 2013-01-01T03:00:00Z}}\nv: {bash: x, start: {after: t}}",
    );
    let run = s.run();
    at(&mut s, "f", "04:00");
    let day = ask(run, "t", "2013-01-01T00:00:00Z", Some("2013-01-01T03:00:00Z"), 2);
    assert_eq!(s.give(day.clone()), Answer::Backfilled(3));
    let before = s.log.len();
    assert_eq!(s.give(day), Answer::Backfilled(3), "asked twice");
    assert_eq!(s.log.len(), before);
    let expected = ["1:queued", "2:queued", "3:queued", "4:waiting"];
    assert_eq!(s.executions(run, "t"), expected, "two at once, beside the one of the rules");
    at(&mut s, "f", "05:00");
    assert_eq!(s.executions(run, "t")[4], "5:waiting");
    s.exit("1.t.1.1", 0);
    assert_eq!(s.executions(run, "t")[4], "5:queued", "the clock's window waits for its own lane");
    s.start_daemon("boot-1");
    s.exit("1.t.2.1", 1);
    assert_eq!(s.executions(run, "t")[3], "4:queued");
    s.exit("1.t.4.1", 0);
    assert_eq!(s.windows(run, "v").len(), 2, "what comes after follows, window by window");
}

#[test]
fn one_window_is_run_anew() {
    let mut s = Scenario::new("t: {bash: x, start: {every: 1h}}\nv: {bash: x, start: {after: t}}");
    let run = s.run();
    s.pass("2h");
    let one = ask(run, "v", "2026-01-01T00:20:00Z", None, 1);
    assert_eq!(s.give(one), Answer::Backfilled(1));
    assert_eq!(
        s.windows(run, "v"),
        ["2026-01-01T00:00:00Z"],
        "the clock is that of the task before"
    );
    let rest = ask(run, "t", "2026-01-01T00:20:00Z", Some("2026-01-02T00:00:00Z"), 9);
    assert_eq!(s.give(rest), Answer::Backfilled(1), "windows that are yet to come are the clock's");
}

#[test]
fn windows_of_a_calendar_can_be_filled() {
    let mut s = Scenario::new("t: {bash: x, start: {cron: \"0 6 * * *\"}}");
    let run = s.run();
    let week = ask(run, "t", "2025-12-01T00:00:00Z", Some("2025-12-08T00:00:00Z"), 7);
    assert_eq!(s.give(week), Answer::Backfilled(7));
    assert_eq!(s.windows(run, "t")[0], "2025-12-01T06:00:00Z");
    let one = ask(run, "t", "2025-12-03T05:00:00Z", None, 1);
    s.give(one);
    assert_eq!(s.windows(run, "t")[7], "2025-12-02T06:00:00Z", "the one that holds it");
}

#[test]
fn a_restart_and_a_stop_of_backfilled_windows() {
    let mut s = Scenario::new("t: {bash: x, start: {every: 1h}, restart: {on: again}}");
    let run = s.run();
    s.give(ask(run, "t", "2025-12-01T00:00:00Z", Some("2025-12-01T02:00:00Z"), 1));
    s.effects();
    s.emit("again", "1");
    assert_eq!(s.effects(), ["launch 1.t.3.1"], "what was asked for goes on");
    s.stop_task(run, "t").unwrap();
    assert_eq!(s.executions(run, "t"), ["1:stopping", "2:stopped", "3:stopping"]);
    s.exit("1.t.1.1", 0);
    s.exit("1.t.3.1", 0);
    assert!(
        s.engine
            .state()
            .run(run)
            .unwrap()
            .is_idle(&s.engine.state().snapshot_of(run).unwrap().spec)
    );
}

#[test]
fn backfills_take_slots_of_pools() {
    let mut s = Scenario::of(
        "workflow: w\npools: {p: 2}\ntasks: {t: {bash: x, pools: p, start: {every: 1h}}}\n",
    );
    let run = s.run();
    s.give(ask(run, "t", "2025-12-01T00:00:00Z", Some("2025-12-01T05:00:00Z"), 5));
    assert_eq!(s.effects(), ["launch 1.t.1.1", "launch 1.t.2.1"]);
    s.pass("1h");
    s.exit("1.t.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.t.3.1"], "by age");
}

#[test]
fn what_cannot_be_filled_is_refused_and_nothing_is_stored() {
    let mut s = Scenario::new("t: {bash: x, start: {every: 1m}}\nu: {bash: x, start: {on: go}}");
    let run = s.run();
    let before = s.log.len();
    let (day, next) = ("2025-12-01T00:00:00Z", Some("2025-12-02T00:00:00Z"));
    refused(
        s.try_give(ask(run, "u", day, next, 1)),
        ErrorCode::InvalidParams,
        "no clock starts it",
    );
    refused(s.try_give(ask(run, "x", day, next, 1)), ErrorCode::UnknownTask, "no task x");
    refused(s.try_give(ask(RunId(9), "t", day, next, 1)), ErrorCode::UnknownRun, "no run 9");
    refused(
        s.try_give(ask(run, "t", day, next, 0)),
        ErrorCode::InvalidParams,
        "whole number from 1",
    );
    refused(s.try_give(ask(run, "t", day, Some(day), 1)), ErrorCode::InvalidParams, "no window");
    let future = ask(run, "t", "2026-02-01T00:00:00Z", None, 1);
    refused(s.try_give(future), ErrorCode::InvalidParams, "that its clock has passed");
    let month = ask(run, "t", "2025-11-01T00:00:00Z", next, 1);
    refused(s.try_give(month), ErrorCode::InvalidParams, "more than 10000 windows");
    assert_eq!(s.log.len(), before);
}

#[test]
fn a_schedule_is_put_off_by_the_same_time_in_every_replay() {
    let mut s = Scenario::new(
        "t: {bash: x, parallel: 99, start: {cron: \"0 * * * *\", jitter: 10m, missed: skip}}",
    );
    let run = s.run();
    let mut waits = std::collections::BTreeSet::new();
    for hour in 1..=20_u64 {
        let due = s.engine.next_deadline().unwrap();
        let tick = "2026-01-01T00:00:00Z".parse::<aiflow_model::Timestamp>().unwrap();
        let wait = due.since(tick.plus(aiflow_model::Span(hour * 3_600_000_000)));
        assert!(wait.0 <= 600_000_000, "{wait}");
        waits.insert(wait);
        s.now = due;
        s.start_daemon("boot-1");
        s.give(Input::Tick);
        assert_eq!(s.executions(run, "t").len(), usize::try_from(hour).unwrap(), "each once");
    }
    assert!(waits.len() > 15, "{waits:?}");
    assert_eq!(hours(&s, run)[5], "05", "the window is that of the time itself");
}

#[test]
fn days_that_are_left_out_fire_nothing() {
    let mut s = Scenario::new(
        "t: {bash: x, parallel: 99, start: {cron: \"0 6 * * *\", except: [SAT, SUN, 2026-01-06]}}",
    );
    let run = s.run();
    for _ in 0..8 {
        s.pass("1d");
    }
    // The first of January 2026 is a Thursday.
    let starts = ["2025-12-31", "2026-01-01", "2026-01-02", "2026-01-05", "2026-01-07"];
    let windows = s.windows(run, "t");
    assert_eq!(windows.iter().map(|start| &start[..10]).collect::<Vec<_>>(), starts);
}

#[test]
fn a_window_that_comes_while_a_restart_waits_does_not_take_it_away() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {every: 1h, clock: {watermark: w}}, restart: {on: again}}",
    );
    let run = s.run();
    s.emit("w", "\"2026-01-01T00:00:00Z\"");
    s.emit("w", "\"2026-01-01T01:00:00Z\"");
    s.emit("again", "1");
    s.emit("w", "\"2026-01-01T02:00:00Z\"");
    s.effects();
    s.exit("1.a.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.a.2.1"], "the window that waits is first");
    s.exit("1.a.2.1", 0);
    assert_eq!(s.effects(), ["launch 1.a.3.1"], "then what was asked to start anew");
    s.exit("1.a.3.1", 0);
    assert_eq!(s.executions(run, "a").len(), 3);
    assert!(s.effects().is_empty());
}

#[test]
fn a_wall_clock_with_jitter_fires_each_window_once_and_late_by_what_is_drawn() {
    let mut s = Scenario::new("a: {bash: x, parallel: 99, start: {every: 1m, jitter: 30s}}");
    let run = s.run();
    let mut late = Vec::new();
    for second in 1..=600_i64 {
        s.pass("1s");
        if second % 97 == 0 {
            s.start_daemon("boot-1");
        }
        let fired = s.windows(run, "a").len();
        if fired > late.len() {
            late.push(second - 60 * i64::try_from(fired).unwrap());
        }
    }
    assert!((9..=10).contains(&late.len()), "{late:?}");
    assert!(late.iter().all(|late| (0..=31).contains(late)), "{late:?}");
    assert!(late.iter().any(|other| *other != late[0]), "each its own: {late:?}");
}
