//! The terminal interface on a real daemon: its screens are walked, things are done, the past is
//! looked at, the daemon dies under it.

use aiflow_test_support::{Daemon, Terminal};

const DEFINITION: &str = "workflow: w
tasks:
  stream: {kind: stream, bash: 'n=0; while :; do echo tick $((n+=1)); sleep 0.05; done'}
  each:
    bash: echo done
    overlap: queue
    start: {every: 1h, clock: {watermark: [a.mark, b.mark]}, from: 2013-01-01T00:00:00Z}
  bad: {bash: 'echo broken >&2; exit 3', overlap: queue, start: {on: go}}
";

fn open(daemon: &Daemon, arguments: &[&str]) -> Terminal {
    let mut command = daemon.aiflow(arguments);
    command.env("XDG_CONFIG_HOME", daemon.scratch());
    command.env("XDG_STATE_HOME", daemon.scratch());
    Terminal::run(&command, 120, 40)
}

/// Esc, and what follows only once it has had its effect: together they would be another key.
fn escape(terminal: &mut Terminal, gone: &str) {
    terminal.keys("\u{1b}");
    terminal.until(&format!("{gone} is gone"), |text| !text.contains(gone));
}

#[test]
fn every_screen_is_walked_and_things_are_done() {
    let daemon = Daemon::start();
    let run = daemon.start_run(DEFINITION);
    daemon.wait_for(run, "stream", 1, "running");
    daemon.ok(&["emit", "a.mark", "2013-01-01T00:00:00Z", "--execution", &run.to_string()]);
    let mut terminal = open(&daemon, &["tui"]);
    terminal.shows(&["▸ run 1", "● live", "Streams", "a.mark", "● stream"]);
    for (key, shown) in [
        ("1", "Workflows and their runs"),
        ("3", "[time]"),
        ("\t", "[graph]"),
        ("\t", "[table]"),
        ("4", "[runs]"),
        ("5", "attempts"),
        ("6", "Detail"),
        ("7", "following"),
        ("8", "clocks of runs"),
        ("9", "The daemon"),
        ("?", "Everywhere"),
    ] {
        terminal.keys(key);
        terminal.shows(&[shown]);
    }
    escape(&mut terminal, "Everywhere");
    // Why the windows wait, and then what brings them on.
    terminal.keys("2jw");
    terminal.shows(&["why does each of run 1 not start?", "b.mark", "aiflow emit"]);
    escape(&mut terminal, "why does");
    for mark in ["a.mark", "b.mark"] {
        terminal.keys("e");
        terminal.shows(&["Emit an event"]);
        terminal.keys(&format!("{mark}\t2013-01-01T02:00:00Z\r"));
        terminal.shows(&[&format!("emitted {mark} @")]);
    }
    daemon.wait_for(run, "each", 2, "success");
    // What if, then the event itself; then a rerun of what failed.
    terminal.keys("ego\u{10}");
    terminal.shows(&["it would cause:", "launches 1.bad.1.1"]);
    terminal.keys("\r");
    daemon.wait_for(run, "bad", 1, "failed");
    terminal.keys("jr");
    terminal.shows(&["Run the latest execution of bad of run 1 anew?", "launches 1.bad.2.1"]);
    terminal.keys("y");
    terminal.shows(&["rerun of bad is 2"]);
    daemon.wait_for(run, "bad", 2, "failed");
    // Stop the stream, and start it.
    terminal.keys("gs");
    terminal.shows(&["Stop task stream of run 1?", "asks 1.stream.1.1 to end"]);
    terminal.keys("y");
    daemon.wait_for(run, "stream", 1, "stopped");
    terminal.keys("t");
    terminal.shows(&["launches 1.stream.2.1"]);
    terminal.keys("y");
    daemon.wait_for(run, "stream", 2, "running");
    terminal.keys("q");
    terminal.ended();
}

/// The highest number of a tick that is shown: of those that come quickly any may be passed over.
fn tick(text: &str) -> u64 {
    let ticks = text.split("tick ").skip(1).filter_map(|after| {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..end].parse().ok()
    });
    ticks.max().unwrap_or(0)
}

/// The lines that have come below those that are shown.
fn new_below(text: &str) -> u64 {
    let before = text.split(" new below").next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[test]
fn a_log_is_followed_until_somebody_scrolls() {
    let daemon = Daemon::start();
    daemon.start_run(DEFINITION);
    let mut terminal = open(&daemon, &["tui"]);
    terminal.shows(&["● stream"]);
    terminal.keys("l");
    terminal.shows(&["following"]);
    terminal.until("more than a page has come", |text| tick(text) >= 40);
    terminal.keys("k");
    terminal.shows(&["new below, G follows"]);
    // It stays where it is, whatever comes.
    let held = terminal.text().lines().nth(5).unwrap().to_owned();
    assert!(tick(&held) > 0, "a line of the log is looked at: {held}");
    // Between two looks several lines may come: no number is sure to be seen.
    terminal.until("more has come", |text| new_below(text) >= 20);
    assert_eq!(terminal.text().lines().nth(5), Some(held.as_str()));
    terminal.keys("G");
    terminal.shows(&["following"]);
    terminal.keys("/tick 7\r");
    terminal.shows(&["“tick 7”", "G follows"]);
    terminal.keys("i");
    terminal.shows(&["only these"]);
    escape(&mut terminal, "only these");
    terminal.shows(&["following"]);
}

#[test]
fn the_past_is_shown_live_and_on_a_copy() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(DEFINITION);
    daemon.ok(&["emit", "go"]);
    daemon.wait_for(run, "bad", 1, "failed");
    let mut terminal = open(&daemon, &["tui"]);
    terminal.shows(&["✗ bad"]);
    terminal.keys("T");
    terminal.shows(&["◀ PAST  @"]);
    // The end of its execution may be the newest record, or not; that of its attempt is before it.
    terminal.keys("FF");
    terminal.shows(&["attempt 1.bad.1.1 ends: ", "q now"]);
    terminal.keys("<");
    terminal.shows(&["go emitted by"]);
    assert!(!terminal.text().contains("✗ bad"), "it has not failed yet");
    terminal.keys("s");
    terminal.shows(&["the past cannot be changed"]);
    terminal.keys("q");
    terminal.shows(&["back to now", "✗ bad"]);
    drop(terminal);
    // The same without a daemon, on a copy of its log.
    daemon.kill();
    let copy = daemon.scratch().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(daemon.home().join("log")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let copy = copy.to_str().unwrap();
    let mut terminal = open(&daemon, &["tui", "--log", copy, "aiflow://streams/1@4"]);
    terminal.shows(&["▣ copied log", "◀ PAST  @4"]);
    terminal.keys("q");
    terminal.shows(&["✗ bad"]);
    terminal.keys("s");
    terminal.shows(&["nothing is asked of the daemon"]);
}

#[test]
fn what_became_of_an_event_is_told_live_and_on_a_copy() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(DEFINITION);
    let event = daemon.ok(&["emit", "go"]);
    daemon.wait_for(run, "bad", 1, "failed");
    let link = format!("aiflow://events/{event}");
    let mut terminal = open(&daemon, &["tui", &link]);
    let fired = ["→ consumed by bad of run 1", "fired by it at", "execution 1.bad.1", "when on go"];
    terminal.shows(&fired);
    let copy = daemon.scratch().join("copy");
    // The receipt goes with the log; the daemon is not there.
    terminal.keys("q");
    terminal.ended();
    daemon.kill();
    std::fs::rename(daemon.home(), &copy).unwrap();
    let terminal = open(&daemon, &["tui", "--log", copy.to_str().unwrap(), &link]);
    terminal.shows(&["▣ copied log"]);
    terminal.shows(&fired);
}

#[test]
fn a_run_is_compared_with_the_last_that_succeeded() {
    let daemon = Daemon::start();
    let definition = "workflow: etl\nparams: {fails: false}\ntasks:\n  \
                      load: {bash: 'echo loads; test \"$AIFLOW_PARAM_FAILS\" = false'}\n";
    let good = daemon.start_run(definition);
    daemon.wait_for(good, "load", 1, "success");
    let bad: u64 = daemon.ok(&["run", "etl", "--param", "fails=true"]).parse().unwrap();
    daemon.wait_for(bad, "load", 1, "failed");
    let mut terminal = open(&daemon, &["tui", &format!("aiflow://run/{bad}")]);
    terminal.shows(&[&format!("▸ run {bad}"), "✗ load"]);
    terminal.keys("d");
    terminal.shows(&["run 2 and the last before it that succeeded", "! fails", "exit 1"]);
    escape(&mut terminal, "and the last before it");
    // Another, with what it is given written into a form.
    terminal.keys("4");
    terminal.shows(&["[runs]", "params fails = false"]);
    terminal.keys("n");
    terminal.shows(&["Start a run of etl", "run 3 of etl starts"]);
    terminal.keys("\u{15}true");
    terminal.shows(&["$ aiflow run etl --param fails=true"]);
    terminal.keys("\r");
    terminal.shows(&["run 3 of etl starts"]);
    terminal.keys("\r");
    terminal.shows(&["started run 3 of etl"]);
    daemon.wait_for(3, "load", 1, "failed");
}

#[test]
fn it_outlives_the_daemon_and_any_size() {
    let mut daemon = Daemon::start();
    daemon.start_run(DEFINITION);
    let mut terminal = open(&daemon, &["tui"]);
    terminal.shows(&["● live"]);
    daemon.kill();
    terminal.shows(&["disconnected, retrying"]);
    terminal.keys("sy");
    terminal.shows(&["nothing was sent"]);
    for step in 0..60u16 {
        terminal.resize(20 + step * 3 % 170, 4 + step * 7 % 60);
    }
    terminal.resize(100, 30);
    daemon.resume();
    terminal.shows(&["● live", "Streams"]);
    daemon.ok(&["emit", "after.all", "1"]);
    terminal.keys("6");
    terminal.shows(&["after.all"]);
    terminal.keys("\u{3}");
    terminal.ended();
}

#[test]
fn what_was_chosen_comes_first_in_the_next_session() {
    let daemon = Daemon::start();
    daemon.start_run(DEFINITION);
    let mut terminal = open(&daemon, &["tui"]);
    terminal.shows(&["● live", "Streams"]);
    terminal.keys(":show system\r");
    terminal.shows(&["The daemon"]);
    terminal.keys("q");
    terminal.ended();
    let mut terminal = open(&daemon, &["tui"]);
    terminal.shows(&["● live", "Streams"]);
    terminal.keys(":");
    terminal.shows(&["show system"]);
    terminal.keys("\r");
    terminal.shows(&["The daemon"]);
}

#[test]
fn a_keymap_that_conflicts_is_refused_with_what_to_do() {
    let daemon = Daemon::start();
    let config = daemon.scratch().join("aiflow");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("keymap.yaml"), "tasks: {stop-task: X}\nlog: {wrap: f}\n").unwrap();
    let mut terminal = open(&daemon, &["tui"]);
    terminal.shows(&["keymap", "log.follow and log.wrap at once", "give one of them another key"]);
    terminal.ended();
}
