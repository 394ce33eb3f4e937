//! Heartbeats: silence is told, acted upon by rules alone, and never an end.

use aiflow_core::{Answer, Input};
use aiflow_model::{AttemptId, ErrorCode, EventKey, JsonText, Namespace, Record, Rejection, RunId};

use crate::support::Scenario;

const WATCHED: &str = "\
s: {kind: stream, bash: x, heartbeat: 20s, restart: {silent: s}}
alarm: {bash: x, start: {silent: s}, overlap: queue}
";

fn attempt(text: &str) -> AttemptId {
    text.parse().unwrap()
}

fn started(s: &mut Scenario, id: &str) {
    s.give(Input::AttemptStarted(attempt(id), 7));
}

fn say(s: &mut Scenario, id: &str, run: Option<u64>, speaker: &str) -> Result<Answer, Rejection> {
    s.try_give(Input::Emit {
        namespace: Namespace::default_namespace(),
        key: EventKey::new("k").unwrap(),
        value: JsonText::null(),
        source: "task".to_owned(),
        id: id.to_owned(),
        execution: run.map(RunId),
        speaker: Some(attempt(speaker)),
    })
}

fn silent_since(s: &Scenario) -> Option<String> {
    let task = s.engine.state().task(RunId(1), &"s".parse().unwrap()).unwrap();
    task.latest().unwrap().silent_since.map(|time| time.to_string())
}

#[test]
fn silence_is_recorded_and_the_rules_act() {
    let mut s = Scenario::new(WATCHED);
    let run = s.run();
    started(&mut s, "1.s.1.1");
    s.effects();
    s.pass("19s");
    assert_eq!(s.effects(), [""; 0]);
    s.pass("1s");
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 1);
    assert_eq!(s.effects(), ["stop 1.s.1.1", "launch 1.alarm.1.1"]);
    assert_eq!(s.executions(run, "s"), ["1:stopping"], "it lives until its end is seen");
    s.exit("1.s.1.1", 0);
    assert_eq!(s.effects(), ["launch 1.s.2.1"]);
    s.pass("1h");
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 1, "not begun yet");
    started(&mut s, "1.s.2.1");
    s.pass("20s");
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 2);
}

#[test]
fn without_a_rule_silence_changes_nothing_and_ends_with_the_next_sign() {
    let mut s = Scenario::new("s: {kind: stream, bash: x, heartbeat: 20s}\n");
    let run = s.run();
    started(&mut s, "1.s.1.1");
    s.effects();
    s.pass("1h");
    assert_eq!(silent_since(&s).as_deref(), Some("2026-01-01T01:00:00Z"));
    assert_eq!((s.effects().len(), s.executions(run, "s")), (0, vec!["1:running".to_owned()]));
    s.pass("1d");
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 1, "once");
    s.give(Input::Heartbeat(attempt("1.s.1.1")));
    assert_eq!(silent_since(&s), None);
    s.pass("20s");
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 2);
}

#[test]
fn signs_are_recorded_as_often_as_it_matters() {
    let mut s = Scenario::new(WATCHED);
    s.run();
    started(&mut s, "1.s.1.1");
    for _ in 0..100 {
        s.pass("1s");
        s.give(Input::Heartbeat(attempt("1.s.1.1")));
    }
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 0);
    assert_eq!(s.count(|record| matches!(record, Record::HeartbeatReceived { .. })), 20);
}

#[test]
fn a_proven_event_is_a_sign_of_life_and_only_for_the_own_run() {
    let mut s = Scenario::new(WATCHED);
    s.run();
    let other = s.run();
    started(&mut s, "1.s.1.1");
    s.pass("15s");
    say(&mut s, "1", Some(1), "1.s.1.1").unwrap();
    s.pass("15s");
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 0);
    let refused = say(&mut s, "2", Some(other.0), "1.s.1.1").unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotItsRun);
    s.exit("1.s.1.1", 0);
    let refused = say(&mut s, "3", Some(1), "1.s.1.1").unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotAlive, "its token has expired");
    let again = say(&mut s, "1", Some(1), "1.s.1.1").unwrap();
    assert!(matches!(again, Answer::Emitted { duplicate: true, .. }), "a repeat is answered");
    let refused = s.try_give(Input::Heartbeat(attempt("1.s.1.1"))).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotAlive);
}

#[test]
fn while_no_daemon_ran_nothing_could_be_heard() {
    let mut s = Scenario::new(WATCHED);
    s.run();
    started(&mut s, "1.s.1.1");
    s.now = s.now.plus("1h".parse().unwrap());
    s.start_daemon("boot-1");
    s.pass("19s");
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 0);
    s.pass("1s");
    assert_eq!(s.count(|record| matches!(record, Record::ContactLost { .. })), 1);
}

#[test]
fn a_task_without_heartbeat_is_never_silent() {
    let mut s = Scenario::new("s: {kind: stream, bash: x}\n");
    s.run();
    started(&mut s, "1.s.1.1");
    let before = s.log.len();
    s.give(Input::Heartbeat(attempt("1.s.1.1")));
    s.pass("1d");
    assert_eq!(s.log.len(), before);
}
