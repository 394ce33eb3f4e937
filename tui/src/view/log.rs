//! The output of a task: the end first, following until somebody scrolls up.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthChar;

use super::table::cut;
use super::theme::Theme;
use super::{draw_centred, panel};
use crate::state::log::{Line as LogLine, LogView};
use crate::state::mark::{Mark, Tone};
use crate::state::{Model, text};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(log) = &model.log else {
        let lines = vec![
            Line::raw(""),
            Line::styled("no log is open", theme.strong()),
            Line::raw(""),
            Line::raw("select a task on screen 2 and press Enter"),
        ];
        draw_centred(frame, area, lines);
        return;
    };
    let inside = panel(frame, area, heading(log, model, theme), true, theme);
    if let Some(fault) = &log.fault {
        frame.render_widget(Line::styled(format!(" {fault}"), theme.of(Tone::Wait)), inside);
        return;
    }
    if log.end() == 0 {
        let words = if log.attempt.is_none() {
            " reading …"
        } else if log.ended {
            " it wrote nothing"
        } else {
            " nothing written yet"
        };
        frame.render_widget(Line::styled(words, theme.dim()), inside);
        return;
    }
    let lines = lines(log, inside, model, theme);
    frame.render_widget(Paragraph::new(lines), inside);
}

fn heading<'a>(log: &LogView, model: &Model, theme: &Theme) -> Line<'a> {
    let mut spans = vec![Span::raw(" ")];
    let id = log.attempt.as_ref().and_then(|id| id.parse::<aiflow_model::AttemptId>().ok());
    match &id {
        Some(id) => {
            let execution = model.state.execution(&id.execution);
            if let Some(execution) = execution {
                let mark = Mark::of_execution(execution);
                let status = format!("{} {} ", mark.glyph, mark.word);
                spans.push(Span::styled(status, theme.of(mark.tone)));
            }
            spans.push(Span::styled(id.execution.task.to_string(), theme.strong()));
            let which = format!(" execution {} attempt {}", id.execution.sequence, id.number);
            spans.push(Span::raw(which));
            if let Some(window) = execution.and_then(|execution| execution.window) {
                let name = text::window_name(window.start, window.end.since(window.start));
                spans.push(Span::raw(format!(" · {name}")));
            }
        }
        None => spans.push(Span::styled(log.target.task.to_string(), theme.strong())),
    }
    let (words, tone) = if log.ended && log.follows() {
        (" · ended ".to_owned(), Tone::Dim)
    } else if log.follows() {
        (" · following ".to_owned(), Tone::Good)
    } else {
        (format!(" · {} new below, G follows ", log.unseen()), Tone::Wait)
    };
    spans.push(Span::styled(words, theme.of(tone)));
    Line::from(spans)
}

/// Lines from the bottom up until the area is full, then in order.
fn lines<'a>(log: &LogView, area: Rect, model: &Model, theme: &Theme) -> Vec<Line<'a>> {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let mut shown: Vec<Line<'a>> = Vec::new();
    for line in log.upwards() {
        let mut rows = rows(line, width, model, theme);
        rows.reverse();
        shown.extend(rows);
        if shown.len() >= height {
            break;
        }
    }
    shown.truncate(height);
    shown.reverse();
    shown
}

/// One line of output as one row, or as many as it needs when lines are broken.
fn rows<'a>(line: &LogLine, width: usize, model: &Model, theme: &Theme) -> Vec<Line<'a>> {
    let time = line.time.filter(|_| model.shows_times).map(text::clock);
    let time = time.map(|time| format!("{time} ")).unwrap_or_default();
    let (mark, tone) = if line.is_error { ("! ", Tone::Bad) } else { ("  ", Tone::Plain) };
    let room = width.saturating_sub(time.len() + 2).max(1);
    let pieces = if model.wraps { broken(&line.text, room) } else { vec![cut(&line.text, room)] };
    let row = |(index, piece): (usize, String)| {
        let lead = if index == 0 { time.clone() } else { " ".repeat(time.len()) };
        let mark = if index == 0 { mark } else { "↪ " };
        Line::from(vec![
            Span::styled(lead, theme.dim()),
            Span::styled(mark, theme.of(tone)),
            Span::styled(piece, theme.of(tone)),
        ])
    };
    pieces.into_iter().enumerate().map(row).collect()
}

fn broken(text: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width {
            pieces.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}
