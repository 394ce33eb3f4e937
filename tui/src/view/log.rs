//! The output of a task: the end first, following until somebody scrolls up.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthChar;

use super::table::fit;
use super::theme::Theme;
use super::{draw_empty, panel};
use crate::state::ansi::Look;
use crate::state::log::{Line as LogLine, LogView};
use crate::state::mark::{Mark, Tone};
use crate::state::{Model, text};

/// Cells for the name of a task in a merged log.
const NAME: usize = 10;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(log) = &model.log else {
        draw_empty(frame, area, "no log is open", "select a task on 2 or 3 and press l", theme);
        return;
    };
    let inside = panel(frame, area, heading(log, model, theme), true, theme);
    if let Some(fault) = &log.fault {
        frame.render_widget(Line::styled(format!(" {fault}"), theme.of(Tone::Wait)), inside);
        return;
    }
    if log.count() == 0 {
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
            let execution = model.state().execution(&id.execution);
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
    if log.is_merged() {
        spans.push(Span::raw(format!(" and {} more, by time", log.others.len())));
    }
    if !log.search.is_empty() {
        let only = if log.is_filtered { ", only these" } else { "" };
        let words = format!(" · “{}”: {}{only}", log.search, text::count(log.matches(), "line"));
        spans.push(Span::styled(words, theme.of(Tone::Busy)));
    }
    if log.dropped() > 0 {
        let words = format!(" · {} older lines left out", text::grouped(log.dropped() as u64));
        spans.push(Span::styled(words, theme.dim()));
    }
    let (words, tone) = if log.ended {
        let below = match log.unseen() {
            0 => String::new(),
            below => format!("{below} below · "),
        };
        (format!(" · {below}ended "), Tone::Dim)
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
    // In the past only what had been written then.
    let until = model.past.is_some().then(|| model.time());
    let was_there = |line: &&LogLine| line.time.zip(until).is_none_or(|(at, until)| at <= until);
    for line in log.upwards().filter(was_there) {
        let mut rows = rows(log, line, width, model, theme);
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
fn rows<'a>(
    log: &LogView,
    line: &LogLine,
    width: usize,
    model: &Model,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let time = line.time.filter(|_| model.shows_times).map(text::clock);
    let time = time.map(|time| format!("{time} ")).unwrap_or_default();
    let name = if log.is_merged() {
        format!("{} ", fit(log.task_of(line).as_str(), NAME))
    } else {
        String::new()
    };
    let lead = format!("{time}{name}");
    let (mark, tone) = if line.is_error { ("! ", Tone::Bad) } else { ("  ", Tone::Plain) };
    let room = width.saturating_sub(lead.chars().count() + 2).max(1);
    let cells = cells(line, log, tone, theme);
    let pieces = if model.wraps { broken(cells, room) } else { vec![piece(cells, log.left, room)] };
    let row = |(index, cells): (usize, Vec<Cell>)| {
        let lead = if index == 0 { lead.clone() } else { " ".repeat(lead.chars().count()) };
        let mark = if index == 0 { mark } else { "↪ " };
        let mut spans = vec![Span::styled(lead, theme.dim()), Span::styled(mark, theme.of(tone))];
        spans.extend(spans_of(cells));
        Line::from(spans)
    };
    pieces.into_iter().enumerate().map(row).collect()
}

/// A character and how it looks.
type Cell = (char, ratatui::style::Style);

/// As the task coloured it; what is searched for stands out.
fn cells(line: &LogLine, log: &LogView, tone: Tone, theme: &Theme) -> Vec<Cell> {
    let mut looks = line.looks.iter().peekable();
    let mut look = Look::default();
    let hits = hits(&line.text, &log.search);
    let base = theme.of(tone);
    let cell = |(at, c): (usize, char)| {
        while let Some((_, next)) = looks.next_if(|(from, _)| *from <= at) {
            look = *next;
        }
        let style = base.patch(theme.look(&look));
        let is_hit = hits.iter().any(|range| range.contains(&at));
        (c, if is_hit { style.patch(theme.selected(true)) } else { style })
    };
    line.text.char_indices().map(cell).collect()
}

/// Where what is searched for stands.
fn hits(text: &str, wanted: &str) -> Vec<std::ops::Range<usize>> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let has_capital = wanted.chars().any(char::is_uppercase);
    // Only where lower case keeps every character in its place.
    let lower = text.to_ascii_lowercase();
    let searched = if has_capital { text } else { lower.as_str() };
    searched.match_indices(wanted).map(|(at, hit)| at..at + hit.len()).collect()
}

fn spans_of<'a>(cells: Vec<Cell>) -> Vec<Span<'a>> {
    let mut spans: Vec<(String, ratatui::style::Style)> = Vec::new();
    for (c, style) in cells {
        match spans.last_mut().filter(|(_, last)| *last == style) {
            Some((text, _)) => text.push(c),
            None => spans.push((c.to_string(), style)),
        }
    }
    spans.into_iter().map(|(text, style)| Span::styled(text, style)).collect()
}

/// What fits of a line, from a column on, with `…` where something is missing.
fn piece(cells: Vec<Cell>, left: usize, width: usize) -> Vec<Cell> {
    let mut skipped = 0;
    let mut rest = cells.into_iter().skip_while(|(c, _)| {
        let skips = skipped < left;
        skipped += c.width().unwrap_or(0);
        skips
    });
    let mut kept: Vec<Cell> = Vec::new();
    let mut used = 0;
    while let Some((c, style)) = rest.next() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width || (used + wide == width && rest.next().is_some()) {
            kept.push(('…', style));
            break;
        }
        used += wide;
        kept.push((c, style));
    }
    if kept.len() > width {
        kept.truncate(width);
    }
    kept
}

fn broken(cells: Vec<Cell>, width: usize) -> Vec<Vec<Cell>> {
    let mut pieces = vec![Vec::new()];
    let mut used = 0;
    for (c, style) in cells {
        let wide = c.width().unwrap_or(0);
        if used + wide > width {
            pieces.push(Vec::new());
            used = 0;
        }
        used += wide;
        if let Some(piece) = pieces.last_mut() {
            piece.push((c, style));
        }
    }
    pieces
}
