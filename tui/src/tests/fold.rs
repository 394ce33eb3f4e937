//! What is folded from records is what the daemon has; a break loses nothing.

use aiflow_model::wire::EventView;
use aiflow_model::{Record, State};

use super::model_of;
use super::recording::Recording;
use crate::state::exchange::{Message, Request};
use crate::state::log::LogView;
use crate::state::streams::clocks;
use crate::state::{Model, fate, tasks, windows};

fn sent(state: &State) -> State {
    let text = serde_json::to_string(state).unwrap();
    serde_json::from_str::<State>(&text).unwrap().with_derived()
}

#[test]
fn a_run_that_leaves_while_it_is_looked_at_gives_way_to_another() {
    use crate::state::Screen;
    let mut recording = Recording::empty();
    recording.engine.keep_runs(1);
    recording.upload("workflow: etl\ntasks: {load: {bash: x}}\n");
    let ended = |recording: &mut Recording| {
        let run = recording.run("etl");
        recording.start_all();
        recording.end("load", 0);
        run
    };
    let first = ended(&mut recording);
    let mut model = model_of(&recording);
    super::press(&mut model, "1j<enter>");
    assert_eq!((model.screen, model.run), (Screen::Run, Some(first)));
    let known = recording.log.len();
    let second = ended(&mut recording);
    // Decided beside the next run.
    let third = recording.run("etl");
    model.take(Message::Records(recording.log[known..].to_vec()));
    assert!(model.state().run(first).is_none(), "it has left the state");
    assert_eq!(model.run, Some(third), "the newest that lives, not {second}");
    assert!(model.notice.as_ref().unwrap().text.contains("is archived"));
}

#[test]
fn records_one_by_one_give_what_the_state_as_sent_gives() {
    let recording = Recording::story();
    let live = model_of(&recording);
    let mut late = Model::new(String::new(), recording.now);
    late.take(Message::State(Box::new(sent(recording.engine.state()))));
    assert_eq!(&sent(live.state()), late.state());
    let (live_run, late_run) = (live.open_run().unwrap(), late.open_run().unwrap());
    assert_eq!(tasks::rows(live.state(), live_run), tasks::rows(late.state(), late_run));
    let clock = &clocks(live.sight(), live_run)[0];
    let grids = [(&live, live_run), (&late, late_run)]
        .map(|(model, run)| windows::grid(model.state(), run, clock, 30));
    assert_eq!(grids[0], grids[1]);
}

#[test]
fn the_fate_of_a_past_event_is_found_in_the_state() {
    let recording = Recording::story();
    let live = model_of(&recording);
    let mut late = Model::new(String::new(), recording.now);
    late.take(Message::State(Box::new(sent(recording.engine.state()))));
    let events = recording.log.iter().filter_map(|logged| match &logged.record {
        Record::EventEmitted(event) => Some(EventView::of(event, logged.offset, logged.time)),
        _ => None,
    });
    late.take(Message::Past(events.collect()));
    let started = |model: &Model| -> Vec<String> {
        let led = model.recent().iter().filter(|seen| !seen.fate.started.is_empty());
        led.map(|seen| format!("{} {}", seen.offset, fate::words(&seen.fate).0)).collect()
    };
    assert_eq!(started(&live), started(&late));
    assert!(started(&live).len() > 10);
}

#[test]
fn after_a_break_nothing_is_taken_twice() {
    let recording = Recording::story();
    let mut model = model_of(&recording);
    let before = model.state().clone();
    model.take(Message::Lost("gone".to_owned()));
    model.take(Message::Live);
    let again = recording.log[recording.log.len() - 5..].to_vec();
    model.take(Message::Records(again));
    assert_eq!(*model.state(), before);
    assert_eq!(model.outbox, []);
}

#[test]
fn a_gap_asks_for_the_state_anew() {
    let recording = Recording::story();
    let mut model = Model::new(String::new(), recording.now);
    model.take(Message::State(Box::default()));
    model.take(Message::Records(recording.log[3..].to_vec()));
    assert_eq!(model.outbox, [Request::Resync]);
}

#[test]
fn the_ring_is_bounded_and_keeps_the_newest() {
    let mut recording = Recording::uploaded();
    for number in 0..2_100 {
        recording.emit("k", &number.to_string(), "test", None);
    }
    let model = model_of(&recording);
    assert_eq!(model.recent().iter().count(), 2_000);
    assert_eq!(model.recent().iter().next_back().unwrap().value.as_str(), "2099");
}

#[test]
fn a_log_counts_what_came_while_it_was_not_followed() {
    let mut model = model_of(&Recording::story());
    model.open_log(aiflow_model::RunId(1), "train".parse().unwrap(), None);
    let mut log: LogView = model.log.take().unwrap();
    let target = log.target.clone();
    let take = |log: &mut LogView, piece| log.take(&target, Ok(piece));
    let piece = |text: String, ended| aiflow_model::wire::LogPiece {
        attempt: "1.train.1.1".to_owned(),
        position: 0,
        next: 0,
        text,
        ended,
    };
    let lines = |from: u32, to: u32| (from..to).map(|n| format!("{n} o line {n}\n")).collect();
    take(&mut log, piece(lines(0, 50), false));
    log.scroll(-3);
    assert!(!log.follows() && log.unseen() == 3);
    take(&mut log, piece(lines(50, 60), false));
    assert_eq!((log.unseen(), log.upwards().next().unwrap().text.as_str()), (13, "line 46"));
    log.follow();
    take(&mut log, piece("60 O long\n61 o er\n".to_owned(), true));
    assert_eq!(log.upwards().next().unwrap().text, "longer");
    take(&mut log, piece(lines(0, 12_000), false));
    assert_eq!(log.count(), 61 + 12_000);
    take(&mut log, piece(lines(0, 200_000), false));
    assert_eq!(log.count(), 61 + 212_000, "lines that fell out are counted");
    assert_eq!((log.upwards().count(), log.dropped()), (200_000, 12_061));
}

#[test]
fn values_are_kept_within_bounds_and_shown_by_their_beginning() {
    let mut recording = Recording::uploaded();
    let large = format!("\"{}\"", "ä".repeat(400_000));
    for _ in 0..60 {
        recording.emit("k", &large, "test", None);
    }
    let model = model_of(&recording);
    let kept: usize = model.recent().iter().map(|seen| seen.value.as_str().len()).sum();
    assert!(kept <= 32 << 20 && kept > 30 << 20, "{kept}");
    let newest = model.recent().iter().next_back().unwrap();
    assert!(newest.brief().len() <= 4_096 && newest.brief_tree().is_none());
}
