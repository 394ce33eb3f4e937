//! What each kind of condition does, told as scenarios of one task that starts on it.

use aiflow_model::Record;

use crate::support::Scenario;

/// A run with a stream that keeps it alive, and a task that queues whenever the condition fires.
fn on(condition: &str) -> Scenario {
    let tasks = format!(
        "keep: {{kind: stream, bash: x}}\na: {{bash: x, overlap: queue, start: {condition}}}"
    );
    let mut s = Scenario::new(&tasks);
    s.run();
    s.firings();
    s
}

/// Emits events and gives how often the rule fired for each.
fn after_each(s: &mut Scenario, events: &[(&str, &str)]) -> Vec<usize> {
    let fired = events.iter().map(|(key, value)| {
        s.emit(key, value);
        s.firings()
    });
    fired.collect()
}

#[test]
fn a_star_in_a_key_looks_at_many_keys() {
    let mut s = on("{on: \"data.*.done\"}");
    let events = [("data.eu.done", "1"), ("data.done", "1"), ("data.eu.us.done", "1")];
    assert_eq!(after_each(&mut s, &events), [1, 0, 1]);
    s = on("{any: [{on: \"data.*\"}, {on: data.eu}]}");
    assert_eq!(
        after_each(&mut s, &[("data.eu", "1"), ("data.us", "1")]),
        [2, 1],
        "each part is met"
    );
}

#[test]
fn a_sequence_wants_its_order() {
    let mut s = on("{sequence: [{on: p}, {on: q}, {on: r}]}");
    let events =
        [("q", "1"), ("p", "1"), ("r", "1"), ("q", "1"), ("p", "1"), ("r", "1"), ("r", "1")];
    assert_eq!(after_each(&mut s, &events), [0, 0, 0, 0, 0, 1, 0]);
}

#[test]
fn one_event_is_one_step_of_a_sequence() {
    let mut s = on("{sequence: [{on: p}, {on: p}]}");
    assert_eq!(after_each(&mut s, &[("p", "1"); 5]), [0, 1, 0, 1, 0]);
}

#[test]
fn a_sequence_within_a_time_begins_at_the_latest_first_step() {
    let mut s = on("{sequence: [{on: p}, {on: q}], within: 10m}");
    s.emit("p", "1");
    s.pass("9m");
    s.emit("p", "2");
    s.pass("2m");
    assert_eq!(after_each(&mut s, &[("q", "1"), ("q", "1")]), [1, 0]);
    s.emit("p", "3");
    s.pass("11m");
    assert_eq!(after_each(&mut s, &[("q", "1")]), [0], "it is too late");
}

#[test]
fn all_within_a_time_forgets_what_is_older() {
    let mut s = on("{all: [{on: p}, {on: q}], within: 10m}");
    s.emit("p", "1");
    s.pass("11m");
    s.emit("q", "1");
    s.pass("5m");
    assert_eq!(s.firings(), 0);
    assert_eq!(after_each(&mut s, &[("p", "2")]), [1]);
}

#[test]
fn a_count_within_a_time_slides() {
    let mut s = on("{count: {of: {on: p}, n: 3}, within: 10m}");
    for _ in 0..4 {
        s.emit("p", "1");
        s.pass("6m");
    }
    assert_eq!(s.firings(), 0, "never three in ten minutes");
    assert_eq!(after_each(&mut s, &[("p", "1"); 2]), [0, 1]);
}

#[test]
fn a_sum_starts_anew_or_carries_over() {
    let sum =
        |carry: &str| format!("{{sum: {{of: {{on: p}}, expr: value.n, reaches: 100{carry}}}}}");
    let events =
        [("p", r#"{"n": 70}"#), ("p", r#"{"n": 70.5}"#), ("p", r#"{"n": 60}"#), ("p", "1")];
    let mut s = on(&sum(""));
    assert_eq!(after_each(&mut s, &events), [0, 1, 0, 0]);
    assert_eq!(s.count(|r| matches!(r, Record::FilterFailed { .. })), 1, "what has no n is told");
    s = on(&sum(", carry: true"));
    assert_eq!(after_each(&mut s, &events), [0, 1, 1, 0]);
    assert_eq!(after_each(&mut s, &[("p", r#"{"n": 1000}"#)]), [10], "each hundred counts");
}

#[test]
fn silence_fires_once_until_it_is_broken() {
    let mut s = on("{absent: {of: {on: beat}, for: 10m}}");
    s.pass("9m");
    s.emit("beat", "1");
    s.pass("9m");
    assert_eq!(s.firings(), 0);
    s.pass("1m");
    assert_eq!(s.firings(), 1);
    s.pass("60m");
    assert_eq!(s.firings(), 0, "nothing more until it is heard of again");
    s.emit("beat", "2");
    s.pass("10m");
    assert_eq!(s.firings(), 1);
}

#[test]
fn an_event_that_comes_too_late_breaks_no_silence() {
    let mut s = on("{absent: {of: {on: beat}, for: 10m}}");
    // No tick in between: the daemon was busy, or down.
    s.now = s.now.plus("11m".parse().unwrap());
    assert_eq!(after_each(&mut s, &[("beat", "1")]), [1]);
    s.pass("10m");
    assert_eq!(s.firings(), 1);
}

#[test]
fn debounce_fires_when_it_is_calm() {
    let mut s = on("{debounce: {of: {on: p}, for: 10s}}");
    for _ in 0..5 {
        s.emit("p", "1");
        s.pass("9s");
    }
    assert_eq!(s.firings(), 0);
    s.pass("1s");
    assert_eq!(s.firings(), 1);
    let consumed = s.log.iter().rev().find_map(|logged| match &logged.record {
        Record::RuleFired { firing, .. } => Some(firing.events.len()),
        _ => None,
    });
    assert_eq!(consumed, Some(5));
    s.pass("60s");
    assert_eq!(s.firings(), 0);
}

#[test]
fn throttle_fires_at_once_and_then_when_the_time_is_over() {
    let mut s = on("{throttle: {of: {on: p}, per: 10s}}");
    assert_eq!(after_each(&mut s, &[("p", "1"); 4]), [1, 0, 0, 0]);
    s.pass("10s");
    assert_eq!(s.firings(), 1, "what came in between is one firing");
    s.pass("10s");
    assert_eq!((s.firings(), s.engine.next_deadline()), (0, None), "and nothing is due");
    assert_eq!(after_each(&mut s, &[("p", "1"); 2]), [1, 0]);
}

#[test]
fn a_script_keeps_a_state_of_its_own() {
    let script = "state = if state == () { value } else { state + value }; let full = state >= 10; if full { state = () } full";
    let mut s = on(&format!("{{state: {{of: {{on: p}}, script: \"{script}\"}}}}"));
    assert_eq!(after_each(&mut s, &[("p", "4"), ("p", "5"), ("p", "3"), ("p", "9")]), [0, 0, 1, 0]);
    assert_eq!(after_each(&mut s, &[("p", "[]"), ("p", "1")]), [0, 1], "a failure keeps the state");
    assert_eq!(s.count(|r| matches!(r, Record::FilterFailed { .. })), 1);
}

#[test]
fn a_task_that_runs_meets_after_running() {
    let mut s =
        Scenario::new("a: {kind: stream, bash: x}\nb: {bash: x, start: {after: {a: running}}}");
    s.run();
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
    s.give(aiflow_core::Input::AttemptStarted("1.a.1.1".parse().unwrap(), 7));
    assert_eq!(s.effects(), ["launch 1.b.1.1"]);
}

#[test]
fn a_calendar_ticks_once_each_time_whatever_restarts() {
    let mut s = on("{cron: \"0 6 * * *\", tz: Europe/Berlin}");
    s.pass("29h");
    s.start_daemon("boot-2");
    s.pass("1h");
    assert_eq!(s.firings(), 2, "05:00 UTC on two days");
    // A day and a half down: each is caught up with, in order.
    s.pass("49h");
    assert_eq!(s.firings(), 2);
    let run = aiflow_model::RunId(1);
    let windows = s.windows(run, "a");
    assert_eq!(windows[..2], ["2025-12-31T05:00:00Z", "2026-01-01T05:00:00Z"]);
    assert_eq!(windows.len(), 4);
}

#[test]
fn what_was_missed_fires_by_the_policy() {
    let missed = |s: &Scenario| s.count(|r| matches!(r, Record::TicksMissed { .. }));
    for condition in ["{every: 1h, missed: M}", "{cron: \"0 * * * *\", missed: M}"] {
        let fired = |policy: &str| {
            let mut s = on(&condition.replace('M', policy));
            s.pass("5h");
            s.pass("30m");
            (s.firings(), missed(&s))
        };
        assert_eq!(fired("all"), (5, 0), "{condition}");
        assert_eq!(fired("latest"), (1, 1), "{condition}");
        assert_eq!(fired("skip"), (1, 1), "{condition}: the last was on time");
        let mut s = on(&condition.replace('M', "skip"));
        s.pass("5h30m");
        assert_eq!((s.firings(), missed(&s)), (0, 1), "{condition}: none was");
    }
}

#[test]
fn a_clock_that_goes_back_never_fires_twice() {
    let mut s = on("{cron: \"*/10 * * * *\"}");
    s.pass("10m");
    assert_eq!(s.firings(), 1);
    s.now = s.now.minus("1h".parse().unwrap());
    s.pass("59m");
    assert_eq!(s.firings(), 0);
    s.pass("11m");
    assert_eq!(s.firings(), 1);
}

#[test]
fn each_key_gathers_by_itself_and_is_forgotten_when_it_fired() {
    let mut s = on("{count: {of: {on: \"disk.*\"}, n: 2}, reset: per key}");
    let events =
        [("disk.a", "1"), ("disk.b", "1"), ("disk.c", "1"), ("disk.b", "1"), ("disk.b", "1")];
    assert_eq!(after_each(&mut s, &events), [0, 0, 0, 1, 0]);
    s.start_daemon("boot-1");
    assert_eq!(after_each(&mut s, &[("disk.a", "1"), ("disk.c", "1")]), [1, 1]);
}

#[test]
fn only_so_many_keys_gather_by_themselves() {
    let mut s = on("{count: {of: {on: \"k.*\"}, n: 2}, within: 1h, reset: per key}");
    s.replays_each_step = false;
    for key in 0..1_002 {
        s.emit(&format!("k.{key}"), "1");
    }
    assert_eq!(s.count(|r| matches!(r, Record::FilterFailed { .. })), 2, "each is recorded");
    assert_eq!(after_each(&mut s, &[("k.7", "1"), ("k.1000", "1"), ("k.1000", "1")]), [1, 0, 1]);
    s.check_replay();
}

#[test]
fn what_is_never_used_up_goes_on_to_fire() {
    let mut s = on("{all: [{on: p}, {on: q}], reset: never}");
    assert_eq!(after_each(&mut s, &[("p", "1"), ("q", "1"), ("q", "2"), ("p", "2")]), [0, 1, 1, 1]);
    let mut s = on("{sequence: [{on: p}, {on: q}], reset: never}");
    assert_eq!(after_each(&mut s, &[("q", "1"), ("p", "1"), ("q", "1"), ("q", "2")]), [0, 0, 1, 1]);
    let mut s = on("{count: {of: {on: p}, n: 2}, reset: never}");
    assert_eq!(after_each(&mut s, &[("p", "1"); 4]), [0, 1, 1, 1]);
    let mut s = on("{sum: {of: {on: p}, expr: value, reaches: 3}, reset: never}");
    assert_eq!(
        after_each(&mut s, &[("p", "2"), ("p", "2"), ("p", "-3"), ("p", "5")]),
        [0, 1, 0, 1]
    );
}

#[test]
fn windows_are_joined_each_by_itself() {
    let tasks = |reset: &str| {
        format!(
            "f: {{bash: x, parallel: 9, start: {{every: 1h, clock: {{watermark: w}}}}}}\ng: {{bash: x, parallel: 9, start: {{after: f}}}}\nj: {{bash: x, start: {{all: [{{after: f}}, {{after: g}}]{reset}}}}}"
        )
    };
    let mut s = Scenario::new(&tasks(", reset: per window"));
    let run = s.run();
    for time in ["00", "03"] {
        s.emit("w", &format!("\"2026-01-01T{time}:00:00Z\""));
    }
    for (task, sequence) in [("f", 3), ("f", 1), ("f", 2), ("g", 2), ("g", 3), ("g", 1)] {
        s.exit(&format!("1.{task}.{sequence}.1"), 0);
    }
    let joined = s.windows(run, "j");
    let of = |sequence: u32| {
        let task = s.engine.state().task(run, &"g".parse().unwrap()).unwrap();
        let ended = task.execution(aiflow_model::Sequence(sequence)).unwrap();
        ended.window.unwrap().start.to_string()
    };
    assert_eq!(joined, [of(2), of(3), of(1)], "in the order in which each was complete");
}

#[test]
fn a_rule_tells_how_far_it_has_come() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {all: [{on: p}, {count: {of: {on: q}, n: 3}}]}}\nb: {bash: x, start: {every: 1h, clock: {watermark: [f, {key: w, idle: 10m}]}}}\nc: {bash: x, start: {count: {of: {on: \"k.*\"}, n: 2}, reset: per key}}\nd: {bash: x, start: {sequence: [{on: p}, {on: q}, {absent: {of: {on: p}, for: 1h}}]}}",
    );
    let run = s.run();
    let told = |s: &Scenario| -> Vec<String> {
        let views = aiflow_model::wire::RuleView::all_of_run(s.engine.state(), run).unwrap();
        views.into_iter().map(|view| view.progress.join(" | ")).collect()
    };
    assert_eq!(told(&s)[1], "waits for f, w");
    for (key, value) in [("q", "1"), ("p", "1"), ("f", "\"2026-01-01T05:30:00Z\""), ("k.a", "1")] {
        s.emit(key, value);
    }
    s.pass("10m");
    s.emit("f", "\"2026-01-01T05:40:00Z\"");
    let progress = told(&s);
    assert_eq!(progress[0], "1/2: waits for 3 times (on q) | 1/3");
    let clock = "at 2026-01-01T05:40:00Z, held by f; passed, since silent: w; next window ends 2026-01-01T06:00:00Z";
    assert_eq!(progress[1], clock);
    assert_eq!(progress[2], "k.a: 1/2");
    assert_eq!(progress[3], "1/3: waits for on q | fires at 2026-01-01T01:00:00Z if it stays so");
}
