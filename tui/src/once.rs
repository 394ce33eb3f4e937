//! A screen of the interface printed once, for scripts and documents.
//!
//! Must never wait for what may never come: only until what was asked for has been answered.

use std::time::Duration;

use tokio::time::timeout;

use crate::actions;
use crate::conn::Conn;
use crate::state::asking;
use crate::state::exchange::Message;
use crate::state::{Model, Screen};
use crate::tui::{Settings, now};
use crate::view::{self, theme::Theme};

/// Longest wait for the daemon's answers.
const WITHIN: Duration = Duration::from_secs(30);

/// The screen as text.
///
/// # Errors
/// Why there is nothing to show.
pub(crate) async fn screen(
    mut conn: Conn,
    home: String,
    settings: Settings,
    size: (u16, u16),
) -> Result<String, String> {
    let mut model = Model::new(home, now());
    model.read_only = settings.read_only;
    let mut link = settings.link;
    let mut has_events = false;
    loop {
        let message = timeout(WITHIN, conn.messages.recv()).await;
        let message = message.map_err(|_| "the daemon does not answer")?.ok_or("nobody answers")?;
        match message {
            Message::Lost(reason) => return Err(reason),
            Message::Refused(reason) | Message::Slice(Err(reason)) => return Err(reason),
            Message::Past(_) | Message::Copy => has_events = true,
            _ => {}
        }
        model.now = now();
        model.take(message);
        if model.is_loaded
            && let Some(link) = link.take()
        {
            actions::follow(&mut model, &link);
        }
        if has_events {
            asking::ask(&mut model);
        }
        for request in std::mem::take(&mut model.outbox) {
            if conn.request(request).is_some() {
                return Err("too many requests wait for the daemon".to_owned());
            }
        }
        conn.want_logs(model.wanted_logs());
        conn.watch_status(model.screen == Screen::System);
        if model.is_loaded && has_events && is_whole(&model) {
            return Ok(view::text::text(&model, &Theme::new(0, false), size));
        }
    }
}

/// Whether all has come that the screen shows.
fn is_whole(model: &Model) -> bool {
    let has_log = model.log.as_ref().is_none_or(|log| {
        log.count() > 0 || log.fault.is_some() || log.ended || log.attempt.is_some()
    });
    match model.screen {
        _ if model.past.as_ref().is_some_and(|past| past.is_waiting()) => false,
        Screen::Log => has_log,
        Screen::Events => !asking::is_waiting(model),
        Screen::System => model.health.status().is_some(),
        _ => true,
    }
}
