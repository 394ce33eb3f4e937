//! Tests of the interface on what the real core records: screens, keys, and the fold.
//!
//! Times are fixed and nothing waits.

mod fold;
mod keys;
mod past;
mod receipts;
mod recording;
mod screens;

use aiflow_model::Offset;
use aiflow_model::wire::{CommitTimes, DiskRoom, Queues, Status};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::actions;
use crate::state::Model;
use crate::state::exchange::Message;
use recording::Recording;

/// A model that has followed a recording from its beginning.
fn model_of(recording: &Recording) -> Model {
    let mut model = Model::new("/home/ada/.local/state/aiflow".to_owned(), recording.now);
    model.take(Message::Live);
    model.take(Message::State(Box::default()));
    model.take(Message::Records(recording.log.clone()));
    model.take(Message::Status(Box::new(status())));
    model.screen = crate::state::Screen::Streams;
    model
}

/// How a daemon is.
fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 4000,
        home: "/home/ada/.local/state/aiflow".to_owned(),
        epoch: 1,
        started_at: "2026-11-23T12:00:00Z".to_owned(),
        log_begins: Offset(0),
        durable: Offset(412),
        alive_runs: 1,
        alive_attempts: 3,
        commits: 120,
        committed_records: 412,
        committed_bytes: 9 << 20,
        commit_us_p50: 412,
        commit_us_p99: 1_730,
        disk_low: false,
        rss_bytes: 12 << 20,
        history: Some(Offset(412)),
        postgres: None,
        commit_times: [
            (64, 0),
            (128, 3),
            (256, 17),
            (512, 61),
            (1_024, 31),
            (2_048, 7),
            (4_096, 1),
        ]
        .map(|(below_us, commits)| CommitTimes { below_us, commits })
        .to_vec(),
        queues: Queues {
            requests: 2,
            departures: 5,
            uncommitted_bytes: 12_288,
            ..Queues::default()
        },
        disk: Some(DiskRoom { free_bytes: 41 << 30, total_bytes: 80 << 30 }),
    }
}

/// Presses keys: characters as they are, others by name in angle brackets.
fn press(model: &mut Model, keys: &str) {
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let named = rest.strip_prefix('<').and_then(|after| after.split_once('>'));
        let (code, modifiers) = match named {
            Some((name, after)) => {
                rest = after;
                key_of(name)
            }
            None => {
                rest = &rest[c.len_utf8()..];
                (KeyCode::Char(c), KeyModifiers::NONE)
            }
        };
        actions::on_key(model, KeyEvent::new(code, modifiers));
    }
}

fn key_of(name: &str) -> (KeyCode, KeyModifiers) {
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "backtab" => KeyCode::BackTab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "space" => KeyCode::Char(' '),
        "s-left" => return (KeyCode::Left, KeyModifiers::SHIFT),
        "backspace" => KeyCode::Backspace,
        "home" => KeyCode::Home,
        "pgup" => KeyCode::PageUp,
        name => {
            let letter = name.strip_prefix("c-").and_then(|letter| letter.chars().next());
            return (KeyCode::Char(letter.expect(name)), KeyModifiers::CONTROL);
        }
    };
    (code, KeyModifiers::NONE)
}
