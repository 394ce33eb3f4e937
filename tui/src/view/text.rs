//! A screen as plain text: what is printed once, and what tests compare.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;
use crate::state::Model;

/// The screen, drawn where no terminal is.
pub(crate) fn drawn(
    model: &Model,
    theme: &Theme,
    (width, height): (u16, u16),
) -> Option<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).ok()?;
    terminal.draw(|frame| super::draw(frame, model, theme)).ok()?;
    Some(terminal.backend().clone())
}

/// Its lines, without what is empty at their ends.
pub(crate) fn text(model: &Model, theme: &Theme, size: (u16, u16)) -> String {
    let Some(backend) = drawn(model, theme, size) else { return String::new() };
    let buffer = backend.buffer();
    let mut text = String::new();
    for y in 0..size.1 {
        let mut line = String::new();
        let mut x = 0;
        while x < size.0 {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            // Where a wide character continues there is nothing.
            x += u16::try_from(symbol.width()).unwrap_or(1).max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
