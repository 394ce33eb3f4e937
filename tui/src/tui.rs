//! The terminal interface: one loop over keys, messages and time.
//!
//! It is the only place of the interface that reads the clock and the terminal. It draws only when
//! something has changed, at most thirty times a second, and never waits for the daemon.

use std::io::{self, IsTerminal, Write};
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
use crate::conn::{Conn, Message};
use crate::programs;
use crate::state::chore::Chore;
use crate::state::link::Link;
use crate::state::mark::Tone;
use crate::state::{Model, Notice, Screen};
use crate::view::{self, theme::Theme};

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
    let result = Shell::new(terminal, conn, home, settings).serve().await;
    let _ = crossterm::execute!(io::stdout(), DisableMouseCapture, DisableBracketedPaste);
    ratatui::restore();
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
}

impl Shell {
    fn new(terminal: DefaultTerminal, conn: Conn, home: String, settings: Settings) -> Self {
        let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut model = Model::new(home, now());
        model.keymap = settings.keymap;
        model.read_only = settings.read_only;
        Self {
            terminal,
            model,
            conn,
            has_colour,
            link: settings.link,
            is_dirty: true,
            drawn_at: Instant::now() - FRAME_EVERY,
        }
    }

    async fn serve(mut self) -> io::Result<()> {
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
                () = sleep_until(wake_at) => self.is_dirty = true,
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
        self.is_dirty = true;
        self.model.now = now();
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => {
                actions::on_key(&mut self.model, key);
            }
            Event::Paste(text) => actions::typing::on_paste(&mut self.model, &text),
            Event::Mouse(mouse) => {
                let size = self.terminal.size().unwrap_or_default();
                let area = Rect::new(0, 0, size.width, size.height);
                self.is_dirty = actions::mouse::on_mouse(&mut self.model, mouse, area);
            }
            Event::Key(_) | Event::Resize(..) => {}
            Event::FocusGained | Event::FocusLost => self.is_dirty = false,
        }
        self.send();
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
        for request in std::mem::take(&mut self.model.outbox) {
            if let Err(reason) = self.conn.request(request) {
                let text = format!("not sent: {reason}");
                self.model.notice = Some(Notice { text, tone: Tone::Bad });
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

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
