//! How a run differs from the last that succeeded, as `aiflow diff` tells it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use super::table::wrapped;
use super::theme::Theme;
use super::title;
use crate::state::dialog::Diff;
use crate::state::mark::Tone;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, diff: &Diff, theme: &Theme) {
    let width = usize::from(area.width.saturating_sub(4));
    let lines: Vec<Line<'_>> = match &diff.told {
        None => vec![Line::styled(" comparing …", theme.dim())],
        Some(Err(reason)) => broken(reason, width, theme.of(Tone::Wait)),
        Some(Ok(lines)) => {
            lines.iter().flat_map(|line| broken(line, width, theme.of(tone(line)))).collect()
        }
    };
    let inside = usize::from(area.height.saturating_sub(2));
    let scroll = diff.scroll.min(lines.len().saturating_sub(inside));
    let below = match lines.len().saturating_sub(inside + scroll) {
        0 => " y copy   Y copy the command line   Esc close ".to_owned(),
        more => format!(" {more} more below: j   Esc close "),
    };
    let heading = format!("run {} and the last before it that succeeded", diff.run);
    let block = Block::bordered()
        .border_style(theme.focus())
        .title_top(title(&heading, true, theme))
        .title_bottom(Line::styled(below, theme.dim()));
    let shown: Vec<Line<'_>> = lines.into_iter().skip(scroll).take(inside).collect();
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(shown).block(block), area);
}

/// The older way, the newer way, and what differs stand out; signs say the same without colours.
fn tone(line: &str) -> Tone {
    match line.trim_start().chars().next() {
        Some('-') => Tone::Bad,
        Some('+') => Tone::Good,
        Some('!') => Tone::Wait,
        _ if line.starts_with(' ') => Tone::Dim,
        _ => Tone::Plain,
    }
}

fn broken<'a>(line: &str, width: usize, style: ratatui::style::Style) -> Vec<Line<'a>> {
    let lead = line.len() - line.trim_start().len();
    let pieces = wrapped(line.trim_start(), width.saturating_sub(lead).max(1)).into_iter();
    pieces.map(|piece| Line::styled(format!(" {}{piece}", " ".repeat(lead)), style)).collect()
}
