//! A workflow: its runs by its tasks, its graph, its definition, and what starts it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::graph::{self, Task};
use super::table::{cut_line, fit, fit_right};
use super::theme::Theme;
use super::{draw_empty, first_shown, panel, picked, run_screen, title_of_views};
use crate::state::item::Item;
use crate::state::mark::{Mark, Tone};
use crate::state::tasks;
use crate::state::{Model, about, text};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let open = model.open_workflow();
    let snapshot = open.as_ref().and_then(|(namespace, name)| {
        model.state().current_snapshot(namespace.as_str(), name.as_str())
    });
    let (Some((namespace, name)), Some(snapshot)) = (&open, snapshot) else {
        draw_empty(frame, area, "no workflow is open", "aiflow workflow upload FILE", theme);
        return;
    };
    let known = model.state().namespaces.get(namespace);
    let is_disabled = known.is_some_and(|known| known.disabled.contains(name));
    let state = if is_disabled { " ‖ disabled" } else { "" };
    let heading = format!("{name} · snapshot {}{state}", snapshot.number);
    let inside =
        panel(frame, area, title_of_views(&heading, model, theme), model.dialog.is_none(), theme);
    match model.view() {
        0 => draw_runs(frame, inside, model, theme),
        1 if model.workflow.is_none() => run_screen::draw_graph(frame, inside, model, theme),
        1 => draw_graph(frame, inside, &snapshot.spec, model, theme),
        _ => draw_definition(frame, inside, &snapshot.source, model, theme),
    }
}

/// The graph of a workflow of which no run is open.
fn draw_graph(
    frame: &mut Frame<'_>,
    area: Rect,
    spec: &aiflow_model::WorkflowSpec,
    model: &Model,
    theme: &Theme,
) {
    let task =
        |task: &aiflow_model::TaskSpec| Task { name: task.name.to_string(), mark: Mark::IDLE };
    let tasks: Vec<Task> = spec.tasks.iter().map(task).collect();
    let graph = crate::state::graph::of(spec, model.task_cursor, model.is_focused);
    graph::draw(frame, area, &graph, &tasks, model.task_cursor, theme);
}

/// Runs by tasks, one mark a cell, then what starts new ones.
fn draw_runs(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let runs = model.workflow_runs();
    let width = usize::from(area.width);
    let mut lines = about(model, theme);
    lines.extend(triggers(model, theme));
    let mut lines: Vec<Line<'_>> = lines.into_iter().map(|line| cut_line(line, width)).collect();
    if runs.is_empty() {
        lines.push(Line::styled(" no run yet: n starts one", theme.dim()));
        frame.render_widget(Paragraph::new(lines), area);
        return;
    }
    let newest = runs.first().and_then(|run| model.state().snapshots.get(&run.snapshot));
    let names: Vec<&str> =
        newest.into_iter().flat_map(|s| &s.spec.tasks).map(|task| task.name.as_str()).collect();
    // As many columns as there is room for; each as wide as its name, within reason.
    let widths: Vec<usize> = names.iter().map(|name| name.width().clamp(3, 12) + 1).collect();
    lines.push(heading(&names, &widths, width, theme));
    let height = usize::from(area.height).saturating_sub(lines.len());
    let at = model.workflow_cursor.min(runs.len() - 1);
    let first = first_shown(at, runs.len(), height);
    for (index, run) in runs.iter().enumerate().skip(first).take(height) {
        let mark = Mark::of_run(run);
        let lasted = text::length(run.ended_at.unwrap_or(model.time()).since(run.started_at));
        let mut spans = vec![
            Span::styled(format!(" {} ", mark.glyph), theme.of(mark.tone)),
            Span::raw(fit(&format!("run {}", run.id), 9)),
            Span::styled(fit(mark.word, 9), theme.of(mark.tone)),
            Span::styled(fit(&fit_right(&lasted, 7), 9), theme.plain()),
        ];
        let rows = tasks::rows(model.state(), run);
        for (name, width) in names.iter().zip(&widths) {
            let row = rows.iter().find(|row| row.task.as_str() == *name);
            let (glyph, tone) = row.map_or((" ", Tone::Dim), |row| (row.mark.glyph, row.mark.tone));
            spans.push(Span::styled(fit(glyph, *width), theme.of(tone)));
        }
        let line = cut_line(Line::from(spans), width);
        lines.push(picked(line, &Item::Run(run.id), index == at, true, model, theme));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn heading<'a>(names: &[&str], widths: &[usize], width: usize, theme: &Theme) -> Line<'a> {
    let mut words = fit("   run      status     lasted", 30);
    for (name, width) in names.iter().zip(widths) {
        words.push_str(&fit(&fit(name, width - 1), *width));
    }
    Line::styled(fit(&words, width), theme.dim())
}

/// Its parameters and hooks.
fn about<'a>(model: &Model, theme: &Theme) -> Vec<Line<'a>> {
    let open = model.open_workflow();
    let current = open.and_then(|(namespace, name)| {
        model.state().current_snapshot(namespace.as_str(), name.as_str())
    });
    let Some(spec) = current.map(|snapshot| &snapshot.spec) else { return Vec::new() };
    let all = [("params", about::params_of(spec)), ("hooks", about::hooks_of(spec))];
    let known = all.into_iter().filter_map(|(name, words)| Some((name, words?)));
    let line = |(name, words)| {
        Line::from(vec![Span::styled(format!(" {name:<7}"), theme.dim()), Span::raw(words)])
    };
    known.map(line).collect()
}

fn triggers<'a>(model: &Model, theme: &Theme) -> Vec<Line<'a>> {
    let Some((namespace, name)) = model.open_workflow() else { return Vec::new() };
    let state = model.state();
    let ids = state.triggers_of(&namespace, &name);
    let known = ids.iter().filter_map(|id| state.triggers.get(id));
    let line = |trigger: &aiflow_model::state::Trigger| {
        let next = trigger.next_tick().filter(|_| state.is_active(trigger));
        let next = next.map(|next| format!("  next in {}", text::length(next.since(model.time()))));
        let glyph = if state.is_active(trigger) { "◆" } else { "‖" };
        Line::from(vec![
            Span::styled(format!(" {glyph} "), theme.of(Tone::Busy)),
            Span::raw(format!("starts {}", trigger.condition)),
            Span::styled(next.unwrap_or_default(), theme.of(Tone::Wait)),
        ])
    };
    known.map(line).collect()
}

/// The text as it was uploaded.
fn draw_definition(frame: &mut Frame<'_>, area: Rect, source: &str, model: &Model, theme: &Theme) {
    let count = source.lines().count();
    let scroll = model.scroll.min(count.saturating_sub(usize::from(area.height)));
    let digits = count.to_string().len();
    let lines = source.lines().enumerate().skip(scroll).take(usize::from(area.height));
    let lines: Vec<Line<'_>> = lines
        .map(|(index, line)| {
            let number = Span::styled(format!(" {:>digits$}  ", index + 1), theme.dim());
            Line::from(vec![number, Span::raw(text::printable(line))])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), area);
}
