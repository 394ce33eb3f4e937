//! What is told of an event is what the log says of it, for random rules and events.

use std::collections::BTreeSet;

use aiflow_core::{Engine, Tracker};
use aiflow_model::state::NodeState;
use aiflow_model::wire::{EventFate, RuleReceipt};
use aiflow_model::{LoggedRecord, Offset, Record, RuleIndex, RunId, State};
use proptest::prelude::*;

use crate::properties::{TASKS, step, take};
use crate::support::Scenario;

/// The state before a record, folded from the beginning.
fn state_before(log: &[LoggedRecord], offset: Offset) -> State {
    let mut state = State::empty();
    for logged in log.iter().take_while(|logged| logged.offset < offset) {
        state.apply(logged).unwrap();
    }
    state
}

/// The receipt of an event, from a log whose batches are told apart by their time.
fn receipt(batches: &[Vec<LoggedRecord>], offset: Offset) -> Vec<RuleReceipt> {
    let log: Vec<LoggedRecord> = batches.concat();
    let logged = &log[usize::try_from(offset.0).unwrap()];
    let Record::EventEmitted(event) = &logged.record else { panic!("no event") };
    let mut engine = Engine::new(state_before(&log, offset));
    let mut tracker = Tracker::new(&mut engine, offset, event, logged.time);
    for batch in batches.iter().filter(|batch| batch.last().is_some_and(|r| r.offset >= offset)) {
        tracker.batch(batch.iter().filter(|logged| logged.offset >= offset));
    }
    tracker.finish()
}

/// Each input as a batch of its own.
struct Batches {
    seen: usize,
    batches: Vec<Vec<LoggedRecord>>,
}

impl Batches {
    fn note(&mut self, s: &Scenario) {
        // A step may be several batches; that they are taken as one loses nothing here.
        if s.log.len() > self.seen {
            self.batches.push(s.log[self.seen..].to_vec());
            self.seen = s.log.len();
        }
    }
}

fn of_rule(receipts: &[RuleReceipt], run: RunId, rule: u32) -> &RuleReceipt {
    let rule = Some(RuleIndex(rule));
    receipts.iter().find(|r| r.run == Some(run) && r.rule == rule).unwrap()
}

fn emitted(s: &Scenario, at: usize) -> Offset {
    let events = s.log.iter().filter(|r| matches!(r.record, Record::EventEmitted(_)));
    events.map(|logged| logged.offset).nth(at).unwrap()
}

#[test]
fn a_receipt_tells_of_drafts_that_they_are_drafts() {
    let source = "workflow: w\ntasks:\n  a: {bash: x, start: {count: {of: {on: go}, n: 2}}}\n";
    let mut s = Scenario::of(source);
    let (namespace, source) = (aiflow_model::Namespace::default_namespace(), source.to_owned());
    let upload = aiflow_model::wire::Upload { namespace, source, files: vec![] };
    let ask =
        aiflow_model::wire::DraftWorkflow { upload, lasts: None, beside: None, request: None };
    s.give(aiflow_core::Input::StartDraft(Box::new(ask)));
    let mut batches = Batches { seen: 0, batches: Vec::new() };
    batches.note(&s);
    for value in ["1", "2", "3"] {
        s.emit("go", value);
        batches.note(&s);
    }
    let fates = |at| {
        let told = receipt(&batches.batches, emitted(&s, at)).into_iter();
        told.map(|one| (one.of(), one.fate, one.text)).collect::<Vec<_>>()
    };
    let (first, last) = (fates(0), fates(2));
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((first[0].0.as_str(), first[0].1), ("a of draft 1", EventFate::Consumed));
    assert!(first[0].2.ends_with(": a draft, it would start a"), "{first:?}");
    assert_eq!(last[0].1, EventFate::Held);
}

#[test]
fn each_fate_is_told() {
    let mut s = Scenario::new(
        "a: {bash: x, start: {on: k, if: value > 3}}\n\
         b: {bash: x, start: {all: [{on: k}, {on: other}], within: 10s}}\n\
         c: {bash: x, start: {on: k, if: value.x > 3}}\n\
         d: {bash: x, start: {sequence: [{on: other}, {on: k}]}}\n\
         e: {bash: x, start: {every: 1h, clock: {watermark: w}}}",
    );
    let mut batches = Batches { seen: 0, batches: Vec::new() };
    let run = s.run();
    for (key, value, pass) in [("k", "1", "1m"), ("k", "5", "1s"), ("other", "1", "1s")] {
        s.emit(key, value);
        batches.note(&s);
        s.pass(pass);
        batches.note(&s);
    }
    s.emit("w", "\"2026-01-01T00:30:00Z\"");
    s.emit("w", "\"2026-01-01T00:20:00Z\"");
    batches.note(&s);
    let told = |at: usize, rule: u32| {
        let receipts = receipt(&batches.batches, emitted(&s, at));
        let found = of_rule(&receipts, run, rule);
        (found.fate, found.text.clone())
    };
    let (fate, text) = told(0, 0);
    assert_eq!(fate, EventFate::Filtered);
    assert_eq!(text, "`value > 3` is not true of the value 1");
    // Only what comes next shows that it had become too old.
    assert_eq!(told(0, 1).0, EventFate::Expired);
    assert_eq!(told(0, 2).0, EventFate::Failed);
    assert_eq!(told(0, 3).0, EventFate::Unmoved);
    let (fate, text) = told(1, 0);
    assert_eq!(fate, EventFate::Consumed);
    assert!(text.ends_with(": execution 1.a.1"), "{text}");
    assert!(told(1, 1).1.ends_with(": execution 1.b.1"), "it was used up by a later event");
    assert_eq!(told(2, 3).0, EventFate::Held);
    assert_eq!(told(3, 4).0, EventFate::Held);
    assert_eq!(told(4, 4).0, EventFate::Unmoved, "a watermark that goes back");
}

/// Firings that used an event up, by rule.
fn uses(log: &[LoggedRecord], event: Offset) -> BTreeSet<(RunId, RuleIndex)> {
    let fired = log.iter().filter_map(|logged| match &logged.record {
        Record::RuleFired { run, rule, firing } if firing.events.contains(&event) => {
            Some((*run, *rule))
        }
        _ => None,
    });
    fired.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn receipts_agree_with_the_log(steps in prop::collection::vec(step(), 1..40)) {
        let mut s = Scenario::new(TASKS);
        s.replays_each_step = false;
        let mut batches = Batches { seen: 0, batches: Vec::new() };
        let run = s.run();
        batches.note(&s);
        for step in &steps {
            take(&mut s, run, step);
            batches.note(&s);
        }
        let events = s.log.iter().filter(|r| matches!(r.record, Record::EventEmitted(_)));
        for logged in events {
            let receipts = receipt(&batches.batches, logged.offset);
            let used = uses(&s.log, logged.offset);
            let told: BTreeSet<(RunId, RuleIndex)> = receipts
                .iter()
                .filter(|receipt| receipt.fate == EventFate::Consumed)
                .filter_map(|receipt| receipt.run.zip(receipt.rule))
                .collect();
            prop_assert_eq!(&told, &used, "{} {:?}", logged.offset, receipts);
            let known = s.engine.state().run(run).unwrap();
            for receipt in receipts.iter().filter(|r| r.fate == EventFate::Held) {
                let nodes = &known.conditions[receipt.rule.unwrap().0 as usize];
                let mut held = nodes.values().flat_map(NodeState::events);
                prop_assert!(held.any(|event| event == logged.offset), "{receipt:?}");
            }
        }
    }
}
