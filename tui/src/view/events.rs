//! Events: the feed beside a run, and the screen with filter and detail.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::event_detail::{self, value};
use super::table::{fit, fit_right};
use super::theme::Theme;
use super::{first_shown, panel, title};
use crate::state::recent::Seen;
use crate::state::{Dialog, Model, Pane, fate, text};

/// The feed of the open run.
pub(super) fn draw_pane(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let has_focus = model.pane == Pane::Events && model.dialog.is_none();
    let inside = panel(frame, area, title("Events", has_focus, theme), has_focus, theme);
    draw_feed(frame, inside, model, theme, has_focus);
}

/// The screen of events.
pub(super) fn draw_screen(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    if model.view() == 1 {
        return draw_detail(frame, area, model, theme);
    }
    let is_wide = area.width >= 110;
    let (list, detail) = if model.is_zoomed {
        (area, Rect::default())
    } else if is_wide {
        let [list, detail] =
            Layout::horizontal([Constraint::Percentage(62), Constraint::Fill(1)]).areas(area);
        (list, detail)
    } else {
        let lower = if area.height >= 16 { area.height / 2 } else { 0 };
        let [list, detail] =
            Layout::vertical([Constraint::Fill(1), Constraint::Length(lower)]).areas(area);
        (list, detail)
    };
    let heading = if model.filter.is_empty() {
        "Events".to_owned()
    } else {
        format!("Events with “{}”: {}", model.filter, model.shown_events().count())
    };
    let is_typing = matches!(model.dialog, Some(Dialog::Prompt(_)));
    let has_focus = model.dialog.is_none() || is_typing;
    let inside = panel(frame, list, title(&heading, has_focus, theme), has_focus, theme);
    draw_feed(frame, inside, model, theme, has_focus);
    if detail.height > 2 && !model.is_zoomed {
        draw_detail(frame, detail, model, theme);
    }
}

fn draw_feed(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme, has_focus: bool) {
    let height = usize::from(area.height);
    let shown: Vec<&Seen> = match model.event_cursor {
        // On the newest nothing further back than the pane can be seen.
        None => model.shown_events().take(height).collect(),
        Some(_) => model.shown_events().collect(),
    };
    if shown.is_empty() {
        let hint = if model.filter.is_empty() {
            "no events yet: e emits one"
        } else {
            "nothing fits the filter"
        };
        frame.render_widget(Line::styled(format!(" {hint}"), theme.dim()), area);
        return;
    }
    let at = model
        .event_cursor
        .map_or(0, |cursor| shown.iter().position(|seen| seen.offset <= cursor).unwrap_or(0));
    let first = first_shown(at, shown.len(), height);
    let keys = shown.iter().skip(first).take(height).map(|seen| seen.key.as_str().len());
    let key_width = keys.max().unwrap_or(0).clamp(8, 26);
    let rows = shown.iter().enumerate().skip(first).take(height);
    let lines: Vec<Line<'_>> = rows
        .map(|(index, seen)| {
            let line = line(seen, usize::from(area.width), key_width, theme);
            if index == at { line.style(theme.selected(has_focus)) } else { line }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn line<'a>(seen: &Seen, width: usize, key_width: usize, theme: &Theme) -> Line<'a> {
    let (fate, tone) = fate::words(&seen.fate);
    let offset = fit_right(&text::grouped(seen.offset.0), 7);
    let mut spans = vec![Span::styled(format!("{offset} "), theme.dim())];
    let mut room = width.saturating_sub(8);
    if width >= 72 {
        spans.push(Span::styled(format!("{} ", text::clock(seen.time)), theme.dim()));
        room = room.saturating_sub(9);
    }
    let key_width = key_width.min(room / 2);
    spans.push(Span::raw(format!("{}  ", fit(seen.key.as_str(), key_width))));
    room = room.saturating_sub(key_width + 2);
    let fate_width = (room * 2 / 5).clamp(room.min(16), 32);
    let value_width = room.saturating_sub(fate_width + 2);
    if value_width >= 6 {
        spans.push(Span::raw(format!("{}  ", fit(&value(seen, value_width), value_width))));
        spans.push(Span::styled(fit(&fate, fate_width), theme.of(tone)));
    } else {
        spans.push(Span::styled(fit(&fate, room), theme.of(tone)));
    }
    Line::from(spans)
}

fn draw_detail(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let has_focus = model.view() == 1 && model.dialog.is_none();
    let heading = if has_focus { "Detail · Tab the feed" } else { "Detail" };
    let inside = panel(frame, area, title(heading, has_focus, theme), has_focus, theme);
    let Some(seen) = model.selected_event() else { return };
    let lines = if model.view() == 1 {
        event_detail::whole(model, seen, inside, theme)
    } else {
        event_detail::lines(model, seen, inside, theme)
    };
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inside);
}
