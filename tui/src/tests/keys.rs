//! Keys in, model and requests out.

use aiflow_model::{EventKey, JsonText, Namespace, Offset, RunId, TaskName};

use super::recording::Recording;
use super::{model_of, press};
use crate::conn::{Message, Request};
use crate::state::{Dialog, EmitField, Model, Pane, Screen};

fn story() -> Model {
    model_of(&Recording::story())
}

#[test]
fn out_goes_one_level_at_a_time_and_never_quits() {
    let mut model = story();
    press(&mut model, "<enter>");
    assert_eq!(model.screen, Screen::Log);
    press(&mut model, "<esc>");
    assert_eq!(model.screen, Screen::Run);
    press(&mut model, "hhh<esc><esc>");
    assert_eq!((model.screen, model.quits), (Screen::Runs, false));
    assert_eq!(model.runs_cursor, 1, "on the run that was left");
    press(&mut model, "l");
    assert_eq!((model.screen, model.run), (Screen::Run, Some(RunId(1))));
}

#[test]
fn q_quits_but_is_a_letter_where_one_writes_and_control_c_always_quits() {
    let mut model = story();
    press(&mut model, "eq");
    assert!(!model.quits);
    let Some(Dialog::Emit(form)) = &model.dialog else { panic!("no form") };
    assert_eq!(form.key.text(), "q");
    press(&mut model, "<c-c>");
    assert!(model.quits);
    let mut model = story();
    press(&mut model, "3/q");
    assert_eq!((model.filter.as_str(), model.quits), ("q", false));
    let mut model = story();
    press(&mut model, "q");
    assert!(model.quits);
}

#[test]
fn digits_jump_and_the_run_screen_moves_between_panes() {
    let mut model = story();
    for (key, screen) in
        [("1", Screen::Runs), ("3", Screen::Events), ("4", Screen::Log), ("2", Screen::Run)]
    {
        press(&mut model, key);
        assert_eq!(model.screen, screen);
    }
    press(&mut model, "<tab>");
    assert_eq!(model.pane, Pane::Events);
    press(&mut model, "<backtab>jj");
    assert_eq!((model.pane, model.task_cursor), (Pane::Tasks, 2));
    press(&mut model, "G");
    assert_eq!(model.task_cursor, 4);
    press(&mut model, "gk");
    assert_eq!(model.task_cursor, 0);
}

#[test]
fn nothing_is_stopped_or_started_without_a_yes() {
    let task = |name: &str| TaskName::new(name).unwrap();
    let mut model = story();
    press(&mut model, "jjs");
    assert_eq!(model.outbox, []);
    press(&mut model, "n");
    assert!(model.dialog.is_none() && model.outbox.is_empty());
    press(&mut model, "sy");
    assert_eq!(model.outbox, [Request::StopTask { run: RunId(1), task: task("train") }]);
    model.outbox.clear();
    press(&mut model, "jjt<enter>S<esc>Sy");
    let start = Request::StartTask { run: RunId(1), task: task("deploy") };
    assert_eq!(model.outbox, [start, Request::StopRun { run: RunId(1) }]);
    model.outbox.clear();
    press(&mut model, "1gry");
    let workflow = "flight_delays".parse().unwrap();
    let namespace = Namespace::default_namespace();
    assert_eq!(model.outbox, [Request::StartRun { namespace, workflow }]);
}

#[test]
fn a_form_becomes_an_event() {
    let emitted = |key: &str, value: &str, run| Request::Emit {
        namespace: Namespace::default_namespace(),
        key: EventKey::new(key).unwrap(),
        value: JsonText::parse(value).unwrap(),
        run,
    };
    let mut model = story();
    press(&mut model, "emodel.validated<tab>{\"mae\": 1}<enter>");
    press(&mut model, "ek<tab>not json<tab> <enter>");
    press(&mut model, "ek<enter>");
    let expected = [
        emitted("model.validated", "{\"mae\": 1}", Some(RunId(1))),
        emitted("k", "\"not json\"", None),
        emitted("k", "null", Some(RunId(1))),
    ];
    assert_eq!(model.outbox, expected);
}

#[test]
fn a_key_that_is_none_is_told_and_nothing_is_sent() {
    let mut model = story();
    press(&mut model, "ea b<tab>1<enter>");
    assert_eq!(model.outbox, []);
    let Some(Dialog::Emit(form)) = &model.dialog else { panic!("the form went away") };
    assert_eq!(form.field, EmitField::Key);
    assert!(form.fault.as_ref().unwrap().contains("not a valid name"));
}

#[test]
fn an_event_can_be_emitted_again_from_the_feed() {
    let mut model = story();
    press(&mut model, "<tab>je");
    let Some(Dialog::Emit(form)) = &model.dialog else { panic!("no form") };
    assert_eq!(form.key.text(), "model.sunk");
}

#[test]
fn a_filter_narrows_as_it_is_written_and_esc_takes_it_back() {
    let mut model = story();
    press(&mut model, "3/VALIDATED mae");
    let count = model.shown_events().count();
    assert!(count > 3 && model.shown_events().all(|seen| seen.key.as_str() == "model.validated"));
    press(&mut model, "<esc>");
    assert_eq!(model.filter, "");
    press(&mut model, "/sunk<enter>");
    assert_eq!((model.shown_events().count(), model.filter.as_str()), (1, "sunk"));
    press(&mut model, "<esc>");
    assert_eq!((model.filter.as_str(), model.screen), ("", Screen::Events));
}

#[test]
fn the_selected_event_stays_while_new_ones_come() {
    let mut recording = Recording::story();
    let mut model = model_of(&recording);
    press(&mut model, "3jj");
    let selected = model.event_cursor.unwrap();
    let known = recording.log.len();
    recording.emit("later", "1", "test", None);
    model.take(Message::Records(recording.log[known..].to_vec()));
    assert_eq!(model.event_cursor, Some(selected));
    press(&mut model, "f");
    assert_eq!(model.event_cursor, None);
    assert_eq!(model.shown_events().next().unwrap().offset, Offset(known as u64));
}

#[test]
fn a_log_belongs_to_a_task_and_steps_through_its_executions() {
    let mut model = story();
    press(&mut model, "jj<enter>");
    let target = model.wanted_log().unwrap().clone();
    assert_eq!((target.run, target.task.as_str(), target.sequence), (RunId(1), "train", None));
    press(&mut model, "[");
    let newest = model.state.task(RunId(1), &target.task).unwrap().latest().unwrap().sequence.0;
    assert_eq!(model.wanted_log().unwrap().sequence.unwrap().0, newest - 1);
    press(&mut model, "]]]");
    assert_eq!(model.wanted_log().unwrap().sequence.unwrap().0, newest);
    press(&mut model, "2");
    assert_eq!(model.wanted_log(), None, "no log is read that is not looked at");
}

#[test]
fn a_newer_run_opens_by_itself_until_somebody_chose_one() {
    let mut recording = Recording::story();
    let mut model = model_of(&recording);
    let known = recording.log.len();
    recording.run("flight_delays");
    let new = recording.log[known..].to_vec();
    model.take(Message::Records(new.clone()));
    assert_eq!(model.run, Some(RunId(2)));
    let mut model = model_of(&Recording::story());
    press(&mut model, "h<enter>");
    model.take(Message::Records(new));
    assert_eq!(model.run, Some(RunId(1)));
}
