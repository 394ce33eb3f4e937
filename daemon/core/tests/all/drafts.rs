//! Drafts: what they record, that nothing follows of it, how they end, and what they refuse.

use aiflow_core::{Answer, Input};
use aiflow_model::record::{DraftChange, DraftEnd, Would};
use aiflow_model::state::Firing;
use aiflow_model::wire::{DraftWorkflow, PromoteDraft, Upload};
use aiflow_model::{
    DraftId, ErrorCode, LoggedRecord, Namespace, Record, Rejection, RuleIndex, Timestamp,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::properties::{Step, TASKS, step, take};
use crate::support::Scenario;

/// Beside the tasks of all kinds: those whose rules look at what other rules do.
const MORE: &str = "
both: {bash: x, overlap: queue, start: {after: {queued: success, third: success}}}
derives: {bash: x, emit: {when: {on: other}, key: again}}
looks: {bash: x, overlap: queue, start: {on: go, if: '\"queued\" in tasks && value > params.days'}}";

fn definition(tasks: &str) -> String {
    let indented: String = tasks.lines().map(|line| format!("  {line}\n")).collect();
    format!("workflow: w\nparams: {{days: 3}}\ntasks:\n{indented}")
}

fn ask(source: &str, lasts: Option<&str>) -> DraftWorkflow {
    let (namespace, source) = (Namespace::default_namespace(), source.to_owned());
    let upload = Upload { namespace, source, files: vec![] };
    let lasts = lasts.map(|span| span.parse().unwrap());
    DraftWorkflow { upload, lasts, beside: None, request: None }
}

fn try_draft(s: &mut Scenario, source: &str) -> Result<Answer, Rejection> {
    s.try_give(Input::StartDraft(Box::new(ask(source, None))))
}

fn draft(s: &mut Scenario, source: &str) -> DraftId {
    let Ok(Answer::Draft { draft, .. }) = try_draft(s, source) else { panic!("no draft") };
    draft
}

fn promote(draft: DraftId, anyway: bool) -> Input {
    Input::PromoteDraft(PromoteDraft { draft, anyway })
}

fn changes(s: &Scenario) -> Vec<&DraftChange> {
    let changed = s.log.iter().filter_map(|logged| match &logged.record {
        Record::DraftChanged { change, .. } => Some(change),
        _ => None,
    });
    changed.collect()
}

/// What the rules of a draft would have done.
fn would(s: &Scenario) -> Vec<String> {
    let fired = |change: &DraftChange| match change {
        DraftChange::Fired { would, .. } => Some(would.to_string()),
        _ => None,
    };
    changes(s).into_iter().filter_map(fired).collect()
}

fn ends(s: &Scenario) -> Vec<DraftEnd> {
    let end = |change: &DraftChange| match change {
        DraftChange::Ended { end } => Some(*end),
        _ => None,
    };
    changes(s).into_iter().filter_map(end).collect()
}

/// The log as if there had never been a draft: records of drafts are gone, and offsets, wherever
/// they stand, are those that the others would have had.
fn without_drafts(log: &[LoggedRecord]) -> Vec<LoggedRecord> {
    let is_of_draft =
        |record: &Record| matches!(record, Record::DraftStarted(_) | Record::DraftChanged { .. });
    let gone: Vec<u64> =
        log.iter().filter(|one| is_of_draft(&one.record)).map(|one| one.offset.0).collect();
    let moved = |offset: u64| offset - gone.partition_point(|one| *one < offset) as u64;
    let others = log.iter().filter(|one| !is_of_draft(&one.record));
    let retold = others.map(|logged| {
        let mut told = serde_json::to_value(logged).unwrap();
        move_offsets(&mut told, &moved);
        serde_json::from_value(told).unwrap()
    });
    retold.collect()
}

fn move_offsets(value: &mut Value, moved: &impl Fn(u64) -> u64) {
    let at = |number: &Value| json!(moved(number.as_u64().unwrap()));
    match value {
        Value::Object(members) => {
            let is_derived = members
                .get("source")
                .is_some_and(|of| of.as_str().is_some_and(|source| source.starts_with("rule ")));
            for (name, member) in members {
                match (name.as_str(), &mut *member) {
                    ("offset" | "cause" | "event", Value::Number(_)) => *member = at(member),
                    ("events" | "ends", Value::Array(all)) => {
                        all.iter_mut().for_each(|one| *one = at(one));
                    }
                    // A derived event is named by the firing.
                    ("id", Value::String(id)) if is_derived => {
                        *id = moved(id.parse().unwrap()).to_string();
                    }
                    _ => move_offsets(member, moved),
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| move_offsets(one, moved)),
        _ => {}
    }
}

#[test]
fn a_draft_records_what_it_would_do_and_does_nothing() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {on: go, if: value > 3}}\nk: {bash: x, start: {on: never}}",
    );
    let run = s.run();
    let source = "workflow: w\ntasks:\n  a: {bash: x, start: {on: go, if: value > 1}, \
                  stop: {on: halt}, restart: {on: again}}\n  b: {bash: x, start: {after: a}}\n\
                  triggers: [{on: begin}]\nemit: [{when: {on: go}, key: derived}]\n";
    let id = draft(&mut s, source);
    s.effects();
    s.emit("go", "2");
    assert_eq!(s.effects(), [""; 0], "the real rule does not fire, the draft acts on nothing");
    assert_eq!(would(&s), ["start a", "emit derived"]);
    s.emit("go", "5");
    assert_eq!(s.effects(), ["launch 1.a.1.1"]);
    s.exit("1.a.1.1", 0);
    assert_eq!(would(&s)[2..], ["start a", "emit derived", "start b"]);
    for key in ["halt", "again", "begin"] {
        s.emit(key, "1");
    }
    assert_eq!(would(&s)[5..], ["stop a", "restart a", "start a run"]);
    assert_eq!(s.executions(run, "a"), ["1:success"]);
    assert_eq!(s.engine.state().runs.len(), 1);
    assert!(s.engine.state().triggers.is_empty());
    let known = &s.engine.state().drafts[&id];
    assert_eq!((known.firings, known.recent.len(), known.failures), (8, 8, 0));
    assert_eq!(
        known.recent[5].would,
        Would::Task { task: "a".parse().unwrap(), action: aiflow_model::spec::Action::Stop }
    );
    s.check_replay();
}

#[test]
fn a_draft_ends_by_hand_with_its_time_and_with_the_run_beside_it() {
    let source = definition("a: {bash: x, start: {on: go}}");
    let mut s = Scenario::of(&source);
    let first = draft(&mut s, &source);
    s.give(Input::DiscardDraft(first));
    let gone = s.try_give(Input::DiscardDraft(first)).unwrap_err();
    assert_eq!(gone.code, ErrorCode::UnknownDraft);
    s.give(Input::StartDraft(Box::new(ask(&source, Some("1h")))));
    s.pass("59m");
    assert_eq!(ends(&s), [DraftEnd::Discarded]);
    s.pass("1m");
    assert_eq!(ends(&s)[1..], [DraftEnd::Expired]);
    assert_eq!(s.engine.next_deadline(), None);
    let run = s.run();
    draft(&mut s, &source);
    s.give(Input::StopRun(run));
    assert_eq!(ends(&s)[2..], [DraftEnd::RunEnded]);
    assert!(s.engine.state().drafts.is_empty());
    s.emit("go", "1");
    assert_eq!(would(&s), [""; 0]);
}

#[test]
fn promotion_is_one_decision_and_replaces_only_what_stood_beside() {
    let old = definition("a: {bash: x, start: {on: go}}");
    let new = definition("a: {bash: x, start: {on: other}}");
    let mut s = Scenario::of(&old);
    let id = draft(&mut s, &new);
    let before = s.log.len();
    let Answer::Uploaded { unchanged: false, .. } = s.give(promote(id, false)) else { panic!() };
    let batch = &s.log[before..];
    assert!(matches!(batch[0].record, Record::WorkflowUploaded(_)));
    assert_eq!(ends(&s), [DraftEnd::Promoted]);
    assert_eq!(s.engine.state().current_snapshot("default", "w").unwrap().source, new);
    let id = draft(&mut s, &old);
    s.upload(&definition("a: {bash: y, start: {on: other}}"));
    let refused = s.try_give(promote(id, false)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::DraftOutdated);
    s.give(promote(id, true));
    assert_eq!(s.engine.state().current_snapshot("default", "w").unwrap().source, old);
}

#[test]
fn what_a_draft_could_not_tell_is_refused() {
    let chain = definition("a: {bash: x}\nb: {bash: x, start: {after: a}}");
    let mut s = Scenario::of(&definition("a: {bash: x, start: {on: go}}"));
    let refused = |s: &mut Scenario, source: &str| {
        let before = s.log.len();
        let rejection = try_draft(s, source).unwrap_err();
        assert_eq!(s.log.len(), before, "nothing is stored");
        rejection
    };
    let rejection = refused(&mut s, &chain);
    assert_eq!(rejection.code, ErrorCode::DraftImpossible);
    assert!(rejection.message.contains("no run of w is alive"), "{}", rejection.message);
    let filter = definition("a: {bash: x, start: {on: go, if: value > params.days}}");
    assert_eq!(refused(&mut s, &filter).code, ErrorCode::DraftImpossible);
    let run = s.run();
    draft(&mut s, &chain);
    draft(&mut s, &filter);
    s.emit("go", "4");
    assert_eq!(would(&s), ["start a"]);
    let unknown = definition("a: {bash: x}\nn: {bash: x}\nb: {bash: x, start: {after: n}}");
    let rejection = refused(&mut s, &unknown);
    assert!(rejection.message.contains("looks at task n"), "{}", rejection.message);
    let rejection = refused(&mut s, "workflow: w\ntasks:\n  a: {bash: x, start: {no: go}}\n");
    assert_eq!(rejection.code, ErrorCode::InvalidDefinition);
    assert_eq!(rejection.diagnostics[0].line, 3);
    for lasts in ["0s", "91d"] {
        let asked = Input::StartDraft(Box::new(ask(&chain, Some(lasts))));
        assert_eq!(s.try_give(asked).unwrap_err().code, ErrorCode::InvalidParams);
    }
    let other = "workflow: other\ntasks: {a: {bash: x, start: {on: go}}}\n";
    let beside = DraftWorkflow { beside: Some(run), ..ask(other, None) };
    let rejection = s.try_give(Input::StartDraft(Box::new(beside))).unwrap_err();
    assert_eq!(rejection.code, ErrorCode::DraftImpossible);
}

#[test]
fn a_request_begins_one_draft_and_events_of_other_runs_do_not_reach_it() {
    let source = definition("a: {bash: x, start: {on: go}}");
    let mut s = Scenario::of(&source);
    let (one, other) = (s.run(), s.run());
    let asked = DraftWorkflow { request: Some("r".to_owned()), ..ask(&source, None) };
    let first = s.give(Input::StartDraft(Box::new(asked.clone())));
    assert_eq!(s.give(Input::StartDraft(Box::new(asked))), first);
    s.emit_as("go", "1", "to the other", Some(other));
    assert_eq!(would(&s), [""; 0]);
    s.emit_as("go", "1", "to the one", Some(one));
    assert_eq!(would(&s), ["start a"]);
}

#[test]
fn drafts_take_no_place_of_runs_and_keep_no_run_from_its_place() {
    let source = "workflow: w\nmax_active_runs: 1\ntasks:\n  a: {bash: x, start: {on: go}}\n";
    let mut s = Scenario::of(source);
    draft(&mut s, source);
    let first = s.run();
    draft(&mut s, source);
    let second = s.run();
    assert_eq!((s.status(first), s.status(second)), ("running".into(), "waiting".into()));
    assert_eq!(s.engine.state().drafts.len(), 2);
    assert_eq!(s.engine.state().oldest_needed(), None);
}

/// What fired in the run while the draft was there, and in the draft.
fn fired(s: &Scenario) -> [Vec<(RuleIndex, Firing)>; 2] {
    let (mut real, mut of_draft) = (Vec::new(), Vec::new());
    for logged in &s.log {
        match &logged.record {
            Record::RuleFired { rule, firing, .. } => real.push((*rule, firing.clone())),
            Record::DraftChanged { change: DraftChange::Fired { rule, firing, .. }, .. } => {
                of_draft.push((*rule, firing.clone()));
            }
            Record::DraftChanged { change: DraftChange::Ended { .. }, .. } => break,
            _ => {}
        }
    }
    // In time clocks come in the order of who looks: first all of runs, then those of drafts.
    let in_order = |mut all: Vec<(RuleIndex, Firing)>| {
        all.sort_by_key(|(rule, _)| *rule);
        all
    };
    [in_order(real), in_order(of_draft)]
}

#[test]
fn a_rule_of_a_draft_finds_what_the_rule_of_the_run_finds_before_later_rules_act() {
    let source = definition(
        "c: {bash: x, start: {after: {a: success, b: success}}}\n\
         a: {bash: x, start: {any: [{on: go}, {after: b}]}}\n\
         b: {bash: x, start: {on: go}}",
    );
    let mut s = Scenario::of(&source);
    let run = s.run();
    draft(&mut s, &source);
    s.emit("go", "1");
    s.exit("1.a.1.1", 0);
    s.exit("1.b.1.1", 0);
    assert_eq!(s.executions(run, "c"), ["1:queued"], "a had ended well when b did");
    assert_eq!(s.executions(run, "a"), ["1:success", "2:queued"]);
    let [real, of_draft] = fired(&s);
    assert_eq!((real.len(), real), (4, of_draft));
}

/// What happens to a run, with a draft of its definition beside it or without.
fn history(steps: &[Step], has_draft: bool) -> Scenario {
    let source = definition(&format!("{TASKS}{MORE}"));
    let mut s = Scenario::of(&source);
    s.replays_each_step = false;
    let run = s.run();
    if has_draft {
        draft(&mut s, &source);
    }
    for what in steps {
        // So that batches come one after the other.
        s.now = Timestamp(s.now.0 + 1);
        take(&mut s, run, what);
    }
    s
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn a_draft_of_the_running_definition_fires_where_the_run_fires_and_changes_nothing(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut with = history(&steps, true);
        let mut without = history(&steps, false);
        let [real, of_draft] = fired(&with);
        prop_assert_eq!(real, of_draft);
        prop_assert_eq!(with.effects(), without.effects(), "no effect is of a draft");
        let stripped = without_drafts(&with.log);
        prop_assert_eq!(stripped.len(), without.log.len());
        for (one, other) in stripped.iter().zip(&without.log) {
            prop_assert_eq!(one, other);
        }
        with.check_replay();
    }
}
