//! What the screens look like, at the sizes that people have.

use aiflow_core::Input;
use aiflow_model::RunId;
use aiflow_model::wire::LogPiece;
use ratatui::backend::TestBackend;
use ratatui::style::Color;

use super::recording::Recording;
use super::{model_of, press};
use crate::state::exchange::{Message, Request};
use crate::state::{Model, Screen};
use crate::view::{self, theme::Theme};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
const SMALL: (u16, u16) = (40, 12);

fn drawn(model: &Model, size: (u16, u16), has_colour: bool) -> TestBackend {
    view::text::drawn(model, &Theme::new(model.theme, has_colour), size).unwrap()
}

fn text(model: &Model, size: (u16, u16)) -> String {
    view::text::text(model, &Theme::new(model.theme, true), size)
}

pub(super) fn check(name: &str, model: &Model, sizes: &[(u16, u16)]) {
    for (width, height) in sizes {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), text(model, (*width, *height)));
    }
}

fn every() -> Vec<(u16, u16)> {
    [&SIZES[..], &[SMALL]].concat()
}

#[test]
fn the_streams() {
    check("streams", &model_of(&Recording::story()), &every());
}

#[test]
fn a_paused_run_in_which_nothing_is_heard_of_a_stream() {
    let mut recording = Recording::empty();
    recording.upload(
        "workflow: watched\ntasks:\n  stream: {kind: stream, bash: x, heartbeat: 30s}\n  \
         job: {bash: x, start: {on: go}, overlap: queue}\n",
    );
    let run = recording.run("watched");
    recording.start_all();
    recording.pass("30s");
    recording.give(Input::Tick);
    recording.give(Input::PauseRun(run));
    recording.emit("go", "1", "cli", None);
    let mut model = model_of(&recording);
    check("paused_silent", &model, &[(80, 24)]);
    model.screen = Screen::Overview;
    check("overview_paused", &model, &[(80, 24)]);
}

#[test]
fn a_run_that_has_just_begun() {
    let mut recording = Recording::uploaded();
    recording.run("flight_delays");
    check("streams_begun", &model_of(&recording), &SIZES[..2]);
}

#[test]
fn a_run_without_a_clock() {
    let mut recording = Recording::empty();
    recording.upload("workflow: etl\ntasks:\n  load: {bash: 'true'}\n  clean: {bash: 'true', start: {after: load}}\n");
    recording.run("etl");
    recording.start_all();
    recording.pass("2m14s");
    check("streams_plain", &model_of(&recording), &SIZES[..2]);
}

#[test]
fn parameters_fans_outputs_and_hooks_are_shown_where_they_are() {
    let mut recording = Recording::empty();
    recording.upload(
        "workflow: etl\nparams:\n  city: New York\n  days: {type: int, default: 3}\n  \
         regions: {type: list, default: [eu, us, asia]}\ntasks:\n  load: {bash: 'load --all'}\n  \
         each:\n    bash: 'work on \"$AIFLOW_ITEM\" for as long as it takes and then a little longer'\n    \
         for_each: params.regions\n    start: {after: load}\n    parallel: 3\n    \
         retry: {attempts: 2, backoff: 1s}\non_failure: {bash: 'tell somebody'}\nlate_after: 5m\n\
         on_late: {bash: 'tell everybody'}\n",
    );
    let run = recording.run("etl");
    recording.start_all();
    let id: aiflow_model::AttemptId = "1.load.1.1".parse().unwrap();
    for (name, value) in [("rows", "12"), ("file", "\"data/a.csv\"")] {
        let (name, value) = (name.parse().unwrap(), aiflow_model::JsonText::parse(value).unwrap());
        recording.give(Input::SetOutput(id.clone(), name, value));
    }
    recording.pass("2s");
    recording.end("load", 0);
    recording.start_all();
    recording.pass("1s");
    recording.end("each", 0);
    let mut model = model_of(&recording);
    assert_eq!(model.run, Some(run));
    press(&mut model, "3");
    check("run_with_params", &model, &[(80, 24), (120, 40)]);
    press(&mut model, "<tab><tab>");
    check("run_with_params_table", &model, &[(120, 40)]);
    press(&mut model, "5");
    check("task_with_outputs", &model, &[(80, 24), (120, 40)]);
    press(&mut model, "3j5");
    check("task_with_items", &model, &[(80, 24), (120, 40), SMALL]);
    press(&mut model, "4");
    check("workflow_with_params", &model, &[(80, 24), (120, 40)]);
}

#[test]
fn the_overview() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "1");
    check("overview", &model, &every());
}

#[test]
fn how_the_daemon_is_and_was() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "9");
    let mut committed = 412;
    for records in [0, 20, 40, 4_000, 11, 0, 37] {
        committed += records;
        model.now = model.now.plus("2s".parse().unwrap());
        let status = super::status();
        let status = aiflow_model::wire::Status { committed_records: committed, ..status };
        model.take(Message::Status(Box::new(status)));
    }
    check("system_busy", &model, &every());
    press(&mut model, "jjjj");
    check("system_below", &model, &[(80, 24), SMALL]);
    // Another daemon counts anew.
    let status = aiflow_model::wire::Status { epoch: 2, committed_records: 3, ..super::status() };
    model.take(Message::Status(Box::new(status)));
    assert!(model.health.records_per_second().is_empty());
}

#[test]
fn the_events() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "6jjj");
    check("events", &model, &every());
    press(&mut model, "f/validated");
    check("events_filter", &model, &SIZES[..2]);
}

fn with_log() -> Model {
    let mut model = model_of(&Recording::story());
    press(&mut model, "jjl");
    let text = [
        "1767225600000000 o 2013-01-03T04:00:00Z: 61 flights learned, MAE of the last day 11.8 min",
        "1767225601000000 e \u{1b}[33mwarning\u{1b}[0m: a very long line on stderr, which does not fit \
            into eighty columns and is cut or broken",
        "1767225602000000 o 日本語\tand ✈",
        "",
    ];
    let text = text.join("\n");
    let more: String = (0..80).map(|n| format!("176722560{n:02}00000 o epoch {n}\n")).collect();
    let piece = LogPiece {
        attempt: "1.train.11.1".to_owned(),
        position: 0,
        next: 0,
        text: format!("{more}{text}"),
        ended: false,
    };
    let target = model.wanted_logs()[0].clone();
    model.take(Message::Log(target, Ok(piece)));
    model
}

#[test]
fn the_log() {
    let mut model = with_log();
    check("log", &model, &every());
    press(&mut model, "wtkk");
    check("log_wrapped_and_suspended", &model, &SIZES[..1]);
}

#[test]
fn the_help() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "?");
    check("help", &model, &every());
}

#[test]
fn the_dialogs() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "emodel.validated<tab>{\"mae\": 11.8}");
    check("emit", &model, &every());
    let mut model = model_of(&Recording::story());
    press(&mut model, "S");
    check("stop_run", &model, &every());
}

#[test]
fn nothing_yet() {
    let mut model = model_of(&Recording::empty());
    press(&mut model, "1");
    check("empty", &model, &every());
    let mut model = model_of(&Recording::uploaded());
    press(&mut model, "1");
    check("no_run", &model, &SIZES[..1]);
}

#[test]
fn no_daemon() {
    let mut model = model_of(&Recording::story());
    model.take(Message::Lost("no daemon answers on /run/aiflow.sock".to_owned()));
    model.now = model.now.plus("14s".parse().unwrap());
    check("disconnected", &model, &every());
    let mut unknown = Model::new("/home/ada/.local/state/aiflow".to_owned(), model.now);
    unknown.take(Message::Lost("no daemon answers on /run/aiflow.sock".to_owned()));
    check("never_connected", &unknown, &SIZES[..1]);
}

#[test]
fn without_colours_there_are_none() {
    for keys in ["", "1", "3", "3<tab>", "4", "5", "6", "8", "9", "?", "e", "S", ":", "jjw"] {
        let mut model = model_of(&Recording::story());
        press(&mut model, keys);
        let backend = drawn(&model, (120, 40), false);
        let cells = backend.buffer().content();
        assert!(cells.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset), "{keys}");
    }
}

#[test]
fn every_size_is_drawn_without_a_fault() {
    for keys in [
        "",
        "1",
        "3",
        "3<tab>",
        "3<tab><tab>",
        "4",
        "4<tab>",
        "4<tab><tab>",
        "5",
        "6",
        "6/x",
        "8",
        "9",
        "?",
        "e",
        "S",
        ":",
        "jjw",
        "<tab>jj",
        "z",
        "T",
    ] {
        let mut model = with_log();
        model.screen = Screen::Streams;
        press(&mut model, keys);
        for width in [1, 2, 7, 20, 39, 61, 109, 151] {
            for height in [1, 2, 3, 5, 9, 13, 17, 21, 33] {
                drawn(&model, (width, height), true);
            }
        }
    }
}

#[test]
fn a_status_is_told_by_shape_and_word() {
    let model = model_of(&Recording::story());
    let text = text(&model, (120, 40));
    for word in ["● ingest", "running", "✓ validate", "success", "✗", "holds the clock", "waits:"]
    {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
    assert_eq!(model.open_run().unwrap().id, RunId(1));
}

#[test]
fn a_long_queue_keeps_what_is_under_way_in_sight() {
    let mut recording = Recording::story();
    for (key, hours) in [("weather.watermark", 20), ("flights.watermark", 18)] {
        recording.pass("1s");
        let value = format!("\"2013-01-04T{hours}:00:00Z\"");
        recording.emit(key, &value, key, Some(RunId(1)));
    }
    check("streams_long_queue", &model_of(&recording), &SIZES[..2]);
}

#[test]
fn a_run_that_was_stopped_waits_for_nothing() {
    let mut recording = Recording::story();
    recording.give(Input::StopRun(RunId(1)));
    for task in ["ingest", "observe", "train"] {
        recording.end(task, 143);
    }
    recording.pass("2m14s");
    let model = model_of(&recording);
    assert!(!model.shows_running_time(), "nothing is drawn while nothing happens");
    check("streams_stopped", &model, &SIZES[..2]);
}

#[test]
fn the_run_in_time_as_a_graph_and_as_a_table() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "3jj");
    check("run_time", &model, &every());
    press(&mut model, "-----");
    check("run_minute", &model, &SIZES[..1]);
    press(&mut model, "<tab>");
    check("run_graph", &model, &every());
    press(&mut model, "i");
    check("run_graph_focus", &model, &SIZES[..1]);
    press(&mut model, "<tab>");
    check("run_table", &model, &SIZES);
}

#[test]
fn a_large_graph_shows_what_is_near() {
    let tasks: String =
        (1..500).map(|n| format!("  t{n}: {{bash: x, start: {{after: t{}}}}}\n", n / 2)).collect();
    let mut recording = Recording::empty();
    recording.upload(&format!("workflow: large\ntasks:\n  t0: {{bash: x}}\n{tasks}"));
    recording.run("large");
    let mut model = model_of(&recording);
    press(&mut model, "3<tab>jjjjj");
    check("run_graph_large", &model, &SIZES[..2]);
}

#[test]
fn the_workflow() {
    let mut recording = Recording::story();
    recording.run("flight_delays");
    recording.give(Input::StopRun(RunId(2)));
    let mut model = model_of(&recording);
    press(&mut model, "4");
    check("workflow_runs", &model, &every());
    press(&mut model, "<tab>");
    check("workflow_graph", &model, &SIZES[..2]);
    press(&mut model, "<tab>j");
    check("workflow_definition", &model, &SIZES[..2]);
}

#[test]
fn the_task() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "jj<enter>");
    check("task", &model, &every());
    press(&mut model, "jjj");
    check("task_failed", &model, &SIZES[..2]);
}

#[test]
fn the_clocks() {
    let mut recording = Recording::story();
    recording.upload(
        "workflow: nightly\ntriggers: [{on: data.ready}, {cron: '0 6 * * MON', tz: UTC}, {every: 1h}]\n\
         tasks: {load: {bash: x}}\n",
    );
    let mut model = model_of(&recording);
    press(&mut model, "8");
    check("clocks", &model, &every());
    let mut none = model_of(&Recording::empty());
    press(&mut none, "8");
    check("clocks_none", &none, &SIZES[..1]);
}

#[test]
fn the_system() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "9");
    check("system", &model, &every());
}

#[test]
fn the_reason_for_a_wait() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "jjw");
    check("why_train", &model, &every());
    let link = |offset, text: &str| aiflow_model::why::Link {
        offset: aiflow_model::Offset(offset),
        time: model.now,
        text: text.to_owned(),
    };
    let links = vec![link(229, "train 11 was created"), link(226, "flights.watermark was emitted")];
    let sequence = aiflow_model::Sequence(11);
    let of = crate::state::item::Item::Execution(RunId(1), "train".parse().unwrap(), sequence);
    model.take(Message::Chain(of, links));
    check("why_chain", &model, &SIZES[..1]);
    press(&mut model, "<esc>Gw");
    check("why_deploy", &model, &SIZES[..1]);
    let mut recording = Recording::empty();
    recording.upload(
        "workflow: gather\npools: {gpu: 1}\ntasks:\n  many:\n    bash: x\n    start: {all: [{count: \
         {of: {on: a}, n: 100}}, {sum: {of: {on: b}, expr: value, reaches: 10}}, {on: c}]}\n  one: \
         {bash: x, start: {on: a}, pools: {gpu: 1}, overlap: queue}\n",
    );
    recording.run("gather");
    for _ in 0..73 {
        recording.emit("a", "1", "test", None);
    }
    recording.emit("b", "2.5", "test", None);
    recording.emit("c", "1", "test", None);
    let mut model = model_of(&recording);
    press(&mut model, "w");
    check("why_meters", &model, &SIZES[..2]);
    press(&mut model, "<esc>jw");
    check("why_pool", &model, &SIZES[..1]);
}

#[test]
fn the_palette() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "jj:sto");
    check("palette", &model, &every());
}

#[test]
fn a_question_with_what_the_daemon_says() {
    let mut model = model_of(&Recording::story());
    press(&mut model, "jjr");
    let lines = ["train 13 of run 1 created for 01-03 05h", "→ launches 1.train.13.1"];
    model.take(Message::Foretold(1, Ok(lines.map(str::to_owned).to_vec())));
    check("rerun", &model, &SIZES[..2]);
    press(&mut model, "nx");
    model.take(Message::Foretold(2, Err("E0303 run 1 has ended".to_owned())));
    check("skip_refused", &model, &SIZES[..1]);
}

#[test]
fn colours_follow_the_tone_in_every_set() {
    use crate::state::mark::Tone;
    use crate::view::theme::THEMES;
    let tones = [Tone::Good, Tone::Busy, Tone::Wait, Tone::Bad, Tone::Dim];
    for (index, set) in THEMES.iter().enumerate() {
        let theme = Theme::new(index, true);
        let colours: Vec<_> = tones.iter().map(|tone| theme.of(*tone).fg.unwrap()).collect();
        for (at, colour) in colours.iter().enumerate() {
            assert!(!colours[at + 1..].contains(colour), "{}: {colour:?}", set.name);
        }
        let mut model = model_of(&Recording::story());
        model.theme = index;
        let backend = drawn(&model, (120, 40), true);
        let failed = backend.buffer().content().iter().find(|c| c.symbol() == "✗");
        assert_eq!(failed.unwrap().fg, theme.of(Tone::Bad).fg.unwrap(), "a failure looks like one");
    }
}

#[test]
fn what_has_happened_since_one_last_looked() {
    let mut model = model_of(&Recording::story());
    let since = model.now.minus("15s".parse().unwrap());
    model.last_looked = Some(since);
    let recording = Recording::story();
    let mut gatherer = aiflow_model::digest::Gatherer::default();
    let from = recording.log.iter().find(|logged| logged.time > since).unwrap().offset;
    recording
        .log
        .iter()
        .filter(|logged| logged.offset >= from)
        .for_each(|logged| gatherer.note(logged));
    model.take(Message::Since(Box::new(gatherer.finish(model.state(), from))));
    press(&mut model, "1");
    check("overview_digest", &model, &SIZES[..2]);
}

#[test]
fn a_run_beside_the_last_that_succeeded() {
    let definition = |script: &str| {
        format!(
            "workflow: etl\ntasks:\n  load: {{bash: '{script}'}}\n  clean: {{bash: 'true', start: {{after: load}}}}\n"
        )
    };
    let mut recording = Recording::empty();
    for (script, code) in [("true", 0), ("false", 3)] {
        recording.upload(&definition(script));
        recording.run("etl");
        recording.start_all();
        recording.pass("2s");
        recording.end("load", code);
        recording.start_all();
        if code == 0 {
            recording.end("clean", 0);
        }
    }
    let mut model = model_of(&recording);
    press(&mut model, "1jw");
    check("why_run_beside", &model, &SIZES[..1]);
    // The same as the daemon tells it, from the records of both.
    press(&mut model, "<esc>d");
    let run = RunId(2);
    assert_eq!(model.outbox.pop(), Some(Request::Diff(run)));
    check("diff_asked", &model, &SIZES[..1]);
    let sides = [0, 1].map(|side| side_of(&recording, side));
    let told = aiflow_model::compare::compare([&sides[0], &sides[1]], &[].into());
    let lines = crate::cli::diff::text(&told, &[]).lines().map(str::to_owned).collect();
    model.take(Message::Diff(RunId(7), Err("of another".to_owned())));
    model.take(Message::Diff(run, Ok(lines)));
    check("diff", &model, &[(80, 24), (120, 40), SMALL]);
    press(&mut model, "Y");
    let copied = crate::state::chore::Chore::Copy("aiflow diff 2".to_owned());
    assert_eq!(model.chores.pop(), Some(copied));
    press(&mut model, "jjj");
    check("diff_below", &model, &[SMALL]);
    press(&mut model, "d");
    assert!(model.dialog.is_none(), "the same key closes it");
    press(&mut model, "d");
    model.take(Message::Diff(run, Err("E0103 no run before it succeeded".to_owned())));
    check("diff_refused", &model, &SIZES[..1]);
}

/// The first run of a recording, or the second, as it is compared.
fn side_of(recording: &Recording, which: usize) -> aiflow_model::compare::Side {
    use aiflow_model::Record;
    use aiflow_model::compare::{Definition, Side, Story};
    let is_begin =
        |logged: &aiflow_model::LoggedRecord| matches!(logged.record, Record::RunStarted(_));
    let begins: Vec<usize> =
        (0..recording.log.len()).filter(|at| is_begin(&recording.log[*at])).collect();
    let end = begins.get(which + 1).copied().unwrap_or(recording.log.len());
    let mut story = Story::begin(&recording.log[begins[which]]).unwrap();
    recording.log[begins[which]..end].iter().for_each(|logged| story.note(logged));
    let snapshot = &recording.engine.state().snapshots[&story.started.snapshot];
    let definition = Definition { source: snapshot.source.clone(), files: Vec::new() };
    Side { story, definition: Some(definition) }
}
