//! A backtest of the definition that really ran gives what really happened; one of another tells
//! the difference.

use aiflow_core::{Attempts, Backtest, Compared, Firings, Input};
use aiflow_model::record::Outcome;
use aiflow_model::wire::WouldFire;
use aiflow_model::{AttemptId, Namespace, RunId, Timestamp};
use proptest::prelude::*;

use crate::support::Scenario;

const TASKS: &str = "\
stream: {kind: stream, bash: x, restart: {on: failure, backoff: 1s..4s}}
hourly:
  {bash: x, parallel: 2, start: {every: 1h, clock: {watermark: [f, w]}},
   retry: {attempts: 3, backoff: 1s, jitter: 5s}}
after: {bash: x, start: {after: hourly}}
wall: {bash: x, timeout: 30s, start: {every: 20s}}
queued: {bash: x, overlap: queue, start: {on: go, if: value % 2 == 0}}
third: {bash: x, start: {count: {of: {on: go}, n: 3}}, restart: {on: again}}
timed:
  {bash: x, overlap: queue, start: {any: [{absent: {of: {on: go}, for: 40s}},
   {debounce: {of: {on: other}, for: 5s}}, {throttle: {of: {on: again}, per: 20s}}]}}
summed: {bash: x, start: {sum: {of: {on: go}, expr: value, reaches: 300, carry: true}}}";

fn definition(tasks: &str) -> String {
    let indented: String = tasks.lines().map(|line| format!("  {line}\n")).collect();
    format!("workflow: w\nparams: {{days: 3}}\ntasks:\n{indented}")
}

/// Lets time pass as a daemon does: whatever falls due comes at its time.
fn pass(s: &mut Scenario, seconds: u64) {
    let until = s.now.plus(aiflow_model::time::Span::from_seconds(seconds));
    while let Some(due) = s.engine.next_deadline().filter(|due| *due <= until) {
        s.now = s.now.max(due);
        s.give(Input::Tick);
    }
    s.now = until;
}

/// Gives the past of a run to a definition.
fn backtest(s: &Scenario, run: RunId, source: &str) -> Firings {
    let known = s.engine.state().run(run).unwrap();
    let spec = s.engine.state().snapshot_of(run).unwrap().spec.clone();
    let mut attempts = Attempts::default();
    s.log.iter().for_each(|logged| attempts.note(logged));
    let compared = Compared { run, params: known.params.clone(), spec, attempts };
    let namespace = Namespace::default_namespace();
    let mut backtest = Backtest::new(source, namespace, Some(compared), known.started_at).unwrap();
    for logged in s.log.iter().filter(|logged| logged.offset > known.offset) {
        backtest.record(logged);
    }
    backtest.finish(s.now)
}

fn same(all: &[WouldFire]) -> Vec<(String, String, Option<aiflow_model::Window>, Vec<u64>)> {
    let of = |one: &WouldFire| {
        let events = one.events.iter().map(|event| event.0).collect();
        (one.task.to_string(), one.action.clone(), one.window, events)
    };
    all.iter().map(of).collect()
}

#[test]
fn another_definition_tells_what_would_have_been_different() {
    let mut s = Scenario::new("a: {bash: x, start: {on: go, if: value > 3}, overlap: queue}");
    let run = s.run();
    for value in ["1", "5", "2", "9"] {
        s.now = s.now.plus(aiflow_model::time::Span::from_seconds(1));
        s.emit("go", value);
    }
    s.exit("1.a.1.1", 0);
    s.exit("1.a.2.1", 0);
    let other =
        definition("a: {bash: x, start: {on: go, if: value > 4 || value == 2}, overlap: queue}");
    let firings = backtest(&s, run, &other);
    assert_eq!(firings.events, 4);
    assert_eq!((firings.old.len(), firings.new.len()), (2, 3));
    // What the new executions would have done nobody knows: they succeed, and the queue goes on.
    let chain = definition(
        "a: {bash: x, start: {on: go}, overlap: queue}\nb: {bash: x, start: {after: a}}",
    );
    let firings = backtest(&s, run, &chain);
    let after = firings.new.iter().filter(|one| one.task.as_str() == "b").count();
    assert_eq!(after, 4, "{:?}", firings.new);
}

#[test]
fn a_definition_that_is_wrong_is_refused_with_its_places() {
    let start = Timestamp(0);
    let wrong =
        Backtest::new("workflow: w\ntasks: {}", Namespace::default_namespace(), None, start);
    assert!(!wrong.unwrap_err().diagnostics.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn what_really_ran_is_what_really_happened(
        steps in prop::collection::vec((0..12_u8, any::<u8>()), 1..80),
    ) {
        let source = definition(TASKS);
        let mut s = Scenario::of(&source);
        s.replays_each_step = false;
        let run = s.run();
        for (what, n) in steps {
            s.now = Timestamp(s.now.0 + 1);
            let key = ["go", "other", "again"][usize::from(n) % 3];
            match what {
                0..=3 => drop(s.emit(key, &n.to_string())),
                4 | 5 => {
                    let time = Timestamp(1_357_016_400_000_000 + i64::from(n) * 600_000_000);
                    s.emit(if what == 4 { "f" } else { "w" }, &format!("\"{time}\""));
                }
                6 => drop(s.try_give(Input::PauseRun(run))),
                7 => drop(s.try_give(Input::ResumeRun(run))),
                8 => pass(&mut s, u64::from(n)),
                _ => {
                    let alive: Vec<AttemptId> =
                        s.engine.state().alive_attempts().map(|(id, _)| id).collect();
                    let Some(id) = alive.get(usize::from(n) % alive.len().max(1)) else { continue };
                    let code = i32::from(n % 3 == 0);
                    s.end(&id.to_string(), Outcome::Exited { code });
                }
            }
            while s.engine.next_deadline().is_some_and(|due| due <= s.now) {
                s.give(Input::Tick);
            }
        }
        let firings = backtest(&s, run, &source);
        prop_assert_eq!(same(&firings.new), same(&firings.old));
    }
}
