//! The tasks of the open run.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::table::{cut_line, fit, fit_right};
use super::theme::Theme;
use super::{first_shown, panel, picked, title};
use crate::state::item::Item;
use crate::state::mark::Tone;
use crate::state::tasks::{TaskRow, rows};
use crate::state::{Model, Pane, text};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let has_focus = model.pane == Pane::Tasks && model.dialog.is_none();
    let inside = panel(frame, area, title("Tasks", has_focus, theme), has_focus, theme);
    draw_rows(frame, inside, model, has_focus, theme);
}

/// The table without its frame.
pub(super) fn draw_rows(
    frame: &mut Frame<'_>,
    inside: Rect,
    model: &Model,
    has_focus: bool,
    theme: &Theme,
) {
    let Some(run) = model.open_run() else { return };
    let rows = rows(model.state(), run);
    let has_heading = usize::from(inside.height) > rows.len();
    let height = usize::from(inside.height) - usize::from(has_heading);
    let width = usize::from(inside.width);
    let name_width = rows.iter().map(|row| row.task.as_str().width()).max().unwrap_or(0);
    let name_width = name_width.clamp(4, 20).min(width / 3);
    let at = model.task_cursor.min(rows.len().saturating_sub(1));
    let first = first_shown(at, rows.len(), height);
    let mut lines = Vec::new();
    if has_heading {
        lines.push(heading(name_width, width, theme));
    }
    for (index, row) in rows.iter().enumerate().skip(first).take(height) {
        let line = line(row, name_width, width, model, theme);
        let item = Item::Task(run.id, row.task.clone());
        lines.push(picked(line, &item, index == at, has_focus, model, theme));
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

/// Which columns there is room for.
const fn columns(width: usize) -> (bool, bool, bool) {
    (width >= 70, width >= 78, width >= 50)
}

fn heading<'a>(name_width: usize, width: usize, theme: &Theme) -> Line<'a> {
    let (kind, pid, counts) = columns(width);
    let mut text = format!("   {} ", fit("task", name_width));
    if kind {
        text.push_str("kind   ");
    }
    text.push_str("status       since");
    if counts {
        text.push_str("  done fail retry");
    }
    if pid {
        text.push_str("     pid");
    }
    text.push_str("  on");
    Line::styled(fit(&text, width), theme.dim())
}

fn line<'a>(
    row: &TaskRow,
    name_width: usize,
    width: usize,
    model: &Model,
    theme: &Theme,
) -> Line<'a> {
    let (kind, pid, counts) = columns(width);
    let tone = theme.of(row.mark.tone);
    let mut spans = vec![
        Span::styled(format!(" {} ", row.mark.glyph), tone),
        Span::styled(format!("{} ", fit(row.task.as_str(), name_width)), theme.strong()),
    ];
    if kind {
        spans.push(Span::styled(format!("{:<7}", row.kind), theme.dim()));
    }
    spans.push(Span::styled(format!("{:<9}", row.mark.word), tone));
    // How long it has been so, while it lasts; how long ago it ended.
    let since = row.since.map(|since| {
        let span = model.time().since(since);
        if row.is_running { text::length(span) } else { text::ago(span) }
    });
    let since = since.unwrap_or_default();
    let style = if row.is_running { theme.plain() } else { theme.dim() };
    spans.push(Span::styled(fit_right(&since, 9), style));
    if counts {
        spans.push(Span::raw(fit_right(&row.counts.done.to_string(), 6)));
        let failed = if row.counts.failed > 0 { Tone::Bad } else { Tone::Dim };
        spans.push(Span::styled(fit_right(&row.counts.failed.to_string(), 5), theme.of(failed)));
        let again = if row.restarts > 0 { Tone::Wait } else { Tone::Dim };
        spans.push(Span::styled(fit_right(&row.restarts.to_string(), 6), theme.of(again)));
    }
    if pid {
        let pid = row.pid.map(|pid| pid.to_string()).unwrap_or_default();
        spans.push(Span::styled(fit_right(&pid, 8), theme.dim()));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let note = format!("  {}", row.note);
    spans.push(Span::raw(fit(&note, width.saturating_sub(used))));
    cut_line(Line::from(spans), width)
}
