//! What a run is given and what its tasks say of their work: parameters, outputs.

use std::collections::BTreeMap;

use aiflow_core::{Answer, Input, launch_plan};
use aiflow_model::record::TriggerChange;
use aiflow_model::wire::{OutputQuery, OutputView, StartRun};
use aiflow_model::{AttemptId, ErrorCode, JsonText, Namespace, Record, Rejection, RunId};

use crate::support::Scenario;

const TYPED: &str = "workflow: w
params:
  days: {type: int, default: 3}
  region: {type: string, about: where}
  rate: 0.5
triggers: [{on: go}]
tasks: {a: {bash: x}}
";

fn start(s: &mut Scenario, params: &[(&str, &str)]) -> Result<RunId, Rejection> {
    let params =
        params.iter().map(|(name, value)| ((*name).to_owned(), JsonText::parse(value).unwrap()));
    let (namespace, workflow) = (Namespace::default_namespace(), "w".parse().unwrap());
    let start = StartRun { namespace, workflow, params: params.collect(), request: None };
    s.try_give(Input::StartRun(start)).map(|answer| match answer {
        Answer::Run(run) => run,
        other => panic!("{other:?}"),
    })
}

fn environment(s: &Scenario, attempt: &str) -> BTreeMap<String, String> {
    launch_plan(s.engine.state(), &attempt.parse().unwrap()).unwrap().environment
}

#[test]
fn a_run_starts_only_with_parameters_of_the_kinds_that_the_workflow_says() {
    let mut s = Scenario::of(TYPED);
    for (params, code, message) in [
        (
            vec![("days", "1")],
            ErrorCode::InvalidParam,
            "workflow w needs the parameter \"region\", of kind string; see line 4",
        ),
        (
            vec![("region", "1")],
            ErrorCode::InvalidParam,
            "\"region\" of workflow w has to be of kind string, not 1; see line 4",
        ),
        (
            vec![("region", "\"x\""), ("days", "1.5")],
            ErrorCode::InvalidParam,
            "of kind int, not 1.5; see line 3",
        ),
        (vec![("rigion", "\"x\"")], ErrorCode::UnknownParam, "has no parameter \"rigion\""),
    ] {
        let before = s.log.len();
        let refusal = start(&mut s, &params).unwrap_err();
        assert_eq!(refusal.code, code);
        assert!(refusal.message.contains(message), "{refusal:?}");
        let hint = "its parameters: region (string, needed), days (int), rate";
        assert_eq!(refusal.hint.as_deref(), Some(hint));
        assert_eq!(s.log.len(), before, "nothing is recorded");
    }
    let run = start(&mut s, &[("region", "\"eu\""), ("rate", "\"any kind\"")]).unwrap();
    let environment = environment(&s, &format!("{run}.a.1.1"));
    assert_eq!(environment["AIFLOW_PARAM_REGION"], "eu");
    assert_eq!(environment["AIFLOW_PARAM_DAYS"], "3");
    assert_eq!(environment["AIFLOW_PARAM_RATE"], "any kind");
}

#[test]
fn a_trigger_whose_event_does_not_fit_says_so_and_starts_nothing() {
    let mut s = Scenario::of(TYPED);
    s.emit("go", r#"{"region": 7}"#);
    s.emit("go", "{}");
    assert_eq!(s.engine.state().runs.len(), 0);
    let is_refused = |record: &Record| {
        matches!(record, Record::TriggerChanged { change: TriggerChange::StartRefused { .. }, .. })
    };
    assert_eq!(s.count(is_refused), 2);
    s.emit("go", r#"{"region": "eu", "days": 2}"#);
    assert_eq!(s.engine.state().runs.len(), 1);
}

fn set(s: &mut Scenario, attempt: &str, name: &str, value: &str) -> Result<Answer, Rejection> {
    let id: AttemptId = attempt.parse().unwrap();
    s.try_give(Input::SetOutput(id, name.parse().unwrap(), JsonText::parse(value).unwrap()))
}

#[test]
fn outputs_are_seen_by_filters_expressions_and_later_tasks() {
    let mut s = Scenario::new(
        "train: {bash: x, start: {on: go}, overlap: queue}\n\
         good: {bash: x, start: {after: train, if: tasks.train.outputs.mae < params.days}}\n\
         bad: {bash: x, start: {after: train, if: tasks.train.outputs.mae >= 3}}\n\
         seen: {bash: x, start: {on: ask, if: tasks.train.outputs.mae == value}}\n\
         told: {bash: x, start: {on: mae.told, if: value == 2}, emit: {when: {after: train}, \
         key: mae.told, value: tasks.train.outputs.mae}}",
    );
    let run = s.run();
    s.emit("go", "null");
    set(&mut s, "1.train.1.1", "mae", "9").unwrap();
    set(&mut s, "1.train.1.1", "mae", "2").unwrap();
    set(&mut s, "1.train.1.1", "model-path", "\"m.bin\"").unwrap();
    let before = s.log.len();
    set(&mut s, "1.train.1.1", "mae", "2").unwrap();
    assert_eq!(s.log.len(), before, "said again, recorded once");
    s.exit("1.train.1.1", 0);
    assert_eq!(s.executions(run, "good"), ["1:queued"]);
    assert_eq!(s.executions(run, "told"), ["1:queued"]);
    assert!(s.executions(run, "bad").is_empty());
    let environment = environment(&s, "1.good.1.1");
    assert_eq!(environment["AIFLOW_OUTPUT_TRAIN__MAE"], "2");
    assert_eq!(environment["AIFLOW_OUTPUT_TRAIN__MODEL_PATH"], "m.bin");
    s.emit("ask", "3");
    assert!(s.executions(run, "seen").is_empty());
    s.emit("ask", "2");
    assert_eq!(s.executions(run, "seen"), ["1:queued"]);
    let query = OutputQuery { run, task: None, sequence: None, name: None };
    let views = OutputView::all(s.engine.state(), &query).unwrap();
    let shown: Vec<String> = views.iter().map(|v| format!("{}={}", v.name, v.value)).collect();
    assert_eq!(shown, ["mae=2", "model-path=\"m.bin\""]);
}

#[test]
fn a_filter_over_an_output_that_is_not_there_is_a_recorded_non_match() {
    let mut s = Scenario::new(
        "a: {bash: x}\nb: {bash: x, start: {after: a, if: tasks.a.outputs.rows > 0}}",
    );
    let run = s.run();
    s.exit("1.a.1.1", 0);
    assert!(s.executions(run, "b").is_empty());
    assert_eq!(s.count(|record| matches!(record, Record::FilterFailed { .. })), 1);
}

#[test]
fn outputs_are_those_of_the_window_and_of_the_attempt_that_counts() {
    let mut s = Scenario::new(
        "a: {bash: x, parallel: 2, retry: {attempts: 2, backoff: 1s}, start: {every: 1h, \
         clock: {watermark: w}, from: 2026-01-01T00:00:00Z}}\n\
         b: {bash: x, parallel: 2, start: {after: a}}",
    );
    s.run();
    s.emit("w", "\"2026-01-01T02:00:00Z\"");
    set(&mut s, "1.a.1.1", "n", "1").unwrap();
    set(&mut s, "1.a.2.1", "n", "2").unwrap();
    set(&mut s, "1.a.2.1", "only", "2").unwrap();
    s.exit("1.a.2.1", 1);
    s.pass("1s");
    set(&mut s, "1.a.2.2", "n", "22").unwrap();
    s.exit("1.a.2.2", 0);
    s.exit("1.a.1.1", 0);
    let second = environment(&s, "1.b.1.1");
    assert_eq!(second["AIFLOW_OUTPUT_A__N"], "22");
    assert!(!second.contains_key("AIFLOW_OUTPUT_A__ONLY"), "it was of an attempt that failed");
    assert_eq!(environment(&s, "1.b.2.1")["AIFLOW_OUTPUT_A__N"], "1");
}

#[test]
fn what_is_over_or_too_large_says_nothing() {
    let mut s = Scenario::new("a: {bash: x}\nb: {bash: x, start: {after: a}}");
    s.run();
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let half = format!("\"{}\"", "x".repeat(600 << 10));
    assert_eq!(set(&mut s, "1.a.1.1", "n", &large).unwrap_err().code, ErrorCode::ValueTooLarge);
    set(&mut s, "1.a.1.1", "n", &half).unwrap();
    let both = set(&mut s, "1.a.1.1", "m", &half).unwrap_err();
    assert!(both.message.contains("at most 1048576 are allowed"), "{both:?}");
    set(&mut s, "1.a.1.1", "n", "1e3").unwrap();
    for n in 0..63 {
        set(&mut s, "1.a.1.1", &format!("o{n}"), "1").unwrap();
    }
    let more = set(&mut s, "1.a.1.1", "more", "1").unwrap_err();
    assert!(more.message.contains("at most 64 outputs"), "{more:?}");
    assert_eq!(set(&mut s, "1.a.1.1", "n", "1e999").unwrap_err().code, ErrorCode::InvalidParams);
    s.exit("1.a.1.1", 0);
    assert_eq!(set(&mut s, "1.a.1.1", "n", "1").unwrap_err().code, ErrorCode::NotAlive);
    assert_eq!(set(&mut s, "9.a.1.1", "n", "1").unwrap_err().code, ErrorCode::NotAlive);
}
