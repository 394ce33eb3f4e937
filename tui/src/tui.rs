//! The terminal interface: one loop over keys, messages and time.
//!
//! It is the only place of the interface that reads the clock and the terminal. It draws only when
//! something has changed, at most thirty times a second, and never waits for the daemon.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aiflow_model::time::Timestamp;
use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event,
    EventStream, KeyEventKind,
};
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use ratatui::layout::Rect;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::actions;
use crate::actions::keymap::Keymap;
use crate::conn::Conn;
use crate::state::asking;
use crate::state::chore::Chore;
use crate::state::exchange::Message;
use crate::state::link::Link;
use crate::state::mark::Tone;
use crate::state::{Model, Screen};
use crate::view::{self, theme::Theme};
use crate::{looked, palette_history, programs};

/// Between two frames.
const FRAME_EVERY: Duration = Duration::from_millis(33);
/// Messages taken in between two looks at the keys.
const MESSAGES_AT_ONCE: usize = 32;
/// Lines of the screen that a page leaves out: header, footer, frames.
const AROUND_A_PAGE: u16 = 5;

/// How it begins.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) keymap: Keymap,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// What to show first.
    pub(crate) link: Option<Link>,
    /// Where to write how long each frame took, in microseconds; for the benchmark.
    pub(crate) frames: Option<PathBuf>,
}

/// Shows what comes through `conn` until the user quits.
///
/// # Errors
/// What the terminal reports.
pub(crate) async fn run(conn: Conn, home: String, settings: Settings) -> io::Result<()> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(io::Error::other("neither the input nor the output may be redirected"));
    }
    let terminal = ratatui::try_init()?;
    // Pasted text comes as one event, so that it cannot be taken for keys.
    let _ = crossterm::execute!(io::stdout(), EnableBracketedPaste);
    let frames = settings.frames.clone();
    let mut shell = Shell::new(terminal, conn, home, settings);
    let result = shell.serve().await;
    let _ = crossterm::execute!(io::stdout(), DisableMouseCapture, DisableBracketedPaste);
    ratatui::restore();
    looked::now(&shell.model.home, now());
    if let Some(path) = frames {
        let lines: String = shell.frames.iter().map(|us| format!("{us}\n")).collect();
        std::fs::write(path, lines)?;
    }
    result
}

struct Shell {
    terminal: DefaultTerminal,
    model: Model,
    conn: Conn,
    has_colour: bool,
    link: Option<Link>,
    is_dirty: bool,
    drawn_at: Instant,
    /// How long each frame took, in microseconds, where that is wanted.
    frames: Vec<u128>,
    times_frames: bool,
}

impl Shell {
    fn new(terminal: DefaultTerminal, conn: Conn, home: String, settings: Settings) -> Self {
        let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut model = Model::new(home, now());
        model.keymap = settings.keymap;
        model.read_only = settings.read_only;
        model.last_looked = looked::last(&model.home);
        model.palette_history = palette_history::load();
        Self {
            terminal,
            model,
            conn,
            has_colour,
            link: settings.link,
            frames: Vec::new(),
            times_frames: settings.frames.is_some(),
            is_dirty: true,
            drawn_at: Instant::now() - FRAME_EVERY,
        }
    }

    async fn serve(&mut self) -> io::Result<()> {
        let mut keys = EventStream::new();
        // Asked to end, it leaves the terminal as it was.
        let mut end = signal(SignalKind::terminate())?;
        while !self.model.quits {
            let frame_due = self.drawn_at + FRAME_EVERY;
            if self.is_dirty && Instant::now() >= frame_due {
                self.draw()?;
            }
            let wake_at = if self.is_dirty { frame_due } else { self.next_tick() };
            tokio::select! {
                event = keys.next() => match event {
                    Some(event) => self.on_event(event?),
                    None => return Ok(()),
                },
                message = self.conn.messages.recv() => match message {
                    Some(message) => self.on_messages(message),
                    None => return Ok(()),
                },
                _ = end.recv() => return Ok(()),
                () = sleep_until(wake_at) => {
                    self.is_dirty = true;
                    self.model.now = now();
                    self.send();
                }
            }
            if self.model.chores.iter().any(takes_terminal) {
                // Another program reads the keys meanwhile.
                drop(keys);
                self.do_chores()?;
                keys = EventStream::new();
            }
            self.do_chores()?;
        }
        Ok(())
    }

    /// When the screen changes by itself: with the second where a time runs, else with the minute
    /// of the clock.
    fn next_tick(&mut self) -> Instant {
        let now = now();
        self.model.now = now;
        let step = if self.model.shows_running_time() { 1_000_000 } else { 60_000_000 };
        let left = u64::try_from(step - now.0.rem_euclid(step)).unwrap_or(1_000_000);
        Instant::now() + Duration::from_micros(left)
    }

    fn on_event(&mut self, event: Event) {
        self.model.now = now();
        // What is to be drawn stays so, whatever comes.
        self.is_dirty |= self.take_event(event);
        self.send();
    }

    /// Whether something has changed by it.
    fn take_event(&mut self, event: Event) -> bool {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                actions::on_key(&mut self.model, key);
            }
            Event::Paste(text) => actions::typing::on_paste(&mut self.model, &text),
            Event::Mouse(mouse) => {
                let size = self.terminal.size().unwrap_or_default();
                let area = Rect::new(0, 0, size.width, size.height);
                return actions::mouse::on_mouse(&mut self.model, mouse, area);
            }
            Event::Resize(..) => {}
            Event::Key(_) | Event::FocusGained | Event::FocusLost => return false,
        }
        true
    }

    fn on_messages(&mut self, first: Message) {
        self.is_dirty = true;
        self.model.now = now();
        self.model.take(first);
        for _ in 1..MESSAGES_AT_ONCE {
            let Ok(message) = self.conn.messages.try_recv() else { break };
            self.model.take(message);
        }
        if self.model.is_loaded
            && let Some(link) = self.link.take()
        {
            actions::follow(&mut self.model, &link);
        }
        self.send();
    }

    fn send(&mut self) {
        asking::ask(&mut self.model);
        for request in std::mem::take(&mut self.model.outbox) {
            if let Some(refusal) = self.conn.request(request) {
                self.model.take(refusal);
            }
        }
        self.conn.want_logs(self.model.wanted_logs());
        self.conn.watch_status(self.model.screen == Screen::System);
    }

    fn draw(&mut self) -> io::Result<()> {
        self.model.now = now();
        self.is_dirty = false;
        self.drawn_at = Instant::now();
        // A terminal that knows this shows the frame whole, never half of it.
        crossterm::queue!(io::stdout(), BeginSynchronizedUpdate)?;
        let theme = Theme::new(self.model.theme, self.has_colour);
        let model = &self.model;
        let drawn = self.terminal.draw(|frame| view::draw(frame, model, &theme));
        let height = drawn.map(|frame| frame.area.height);
        crossterm::queue!(io::stdout(), EndSynchronizedUpdate)?;
        io::stdout().flush()?;
        if self.times_frames {
            self.frames.push(self.drawn_at.elapsed().as_micros());
        }
        self.model.page = usize::from(height?.saturating_sub(AROUND_A_PAGE).max(1));
        Ok(())
    }

    fn do_chores(&mut self) -> io::Result<()> {
        for chore in std::mem::take(&mut self.model.chores) {
            match chore {
                Chore::Copy(text) => {
                    let copy = CopyToClipboard::to_clipboard_from(text);
                    crossterm::execute!(io::stdout(), copy)?;
                }
                Chore::Remember(words) => palette_history::remember(&words),
                Chore::Mouse(true) => crossterm::execute!(io::stdout(), EnableMouseCapture)?,
                Chore::Mouse(false) => crossterm::execute!(io::stdout(), DisableMouseCapture)?,
                Chore::Edit { name, text } => self.lend(|| programs::edit(&name, &text))?,
                Chore::Page(text) => self.lend(|| programs::page(&text))?,
            }
        }
        Ok(())
    }

    /// Gives the terminal to another program, and takes it back.
    fn lend(&mut self, program: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        ratatui::restore();
        let done = program();
        self.terminal = ratatui::try_init()?;
        crossterm::execute!(io::stdout(), EnableBracketedPaste)?;
        if self.model.has_mouse {
            crossterm::execute!(io::stdout(), EnableMouseCapture)?;
        }
        self.is_dirty = true;
        if let Err(error) = done {
            self.model.say(error.to_string(), Tone::Bad);
        }
        Ok(())
    }
}

const fn takes_terminal(chore: &Chore) -> bool {
    matches!(chore, Chore::Edit { .. } | Chore::Page(_))
}

/// The time of the wall.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
