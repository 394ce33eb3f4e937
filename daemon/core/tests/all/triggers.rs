//! Triggers and schedules: what starts runs, and what is done to workflows as a whole.

use aiflow_core::{Answer, Input};
use aiflow_model::wire::{AddTrigger, StartRun};
use aiflow_model::{ErrorCode, JsonText, Namespace, RunId, TriggerId};

use crate::support::Scenario;

const READY: &str = "workflow: w\nparams: {day: none, n: 1}\ntriggers: [{on: data.ready, if: value.n > 0}]\ntasks: {a: {bash: x}}\n";

fn space() -> Namespace {
    Namespace::default_namespace()
}

fn add(s: &mut Scenario, condition: &str) -> TriggerId {
    let (namespace, workflow) = (space(), "w".parse().unwrap());
    let (condition, request) = (condition.to_owned(), Some(condition.to_owned()));
    let add = AddTrigger { namespace, workflow, condition, request };
    let answer = s.give(Input::AddTrigger(add.clone()));
    assert_eq!(s.give(Input::AddTrigger(add)), answer, "asked twice, added once");
    let Answer::Trigger(id) = answer else { panic!("{answer:?}") };
    id
}

fn runs(s: &Scenario) -> usize {
    s.engine.state().runs.len()
}

#[test]
fn each_firing_starts_a_run_with_the_payload_as_parameters() {
    let mut s = Scenario::of(READY);
    s.emit("data.ready", r#"{"n": 0}"#);
    assert_eq!(runs(&s), 0);
    s.emit("data.ready", r#"{"n": 7, "day": "mon", "more": []}"#);
    s.emit("data.ready", r#"{"n": 8}"#);
    let state = s.engine.state();
    let params = |run: u64| {
        let params = &state.runs[&RunId(run)].params;
        params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(params(1), ["day=\"mon\"", "n=7"]);
    assert_eq!(params(2), ["day=\"none\"", "n=8"]);
    assert_eq!(state.runs[&RunId(1)].trigger, Some(TriggerId(1)));
    let task = &state.runs[&RunId(1)].tasks[0];
    assert_eq!(task.executions[0].events, state.runs[&RunId(1)].events);
    assert_eq!(s.effects(), ["launch 1.a.1.1", "launch 2.a.1.1"]);
}

#[test]
fn an_event_of_one_run_reaches_triggers() {
    let mut s = Scenario::of(READY);
    let run = s.run();
    s.emit_as("data.ready", r#"{"n": 1}"#, "1", Some(run));
    assert_eq!(runs(&s), 2);
}

#[test]
fn an_upload_replaces_what_the_definition_held_and_keeps_what_it_knows() {
    let definition = |triggers: &str| {
        format!("workflow: w\ntriggers: [{triggers}]\ntasks: {{a: {{bash: x}}}}\n")
    };
    let twice = "{count: {of: {on: p}, n: 2}}";
    let mut s = Scenario::of(&definition(&format!("{twice}, {{on: q}}")));
    let own = add(&mut s, "{on: own}");
    s.emit("p", "1");
    s.upload(&definition(&format!("{{on: r}}, {twice}")));
    s.emit("q", "1");
    assert_eq!(runs(&s), 0, "q is no longer looked at");
    s.emit("p", "1");
    assert_eq!(runs(&s), 1, "the first p still counts");
    s.emit("r", "1");
    s.emit("own", "1");
    assert_eq!(runs(&s), 3);
    s.give(Input::DeleteTrigger(own));
    s.emit("own", "1");
    assert_eq!(runs(&s), 3);
    let refused = s.try_give(Input::DeleteTrigger(TriggerId(1))).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidParams, "it is the definition's");
    let refused = s.try_give(Input::DeleteTrigger(own)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::UnknownTrigger);
    assert_eq!(add(&mut s, "{on: x}"), TriggerId(5), "a number is not given twice");
}

#[test]
fn a_paused_schedule_lets_its_ticks_go_by() {
    let mut s = Scenario::of("workflow: w\ntasks: {a: {bash: x}}\n");
    let id = add(&mut s, "{cron: \"0 * * * *\"}");
    s.pass("2h");
    assert_eq!(runs(&s), 2);
    s.give(Input::PauseTrigger(id));
    assert_eq!(s.engine.next_deadline(), None, "a paused schedule wakes nobody");
    s.pass("5h30m");
    s.give(Input::ResumeTrigger(id));
    assert_eq!(runs(&s), 2);
    s.pass("30m");
    assert_eq!(runs(&s), 3, "it ticks from now on");
    let trigger = &s.engine.state().triggers[&id];
    assert!(trigger.is_schedule() && trigger.firings == 3);
    assert_eq!(trigger.next_tick(), Some(s.now.plus("1h".parse().unwrap())));
}

#[test]
fn a_disabled_workflow_starts_nothing_new() {
    let mut s = Scenario::of(READY);
    add(&mut s, "{every: 1h}");
    let run = s.run();
    let enable = |enabled| Input::EnableWorkflow(space(), "w".parse().unwrap(), enabled);
    s.give(enable(false));
    s.emit("data.ready", r#"{"n": 1}"#);
    s.pass("3h");
    let start = StartRun {
        namespace: space(),
        workflow: "w".parse().unwrap(),
        params: [].into(),
        request: None,
    };
    let refused = s.try_give(Input::StartRun(start)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::WorkflowDisabled);
    assert_eq!((runs(&s), s.status(run).as_str()), (1, "running"), "what is alive goes on");
    s.give(enable(true));
    s.emit("data.ready", r#"{"n": 2}"#);
    s.pass("1h");
    assert_eq!(runs(&s), 3);
}

#[test]
fn deleting_takes_what_has_ended_and_never_gives_its_numbers_again() {
    let mut s = Scenario::of(READY);
    let run = s.run();
    let delete = || Input::DeleteWorkflow(space(), "w".parse().unwrap());
    let refused = s.try_give(delete()).unwrap_err();
    assert_eq!(refused.code, ErrorCode::StillAlive);
    assert_eq!(s.try_give(Input::DeleteRun(run)).unwrap_err().code, ErrorCode::StillAlive);
    s.exit("1.a.1.1", 0);
    let second = s.run();
    s.exit("2.a.1.1", 0);
    s.give(Input::DeleteRun(second));
    assert_eq!(s.run(), RunId(3));
    s.exit("3.a.1.1", 0);
    s.give(delete());
    let state = s.engine.state();
    assert!(state.runs.is_empty() && state.snapshots.is_empty() && state.triggers.is_empty());
    s.emit("data.ready", r#"{"n": 1}"#);
    s.upload(READY);
    s.emit("data.ready", r#"{"n": 1}"#);
    assert_eq!(s.engine.state().runs.keys().copied().collect::<Vec<_>>(), [RunId(4)]);
}

#[test]
fn a_namespace_goes_when_it_is_empty() {
    let mut s = Scenario::of(READY);
    let other: Namespace = "other".parse().unwrap();
    s.give(Input::AddNamespace(other.clone(), [].into()));
    s.give(Input::DeleteNamespace(other.clone()));
    let refused = s.try_give(Input::DeleteNamespace(other)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::UnknownNamespace);
    assert!(s.try_give(Input::DeleteNamespace(space())).is_err());
}

#[test]
fn what_is_said_of_a_namespace_is_kept_changed_and_bounded() {
    let mut s = Scenario::of(READY);
    let name: Namespace = "team".parse().unwrap();
    let said = |text: &str| -> std::collections::BTreeMap<String, JsonText> {
        serde_json::from_str(text).unwrap()
    };
    s.give(Input::AddNamespace(name.clone(), said(r#"{"owner": "ann", "tier": 1}"#)));
    s.give(Input::AddNamespace(name.clone(), said(r#"{"owner": "bob"}"#)));
    s.give(Input::UpdateNamespace(name.clone(), said(r#"{"tier": null, "mail": "x@y"}"#)));
    let before = s.log.len();
    s.give(Input::UpdateNamespace(name.clone(), said(r#"{"mail": "x@y"}"#)));
    assert_eq!(s.log.len(), before, "nothing changed");
    let known = s.engine.state().namespaces[&name].properties.clone();
    let shown: Vec<String> = known.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(shown, ["mail=\"x@y\"", "owner=\"ann\""]);
    let large = said(&format!("{{\"a\": \"{}\"}}", "x".repeat(70_000)));
    let refusal = s.try_give(Input::UpdateNamespace(name, large.clone())).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ValueTooLarge);
    let nowhere = Input::UpdateNamespace("nowhere".parse().unwrap(), said("{}"));
    assert_eq!(s.try_give(nowhere).unwrap_err().code, ErrorCode::UnknownNamespace);
}
