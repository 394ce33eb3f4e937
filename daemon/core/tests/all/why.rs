//! Why a task waits: each way of waiting has an answer of its own, and what the answer names as
//! missing, once it comes, starts the task.

use aiflow_core::Input;
use aiflow_model::record::Outcome;
use aiflow_model::state::ExecutionStatus;
use aiflow_model::why::{Creations, Health, Need, Stands, Step, TaskWhy, chain, why};
use aiflow_model::wire::{RerunTask, TaskRequest};
use aiflow_model::{AttemptId, ExecutionId, LoggedRecord, Record, RunId, TaskName};
use proptest::prelude::*;

use crate::properties::{NAMES, Step as Random, TASKS, step, take};
use crate::support::Scenario;

const HEALTHY: Health = Health { disk_low: false, stopping: false };

fn name(task: &str) -> TaskName {
    TaskName::new(task).unwrap()
}

fn ask(s: &Scenario, run: RunId, task: &str) -> TaskWhy {
    let answer = why(s.engine.state(), run, Some(&name(task)), s.now, HEALTHY).unwrap();
    answer.tasks.into_iter().next().unwrap()
}

/// All that an answer says, on one line.
fn said(s: &Scenario, run: RunId, task: &str) -> String {
    let whole = why(s.engine.state(), run, Some(&name(task)), s.now, HEALTHY).unwrap();
    let own = whole.tasks.iter().flat_map(|task| &task.lines);
    let lines = whole.lines.iter().chain(own).map(|line| line.text.clone());
    let needs = whole.tasks.iter().flat_map(|task| &task.needs).map(|n| format!("→ {}", n.text));
    lines.chain(needs).collect::<Vec<_>>().join("\n")
}

/// One way of waiting: a definition, what comes, what is said of the task `t` of run 1.
type Case =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// Steps are events, but for `end ATTEMPT CODE`, `pass SPAN`, `pause RUN`, `run WORKFLOW`.
const CASES: &[Case] = &[
    (
        "an event",
        "t: {bash: x, start: {on: k, if: value > 3}}",
        &[],
        &["on k if value > 3: no such event has come", "→ an event k with `value > 3`"],
    ),
    (
        "all",
        "t: {bash: x, start: {all: [{on: a}, {on: b}, {on: c}]}}",
        &[("a", "1"), ("c", "1")],
        &["2 of 3 seen: missing on b", "on a: seen", "→ an event b"],
    ),
    (
        "all within",
        "t: {bash: x, start: {all: [{on: a}, {on: b}], within: 1m}}",
        &[("a", "1"), ("pass", "20s")],
        &["within 1m", "on a: seen, counts until 2026-01-01T00:01:00Z (40s left)"],
    ),
    (
        "another workflow",
        "t: {bash: x, start: {after: etl/load}}",
        &[],
        &["there is no workflow etl; it has to come to success", "→ etl/load comes to success"],
    ),
    (
        "any",
        "t: {bash: x, start: {any: [{count: {of: {on: a}, n: 3}}, {on: b}]}}",
        &[("a", "1")],
        &["one of these:", "3 times (on a): 1/3", "→ an event b"],
    ),
    (
        "sequence",
        "t: {bash: x, start: {sequence: [{on: a}, {on: b}, {on: c}]}}",
        &[("a", "1")],
        &["step 1 of 3 was reached", "→ an event b\n→ an event c"],
    ),
    (
        "count",
        "t: {bash: x, start: {count: {of: {on: a}, n: 4}}}",
        &[("a", "1")],
        &["1/4", "→ 3 times: an event a"],
    ),
    (
        "sum",
        "t: {bash: x, start: {sum: {of: {on: a}, expr: value, reaches: 100}}}",
        &[("a", "73")],
        &["73/100", "→ an event a, as many as it takes for `value` to come to 27 more"],
    ),
    (
        "absent",
        "t: {bash: x, start: {absent: {of: {on: a}, for: 1m}}}",
        &[("pass", "10s")],
        &["unless on a comes (50s left)", "→ time passes until 2026-01-01T00:01:00Z"],
    ),
    (
        "debounce",
        "t: {bash: x, start: {debounce: {of: {on: a}, for: 1m}}}",
        &[("a", "1"), ("pass", "10s")],
        &["unless another comes (50s left)"],
    ),
    (
        "throttle",
        "k: {kind: stream, bash: x}\nt: {bash: x, start: {throttle: {of: {on: a}, per: 1m}}}",
        &[("a", "1"), ("end", "1.t.1.1 0"), ("a", "1"), ("pass", "10s")],
        &["what came is held back until 2026-01-01T00:01:00Z (50s left)"],
    ),
    (
        "a script",
        "t: {bash: x, start: {state: {of: {on: a}, script: \"state = value; value > 5\"}}}",
        &[("a", "1")],
        &["a script says so (on a): it keeps 1", "→ an event a, and the script has to agree"],
    ),
    (
        "each key by itself",
        "t: {bash: x, start: {count: {of: {on: \"*.done\"}, n: 3}, reset: per key}}",
        &[("eu.done", "1"), ("us.done", "1"), ("us.done", "2")],
        &["for each key: 2 have begun", "eu.done:", "→ an event us.done"],
    ),
    (
        "a watermark",
        "t: {bash: x, start: {every: 1h, clock: {watermark: [f, w]}}}",
        &[("f", "\"2026-01-01T00:30:00Z\""), ("w", "\"2026-01-01T02:00:00Z\"")],
        &[
            "at 2026-01-01T00:30:00Z, held by f; the next window ends 2026-01-01T01:00:00Z",
            "w: at 2026-01-01T02:00:00Z",
            "→ a watermark f at or after 2026-01-01T01:00:00Z",
        ],
    ),
    (
        "a watermark that nobody told",
        "t: {bash: x, start: {every: 1h, clock: {watermark: [f, g], idle: 10m}}}",
        &[],
        &["f: has not spoken, passed at 2026-01-01T00:10:00Z if it stays silent", "arms the clock"],
    ),
    (
        "the wall",
        "t: {bash: x, start: {every: 1h}}",
        &[("pass", "10m")],
        &["next at 2026-01-01T01:00:00Z (50m left)", "→ time passes until 2026-01-01T01:00:00Z"],
    ),
    (
        "a calendar",
        "t: {bash: x, start: {cron: \"0 6 * * *\"}}",
        &[],
        &["next at 2026-01-01T06:00:00Z (6h left)"],
    ),
    (
        "a clock that is over",
        "u: {bash: x, start: {every: 1h}}\n\
         t: {bash: x, start: {every: 1h, until: \"2025-12-31T00:00:00Z\"}}",
        &[],
        &["the clock is over; it never ticks again", "→ t is started by hand"],
    ),
    (
        "another task",
        "u: {bash: x}\nt: {bash: x, start: {after: u}}",
        &[],
        &[
            "after u: execution 1.u.1 is queued, success is wanted: it has not ended",
            "→ u comes to success",
        ],
    ),
    (
        "another end",
        "u: {bash: x}\nk: {kind: stream, bash: x}\nt: {bash: x, start: {after: {u: failed}}}",
        &[("end", "1.u.1.1 0")],
        &["execution 1.u.1 is success, failed is wanted: another end is wanted"],
    ),
    (
        "silence",
        "u: {kind: stream, bash: x, heartbeat: 1m}\nt: {bash: x, start: {silent: u}}",
        &[("begin", "1.u.1.1")],
        &["→ nothing is heard of u until 2026-01-01T00:01:00Z"],
    ),
    (
        "its turn",
        "t: {bash: x, overlap: queue, start: {on: a}}",
        &[("a", "1"), ("a", "2"), ("a", "3")],
        &[
            "execution 1.t.2 waits",
            "for its turn: 1 at once, busy are 1.t.1",
            "1 more wait behind it",
            "→ execution 1.t.1 ends",
        ],
    ),
    (
        "a retry",
        "t: {bash: x, retry: {attempts: 3, backoff: 10s}}",
        &[("end", "1.t.1.1 1")],
        &[
            "attempt 1 of 1.t.1 failed; attempt 2 of 3 at 2026-01-01T00:00:10Z (10s left)",
            "→ time passes until 2026-01-01T00:00:10Z",
        ],
    ),
    (
        "a pause",
        "t: {bash: x, start: {on: a}}",
        &[("pause", ""), ("a", "1")],
        &["the run is paused", "for the run, which is paused", "→ the run is resumed"],
    ),
    (
        "nothing but its run",
        "k: {kind: stream, bash: x}\nt: {bash: x}",
        &[("end", "1.t.1.1 0")],
        &[
            "execution 1.t.1 is success",
            "it starts with its run, and by no rule",
            "→ t is started by hand",
        ],
    ),
    (
        "a run that has ended",
        "t: {bash: x}",
        &[("end", "1.t.1.1 1")],
        &[
            "the run ended at 2026-01-01T00:00:00Z: failed; nothing starts by itself",
            "→ the latest execution of t is done anew",
        ],
    ),
    (
        "a run that is being stopped",
        "t: {bash: x}",
        &[("stop", "")],
        &["the run is being stopped: nothing starts in it", "→ run 1 ends"],
    ),
];

fn set_up(tasks: &str, steps: &[(&str, &str)]) -> (Scenario, RunId) {
    let mut s = Scenario::new(tasks);
    let run = s.run();
    for (what, how) in steps {
        match *what {
            "pass" => s.pass(how),
            "pause" => drop(s.give(Input::PauseRun(run))),
            "stop" => drop(s.give(Input::StopRun(run))),
            "begin" => drop(s.give(Input::AttemptStarted(how.parse().unwrap(), 1))),
            "end" => {
                let (id, code) = how.split_once(' ').unwrap();
                s.exit(id, code.parse().unwrap());
            }
            key => drop(s.emit(key, how)),
        }
    }
    (s, run)
}

#[test]
fn each_way_of_waiting_has_its_own_answer() {
    let mut answers = std::collections::BTreeMap::new();
    for (case, tasks, steps, expected) in CASES {
        let (s, run) = set_up(tasks, steps);
        let said = said(&s, run, "t");
        for text in *expected {
            assert!(said.contains(text), "{case}: no {text:?} in\n{said}");
        }
        if let Some(other) = answers.insert(said, case) {
            panic!("{case} and {other} have the same answer");
        }
    }
}

#[test]
fn a_pool_and_a_run_say_who_is_in_the_way() {
    let mut s = Scenario::of(
        "workflow: w\npools: {gpu: 2}\nmax_active_runs: 2\ntasks:\n  \
         big: {bash: x, start: {on: big}, pools: {gpu: 2}}\n  \
         t: {bash: x, start: {on: go}, pools: gpu, priority: 1}\n  \
         u: {bash: x, start: {on: go}, pools: gpu}\n",
    );
    let run = s.run();
    s.emit("big", "1");
    s.emit("go", "1");
    let told = said(&s, run, "u");
    assert!(told.contains("for pool gpu: 2 of 2 slots taken, it takes 1; held by 1.big.1 (2)"));
    assert!(told.contains("1.t.1 comes first (priority, then age)"), "{told}");
    assert!(told.contains("→ execution 1.big.1 ends"), "{told}");
    s.run();
    let third = s.run();
    let fourth = s.run();
    let told = said(&s, fourth, "t");
    assert!(told.contains("2 of the workflow are active (1, 2), 1 wait before it"), "{told}");
    assert!(told.contains("→ 2 times: run 1 ends"), "{told}");
    assert!(said(&s, third, "t").contains("→ run 1 ends"));
}

#[test]
fn a_disk_without_room_stands_before_all_else() {
    let (s, run) = set_up("t: {bash: x, start: {on: k}}", &[]);
    let health = Health { disk_low: true, stopping: false };
    let told = why(s.engine.state(), run, None, s.now, health).unwrap();
    assert_eq!(told.lines[0].text, "the disk is short of room: new work is refused");
    assert_eq!(told.tasks[0].needs[0].step, Step::Room);
}

#[test]
fn there_is_no_answer_where_there_is_nothing() {
    let (s, run) = set_up("t: {bash: x}", &[]);
    let state = s.engine.state();
    assert_eq!(why(state, RunId(9), None, s.now, HEALTHY), None);
    assert_eq!(why(state, run, Some(&name("none")), s.now, HEALTHY), None);
}

#[test]
fn what_ran_has_its_causes_back_to_the_event() {
    let mut s = Scenario::new("a: {bash: x, start: {on: k}}\nb: {bash: x, start: {after: a}}");
    let run = s.run();
    s.emit("k", "7");
    s.exit("1.a.1.1", 0);
    let id = ExecutionId { run, task: name("b"), sequence: aiflow_model::Sequence(1) };
    let find = |offset: aiflow_model::Offset| -> Result<Option<LoggedRecord>, ()> {
        Ok(s.log.get(usize::try_from(offset.0).unwrap()).cloned())
    };
    let links = chain(&id, &Creations::of(s.engine.state(), run), find).unwrap();
    let words: Vec<&str> = links.iter().map(|link| link.text.as_str()).collect();
    assert_eq!(
        words,
        [
            "execution 1.b.1 was created",
            "rule 1 fired",
            "execution 1.a.1 ended: success",
            "attempt 1.a.1.1 ended",
            "execution 1.a.1 was created",
            "rule 0 fired",
            "event k 7 from test",
        ]
    );
}

/// Does what an answer names, as the world would.
fn supply(s: &mut Scenario, run: RunId, need: &Need, depth: u32) {
    for _ in 0..need.times {
        match &need.step {
            Step::Event { key, filter, sum, .. } => {
                let key = key.as_str().replace('*', "x");
                let left = sum.as_ref().map(|sum| sum.left.ceil().max(1.0).to_string());
                // The one filter of the definition wants an even number.
                let value = left.or_else(|| filter.as_ref().map(|_| "2".to_owned()));
                s.emit(&key, &value.unwrap_or_else(|| "1".to_owned()));
            }
            Step::Watermark { key, at_least, .. } => {
                let time = at_least.unwrap_or(s.now);
                s.emit(key.as_str(), &format!("\"{time}\""));
            }
            Step::Task { task, status, .. } => bring(s, run, task, *status, depth),
            Step::Elsewhere { of, status, run, .. } => {
                let run = run.unwrap_or_else(|| {
                    s.upload(&format!(
                        "workflow: {}\ntasks: {{{}: {{bash: x}}}}",
                        of.workflow, of.task
                    ));
                    s.run_of(of.workflow.as_str())
                });
                bring(s, run, &of.task, *status, depth);
            }
            Step::Silence { due, .. } => s.now = s.now.max(due.unwrap_or(s.now)),
            Step::Time { until } => s.now = s.now.max(*until),
            Step::Calm { span } => s.now = s.now.plus(*span),
            Step::End { id } => end(s, id),
            Step::RunEnds { run } => {
                drop(s.try_give(Input::StopRun(*run)));
                let of_run = s.engine.state().alive_attempts();
                let ids: Vec<_> = of_run.map(|(id, _)| id.execution).collect();
                ids.iter().filter(|id| id.run == *run).for_each(|id| end(s, id));
            }
            Step::Resume { run } => drop(s.give(Input::ResumeRun(*run))),
            Step::Room => panic!("the disk has room"),
            Step::Start { run, task } => drop(s.give(Input::StartTask(*run, task.clone()))),
            Step::Rerun { run, task } => {
                let (run, task, request) = (*run, task.clone(), None);
                let (sequence, from_here) = (None, false);
                s.give(Input::RerunTask(RerunTask { run, task, sequence, from_here, request }));
            }
            Step::Restart { run, task } => {
                let (run, task, request) = (*run, task.clone(), None);
                s.give(Input::RestartTask(TaskRequest { run, task, request }));
            }
        }
        while s.engine.next_deadline().is_some_and(|due| due <= s.now) {
            s.give(Input::Tick);
        }
    }
}

/// Lets an execution end, however it stands.
fn end(s: &mut Scenario, id: &ExecutionId) {
    let current = s.engine.state().execution(id).and_then(|e| e.current_attempt());
    match current.map(|attempt| id.attempt(attempt.number)) {
        Some(attempt) => s.end(&attempt.to_string(), Outcome::Exited { code: 0 }),
        None => drop(s.try_give(Input::StopTask(id.run, id.task.clone()))),
    }
}

/// Lets a task come to a status.
fn bring(s: &mut Scenario, run: RunId, task: &TaskName, status: ExecutionStatus, depth: u32) {
    let alive = |s: &Scenario| {
        let all = s.engine.state().alive_attempts().map(|(id, _)| id);
        all.into_iter().find(|id: &AttemptId| id.execution.task == *task)
    };
    for _ in 0..20 {
        let Some(id) = alive(s) else {
            let known = s.engine.state().task(run, task).and_then(|t| t.alive_executions().next());
            if let Some(due) = known.and_then(|execution| execution.deadline) {
                s.now = s.now.max(due);
                s.give(Input::Tick);
            } else {
                start(s, run, task.as_str(), depth - 1);
            }
            continue;
        };
        let execution = id.execution.clone();
        let code = i32::from(status == ExecutionStatus::Failed);
        s.end(&id.to_string(), Outcome::Exited { code });
        if s.engine.state().execution(&execution).is_some_and(|e| e.status == status) {
            return;
        }
    }
    panic!("{task} does not come to {status}");
}

fn attempts(s: &Scenario, task: &str) -> usize {
    s.count(|record| match record {
        Record::AttemptQueued { id } => id.execution.task.as_str() == task,
        _ => false,
    })
}

/// Supplies what is named as missing until the task starts.
fn start(s: &mut Scenario, run: RunId, task: &str, depth: u32) {
    assert!(depth > 0, "{task} waits for what waits for it");
    let before = attempts(s, task);
    let mut story = Vec::new();
    for _ in 0..30 {
        let answer = ask(s, run, task);
        assert!(!answer.needs.is_empty(), "{task}: an empty answer\n{story:#?}\n{answer:#?}");
        story.push(said(s, run, task));
        for need in &answer.needs {
            supply(s, run, need, depth);
            if attempts(s, task) > before {
                return;
            }
        }
    }
    panic!("{task} does not start\n{}", story.join("\n\n"));
}

#[test]
fn what_each_answer_names_starts_the_task() {
    for (_, tasks, steps, _) in CASES.iter().filter(|(case, ..)| *case != "a script") {
        let (mut s, run) = set_up(&tasks.replace("value > 3", "value % 2 == 0"), steps);
        start(&mut s, run, "t", 5);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn no_answer_is_empty_and_what_it_names_starts_the_task(
        steps in prop::collection::vec(step(), 0..40),
        which in 0..NAMES.len(),
    ) {
        let mut s = Scenario::new(TASKS);
        s.replays_each_step = false;
        let run = s.run();
        for step in steps.iter().filter(|step| !matches!(step, Random::StopRun)) {
            take(&mut s, run, step);
        }
        for task in NAMES {
            let answer = ask(&s, run, task);
            prop_assert!(!answer.lines.is_empty());
            let is_waiting = matches!(answer.stands, Stands::Waits | Stands::Retries);
            prop_assert!(!is_waiting || !answer.needs.is_empty(), "{task}: {answer:?}");
        }
        let task = NAMES[which];
        if matches!(ask(&s, run, task).stands, Stands::Waits | Stands::Retries | Stands::Over) {
            start(&mut s, run, task, 5);
        }
    }
}
