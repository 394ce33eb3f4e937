//! Every key, from the one table.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::table::{cut_line, fit};
use super::theme::Theme;
use super::{middle, title};
use crate::actions::keymap::Binding;
use crate::actions::place::Place;
use crate::state::Model;

const COLUMN: u16 = 58;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, scroll: usize, model: &Model, theme: &Theme) {
    let columns = (area.width.saturating_sub(4) / COLUMN).clamp(1, 3);
    let lines = arrange(sections(model, theme), usize::from(columns));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let at = middle(area, columns * COLUMN + 4, height);
    let inside = usize::from(at.height.saturating_sub(2));
    let scroll = scroll.min(lines.len().saturating_sub(inside));
    let rest = lines.len() - scroll;
    let more = if rest > inside {
        format!("Keys · j/k: {} more below", rest - inside)
    } else {
        "Keys".to_owned()
    };
    let block = Block::bordered().border_style(theme.focus()).title_top(title(&more, true, theme));
    let shown: Vec<Line<'_>> = lines.into_iter().skip(scroll).collect();
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(shown).block(block), at);
}

/// The sections: what counts at present first, then the others.
fn sections<'a>(model: &Model, theme: &Theme) -> Vec<Vec<Line<'a>>> {
    let section = |place: Place| {
        let mut lines = vec![Line::styled(format!(" {}", place.title()), theme.strong())];
        let bindings = model.keymap.bindings.iter().filter(|binding| binding.place == place);
        lines.extend(bindings.map(|binding| line(binding, theme)));
        lines.push(Line::raw(""));
        lines
    };
    let mut first = vec![Place::Screen(model.screen), Place::Tasks, Place::Everywhere];
    first.retain(|place| *place != Place::Tasks || Place::Screen(model.screen).has_tasks());
    let others = Place::all().filter(|place| !first.contains(place));
    let sections = first.iter().copied().chain(others).map(section);
    sections.filter(|lines| lines.len() > 2).collect()
}

fn line<'a>(binding: &Binding, theme: &Theme) -> Line<'a> {
    let keys = Span::styled(format!("   {}", fit(&binding.names(), 9)), theme.focus());
    Line::from(vec![keys, Span::raw(binding.help)])
}

/// Sections side by side, each column filled before the next begins.
fn arrange(sections: Vec<Vec<Line<'_>>>, columns: usize) -> Vec<Line<'_>> {
    let total: usize = sections.iter().map(Vec::len).sum();
    let target = total.div_ceil(columns);
    let mut filled: Vec<Vec<Line<'_>>> = vec![Vec::new()];
    for section in sections {
        let is_full = filled.last().is_some_and(|column| column.len() + section.len() / 2 > target);
        if is_full && filled.len() < columns {
            filled.push(Vec::new());
        }
        if let Some(column) = filled.last_mut() {
            column.extend(section);
        }
    }
    let height = filled.iter().map(Vec::len).max().unwrap_or(0);
    let mut lines = Vec::with_capacity(height);
    for row in 0..height {
        let mut line = Line::default();
        for (index, column) in filled.iter().enumerate() {
            let style = column.get(row).map(|cell| cell.style).unwrap_or_default();
            let cell = column.get(row).cloned().unwrap_or_default();
            let cell = cut_line(cell, usize::from(COLUMN) - 1).style(style);
            let gap = usize::from(COLUMN).saturating_sub(cell.width());
            line.spans.extend(
                cell.spans.into_iter().map(|s| Span { style: cell.style.patch(s.style), ..s }),
            );
            if index + 1 < filled.len() {
                line.spans.push(Span::raw(" ".repeat(gap)));
            }
        }
        lines.push(line);
    }
    lines
}
