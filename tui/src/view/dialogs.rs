//! Questions, and what the daemon says that a yes would cause.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::middle;
use super::theme::Theme;
use crate::state::Confirm;
use crate::state::foretell::Foretold;
use crate::state::mark::Tone;

/// Consequences that are told one by one, and command lines.
const CONSEQUENCES_MAX: usize = 8;
const COMMANDS_MAX: usize = 3;

/// What the daemon says that it would cause; nothing where it was not asked.
pub(super) fn foretold<'a>(
    told: Option<&Foretold>,
    was_asked: bool,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let heading = |words: &str, tone| Line::styled(format!("  {words}"), theme.of(tone));
    match told {
        None if !was_asked => Vec::new(),
        None => vec![heading("asking the daemon what it would cause …", Tone::Dim)],
        Some(Ok(lines)) => {
            let mut all = vec![heading("it would cause:", Tone::Dim)];
            all.extend(lines.iter().map(|line| Line::raw(format!("    {line}"))));
            all
        }
        Some(Err(reason)) => vec![heading(&format!("it would be refused: {reason}"), Tone::Bad)],
    }
}

/// Rows that lines take where long ones are broken.
pub(super) fn rows_of(lines: &[Line<'_>], width: usize) -> usize {
    lines.iter().map(|line| line.width().div_ceil(width.max(1)).max(1)).sum()
}

/// The first of them, and how many more there are.
fn few<'a, T>(all: &[T], most: usize, line: impl Fn(&T) -> Line<'a>) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = all.iter().take(most).map(line).collect();
    if all.len() > most {
        lines.push(Line::raw(format!("    … and {} more", all.len() - most)));
    }
    lines
}

pub(super) fn draw_question(frame: &mut Frame<'_>, area: Rect, question: &Confirm, theme: &Theme) {
    let mut lines =
        vec![Line::raw(""), Line::styled(format!("  {}", question.question), theme.strong())];
    // What is typed stands where it is seen however long the rest is.
    let column = question.typed.as_ref().map(|typed| {
        let lead = format!("  type {} to do it: ", question.commands.len());
        let column = lead.width() + typed.before_cursor().width();
        lines.push(Line::from(vec![Span::styled(lead, theme.strong()), Span::raw(typed.text())]));
        column
    });
    lines.extend(few(&question.consequences, CONSEQUENCES_MAX, |line| {
        Line::raw(format!("    {line}"))
    }));
    lines.extend(foretold(question.foretold.as_ref(), true, theme));
    lines.push(Line::raw(""));
    lines.extend(few(&question.commands, COMMANDS_MAX, |one| {
        Line::styled(format!("  $ {}", one.line()), theme.dim())
    }));
    let longest = lines.iter().map(Line::width).max().unwrap_or(0);
    let as_u16 = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    let width = as_u16(longest.max(24) + 4).min(area.width);
    let rows = rows_of(&lines, usize::from(width.saturating_sub(2)));
    let at = middle(area, width, as_u16(rows + 2));
    let keys = match question.typed {
        Some(_) => " ⏎ do it   Esc no ",
        None => " y yes   n no   Y copy the command line ",
    };
    let block = Block::bordered()
        .border_style(theme.of(Tone::Wait))
        .title_bottom(Line::styled(keys, theme.strong()));
    let inside = block.inner(at);
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), at);
    if let Some(column) = column {
        let x = inside.x.saturating_add(as_u16(column)).min(inside.right().saturating_sub(1));
        let y = (inside.y + 2).min(inside.bottom().saturating_sub(1));
        frame.set_cursor_position(Position { x, y });
    }
}
