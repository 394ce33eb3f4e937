//! Conditions that are code: asked before anything is decided, and decided as one batch.

use aiflow_core::definition::read;
use aiflow_core::{Decision, HostAnswer, Input, Outcome, Question, Verdict};
use aiflow_model::state::ExecutionStatus;
use aiflow_model::{JsonText, Namespace, Record, TaskName};

use crate::support::Scenario;

const JUDGED: &str = "\
a:
  bash: x
  overlap: queue
  start: {custom: {of: {on: k}, exec: [judge], config: {limit: 3}, tasks: true}}
";

fn json(text: &str) -> JsonText {
    serde_json::from_str(text).unwrap()
}

fn task(name: &str) -> TaskName {
    name.parse().unwrap()
}

fn event(key: &str, value: &str, id: &str) -> Input {
    Input::Emit {
        namespace: Namespace::default_namespace(),
        key: key.parse().unwrap(),
        value: json(value),
        source: "test".to_owned(),
        id: id.to_owned(),
        execution: None,
        speaker: None,
    }
}

fn said(met: bool, state: &str) -> Verdict {
    Ok(HostAnswer { met, state: json(state) })
}

/// Decides an input with a host; gives the questions that it was asked, round by round.
fn decide(s: &mut Scenario, input: &Input, host: impl Fn(&Question) -> Verdict) -> Vec<usize> {
    let mut known = Vec::new();
    let mut rounds = Vec::new();
    loop {
        let before = s.engine.state().clone();
        match s.engine.decide_hearing(input.clone(), &known, s.now).unwrap() {
            Outcome::Decided(Decision { records, .. }) => {
                s.log.extend(records);
                s.check_replay();
                return rounds;
            }
            Outcome::Asks(questions) => {
                assert_eq!(*s.engine.state(), before, "asking left a trace");
                rounds.push(questions.len());
                known.extend(questions.into_iter().map(|question| {
                    let verdict = host(&question);
                    (question, verdict)
                }));
            }
        }
    }
}

#[test]
fn what_the_host_says_and_keeps_is_in_the_batch_of_the_event() {
    let mut s = Scenario::new(JUDGED);
    let run = s.run();
    // Fires when the sum of the values has reached the limit.
    let host = |question: &Question| {
        let sum = question.state.to::<Option<u64>>().unwrap().unwrap_or(0)
            + question.event.value.to::<u64>().unwrap();
        assert_eq!(question.host.config.as_str(), "{\"limit\":3}");
        said(sum >= 3, &(sum % 3).to_string())
    };
    let begin = s.log.len();
    assert_eq!(decide(&mut s, &event("k", "2", "1"), host), [1]);
    let advanced = |record: &Record| matches!(record, Record::ConditionAdvanced { .. });
    assert!(matches!(s.log[begin].record, Record::EventEmitted(_)));
    assert!(advanced(&s.log[begin + 1].record) && s.log.len() == begin + 2);
    assert_eq!(decide(&mut s, &event("k", "2", "2"), host), [1]);
    assert_eq!(s.executions(run, "a"), ["1:queued"]);
    assert_eq!(decide(&mut s, &event("other", "2", "3"), host), [0usize; 0], "not its key");
    assert_eq!(decide(&mut s, &event("k", "2", "2"), host), [0usize; 0], "the same event again");
}

#[test]
fn a_host_without_an_answer_is_a_match_that_is_recorded_as_none() {
    let mut s = Scenario::new(JUDGED);
    let run = s.run();
    decide(&mut s, &event("k", "1", "1"), |_| said(false, "7"));
    decide(&mut s, &event("k", "1", "2"), |_| Err("it raised".to_owned()));
    decide(&mut s, &event("k", "1", "3"), |_| said(true, &format!("{:?}", "x".repeat(300_000))));
    let reasons: Vec<&str> = s
        .log
        .iter()
        .filter_map(|logged| match &logged.record {
            Record::FilterFailed { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, ["it raised", "the host kept 300002 bytes, at most 262144"]);
    assert_eq!(s.executions(run, "a"), [""; 0]);
    decide(&mut s, &event("k", "1", "4"), |question| {
        assert_eq!(question.state.as_str(), "7", "what it kept before");
        said(true, "8")
    });
    assert_eq!(s.executions(run, "a"), ["1:queued"]);
}

#[test]
fn it_is_told_where_the_tasks_stand_and_each_run_keeps_its_own() {
    let mut s =
        Scenario::new(&format!("{JUDGED}b: {{bash: x}}\nc: {{bash: x, start: {{on: c}}}}\n"));
    let first = s.run();
    s.exit("1.b.1.1", 1);
    let second = s.run();
    let rounds = decide(&mut s, &event("k", "1", "1"), |question| {
        let status = question.tasks[&task("b")];
        let run = question.run().unwrap();
        assert!(!question.tasks.contains_key(&task("c")));
        assert_eq!(status == ExecutionStatus::Failed, run == first);
        said(run == second, &run.to_string())
    });
    // The first run has ended with its failure, or is asked about as well.
    assert!(rounds == [1] || rounds == [2], "{rounds:?}");
    assert_eq!(s.executions(second, "a"), ["1:queued"]);
}

#[test]
fn an_answer_that_derives_an_event_leads_to_the_next_question() {
    let mut s = Scenario::new(
        "\
a:
  bash: x
  emit: {when: {custom: {of: {on: k}, exec: [judge]}}, key: derived}
b: {bash: x, start: {all: [{custom: {of: {on: derived}, exec: [judge]}}, {on: k}]}}
t: {bash: x, start: {on: never}}
",
    );
    let run = s.run();
    let rounds = decide(&mut s, &event("k", "1", "1"), |_| said(true, "null"));
    assert_eq!(rounds, [1, 1]);
    assert_eq!(s.executions(run, "b"), ["1:queued"]);
}

#[test]
fn what_changes_meanwhile_is_asked_about_anew() {
    let mut s = Scenario::new(JUDGED);
    s.run();
    let Outcome::Asks(questions) =
        s.engine.decide_hearing(event("k", "1", "1"), &[], s.now).unwrap()
    else {
        panic!("nobody was asked")
    };
    let stale: Vec<_> = questions.into_iter().map(|q| (q, said(true, "1"))).collect();
    decide(&mut s, &event("k", "5", "2"), |_| said(false, "5"));
    let outcome = s.engine.decide_hearing(event("k", "1", "1"), &stale, s.now).unwrap();
    let Outcome::Asks(questions) = outcome else { panic!("a stale answer was taken") };
    assert_eq!(questions[0].state.as_str(), "5");
}

#[test]
fn a_trigger_asks_as_well_and_nobody_asked_counts_as_not_met() {
    let mut s = Scenario::of(
        "workflow: w\ntriggers: [{custom: {of: {any: [{on: k}, {on: j}]}, exec: [judge]}}]\n\
         tasks: {a: {bash: x}}\n",
    );
    let rounds = decide(&mut s, &event("j", "1", "1"), |question| {
        assert!(question.run().is_none() && question.tasks.is_empty());
        said(true, "1")
    });
    assert_eq!(rounds, [1]);
    assert_eq!(s.count(|record| matches!(record, Record::RunStarted(_))), 1);
    s.give(event("k", "1", "2"));
    assert_eq!(s.count(|record| matches!(record, Record::RunStarted(_))), 1);
    assert!(
        s.log.iter().any(|logged| format!("{:?}", logged.record).contains("nobody here who asks"))
    );
}

#[test]
fn what_is_wrong_with_it_is_told_with_its_place() {
    for (custom, expected) in [
        ("{exec: [x]}", "3:12 custom needs `of` and `exec`"),
        ("{of: {on: k}}", "3:12 custom needs `of` and `exec`"),
        ("{of: {on: k}, exec: []}", "3:32 exec needs at least the program"),
        ("{of: {after: a}, exec: [x]}", "3:17 custom looks at events alone"),
        ("{of: {on: k}, exec: [x], timeout: 2m}", "3:46 timeout is at most 1m"),
        ("{of: {on: k}, exec: [x], tasks: 3}", "3:44 "),
        ("{of: {on: k}, exec: [x], exek: 3}", "3:37 "),
    ] {
        let text = format!(
            "workflow: w\ntasks: {{a: {{bash: x}}, b: {{bash: x, start:\n  {{custom: {custom}}}}}}}\n"
        );
        let faults = read(&text).unwrap_err();
        let first = &faults[0];
        let told = format!("{}:{} {}", first.line, first.column, first.message);
        assert!(told.starts_with(expected), "{custom}: {told}");
    }
}

#[test]
fn json_null_is_what_a_host_keeps_at_first() {
    let mut s = Scenario::new(JUDGED);
    s.run();
    decide(&mut s, &event("k", "1", "1"), |question| {
        assert_eq!(question.state, JsonText::null());
        said(false, "null")
    });
    let advanced = s.count(|record| matches!(record, Record::ConditionAdvanced { .. }));
    assert_eq!(advanced, 0, "what stays is not written again");
}
