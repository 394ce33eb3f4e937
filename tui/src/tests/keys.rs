//! Keys in, model and requests out.

use std::collections::BTreeMap;

use aiflow_model::{EventKey, JsonText, Namespace, Offset, RunId, Sequence, TaskName};

use super::recording::Recording;
use super::{model_of, press};
use crate::state::command::Command;
use crate::state::exchange::{Message, Request};
use crate::state::{Dialog, Model, Pane, Screen};

fn story() -> Model {
    model_of(&Recording::story())
}

#[test]
fn out_goes_one_level_at_a_time_and_never_quits() {
    let mut model = story();
    press(&mut model, "<enter><enter>");
    assert_eq!(model.screen, Screen::Log);
    press(&mut model, "<esc>");
    assert_eq!(model.screen, Screen::Task);
    press(&mut model, "h");
    assert_eq!(model.screen, Screen::Run);
    press(&mut model, "hhh<esc><esc>");
    assert_eq!((model.screen, model.quits), (Screen::Overview, false));
    assert_eq!(model.runs_cursor, 1, "on the run that was left");
    press(&mut model, "<enter>");
    assert_eq!((model.screen, model.run), (Screen::Streams, Some(RunId(1))));
}

#[test]
fn q_quits_but_is_a_letter_where_one_writes_and_control_c_always_quits() {
    let mut model = story();
    press(&mut model, "eq");
    assert!(!model.quits);
    let Some(Dialog::Form(form)) = &model.dialog else { panic!("no form") };
    assert_eq!(form.written("key"), "q");
    press(&mut model, "<c-c>");
    assert!(model.quits);
    let mut model = story();
    press(&mut model, "6/q");
    assert_eq!((model.filter.as_str(), model.quits), ("q", false));
    let mut model = story();
    press(&mut model, "q");
    assert!(model.quits);
}

#[test]
fn digits_jump_and_the_run_screen_moves_between_panes() {
    let mut model = story();
    for (key, screen) in (1..)
        .zip(Screen::ALL)
        .map(|(n, screen)| (n.to_string(), screen))
        .chain([("2".to_owned(), Screen::Streams)])
    {
        press(&mut model, &key);
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

/// What was asked to be done, what was only foretold left out.
fn done(model: &mut Model) -> Vec<Command> {
    let asked = std::mem::take(&mut model.outbox).into_iter();
    asked
        .filter_map(|request| match request {
            Request::Do(commands) => Some(commands),
            _ => None,
        })
        .flatten()
        .collect()
}

fn task(name: &str) -> TaskName {
    TaskName::new(name).unwrap()
}

const RUN: RunId = RunId(1);

#[test]
fn nothing_is_changed_without_a_yes() {
    let keys = ["s", "t", "R", "r", "f", "x", "m", "S", "p"];
    let sequence = None;
    let (train, run) = (|| task("train"), RUN);
    let expected = [
        Command::StopTask { run, task: train() },
        Command::StartTask { run, task: train() },
        Command::RestartTask { run, task: train() },
        Command::Rerun { run, task: train(), sequence, from_here: false },
        Command::Rerun { run, task: train(), sequence, from_here: true },
        Command::Skip { run, task: train(), sequence },
        Command::MarkSuccess { run, task: train(), sequence },
        Command::StopRun { run },
        Command::PauseRun { run },
    ];
    for (key, command) in keys.into_iter().zip(expected) {
        let mut model = story();
        press(&mut model, &format!("jj{key}"));
        let asked = Request::Foretell { number: 1, commands: vec![command.clone()] };
        assert_eq!(model.outbox, [asked], "it is foretold first: {key}");
        press(&mut model, "n");
        assert!(model.dialog.is_none() && done(&mut model).is_empty(), "{key}");
        press(&mut model, &format!("{key}y"));
        assert_eq!(done(&mut model), [command], "{key}");
    }
}

#[test]
fn workflows_runs_and_triggers_are_taken_in_hand_where_they_are_seen() {
    let namespace = Namespace::default_namespace;
    let workflow = || "flight_delays".parse().unwrap();
    let mut model = story();
    press(&mut model, "1gny");
    let start =
        Command::StartRun { namespace: namespace(), workflow: workflow(), params: BTreeMap::new() };
    assert_eq!(done(&mut model), [start]);
    press(&mut model, "Dy");
    let disable = Command::DisableWorkflow { namespace: namespace(), workflow: workflow() };
    assert_eq!(done(&mut model), [disable]);
    press(&mut model, "jSy");
    assert_eq!(done(&mut model), [Command::StopRun { run: RUN }]);
    let mut recording = Recording::empty();
    recording.upload("workflow: nightly\ntriggers: [{on: data.ready}]\ntasks: {load: {bash: x}}\n");
    let mut model = model_of(&recording);
    press(&mut model, "8py");
    let trigger = aiflow_model::TriggerId(1);
    assert_eq!(done(&mut model), [Command::PauseTrigger { trigger }]);
}

fn with_params() -> Model {
    let mut recording = Recording::empty();
    recording.upload(
        "workflow: etl\nparams:\n  city: New York\n  days: {type: int, default: 3}\n  \
         model: {type: string}\ntasks: {load: {bash: x}}\n",
    );
    model_of(&recording)
}

#[test]
fn a_run_is_given_its_parameters_and_started_once_the_daemon_would() {
    let mut model = with_params();
    press(&mut model, "1n");
    let given = |days: &str, model: &str| {
        let known = [("days", days), ("model", model)].into_iter();
        let params = known.filter(|(_, value)| !value.is_empty());
        let (namespace, workflow) = (Namespace::default_namespace(), "etl".parse().unwrap());
        let params = params.map(|(name, value)| (name.to_owned(), JsonText::parse(value).unwrap()));
        Command::StartRun { namespace, workflow, params: params.collect() }
    };
    let asked = |number, command| Request::Foretell { number, commands: vec![command] };
    assert_eq!(model.outbox, [asked(1, given("", ""))], "the defaults are tried at once");
    super::screens::check("start_run_form", &model, &[(80, 24)]);
    model.outbox.clear();
    let refusal = "E0004 workflow etl needs the parameter \"model\", of kind string".to_owned();
    model.take(Message::Foretold(1, Err(refusal)));
    super::screens::check("start_run_refused", &model, &[(80, 24), (40, 12)]);
    press(&mut model, "<tab><c-u>7<tab>big<enter>");
    assert_eq!(model.outbox, [asked(2, given("7", "\"big\""))], "what is new is tried first");
    press(&mut model, "<enter><enter>");
    assert_eq!(model.outbox.len(), 1, "the daemon has not answered yet");
    model.take(Message::Foretold(2, Ok(vec!["run 1 of etl starts".to_owned()])));
    super::screens::check("start_run_foretold", &model, &[(80, 24), (120, 40)]);
    press(&mut model, "<enter>");
    let started = given("7", "\"big\"");
    assert_eq!(started.line(), "aiflow run etl --param days=7 --param model=big");
    assert_eq!(done(&mut model), [started]);
    assert!(model.dialog.is_none());
    // What was said of other values counts no more.
    let mut model = with_params();
    press(&mut model, "1n");
    model.take(Message::Foretold(1, Ok(vec!["fine".to_owned()])));
    press(&mut model, "x<enter>");
    assert_eq!(done(&mut model), []);
    press(&mut model, "<esc>");
    assert!(model.dialog.is_none());
}

#[test]
fn many_at_once_need_their_number_typed() {
    let mut recording = Recording::empty();
    let tasks: String =
        (0..12).map(|n| format!("  t{n:02}: {{kind: stream, bash: x}}\n")).collect();
    recording.upload(&format!("workflow: wide\ntasks:\n{tasks}"));
    recording.run("wide");
    recording.start_all();
    let marked = |keys: &str| {
        let mut model = model_of(&recording);
        press(&mut model, keys);
        model
    };
    let mut model = marked("<space>Gvs");
    press(&mut model, "y");
    assert!(matches!(&model.dialog, Some(Dialog::Confirm(_))), "a letter is too little");
    press(&mut model, "<c-u>11<enter>");
    assert!(done(&mut model).is_empty() && model.notice.as_ref().unwrap().text.contains("type 12"));
    super::screens::check("stop_many", &model, &[(80, 24), (40, 12)]);
    press(&mut model, "<backspace>2<enter>");
    assert_eq!((done(&mut model).len(), model.dialog.is_none()), (12, true));
    let mut model = marked("<space>Gvs");
    press(&mut model, "12<esc>");
    assert!(done(&mut model).is_empty() && model.dialog.is_none());
    let mut model = marked("<space>jjjjjjjjvsy");
    assert_eq!(done(&mut model).len(), 10, "ten are few");
}

#[test]
fn windows_are_asked_for_by_their_times() {
    let mut model = story();
    press(&mut model, "jjbyesterday<enter>");
    let Some(Dialog::Prompt(prompt)) = &model.dialog else { panic!("the line went away") };
    assert!(prompt.fault.as_ref().unwrap().contains("RFC 3339"));
    press(&mut model, "<c-u>2013-01-01T00:00:00Z<enter>");
    assert!(matches!(&model.dialog, Some(Dialog::Confirm(_))));
    press(&mut model, "y");
    let from = "2013-01-01T00:00:00Z".parse().unwrap();
    let backfill = Command::Backfill { run: RUN, task: task("train"), from, to: None, parallel: 1 };
    assert_eq!(done(&mut model), [backfill]);
}

#[test]
fn what_is_marked_is_what_is_meant() {
    let mut model = story();
    press(&mut model, "<space><space>");
    assert_eq!(model.marks.len(), 2);
    press(&mut model, "sy");
    let stop = |name| Command::StopTask { run: RUN, task: task(name) };
    assert_eq!(done(&mut model), [stop("ingest"), stop("observe")]);
    assert!(model.marks.is_empty(), "a mark is for one command");
    press(&mut model, "g<space>jjv");
    assert_eq!(model.marks.len(), 4, "from the last mark to here");
    press(&mut model, "<esc>");
    assert!(model.marks.is_empty() && model.screen == Screen::Streams);
}

#[test]
fn the_answer_of_the_dry_run_is_shown_with_its_own_question() {
    let mut model = story();
    press(&mut model, "jjs");
    model.take(Message::Foretold(7, Ok(vec!["of another".to_owned()])));
    let told = |model: &Model| match &model.dialog {
        Some(Dialog::Confirm(question)) => question.foretold.clone(),
        _ => panic!("no question"),
    };
    assert_eq!(told(&model), None);
    model.take(Message::Foretold(1, Ok(vec!["train ends".to_owned()])));
    assert_eq!(told(&model), Some(Ok(vec!["train ends".to_owned()])));
}

#[test]
fn read_only_means_that_nothing_is_asked() {
    for keys in ["s", "t", "S", "e", "r", "b", "1n", "1D", "8p"] {
        let mut model = story();
        model.read_only = true;
        press(&mut model, keys);
        assert!(model.dialog.is_none() && model.outbox.is_empty(), "{keys}");
        assert!(model.notice.as_ref().unwrap().text.contains("read-only"), "{keys}");
    }
}

#[test]
fn a_form_becomes_an_event() {
    let emitted = |key: &str, value: &str, run| Command::Emit {
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
    assert_eq!(done(&mut model), expected);
    press(&mut model, "ek<c-p>");
    let asked = Request::Foretell { number: 1, commands: vec![emitted("k", "null", Some(RUN))] };
    assert_eq!(model.outbox, [asked], "what if: nothing is done");
    assert!(matches!(&model.dialog, Some(Dialog::Form(_))));
}

#[test]
fn a_key_that_is_none_is_told_and_nothing_is_sent() {
    let mut model = story();
    press(&mut model, "ea b<tab>1<enter>");
    assert_eq!(model.outbox, []);
    let Some(Dialog::Form(form)) = &model.dialog else { panic!("the form went away") };
    assert_eq!(form.at, 0);
    assert!(form.fault.as_ref().unwrap().contains("not a valid name"));
}

#[test]
fn an_event_can_be_emitted_again_from_the_feed() {
    let mut model = story();
    press(&mut model, "<tab>je");
    let Some(Dialog::Form(form)) = &model.dialog else { panic!("no form") };
    assert_eq!(form.written("key"), "model.sunk");
}

#[test]
fn a_filter_narrows_as_it_is_written_and_esc_takes_it_back() {
    let mut model = story();
    press(&mut model, "6/VALIDATED mae");
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
    press(&mut model, "6jj");
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
    press(&mut model, "jjl");
    let target = model.wanted_logs()[0].clone();
    assert_eq!(
        (target.run, target.task.as_str(), target.sequence),
        (RunId(1), "train", Some(Sequence(11)))
    );
    press(&mut model, "]]]");
    let newest = model.state().task(RunId(1), &target.task).unwrap().latest().unwrap().sequence.0;
    assert_eq!(model.wanted_logs()[0].sequence.unwrap().0, newest);
    press(&mut model, "[[");
    assert_eq!(model.wanted_logs()[0].sequence.unwrap().0, newest - 2);
    press(&mut model, "2");
    assert_eq!(model.wanted_logs(), [], "no log is read that is not looked at");
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

#[test]
fn the_log_is_searched_and_a_line_copied() {
    use crate::state::chore::Chore;
    let mut model = story();
    press(&mut model, "jjl");
    let target = model.wanted_logs()[0].clone();
    let lines: String = (0..100)
        .map(|n| format!("{n} o line {n}{}\n", if n % 10 == 7 { " Error" } else { "" }))
        .collect();
    let piece = aiflow_model::wire::LogPiece {
        attempt: "1.train.11.1".to_owned(),
        position: 0,
        next: 0,
        text: lines,
        ended: false,
    };
    model.take(Message::Log(target, Ok(piece)));
    press(&mut model, "/error<enter>");
    let lowest = |model: &Model| model.log.as_ref().unwrap().copied().unwrap();
    assert_eq!(lowest(&model), "line 97 Error");
    press(&mut model, "NN");
    assert_eq!(lowest(&model), "line 77 Error");
    press(&mut model, "n");
    assert_eq!(lowest(&model), "line 87 Error");
    press(&mut model, "y");
    assert_eq!(model.chores, [Chore::Copy("line 87 Error".to_owned())]);
    press(&mut model, "i");
    let log = model.log.as_ref().unwrap();
    assert_eq!((log.upwards().count(), log.matches()), (10, 10), "only these");
    press(&mut model, "<esc>");
    assert_eq!((model.screen, lowest(&model)), (Screen::Log, "line 99".to_owned()));
    press(&mut model, "E|");
    let text = |chore: &Chore| match chore {
        Chore::Edit { text, .. } | Chore::Page(text) => text.lines().count(),
        _ => 0,
    };
    assert_eq!(model.chores.iter().map(text).collect::<Vec<_>>(), [0, 100, 100]);
}

#[test]
fn the_palette_finds_does_and_remembers() {
    let mut model = story();
    press(&mut model, ":stop run<enter>");
    assert!(matches!(&model.dialog, Some(Dialog::Confirm(q)) if q.question.contains("Stop run 1")));
    press(&mut model, "n:<enter>");
    assert!(matches!(&model.dialog, Some(Dialog::Confirm(_))), "what was done last comes first");
    press(&mut model, "n:go task deploy<enter>");
    assert_eq!((model.screen, model.selected_task().unwrap().1), (Screen::Task, task("deploy")));
    press(&mut model, ":aiflow://events/7@9<enter>");
    assert_eq!((model.screen, model.event_cursor), (Screen::Events, Some(Offset(7))));
    assert!(model.past.is_some(), "a link leads to its offset");
}

#[test]
fn why_is_one_key_away_and_its_command_can_be_copied() {
    use crate::state::chore::Chore;
    use crate::state::why::answer;
    let mut model = story();
    press(&mut model, "Gw");
    let Some(Dialog::Why { about, .. }) = &model.dialog else { panic!("no answer") };
    assert!(answer(model.sight(), about).question.starts_with("why does deploy of run 1"));
    press(&mut model, "Y");
    let asked = Request::Chain(RUN, task("deploy"));
    assert_eq!(model.outbox, [asked], "how it came to be is asked of the daemon");
    let Some(Chore::Copy(line)) = model.chores.pop() else { panic!("nothing was copied") };
    assert!(line.starts_with("aiflow emit model.validated"), "{line}");
}

/// What the guide says of how many keys it takes, done.
#[test]
fn a_written_list_of_tasks_takes_few_keys() {
    use crate::state::chore::Chore;
    let count = |keys: &str| keys.replace("<enter>", "⏎").chars().count();
    // Why does train wait?
    let (mut model, keys) = (story(), "jjw");
    press(&mut model, keys);
    assert!(matches!(&model.dialog, Some(Dialog::Why { .. })) && count(keys) == 3);
    // The event of the flight that is waited for.
    let (mut model, keys) = (story(), "6/1545<enter>");
    press(&mut model, keys);
    let found = model.shown_events().next().unwrap();
    assert!(found.brief().contains("UA 1545") && count(keys) == 7);
    // Stop the run.
    let (mut model, keys) = (story(), "Sy");
    press(&mut model, keys);
    assert_eq!((done(&mut model), count(keys)), (vec![Command::StopRun { run: RUN }], 2));
    // Run the last window anew that failed.
    let (mut model, keys) = (story(), "jj<enter>nry");
    press(&mut model, keys);
    let (sequence, from_here) = (Some(Sequence(7)), false);
    let rerun = Command::Rerun { run: RUN, task: task("train"), sequence, from_here };
    assert_eq!((done(&mut model), count(keys)), (vec![rerun], 6));
    // Copy the line of an error.
    let mut model = story();
    press(&mut model, "jjl");
    let target = model.wanted_logs()[0].clone();
    let piece = aiflow_model::wire::LogPiece {
        attempt: "1.train.11.1".to_owned(),
        position: 0,
        next: 0,
        text: "1 o fine\n2 e ValueError: no flights\n3 o fine\n".to_owned(),
        ended: false,
    };
    model.take(Message::Log(target, Ok(piece)));
    press(&mut model, "/err<enter>y");
    assert_eq!(model.chores, [Chore::Copy("ValueError: no flights".to_owned())]);
    assert_eq!(count("jjl/err<enter>y"), 9);
}
