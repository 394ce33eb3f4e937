//! Drafts: what they record, that nothing follows of it, how they end, and what they refuse.

use aiflow_core::{Answer, Input};
use aiflow_model::record::{DraftChange, DraftEnd, Outcome, Would};
use aiflow_model::state::Firing;
use aiflow_model::time::Span;
use aiflow_model::wire::{DraftWorkflow, PromoteDraft, Upload};
use aiflow_model::{
    AttemptId, DraftId, ErrorCode, LoggedRecord, Namespace, Offset, Record, Rejection, RuleIndex,
    State, Timestamp,
};
use proptest::prelude::*;

use crate::support::Scenario;

const TASKS: &str = "\
stream: {kind: stream, bash: x, restart: {on: failure, backoff: 1s..4s}}
hourly:
  {bash: x, parallel: 2, start: {every: 1h, clock: {watermark: [f, w]}},
   retry: {attempts: 3, backoff: 1s, jitter: 5s}}
after: {bash: x, start: {after: hourly}}
both: {bash: x, overlap: queue, start: {after: {queued: success, third: success}}}
wall: {bash: x, timeout: 30s, start: {every: 20s}}
queued: {bash: x, overlap: queue, start: {on: go, if: value % 2 == 0}}
third: {bash: x, start: {count: {of: {on: go}, n: 3}}, restart: {on: again}}
derives: {bash: x, emit: {when: {on: other}, key: again}}
timed:
  {bash: x, overlap: queue, start: {any: [{absent: {of: {on: go}, for: 40s}},
   {debounce: {of: {on: other}, for: 5s}}, {throttle: {of: {on: again}, per: 20s}}]}}
summed: {bash: x, start: {sum: {of: {on: go}, expr: value, reaches: 300, carry: true}}}";

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

/// The log as if there had never been a draft.
fn without_drafts(log: &[LoggedRecord]) -> State {
    let is_of_draft =
        |record: &Record| matches!(record, Record::DraftStarted(_) | Record::DraftChanged { .. });
    let gone: Vec<Offset> =
        log.iter().filter(|one| is_of_draft(&one.record)).map(|one| one.offset).collect();
    let moved = |offset: u64| offset - gone.iter().filter(|one| one.0 < offset).count() as u64;
    let mut state = State::empty();
    for logged in log.iter().filter(|one| !is_of_draft(&one.record)) {
        // Offsets stand everywhere in a record; their numbers alone differ.
        let offset = Offset(moved(logged.offset.0));
        let record = logged.record.clone();
        let (time, cause) = (logged.time, logged.cause);
        state.apply(&LoggedRecord { offset, time, cause, record }).unwrap();
    }
    state
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

/// What fired, in order, without the numbers of what differs by the draft's being there.
type Fired = Vec<(RuleIndex, Firing)>;

fn fired(s: &Scenario) -> (Fired, Fired) {
    let (mut real, mut of_draft) = (Vec::new(), Vec::new());
    for logged in &s.log {
        match &logged.record {
            Record::RuleFired { rule, firing, .. } => real.push((*rule, firing.clone())),
            Record::DraftChanged { change: DraftChange::Fired { rule, firing, .. }, .. } => {
                of_draft.push((*rule, firing.clone()));
            }
            _ => {}
        }
    }
    for all in [&mut real, &mut of_draft] {
        all.sort_by_key(|(rule, firing)| (*rule, firing.began, firing.events.clone()));
    }
    (real, of_draft)
}

/// Lets time pass as a daemon does: whatever falls due comes at its time.
fn pass(s: &mut Scenario, seconds: u64) {
    let until = s.now.plus(Span::from_seconds(seconds));
    while let Some(due) = s.engine.next_deadline().filter(|due| *due <= until) {
        s.now = s.now.max(due);
        s.give(Input::Tick);
    }
    s.now = until;
}

/// What happens to a run, by the numbers that were drawn; with a draft beside it or without.
fn history(steps: &[(u8, u8)], has_draft: bool) -> Scenario {
    let source = definition(TASKS);
    let mut s = Scenario::of(&source);
    s.replays_each_step = false;
    let run = s.run();
    if has_draft {
        draft(&mut s, &source);
    }
    for (what, n) in steps {
        s.now = Timestamp(s.now.0 + 1);
        let key = ["go", "other", "again"][usize::from(*n) % 3];
        match what {
            0..=3 => drop(s.emit(key, &n.to_string())),
            4 | 5 => {
                let time = Timestamp(1_357_016_400_000_000 + i64::from(*n) * 600_000_000);
                s.emit(if *what == 4 { "f" } else { "w" }, &format!("\"{time}\""));
            }
            6 => drop(s.try_give(Input::PauseRun(run))),
            7 => drop(s.try_give(Input::ResumeRun(run))),
            8 => pass(&mut s, u64::from(*n)),
            _ => {
                let alive: Vec<AttemptId> =
                    s.engine.state().alive_attempts().map(|(id, _)| id).collect();
                let Some(id) = alive.get(usize::from(*n) % alive.len().max(1)) else { continue };
                let code = i32::from(n % 3 == 0);
                s.end(&id.to_string(), Outcome::Exited { code });
            }
        }
        while s.engine.next_deadline().is_some_and(|due| due <= s.now) {
            s.give(Input::Tick);
        }
    }
    s
}

/// The kinds of records, the drafts' left out.
fn story(s: &Scenario) -> Vec<(Timestamp, String)> {
    let others = s.log.iter().filter(|logged| {
        !matches!(logged.record, Record::DraftStarted(_) | Record::DraftChanged { .. })
    });
    let told = others.map(|logged| {
        let text = serde_json::to_value(&logged.record).unwrap();
        let kind = text.as_object().unwrap().keys().next().unwrap().clone();
        (logged.time, format!("{kind} {:?}", logged.record.run()))
    });
    told.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn a_draft_of_the_running_definition_fires_where_the_run_fires_and_changes_nothing(
        steps in prop::collection::vec((0..12_u8, any::<u8>()), 1..80),
    ) {
        let mut with = history(&steps, true);
        let mut without = history(&steps, false);
        let (real, of_draft) = fired(&with);
        prop_assert_eq!(&real, &of_draft);
        prop_assert_eq!(with.effects(), without.effects());
        prop_assert_eq!(story(&with), story(&without));
        with.check_replay();
        let stripped = without_drafts(&with.log);
        prop_assert!(stripped.drafts.is_empty());
        let statuses = |state: &State| -> Vec<String> {
            state.runs.values().flat_map(|run| &run.tasks).flat_map(|task| &task.executions)
                .map(|e| format!("{} {} {:?}", e.sequence, e.status, e.window)).collect()
        };
        prop_assert_eq!(statuses(&stripped), statuses(without.engine.state()));
        prop_assert_eq!(stripped.pools, without.engine.state().pools.clone());
        prop_assert_eq!(stripped.last_run, without.engine.state().last_run);
    }
}
