//! The palette: what is written, what fits it, and the command line that does the same.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::table::{cut, cut_line, ends, fit};
use super::theme::Theme;
use super::{first_shown, middle, title};
use crate::actions::palette::entries;
use crate::state::Model;
use crate::state::palette::Palette;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    palette: &Palette,
    model: &Model,
    theme: &Theme,
) {
    let found = entries(model, palette);
    let width = area.width.min(96);
    let height = area.height.min(20);
    let at = middle(area, width, height);
    let at = Rect { y: area.y + (area.height - at.height) / 3, ..at };
    let chosen = palette.chosen.min(found.len().saturating_sub(1));
    let line = found.get(chosen).and_then(|entry| entry.line.clone());
    let below =
        line.map_or(" no command line does the same ".to_owned(), |line| format!(" $ {line} "));
    let block = Block::bordered()
        .border_style(theme.focus())
        .title_top(title("Command", true, theme))
        .title_bottom(Line::styled(cut(&below, usize::from(width).saturating_sub(2)), theme.dim()));
    let inside = block.inner(at);
    frame.render_widget(Clear, at);
    frame.render_widget(block, at);
    let inner = usize::from(inside.width);
    let mut lines =
        vec![Line::from(vec![Span::styled(" : ", theme.strong()), Span::raw(palette.line.text())])];
    if found.is_empty() {
        lines.push(Line::styled("   nothing fits that", theme.dim()));
    }
    let room = usize::from(inside.height).saturating_sub(1);
    let first = first_shown(chosen, found.len(), room);
    for (index, entry) in found.iter().enumerate().skip(first).take(room) {
        let (head, rest) = entry.words.split_once(": ").unwrap_or((&entry.words, ""));
        let left = vec![
            Span::styled(
                format!("   {}  ", fit(head, 24.min(inner / 3).max(head.width()))),
                theme.strong(),
            ),
            Span::styled(rest.to_owned(), theme.dim()),
        ];
        let key = entry.key.clone().unwrap_or_default();
        let line = ends(left, vec![Span::styled(format!("{key} "), theme.focus())], inner);
        let line = cut_line(line, inner);
        lines.push(if index == chosen { line.style(theme.selected(true)) } else { line });
    }
    frame.render_widget(Paragraph::new(lines), inside);
    let column = u16::try_from(3 + palette.line.before_cursor().width()).unwrap_or(u16::MAX);
    let x = inside.x.saturating_add(column).min(inside.right().saturating_sub(1));
    frame.set_cursor_position(Position { x, y: inside.y });
}
