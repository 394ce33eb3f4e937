//! The overview: workflows, and below each its runs.

use aiflow_model::TaskName;
use aiflow_model::digest::{Digest, TaskDigest};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::table::{cut_line, fit, fit_right};
use super::theme::Theme;
use super::{draw_empty, first_shown, panel, picked, title};
use crate::state::items;
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
    let area = draw_digest(frame, area, model, theme);
    let heading = match model.filter.as_str() {
        "" => "Workflows and their runs".to_owned(),
        filter => format!("Workflows and runs with “{filter}”"),
    };
    let inside = panel(frame, area, title(&heading, has_focus, theme), has_focus, theme);
    if rows.is_empty() {
        frame.render_widget(Line::styled(" nothing fits the filter", theme.dim()), inside);
        return;
    }
    let items = items::items(model);
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

/// What has happened since the user last looked, on a line of its own; what is left below it.
fn draw_digest(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) -> Rect {
    let known = model.last_looked.zip(model.digest.as_ref()).filter(|_| model.past.is_none());
    let Some((since, digest)) = known.filter(|_| area.height > 8) else { return area };
    let words = digest_words(digest);
    let ago = text::ago(model.time().since(since));
    let mut spans = vec![Span::styled(format!(" since you last looked ({ago}): "), theme.strong())];
    if words.is_empty() {
        spans.push(Span::styled("nothing", theme.dim()));
    }
    for (index, (words, tone)) in words.into_iter().enumerate() {
        let lead = if index == 0 { "" } else { " · " };
        spans.push(Span::styled(lead, theme.dim()));
        spans.push(Span::styled(words, theme.of(tone)));
    }
    let line = cut_line(Line::from(spans), usize::from(area.width));
    frame.render_widget(line, Rect { height: 1, ..area });
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

/// The parts of a digest in words, the worst first; those of which there are none are left out.
fn digest_words(digest: &Digest) -> Vec<(String, Tone)> {
    let named = |names: Vec<&TaskName>, word: &str, tone| {
        let told: Vec<&str> = names.iter().take(3).map(|name| name.as_str()).collect();
        let more = if names.len() > 3 { ", …" } else { "" };
        let words = format!("{} {word} ({}{more})", names.len(), told.join(", "));
        (!names.is_empty()).then_some((words, tone))
    };
    let count =
        |count: usize, word: &str, tone| (count > 0).then(|| (format!("{count} {word}"), tone));
    let (good, bad): (Vec<&TaskDigest>, Vec<&TaskDigest>) =
        digest.tasks.iter().partition(|task| task.recovered_at.is_some());
    let names = |tasks: Vec<&'_ TaskDigest>| -> Vec<TaskName> {
        tasks.into_iter().map(|task| task.task.clone()).collect()
    };
    let (good, bad) = (names(good), names(bad));
    let ended: u64 = digest.executions_ended.values().sum();
    [
        named(bad.iter().collect(), "✗ failed", Tone::Bad),
        count(digest.faults.len(), "! filters and scripts failed", Tone::Bad),
        named(digest.waiting.iter().map(|w| &w.task).collect(), "▷ wait", Tone::Wait),
        count(digest.late.len(), "late", Tone::Wait),
        named(good.iter().collect(), "✓ recovered", Tone::Good),
        count(usize::try_from(ended).unwrap_or(usize::MAX), "executions ended", Tone::Dim),
        count(usize::try_from(digest.events).unwrap_or(usize::MAX), "events", Tone::Dim),
    ]
    .into_iter()
    .flatten()
    .collect()
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
        "   snapshot {} · {} · {} alive · {} ended",
        row.snapshot,
        text::count(row.tasks, "task"),
        row.alive,
        row.ended
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
            format!("   {}", fit(&text::date_time(run.started_at), 19)),
            theme.dim(),
        ));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw("   "));
    let room = width.saturating_sub(used + 5).min(40);
    spans.extend(chips(run, room).iter().map(|mark| Span::styled(mark.glyph, theme.of(mark.tone))));
    Line::from(spans)
}
