//! The bottom line: the filter being written, else what was just done, else the keys of this place.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Span;
use unicode_width::UnicodeWidthStr;

use super::table::ends;
use super::theme::Theme;
use crate::actions::place::Place;
use crate::state::mark::Tone;
use crate::state::{Dialog, Link, Model};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let width = usize::from(area.width);
    if let Some(Dialog::Prompt(prompt)) = &model.dialog {
        let lead = format!(" {} ", prompt.asked.lead());
        let column = lead.width() + prompt.line.before_cursor().width();
        let left = vec![Span::styled(lead, theme.strong()), Span::raw(prompt.line.text())];
        let right = match &prompt.fault {
            Some(fault) => Span::styled(format!("  {fault} "), theme.of(Tone::Bad)),
            None => Span::styled("⏎ keep  Esc cancel ", theme.dim()),
        };
        frame.render_widget(ends(left, vec![right], width), area);
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        let x = area.x.saturating_add(column).min(area.right().saturating_sub(1));
        frame.set_cursor_position(Position { x, y: area.y });
        return;
    }
    let left = match (&model.notice, &model.link) {
        (Some(notice), _) => {
            vec![Span::styled(format!(" {}", notice.text), theme.of(notice.tone))]
        }
        (None, Link::Lost { reason, .. }) if model.dialog.is_none() => {
            vec![Span::styled(format!(" {reason}"), theme.of(Tone::Bad))]
        }
        (None, _) => keys(model, theme, width),
    };
    // The keys come first: help must be found on the smallest screen too.
    let used: usize = left.iter().map(Span::width).sum();
    let mut right = commit(model, theme);
    if used + right.iter().map(Span::width).sum::<usize>() > width {
        right.clear();
    }
    frame.render_widget(ends(left, right, width), area);
}

fn keys<'a>(model: &Model, theme: &Theme, width: usize) -> Vec<Span<'a>> {
    let mut spans = Vec::new();
    let mut used = 0;
    let places = Place::of(model);
    // Keys of all screens come last and keep their room, where they count at all.
    let kept = if places.contains(&Place::Everywhere) { 42 } else { 0 };
    for place in places {
        let bindings = model.keymap.bindings.iter();
        for binding in bindings.filter(|b| b.place == place && !b.short.is_empty()) {
            let key = binding.keys.first().map(|key| key.name()).unwrap_or_default();
            let needed = key.width() + binding.short.width() + 3;
            let reserve = if place == Place::Everywhere { 0 } else { kept };
            if used + needed + reserve > width {
                continue;
            }
            used += needed;
            spans.push(Span::styled(format!(" {key}"), theme.strong()));
            spans.push(Span::raw(format!(" {} ", binding.short)));
        }
    }
    spans
}

fn commit<'a>(model: &Model, theme: &Theme) -> Vec<Span<'a>> {
    let status = model.health.status().filter(|_| model.link == Link::Live);
    let Some(us) = status.map(|status| status.commit_us_p50) else { return Vec::new() };
    let tenths = us / 100;
    let text = format!(" commit {}.{} ms ", tenths / 10, tenths % 10);
    vec![Span::styled(text, theme.dim())]
}
