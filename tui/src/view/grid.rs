//! The windows of a clock: a grid of marks, then a line for each that is under way or failed, then
//! what the next one waits for.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::panel;
use super::table::{cut, cut_line, fit};
use super::theme::Theme;
use crate::state::mark::{Mark, Tone};
use crate::state::streams::ClockView;
use crate::state::windows::{self, Counts, Grid, WindowLine};
use crate::state::{Model, text};

/// From this width on counts are told in words.
const HEADING_IN_WORDS: usize = 100;
const NAMES_MAX: usize = 14;
/// Cells of one window.
const CELL: usize = 3;

/// Lines of the grid itself: two of labels, one a task.
pub(super) fn grid_height(clock: &ClockView, model: &Model) -> u16 {
    let Some(run) = model.open_run() else { return 0 };
    let rows = windows::grid(model.state(), run, clock, 1).rows.len();
    u16::try_from(rows + 2).unwrap_or(u16::MAX)
}

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    clock: &ClockView,
    model: &Model,
    theme: &Theme,
) {
    let Some(run) = model.open_run() else { return };
    let heading = heading(clock, model, theme, usize::from(area.width).saturating_sub(4));
    let inside = panel(frame, area, heading, false, theme);
    let width = usize::from(inside.width);
    let names = width.saturating_sub(4) / 3;
    let longest = run_names(model).map(|name| name.width()).max().unwrap_or(0);
    let name_width = longest.min(NAMES_MAX).min(names);
    let columns = width.saturating_sub(name_width + 4) / CELL;
    let grid = windows::grid(model.state(), run, clock, columns.max(1));
    let mut lines = labels(&grid, clock, name_width, theme);
    lines.extend(grid.rows.iter().map(|row| {
        let name = format!(" {} ", fit(row.task.as_str(), name_width));
        let mut spans = vec![Span::styled(name, theme.plain())];
        spans.extend(cells(&grid, &row.cells, clock, theme));
        Line::from(spans)
    }));
    let room = usize::from(inside.height).saturating_sub(lines.len());
    if room > 0 {
        let below = windows::lines(model.state(), run, room.saturating_sub(1));
        lines.extend(below.iter().map(|line| under_way(line, clock, model, theme)));
        if run.status.is_alive() {
            lines.push(waits(clock, theme));
        }
    }
    let lines: Vec<Line<'_>> = lines.into_iter().map(|line| cut_line(line, width)).collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

fn run_names(model: &Model) -> impl Iterator<Item = &str> {
    let snapshot = model.open_run().and_then(|run| model.state().snapshots.get(&run.snapshot));
    snapshot.into_iter().flat_map(|s| &s.spec.tasks).map(|task| task.name.as_str())
}

fn heading<'a>(clock: &ClockView, model: &Model, theme: &Theme, width: usize) -> Line<'a> {
    let state = model.open_run().and_then(|run| model.state().task(run.id, &clock.task));
    let counts = state.map(|task| windows::counts(&task.executions)).unwrap_or_default();
    let Counts { done, failed, running, waiting, .. } = counts;
    let name = format!(" {} ", clock.task);
    let (mut tally, failed) = if width >= HEADING_IN_WORDS {
        let tally = format!(" {done} done · {running} running · {waiting} queued ");
        (tally, format!("· {failed} failed "))
    } else {
        (format!(" {done} ✓  {running} ▶  {waiting} ▷ "), format!(" {failed} ✗ "))
    };
    let room = width.saturating_sub(name.width() + tally.width() + failed.width() + 4);
    let words = if room >= 12 { cut(&clock.words, room) } else { String::new() };
    if !words.is_empty() {
        tally = format!("──{tally}");
    }
    let failed_tone = if counts.failed > 0 { Tone::Bad } else { Tone::Dim };
    let mut spans = vec![Span::styled(name, theme.strong())];
    if !words.is_empty() {
        spans.push(Span::styled(format!("· {words} "), theme.plain()));
    }
    spans.push(Span::styled(tally, theme.dim()));
    spans.push(Span::styled(failed, theme.of(failed_tone)));
    Line::from(spans)
}

/// Two lines: the groups (days) where they begin, and each window's own label.
fn labels<'a>(grid: &Grid, clock: &ClockView, name_width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let margin = " ".repeat(name_width + 2);
    let (mut groups, mut own) = (margin.clone(), margin);
    let mut last_group = String::new();
    for start in &grid.columns {
        let (group, label) = text::window_label(*start, clock.period);
        if group != last_group {
            let here = own.width();
            // A group that begins within the name of the one before has no room for its own.
            if groups.width() <= here {
                groups = fit(&groups, here);
                groups.push_str(&format!("│{group}"));
            }
            own.push_str(&format!("│{label}"));
            last_group = group;
        } else {
            own.push_str(&format!(" {label}"));
        }
    }
    if grid.is_cut {
        own.push('…');
    }
    vec![Line::styled(groups, theme.dim()), Line::styled(own, theme.dim())]
}

fn cells<'a>(
    grid: &Grid,
    marks: &[Option<Mark>],
    clock: &ClockView,
    theme: &Theme,
) -> Vec<Span<'a>> {
    let mut last_group = String::new();
    let mut spans = Vec::with_capacity(marks.len());
    for (start, mark) in grid.columns.iter().zip(marks) {
        let (group, _) = text::window_label(*start, clock.period);
        let begins = group != last_group;
        last_group = group;
        spans.push(Span::styled(if begins { "│" } else { " " }, theme.dim()));
        match mark {
            Some(mark) => spans.push(Span::styled(format!(" {}", mark.glyph), theme.of(mark.tone))),
            None => spans.push(Span::raw("  ")),
        }
    }
    spans
}

fn under_way<'a>(line: &WindowLine, clock: &ClockView, model: &Model, theme: &Theme) -> Line<'a> {
    let window = text::window_name(line.start, clock.period);
    let since = model.time().since(line.since);
    let since = if line.mark.is_over() { text::ago(since) } else { text::length(since) };
    let mut words = format!("{} {} {}", line.mark.word, line.task, since);
    if let Some(outcome) = &line.outcome {
        words.push_str(&format!("   {outcome}"));
    }
    if line.attempt > 1 {
        words.push_str(&format!("   attempt {}", line.attempt));
    }
    if let Some(due) = line.retry_at {
        words.push_str(&format!("   next attempt in {}", text::length(due.since(model.time()))));
    }
    if let Some(event) = line.event {
        let key =
            model.recent().get(event).map(|seen| format!("{} ", seen.key)).unwrap_or_default();
        words.push_str(&format!("   caused by {key}@{}", text::grouped(event.0)));
    }
    let style = theme.of(line.mark.tone);
    Line::from(vec![
        Span::styled(format!(" {} {window}  ", line.mark.glyph), style),
        Span::raw(words),
    ])
}

/// What the next window waits for, source by source, with an estimate from the pace of late.
fn waits<'a>(clock: &ClockView, theme: &Theme) -> Line<'a> {
    let style = theme.of(Tone::Wait);
    let glyph = Mark::DUE.glyph;
    let Some(next) = clock.next else {
        let silent: Vec<&str> =
            clock.waits().iter().map(|(source, _)| source.key.as_str()).collect();
        let words = format!("the first watermark of {}", silent.join(" and of "));
        return Line::from(vec![
            Span::styled(format!(" {glyph} "), style),
            Span::raw(format!("waits for {words}")),
        ]);
    };
    let end = next.plus(clock.period);
    let mut parts = Vec::new();
    for (source, left) in clock.waits() {
        let is_at = source.watermark.map_or_else(
            || "silent".to_owned(),
            |mark| format!("is at {}", text::beside(mark, end)),
        );
        let left_words = left.map(|left| {
            let eta = source.pace.map(|pace| (left.0 as f64 / pace) as u64);
            let soon = eta
                .map(|us| format!(", about {} at this pace", text::length(aiflow_model::Span(us))));
            format!(": {} to go{}", text::length_in_words(left), soon.unwrap_or_default())
        });
        let key = &source.key;
        let bound = text::beside(end, source.watermark.unwrap_or(end));
        parts.push(format!("{key} ≥ {bound}, {is_at}{}", left_words.unwrap_or_default()));
    }
    let words = if parts.is_empty() {
        "fires now".to_owned()
    } else {
        format!("waits: {}", parts.join("; "))
    };
    let window = text::window_name(next, clock.period);
    Line::from(vec![Span::styled(format!(" {glyph} {window}  "), style), Span::raw(words)])
}
