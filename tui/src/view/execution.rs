//! What is known of one execution: its attempts, what caused it, its item, its outputs.
//!
//! Must never let a long value take the room of the rest.

use aiflow_model::state::{Attempt, Execution};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::table::{cut, indented};
use super::theme::Theme;
use crate::state::mark::Tone;
use crate::state::task_detail::Open;
use crate::state::{Model, about, text};

/// Outputs that are shown one by one.
const OUTPUTS_MAX: usize = 12;
/// Causes that are shown, the latest first.
const CAUSES_MAX: usize = 4;

/// All of it, each part under its name.
pub(super) fn lines<'a>(
    execution: &Execution,
    open: &Open<'_>,
    model: &Model,
    width: usize,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let parts = [
        ("attempts", attempts(execution, model, width, theme)),
        ("item", item(execution, open, width, theme)),
        ("outputs", outputs(execution, width, theme)),
        ("caused by", causes(execution, model, width, theme)),
    ];
    let mut lines = Vec::new();
    for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        lines.push(Line::styled(format!(" {name}"), theme.strong()));
        lines.extend(part);
        lines.push(Line::raw(""));
    }
    lines
}

fn attempts<'a>(
    execution: &Execution,
    model: &Model,
    width: usize,
    theme: &Theme,
) -> Vec<Line<'a>> {
    if execution.attempts.is_empty() {
        return vec![Line::styled("   none yet", theme.dim())];
    }
    let each = execution.attempts.iter();
    each.flat_map(|attempt| attempt_lines(attempt, model, width, theme)).collect()
}

fn attempt_lines<'a>(
    attempt: &Attempt,
    model: &Model,
    width: usize,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let since = attempt.started_at.unwrap_or(attempt.queued_at);
    let lasted = text::length(attempt.ended_at.unwrap_or(model.time()).since(since));
    let (glyph, words, tone) = match &attempt.outcome {
        None if attempt.started_at.is_some() => ("●", "runs".to_owned(), Tone::Busy),
        None => ("▷", "starts".to_owned(), Tone::Busy),
        Some(outcome) if outcome.is_success() => ("✓", text::outcome_words(outcome), Tone::Good),
        Some(outcome) => ("✗", text::outcome_words(outcome), Tone::Bad),
    };
    let waited = attempt.started_at.map(|at| text::length(at.since(attempt.queued_at)));
    let used = (attempt.usage.rss_bytes_max > 0).then(|| {
        let processor = text::length(aiflow_model::Span(attempt.usage.cpu_us));
        format!("{} MiB, {processor} of processor", attempt.usage.rss_bytes_max >> 20)
    });
    let more = [
        waited.map(|waited| format!("started within {waited}")),
        attempt.pid.map(|pid| format!("pid {pid}")),
        used,
    ];
    let more = more.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let first = Line::from(vec![
        Span::styled(format!("   {glyph} {} ", attempt.number), theme.of(tone)),
        Span::styled(format!("{words:<10} "), theme.of(tone)),
        Span::raw(format!("{lasted} from {}", text::clock(since))),
    ]);
    if first.width() > width {
        // A long reason gets lines of its own.
        let mut lines = indented(&format!("{glyph} {} {words}", attempt.number), 3, width);
        lines.iter_mut().for_each(|line| line.style = theme.of(tone));
        let when = format!("{lasted} from {} · {more}", text::clock(since));
        lines.extend(indented(&when, 7, width).into_iter().map(|line| line.style(theme.dim())));
        return lines;
    }
    if first.width() + 3 + more.width() <= width {
        let mut line = first;
        if !more.is_empty() {
            line.push_span(Span::styled(format!(" · {more}"), theme.dim()));
        }
        return vec![line];
    }
    let rest = indented(&more, 7, width).into_iter().map(|line| line.style(theme.dim()));
    std::iter::once(first).chain(rest).collect()
}

/// The item of a list that it does, and how far the list has come.
fn item<'a>(execution: &Execution, open: &Open<'_>, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let Some(item) = &execution.item else { return Vec::new() };
    let mut lines = indented(&about::brief(&item.value), 3, width);
    if let Some(fan) = about::fan_of(open.state, Some(execution)) {
        let words = format!("   number {} of {}", item.index + 1, about::fan(fan));
        lines.push(Line::styled(cut(&words, width), theme.dim()));
    }
    lines
}

/// What its latest attempt said of its work.
fn outputs<'a>(execution: &Execution, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let line = |(name, value): (&aiflow_model::OutputName, &aiflow_model::JsonText)| {
        let name = format!("   {name} = ");
        let room = width.saturating_sub(name.width());
        let value = cut(&about::brief(value), room);
        Line::from(vec![Span::styled(name, theme.dim()), Span::raw(value)])
    };
    let mut lines: Vec<Line<'a>> = execution.outputs.iter().take(OUTPUTS_MAX).map(line).collect();
    let left_out = execution.outputs.len().saturating_sub(OUTPUTS_MAX);
    if left_out > 0 {
        let words = format!("   … and {left_out} more: aiflow output list");
        lines.push(Line::styled(words, theme.dim()));
    }
    lines
}

/// The events that it was fired by.
fn causes<'a>(execution: &Execution, model: &Model, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let line = |event: &aiflow_model::Offset| {
        let offset = format!("   @{} ", text::grouped(event.0));
        let words = match model.recent().get(*event) {
            Some(seen) => {
                let value = text::printable(seen.brief());
                format!("{} by {} {value}", seen.key, seen.source)
            }
            None => "an event from before what is read here".to_owned(),
        };
        let words = cut(&words, width.saturating_sub(offset.width()));
        Line::from(vec![Span::styled(offset, theme.dim()), Span::raw(words)])
    };
    execution.events.iter().rev().take(CAUSES_MAX).map(line).collect()
}
