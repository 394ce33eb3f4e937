//! What became of the event that is looked at: when it is asked, and how it is shown.

use aiflow_core::{Engine, Tracker};
use aiflow_model::wire::{EventRef, EventView, Receipt};
use aiflow_model::{LoggedRecord, Offset, Record, State};

use super::recording::Recording;
use super::{model_of, press, screens};
use crate::state::Model;
use crate::state::asking;
use crate::state::exchange::{Message, Request};

/// What the daemon finds, by the same code: batches of the recording are told apart by time.
fn receipt(log: &[LoggedRecord], about: EventRef) -> Box<Receipt> {
    let at = usize::try_from(about.offset.0).unwrap();
    let until = about.until.map_or(log.len(), |until| usize::try_from(until.0).unwrap());
    let mut before = State::empty();
    log[..at].iter().for_each(|record| before.apply(record).unwrap());
    let Record::EventEmitted(event) = &log[at].record else { panic!("no event") };
    let mut engine = Engine::new(before);
    let mut tracker = Tracker::new(&mut engine, about.offset, event, log[at].time);
    for batch in log[at..until].chunk_by(|one, other| one.time == other.time) {
        tracker.batch(batch);
    }
    Box::new(Receipt {
        event: EventView::of(event, about.offset, log[at].time),
        cause: None,
        rules: tracker.finish(),
        looked_until: Offset(until as u64),
    })
}

/// What the loop would ask now.
fn asked(model: &mut Model) -> Vec<EventRef> {
    asking::ask(model);
    let requests = std::mem::take(&mut model.outbox).into_iter();
    requests
        .map(|request| if let Request::Receipt(about) = request { about } else { panic!() })
        .collect()
}

fn answer(model: &mut Model, log: &[LoggedRecord]) {
    for about in asked(model) {
        model.take(Message::Receipt(about, Ok(receipt(log, about))));
    }
}

/// The events screen with the cursor on the newest event of a key.
fn on(recording: &Recording, key: &str) -> Model {
    let mut model = model_of(recording);
    press(&mut model, "6");
    let found = model.shown_events().find(|seen| seen.key.as_str() == key).unwrap().offset;
    model.event_cursor = Some(found);
    model
}

#[test]
fn the_fate_of_an_event_is_told_rule_by_rule() {
    let mut recording = Recording::story();
    recording.emit("model.validated", r#"{"mae": 31.5, "window": "noon"}"#, "validate", None);
    for (name, key) in
        [("consumed", "flights.watermark"), ("held", "weather.watermark"), ("none", "model.sunk")]
    {
        let mut model = on(&recording, key);
        answer(&mut model, &recording.log);
        screens::check(&format!("receipt_{name}"), &model, &[(120, 40)]);
    }
    let mut model = on(&recording, "model.validated");
    answer(&mut model, &recording.log);
    screens::check("receipt_filtered", &model, &[(80, 24), (120, 40), (200, 60), (40, 12)]);
    let mut model = on(&recording, "model.validated");
    let about = asked(&mut model)[0];
    let why_not = "E0403 offset 3 is no longer told of".to_owned();
    model.take(Message::Receipt(about, Err(why_not)));
    screens::check("receipt_unknown", &model, &[(120, 40)]);
}

#[test]
fn many_rules_leave_room_for_the_value() {
    let mut recording = Recording::story();
    for _ in 0..12 {
        recording.run("flight_delays");
    }
    recording.emit("model.validated", r#"{"mae": 31.5, "window": "noon"}"#, "validate", None);
    let mut model = on(&recording, "model.validated");
    answer(&mut model, &recording.log);
    screens::check("receipt_many", &model, &[(80, 24), (120, 40)]);
    // The whole has a view of its own, where it can be scrolled; out of it leads to the feed.
    press(&mut model, "<tab>jjj");
    screens::check("receipt_whole", &model, &[(80, 24), (40, 12)]);
    press(&mut model, "<esc>");
    assert_eq!((model.screen, model.view()), (crate::state::Screen::Events, 0));
}

#[test]
fn it_is_asked_once_and_again_when_more_has_become_of_it() {
    let mut recording = Recording::story();
    let mut model = on(&recording, "weather.watermark");
    let about = asked(&mut model);
    assert_eq!(about.len(), 1);
    assert_eq!(asked(&mut model), [], "one at a time");
    model.take(Message::Receipt(about[0], Ok(receipt(&recording.log, about[0]))));
    assert_eq!(asked(&mut model), [], "nothing has changed");
    // Something is recorded: more may have become of an event that is held, but not at once.
    let known = recording.log.len();
    recording.emit("noise", "1", "test", None);
    model.take(Message::Records(recording.log[known..].to_vec()));
    assert_eq!(asked(&mut model), []);
    model.now = model.now.plus("6s".parse().unwrap());
    assert_eq!(asked(&mut model), about);
    model.take(Message::Receipt(about[0], Err("no daemon answers".to_owned())));
    model.now = model.now.plus("60s".parse().unwrap());
    assert_eq!(asked(&mut model), [], "there is nobody to ask");
    model.take(Message::Live);
    assert_eq!(asked(&mut model), about);
    press(&mut model, "2");
    assert_eq!(asked(&mut model), [], "nobody looks at it");
}

#[test]
fn a_feed_that_rushes_by_is_not_asked_about_event_by_event() {
    let mut recording = Recording::story();
    let mut model = model_of(&recording);
    press(&mut model, "6");
    answer(&mut model, &recording.log);
    for round in 0..10 {
        let known = recording.log.len();
        recording.emit("noise", &round.to_string(), "test", None);
        model.take(Message::Records(recording.log[known..].to_vec()));
        assert_eq!(asked(&mut model), []);
    }
    model.now = model.now.plus("1s".parse().unwrap());
    let newest = recording.log.len() as u64 - 1;
    assert_eq!(asked(&mut model), [EventRef { offset: Offset(newest), until: None }]);
}

#[test]
fn in_the_past_it_is_what_had_become_of_it_by_then() {
    let recording = Recording::story();
    let mut model = model_of(&recording);
    press(&mut model, "T");
    let Some(Request::Slice(query)) = model.outbox.pop() else { panic!("no slice is asked for") };
    model.take(Message::Slice(Ok(super::past::slice(&recording, query))));
    press(&mut model, "6");
    let about = asked(&mut model)[0];
    assert_eq!(about.until, Some(Offset(recording.log.len() as u64)));
    model.take(Message::Receipt(about, Ok(receipt(&recording.log, about))));
    press(&mut model, "<left>");
    let earlier = asked(&mut model)[0];
    assert_eq!(earlier.until, Some(Offset(recording.log.len() as u64 - 1)));
}
