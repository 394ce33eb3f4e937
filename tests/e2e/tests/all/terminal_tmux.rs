//! The terminal interface in tmux, where most of its users have it: one walk on a real daemon.

use aiflow_test_support::{Daemon, Tmux};

const DEFINITION: &str = "workflow: w
tasks:
  stream: {kind: stream, bash: 'exec sleep 1000'}
  each: {bash: 'echo done', start: {on: go, if: value > 3}}
";

#[test]
fn a_walk_in_tmux() {
    let mut daemon = Daemon::start();
    let run = daemon.start_run(DEFINITION);
    daemon.wait_for(run, "stream", 1, "running");
    let mut command = daemon.aiflow(&["tui"]);
    command.env("XDG_CONFIG_HOME", daemon.scratch()).env("XDG_STATE_HOME", daemon.scratch());
    let Some(tmux) = Tmux::run(&command, daemon.scratch(), 120, 40) else {
        eprintln!("SKIPPED: a_walk_in_tmux: there is no tmux here");
        return;
    };
    tmux.shows(&["▸ run 1", "● live", "● stream"]);
    for (key, shown) in [
        ("1", "Workflows and their runs"),
        ("3", "[time]"),
        ("4", "[runs]"),
        ("5", "attempts"),
        ("9", "The daemon"),
        ("?", "Everywhere"),
    ] {
        tmux.keys(&[key]);
        tmux.shows(&[shown]);
    }
    tmux.keys(&["Escape"]);
    tmux.shows_no_more("Everywhere");
    tmux.keys(&["2", "j", "w"]);
    tmux.shows(&["why does each of run 1 not start?"]);
    tmux.keys(&["Escape"]);
    tmux.shows_no_more("why does");
    // An event that its filter leaves out, and what became of it.
    tmux.keys(&["e"]);
    tmux.shows(&["Emit an event"]);
    tmux.types("go");
    tmux.keys(&["Tab", "2", "Enter"]);
    tmux.shows(&["emitted go @"]);
    tmux.keys(&["6"]);
    tmux.shows(&["· filtered by each of run 1", "`value > 3` is not true of"]);
    // Smaller, larger, and with another daemon under it.
    tmux.resize(40, 12);
    tmux.shows(&["? help"]);
    tmux.resize(100, 30);
    daemon.kill();
    tmux.shows(&["disconnected, retrying"]);
    daemon.resume();
    tmux.shows(&["● live", "filtered by each"]);
    tmux.keys(&["T"]);
    tmux.shows(&["◀ PAST  @"]);
    tmux.keys(&["q"]);
    tmux.shows(&["back to now"]);
    tmux.keys(&["q"]);
    tmux.ended();
}
