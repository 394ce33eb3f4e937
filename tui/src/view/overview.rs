//! The overview: workflows, and below each its runs.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::table::{cut_line, fit, fit_right};
use super::theme::Theme;
use super::{draw_empty, first_shown, panel, picked, title};
use crate::state::item;
use crate::state::mark::{Mark, Tone};
use crate::state::runs::{Row, WorkflowRow, chips, run_counts, shown};
use crate::state::{Model, text};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let rows = shown(model);
    if rows.is_empty() && model.filter.is_empty() {
        draw_empty(frame, area, "no workflow yet", "aiflow workflow upload FILE", theme);
        return;
    }
    let has_focus = model.dialog.is_none();
    let heading = match model.filter.as_str() {
        "" => "Workflows and their runs".to_owned(),
        filter => format!("Workflows and runs with “{filter}”"),
    };
    let inside = panel(frame, area, title(&heading, has_focus, theme), has_focus, theme);
    if rows.is_empty() {
        frame.render_widget(Line::styled(" nothing fits the filter", theme.dim()), inside);
        return;
    }
    let items = item::items(model);
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let at = model.runs_cursor.min(rows.len().saturating_sub(1));
    let first = first_shown(at, rows.len(), height);
    let shown = rows.iter().enumerate().skip(first).take(height);
    let lines: Vec<Line<'_>> = shown
        .map(|(index, row)| {
            let line = match row {
                Row::Workflow(row) => workflow_line(row, model, theme),
                Row::Run(run) => run_line(*run, width, model, theme),
            };
            let line = cut_line(line, width);
            let gap = width.saturating_sub(line.width());
            let mut line = line;
            line.spans.push(Span::raw(" ".repeat(gap)));
            match items.get(index) {
                Some(item) => picked(line, item, index == at, has_focus, model, theme),
                None => line,
            }
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

fn workflow_line<'a>(row: &WorkflowRow, model: &Model, theme: &Theme) -> Line<'a> {
    let is_alone = model.state().namespaces.len() < 2;
    let name = if is_alone {
        row.workflow.to_string()
    } else {
        format!("{}/{}", row.namespace, row.workflow)
    };
    let known = model.state().namespaces.get(&row.namespace);
    let is_disabled = known.is_some_and(|known| known.disabled.contains(&row.workflow));
    let key = (row.namespace.clone(), row.workflow.clone());
    let fold = if model.folded.contains(&key) { "▸" } else { " " };
    let words = format!(
        "   snapshot {} · {} tasks · {} alive · {} ended",
        row.snapshot, row.tasks, row.alive, row.ended
    );
    let next = next_tick(row, model);
    Line::from(vec![
        Span::styled(format!("{fold}{name}"), theme.strong()),
        Span::styled(if is_disabled { "   ‖ disabled" } else { "" }, theme.of(Tone::Wait)),
        Span::styled(words, theme.dim()),
        Span::styled(next.unwrap_or_default(), theme.of(Tone::Busy)),
    ])
}

/// When a schedule starts the next run.
fn next_tick(row: &WorkflowRow, model: &Model) -> Option<String> {
    let state = model.state();
    let ids = state.triggers_of(&row.namespace, &row.workflow);
    let known = ids.iter().filter_map(|id| state.triggers.get(id));
    let next =
        known.filter(|trigger| state.is_active(trigger)).filter_map(|t| t.next_tick()).min()?;
    Some(format!(" · next in {}", text::length(next.since(model.time()))))
}

fn run_line<'a>(id: aiflow_model::RunId, width: usize, model: &Model, theme: &Theme) -> Line<'a> {
    let Some(run) = model.state().run(id) else { return Line::default() };
    let mark = Mark::of_run(run);
    let counts = run_counts(run);
    let lasted = run.ended_at.unwrap_or(model.time()).since(run.started_at);
    let mut spans = vec![
        Span::styled(format!("   {} ", mark.glyph), theme.of(mark.tone)),
        Span::raw(format!("{:<9}", format!("run {id}"))),
        Span::styled(format!("{:<9}", mark.word), theme.of(mark.tone)),
        Span::raw(fit_right(&text::length(lasted), 7)),
    ];
    let number = |count: usize, glyph: &str, tone: Tone| {
        let style = if count > 0 { theme.of(tone) } else { theme.dim() };
        Span::styled(format!("{} {glyph}", fit_right(&count.to_string(), 6)), style)
    };
    spans.push(number(counts.done, "✓", Tone::Good));
    spans.push(number(counts.failed, "✗", Tone::Bad));
    if width >= 76 {
        spans.push(number(counts.running, "▶", Tone::Busy));
        spans.push(number(counts.waiting, "▷", Tone::Wait));
    }
    if width >= 110 {
        spans.push(Span::styled(
            format!("   {}", fit(&text::date_time(run.started_at), 16)),
            theme.dim(),
        ));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw("   "));
    let room = width.saturating_sub(used + 5).min(40);
    spans.extend(chips(run, room).iter().map(|mark| Span::styled(mark.glyph, theme.of(mark.tone))));
    Line::from(spans)
}
