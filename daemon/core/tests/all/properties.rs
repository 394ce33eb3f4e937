//! What holds whatever comes in, in whatever order: random inputs against one definition of every
//! kind.

use std::collections::BTreeSet;

use aiflow_core::Input;
use aiflow_model::record::{Mark, Outcome, RunControl};
use aiflow_model::state::{ExecutionStatus, RunStatus};
use aiflow_model::wire::{RerunTask, TaskControl, TaskRequest};
use aiflow_model::{AttemptId, Record, RunId, Sequence, TaskName, Timestamp};
use proptest::prelude::*;

use crate::support::Scenario;

pub(crate) const TASKS: &str = "\
stream: {kind: stream, bash: x, restart: {on: failure, backoff: 1s..4s}}
hourly:
  {bash: x, parallel: 2, start: {every: 1h, clock: {watermark: [f, w]}},
   retry: {attempts: 2, backoff: 1s}}
after: {bash: x, start: {after: hourly}}
wall: {bash: x, timeout: 30s, start: {every: 20s}}
queued: {bash: x, overlap: queue, start: {on: go, if: value % 2 == 0}}
joined:
  {bash: x, stop: {on: enough},
   start: {all: [{on: go}, {any: [{on: other}, {after: {queued: failed}}]}]}}
third: {bash: x, start: {count: {of: {on: go}, n: 3}}, restart: {on: again}}
timed:
  {bash: x, overlap: queue, start: {any: [{absent: {of: {on: go}, for: 40s}},
   {debounce: {of: {on: other}, for: 5s}}, {throttle: {of: {on: again}, per: 20s}}]}}
summed:
  {bash: x, start: {sequence: [{sum: {of: {on: go}, expr: value, reaches: 300, carry: true}},
   {state: {of: {on: \"*\"}, script: \"state = if state == () { 1 } else { state + 1 }; state > 5\"}}],
   within: 60s}}
calendar: {bash: x, start: {cron: \"* * * * *\", tz: Europe/Berlin, missed: latest}}";
pub(crate) const NAMES: [&str; 10] = [
    "stream", "hourly", "after", "wall", "queued", "joined", "third", "timed", "summed", "calendar",
];

/// One step; numbers choose among what there is at that moment.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Emit(&'static str, u8),
    Watermark(&'static str, u8),
    Repeat(u8),
    End(u8, u8),
    Start(u8),
    Stop(u8),
    Pass(u8),
    Restart(bool),
    Control(u8, u8),
    StopRun,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let key = prop_oneof![Just("go"), Just("other"), Just("enough"), Just("again")];
    let source = prop_oneof![Just("f"), Just("w")];
    prop_oneof![
        6 => (key, any::<u8>()).prop_map(|(key, n)| Step::Emit(key, n)),
        6 => (source, any::<u8>()).prop_map(|(key, n)| Step::Watermark(key, n)),
        1 => any::<u8>().prop_map(Step::Repeat),
        9 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Step::End(which, how)),
        1 => any::<u8>().prop_map(Step::Start),
        1 => any::<u8>().prop_map(Step::Stop),
        4 => any::<u8>().prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Restart),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(how, which)| Step::Control(how, which)),
        // Rare, since it ends the story.
        1 => (0..20_u8).prop_map(|n| if n == 0 { Step::StopRun } else { Step::Pass(1) }),
    ]
}

pub(crate) fn take(s: &mut Scenario, run: RunId, step: &Step) {
    let task = |n: u8| TaskName::new(NAMES[usize::from(n) % NAMES.len()]).unwrap();
    match step {
        Step::Emit(key, n) => {
            s.emit(key, &n.to_string());
        }
        Step::Watermark(key, n) => {
            let hours = i64::from(*n) * 600_000_000;
            let time = Timestamp(1_357_016_400_000_000 + hours);
            s.emit(key, &format!("\"{time}\""));
        }
        Step::Repeat(n) => {
            let before = s.log.len();
            s.emit_as("go", "2", &format!("event-{n}"), None);
            s.emit_as("go", "2", &format!("event-{n}"), None);
            let events = s.log[before..].iter();
            let emitted = events.filter(|r| matches!(r.record, Record::EventEmitted(_)));
            assert!(emitted.count() <= 1, "one identity, one event");
        }
        Step::End(which, how) => {
            let alive: Vec<AttemptId> =
                s.engine.state().alive_attempts().map(|(id, _)| id).collect();
            if let Some(id) = alive.get(usize::from(*which) % alive.len().max(1)) {
                let outcome = match how % 8 {
                    0..=4 => Outcome::Exited { code: 0 },
                    5 => Outcome::Exited { code: 1 },
                    6 => Outcome::NeverStarted,
                    _ => Outcome::Interrupted,
                };
                s.end(&id.to_string(), outcome);
            }
        }
        Step::Start(n) => drop(s.try_give(Input::StartTask(run, task(*n)))),
        Step::Stop(n) => drop(s.try_give(Input::StopTask(run, task(*n)))),
        Step::Pass(n) => s.pass(&format!("{n}s")),
        Step::Restart(reboot) => s.start_daemon(if *reboot { "boot-2" } else { "boot-1" }),
        Step::Control(how, n) => control(s, run, *how, task(*n)),
        Step::StopRun => drop(s.try_give(Input::StopRun(run))),
    }
    while s.engine.next_deadline().is_some_and(|due| due <= s.now) {
        s.give(Input::Tick);
    }
}

fn control(s: &mut Scenario, run: RunId, how: u8, task: TaskName) {
    let mark = TaskControl { run, task: task.clone(), sequence: None, request: None };
    let from_here = how.is_multiple_of(2);
    let rerun = RerunTask { run, task: task.clone(), sequence: None, from_here, request: None };
    let input = match how % 9 {
        0 => Input::PauseRun(run),
        1..=3 => Input::ResumeRun(run),
        4 => Input::MarkTask(mark, Mark::Skipped),
        5 => Input::MarkTask(mark, Mark::Success),
        6 => Input::RestartTask(TaskRequest { run, task, request: None }),
        _ => Input::RerunTask(rerun),
    };
    drop(s.try_give(input));
}

/// Executions that came into being by hand: their windows are those of others.
fn by_hand(s: &Scenario) -> BTreeSet<(TaskName, Sequence)> {
    let controls = s.log.iter().filter_map(|logged| match &logged.record {
        Record::RunControlled(controlled) => Some(&controlled.control),
        _ => None,
    });
    let executions = controls.filter_map(|control| match control {
        RunControl::TaskMarked { task, sequence, .. }
        | RunControl::TaskRerun { task, sequence, .. } => Some((task.clone(), *sequence)),
        _ => None,
    });
    executions.collect()
}

fn check(s: &Scenario, run: RunId) {
    let by_hand = by_hand(s);
    let state = s.engine.state();
    let spec = &state.snapshot_of(run).unwrap().spec;
    let known = state.run(run).unwrap();
    for (task, tasks) in spec.tasks.iter().zip(&known.tasks) {
        let name = &task.name;
        let busy = tasks.busy_count();
        assert!(busy <= task.parallel as usize, "{name} runs {busy} at once");
        let has_room = busy < task.parallel as usize;
        assert!(
            known.paused || !(has_room && tasks.first_waiting().is_some()),
            "{name} has room and lets one wait"
        );
        if known.status == RunStatus::Running && tasks.restart.is_some() {
            assert!(busy > 0, "{name} waits for a restart and nothing runs");
        }
        let mut windows = BTreeSet::new();
        for execution in &tasks.executions {
            let sequence = execution.sequence;
            let open = execution.attempts.iter().filter(|a| a.outcome.is_none()).count();
            let expected = matches!(
                execution.status,
                ExecutionStatus::Queued | ExecutionStatus::Running | ExecutionStatus::Stopping
            );
            assert_eq!(open, usize::from(expected), "{name}.{sequence} {}", execution.status);
            assert_eq!(execution.status.is_alive(), tasks.alive.contains(&sequence));
            let is_new = execution.window.is_none_or(|window| windows.insert(window));
            // What follows one that was done anew is done anew, too.
            let follows = name.as_str() == "after" && !by_hand.is_empty();
            let is_own = by_hand.contains(&(name.clone(), sequence)) || follows;
            assert!(is_new || is_own, "{name} has a window twice: {:?}", execution.window);
        }
        if name.as_str() == "hourly" {
            let gapless = windows.iter().zip(windows.iter().skip(1));
            assert!(gapless.into_iter().all(|(a, b)| a.end == b.start), "a window is missing");
        }
    }
    let ended = known.tasks.iter().all(|task| task.alive.is_empty());
    assert!(known.status.is_alive() || ended, "a run ended with something alive");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn invariants_hold_after_every_step(steps in prop::collection::vec(step(), 1..60)) {
        let mut s = Scenario::new(TASKS);
        s.replays_each_step = false;
        let run = s.run();
        for step in &steps {
            take(&mut s, run, step);
            check(&s, run);
        }
        s.check_replay();
    }
}
