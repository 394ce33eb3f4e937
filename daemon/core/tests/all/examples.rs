//! Every example of a condition, and of what a task says of itself, does what its expectation says.
//!
//! A step is `emit KEY [JSON]`, `pass SPAN`, `begin TASK` (its process runs), `end TASK CODE`, for
//! all attempts of the task that are alive, `output TASK NAME JSON` of each of them,
//! `active TASK N`: so many of its attempts are alive, `backfill TASK FROM TO`, or
//! `control VERB [TASK]`, as somebody does by hand.

use std::path::Path;

use aiflow_core::Input;
use aiflow_core::definition::{read, warnings};
use aiflow_model::record::Mark;
use aiflow_model::wire::{Backfill, RerunTask, TaskControl, TaskRequest};
use aiflow_model::{AttemptId, JsonText, Namespace, Record, RunId, TaskName, TriggerId};

use crate::support::Scenario;

fn alive(s: &Scenario, task: &str) -> Vec<AttemptId> {
    let attempts = s.engine.state().alive_attempts();
    attempts.map(|(id, _)| id).filter(|id| id.execution.task.as_str() == task).collect()
}

fn take(s: &mut Scenario, step: &str) {
    let (verb, rest) = step.split_once(' ').unwrap();
    match (verb, rest.split_once(' ')) {
        ("emit", Some((key, value))) => drop(s.emit(key, value)),
        ("emit", None) => drop(s.emit(rest, "null")),
        ("pass", None) => s.pass(rest),
        ("begin", None) => {
            for id in alive(s, rest) {
                s.give(Input::AttemptStarted(id, 7));
            }
        }
        ("end", Some((task, code))) => {
            for id in alive(s, task) {
                s.exit(&id.to_string(), code.parse().unwrap());
            }
        }
        ("backfill", Some((task, times))) => {
            let (from, to) = times.split_once(' ').unwrap();
            let (from, to) = (from.parse().unwrap(), Some(to.parse().unwrap()));
            let (run, task) = (RunId(1), task.parse().unwrap());
            let (parallel, request) = (Some(2), None);
            s.give(Input::Backfill(Backfill { run, task, from, to, parallel, request }));
        }
        ("output", Some((task, output))) => {
            let (name, value) = output.split_once(' ').unwrap();
            for id in alive(s, task) {
                let value = JsonText::parse(value).unwrap();
                s.give(Input::SetOutput(id, name.parse().unwrap(), value));
            }
        }
        ("control", Some((verb, task))) => control_task(s, verb, task.parse().unwrap()),
        ("control", None) => control_all(s, rest),
        ("active", Some((task, count))) => {
            assert_eq!(alive(s, task).len(), count.parse::<usize>().unwrap(), "{step}");
        }
        _ => panic!("{step:?} is no step"),
    }
    while s.engine.next_deadline().is_some_and(|due| due <= s.now) {
        s.give(Input::Tick);
    }
}

fn control_task(s: &mut Scenario, verb: &str, task: TaskName) {
    let run = RunId(1);
    let mark = TaskControl { run, task: task.clone(), sequence: None, request: None };
    let from_here = verb == "rerun-from-here";
    let (sequence, request) = (None, None);
    let input = match verb {
        "start" => Input::StartTask(run, task),
        "stop" => Input::StopTask(run, task),
        "restart" => Input::RestartTask(TaskRequest { run, task, request }),
        "skip" => Input::MarkTask(mark, Mark::Skipped),
        "mark-success" => Input::MarkTask(mark, Mark::Success),
        "rerun" | "rerun-from-here" => {
            Input::RerunTask(RerunTask { run, task, sequence, from_here, request })
        }
        _ => panic!("nobody can {verb} a task"),
    };
    s.give(input);
}

fn control_all(s: &mut Scenario, verb: &str) {
    let (run, trigger) = (RunId(1), TriggerId(1));
    let space = Namespace::default_namespace();
    let workflow = || {
        let known = &s.engine.state().namespaces[&space].workflows;
        known.keys().next().unwrap().clone()
    };
    if verb == "stop-all" {
        let runs = s.engine.state().runs.values().filter(|run| run.status.is_alive());
        let ids: Vec<RunId> = runs.map(|run| run.id).collect();
        ids.into_iter().for_each(|id| drop(s.give(Input::StopRun(id))));
        return;
    }
    let input = match verb {
        "pause-run" => Input::PauseRun(run),
        "resume-run" => Input::ResumeRun(run),
        "stop-run" => Input::StopRun(run),
        "delete-run" => Input::DeleteRun(run),
        "pause-trigger" => Input::PauseTrigger(trigger),
        "resume-trigger" => Input::ResumeTrigger(trigger),
        "disable" | "enable" => Input::EnableWorkflow(space.clone(), workflow(), verb == "enable"),
        _ => panic!("nobody can {verb}"),
    };
    s.give(input);
}

fn check(definition: &str, expectation: &str, name: &str) {
    let spec = read(definition).unwrap();
    assert_eq!(warnings(definition, &spec), [], "{name}");
    let mut s = Scenario::of(definition);
    let workflow = definition.lines().find_map(|line| line.strip_prefix("workflow: ")).unwrap();
    if !definition.contains("\ntriggers:") {
        s.run_of(workflow);
    }
    for line in expectation.lines().filter(|line| !line.starts_with('#')) {
        let (step, expected) = line.split_once("->").unwrap();
        let before = s.log.len();
        take(&mut s, step.trim());
        let new = s.log[before..].iter();
        let created = new.filter(|r| matches!(r.record, Record::TaskExecutionCreated { .. }));
        assert_eq!(created.count(), expected.trim().parse::<usize>().unwrap(), "{name}: {line}");
    }
}

#[test]
fn every_example_does_what_it_says() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut count = 0;
    let folders =
        ["conditions", "tasks", "control"].map(|folder| std::fs::read_dir(examples.join(folder)));
    for entry in folders.into_iter().flat_map(Result::unwrap) {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let definition = std::fs::read_to_string(&path).unwrap();
            let expectation = std::fs::read_to_string(path.with_extension("expect")).unwrap();
            check(&definition, &expectation, &path.display().to_string());
            count += 1;
        }
    }
    assert!(count > 50, "only {count} examples");
}
