//! Time travel: any record of the past, folded from slices as the daemon would bring them.

use aiflow_model::wire::{LogSlice, SliceQuery};
use aiflow_model::{Offset, Record, State};

use super::recording::Recording;
use super::{model_of, press};
use crate::state::command::Command;
use crate::state::exchange::{Message, Request};
use crate::state::{Dialog, Model, Screen, tasks};

/// What the daemon answers: the state before the slice as it is sent, and the records.
pub(super) fn slice(recording: &Recording, query: SliceQuery) -> Box<LogSlice> {
    let end = recording.log.len() as u64;
    let at = match (query.at, query.time) {
        (Some(at), _) => at,
        (None, Some(time)) => {
            let until = recording.log.partition_point(|record| record.time <= time) as u64;
            Offset(until.saturating_sub(1))
        }
        (None, None) => Offset(end - 1),
    };
    let from = at.0.saturating_sub(u64::from(query.before));
    let until = end.min(at.0 + u64::from(query.after) + 1);
    let mut state = State::empty();
    for record in &recording.log[..from as usize] {
        state.apply(record).unwrap();
    }
    let sent = serde_json::to_string(&state).unwrap();
    Box::new(LogSlice {
        log_begins: Offset(0),
        log_ends: Offset(end),
        at,
        state: serde_json::from_str(&sent).unwrap(),
        records: recording.log[from as usize..until as usize].to_vec(),
    })
}

/// Answers what was asked, until nothing is.
fn answer(model: &mut Model, recording: &Recording) -> usize {
    let mut slices = 0;
    loop {
        let asked = std::mem::take(&mut model.outbox);
        if asked.is_empty() {
            return slices;
        }
        for request in asked {
            let Request::Slice(query) = request else { panic!("{request:?}") };
            slices += 1;
            model.take(Message::Slice(Ok(slice(recording, query))));
        }
    }
}

fn travelled(keys: &str) -> (Recording, Model) {
    let recording = Recording::story();
    let mut model = model_of(&recording);
    press(&mut model, "T");
    answer(&mut model, &recording);
    press(&mut model, keys);
    answer(&mut model, &recording);
    (recording, model)
}

fn at(model: &Model) -> u64 {
    model.past.as_ref().unwrap().record().unwrap().offset.0
}

#[test]
fn every_record_of_the_past_shows_the_state_that_was() {
    let recording = Recording::story();
    let mut model = model_of(&recording);
    press(&mut model, "T");
    assert_eq!(answer(&mut model, &recording), 1);
    let mut known = State::empty();
    let mut states = Vec::new();
    for record in &recording.log {
        known.apply(record).unwrap();
        states.push(serde_json::to_value(&known).unwrap());
    }
    for expected in states.iter().enumerate().rev() {
        assert_eq!(at(&model), expected.0 as u64);
        assert_eq!(serde_json::to_value(model.state()).unwrap(), *expected.1);
        press(&mut model, "<left>");
        assert_eq!(answer(&mut model, &recording), 0, "one slice is enough for all of these");
    }
    assert!(model.notice.as_ref().unwrap().text.contains("no record before"));
    for (offset, expected) in states.iter().enumerate().skip(1) {
        press(&mut model, "<right>");
        assert_eq!(at(&model), offset as u64);
        assert_eq!(serde_json::to_value(model.state()).unwrap(), *expected);
    }
    assert_eq!(model.live.state, *recording.engine.state(), "what is followed is untouched");
}

#[test]
fn one_steps_by_event_and_by_failure_and_goes_to_a_place_or_time() {
    let (recording, mut model) = travelled("<");
    let is_event =
        |offset: u64| matches!(recording.log[offset as usize].record, Record::EventEmitted(_));
    assert!(is_event(at(&model)));
    let before = at(&model);
    press(&mut model, "<s-left>");
    assert!(is_event(at(&model)) && at(&model) < before);
    press(&mut model, "FF");
    let failed = &recording.log[at(&model) as usize].record;
    assert!(matches!(failed, Record::AttemptEnded { .. } | Record::TaskExecutionFinished { .. }));
    press(&mut model, "o7<enter>");
    answer(&mut model, &recording);
    assert_eq!(at(&model), 7);
    press(&mut model, "t12:00:05<enter>");
    answer(&mut model, &recording);
    let time = "2026-11-23T12:00:05Z".parse().unwrap();
    let next = &recording.log[at(&model) as usize + 1];
    assert!(model.time() <= time && next.time > time);
    press(&mut model, "ox<enter>");
    let Some(Dialog::Prompt(prompt)) = &model.dialog else { panic!("the line went away") };
    assert!(prompt.fault.as_ref().unwrap().contains("write a number"));
}

#[test]
fn the_past_refuses_actions_and_goes_back_to_now() {
    for keys in ["s", "t", "S", "e", "r", "d"] {
        let (_, mut model) = travelled("o100<enter>");
        // The keys of the past come first: `t` goes to a time there.
        press(&mut model, keys);
        let asks =
            matches!(&model.dialog, Some(Dialog::Confirm(_) | Dialog::Form(_) | Dialog::Diff(_)));
        assert!(!asks && model.outbox.is_empty(), "{keys}");
    }
    let (_, mut model) = travelled("o100<enter>");
    press(&mut model, "s");
    assert!(model.notice.as_ref().unwrap().text.contains("the past cannot be changed"));
    press(&mut model, "q");
    assert!(model.past.is_none() && !model.quits);
    press(&mut model, "sy");
    let run = aiflow_model::RunId(1);
    let stop = Command::StopTask { run, task: "ingest".parse().unwrap() };
    assert!(model.outbox.contains(&Request::Do(vec![stop])));
}

#[test]
fn records_go_on_coming_while_somebody_looks_at_the_past() {
    let (mut recording, mut model) = travelled("o100<enter>");
    let known = recording.log.len();
    recording.emit("later", "1", "test", None);
    model.take(Message::Records(recording.log[known..].to_vec()));
    assert_eq!((at(&model), model.state().next_offset.0), (100, 101));
    assert_eq!(model.live.state.next_offset.0, recording.log.len() as u64);
}

#[test]
fn a_search_goes_beyond_its_slice() {
    let mut recording = Recording::story();
    for number in 0..5_000 {
        recording.emit("noise", &number.to_string(), "test", None);
    }
    let mut model = model_of(&recording);
    press(&mut model, "T");
    answer(&mut model, &recording);
    press(&mut model, "F");
    assert!(answer(&mut model, &recording) >= 1);
    assert!(at(&model) < 234, "the failure lies in the story, {}", at(&model));
    press(&mut model, "f");
    answer(&mut model, &recording);
    assert!(model.notice.is_some() || at(&model) < 234);
}

#[test]
fn no_key_is_lost_while_the_log_is_read() {
    let (_, step_by_step) = travelled("F<");
    for keys in ["TF<", "T<left>F<right><"] {
        let recording = Recording::story();
        let mut model = model_of(&recording);
        press(&mut model, keys);
        answer(&mut model, &recording);
        assert_eq!(at(&model), at(&step_by_step), "{keys}");
    }
    // From now on, a step begins at the end.
    let recording = Recording::story();
    let mut model = model_of(&recording);
    crate::actions::perform(&mut model, crate::actions::Action::FailureBack);
    answer(&mut model, &recording);
    let (_, stepped) = travelled("F");
    assert_eq!(at(&model), at(&stepped));
    // A slice that does not come leaves nothing behind.
    let mut model = model_of(&recording);
    press(&mut model, "TF<");
    model.outbox.clear();
    model.take(Message::Slice(Err("no daemon answers".to_owned())));
    assert!(model.past.is_none() && model.outbox.is_empty());
}

#[test]
fn what_was_looks_unlike_what_is() {
    for (name, keys) in [("past_streams", ""), ("past_run", "3"), ("past_overview", "1")] {
        let (_, mut model) = travelled("o150<enter>");
        press(&mut model, keys);
        let sizes: &[(u16, u16)] = if name == "past_streams" {
            &[(80, 24), (120, 40), (200, 60), (40, 12)]
        } else {
            &[(80, 24)]
        };
        super::screens::check(name, &model, sizes);
    }
    let (_, model) = travelled("o150<enter>");
    let run = model.open_run().unwrap();
    assert!(tasks::rows(model.state(), run).len() == 5 && model.screen == Screen::Streams);
}
