//! One task: its executions, and of one of them all that is known: attempts, cause, conditions,
//! what it runs.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use super::table::{cut_line, fit, fit_right, indented};
use super::theme::Theme;
use super::{draw_empty, execution, first_shown, panel, picked, title, why};
use crate::state::item::Item;
use crate::state::mark::{Mark, Tone};
use crate::state::task_detail::{self, Open};
use crate::state::why::answer;
use crate::state::{Model, about, text};
use aiflow_model::spec::Command;
use aiflow_model::state::Execution;

/// From this width on both stand side by side.
const SIDE_BY_SIDE: u16 = 100;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(open) = task_detail::open(model) else {
        draw_empty(frame, area, "no task is open", "open a run, select a task, press Enter", theme);
        return;
    };
    let view = model.view();
    if model.is_zoomed || area.width < SIDE_BY_SIDE && area.height < 16 {
        return match view {
            0 => draw_executions(frame, area, &open, model, theme),
            _ => draw_details(frame, area, &open, model, theme),
        };
    }
    let [list, details] = if area.width >= SIDE_BY_SIDE {
        Layout::horizontal([Constraint::Percentage(42), Constraint::Fill(1)]).areas(area)
    } else {
        Layout::vertical([Constraint::Percentage(38), Constraint::Fill(1)]).areas(area)
    };
    draw_executions(frame, list, &open, model, theme);
    draw_details(frame, details, &open, model, theme);
}

fn draw_executions(
    frame: &mut Frame<'_>,
    area: Rect,
    open: &Open<'_>,
    model: &Model,
    theme: &Theme,
) {
    let has_focus = model.view() == 0 && model.dialog.is_none();
    let all: Vec<&Execution> = task_detail::listed(open).collect();
    let heading = title(
        &format!("{} · {}", open.spec.name, text::count(open.state.executions.len(), "execution")),
        has_focus,
        theme,
    );
    let inside = panel(frame, area, heading, has_focus, theme);
    if all.is_empty() {
        let words = " it has not been started yet: w tells why, t starts it";
        frame.render_widget(Line::styled(words, theme.dim()), inside);
        return;
    }
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let shown = task_detail::shown(model).map(|execution| execution.sequence);
    let at = all.iter().position(|e| Some(e.sequence) == shown).unwrap_or(0);
    let first = first_shown(at, all.len(), height);
    let lines: Vec<Line<'_>> = all
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, execution)| {
            let line = cut_line(execution_line(execution, model, theme), width);
            let item = Item::Execution(open.run.id, open.spec.name.clone(), execution.sequence);
            picked(line, &item, index == at, has_focus, model, theme)
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

fn execution_line<'a>(execution: &Execution, model: &Model, theme: &Theme) -> Line<'a> {
    let mark = Mark::of_execution(execution);
    let window = execution
        .window
        .map(|window| text::window_name(window.start, window.end.since(window.start)));
    let item = || execution.item.as_ref().map(|item| about::brief(&item.value));
    let what = window.or_else(item).unwrap_or_default();
    let lasted =
        text::length(execution.ended_at.unwrap_or(model.time()).since(execution.created_at));
    let tries = match execution.attempts.len() {
        0 | 1 => String::new(),
        many => format!("  {many} attempts"),
    };
    let failed = execution.attempts.last().and_then(|attempt| attempt.outcome.as_ref());
    let failed = failed.filter(|outcome| !outcome.is_success()).map(text::outcome_words);
    Line::from(vec![
        Span::styled(format!(" {} ", mark.glyph), theme.of(mark.tone)),
        Span::raw(fit(&execution.sequence.to_string(), 5)),
        Span::raw(fit(&what, 10)),
        Span::raw(" "),
        Span::styled(fit(mark.word, 9), theme.of(mark.tone)),
        Span::raw(fit_right(&lasted, 8)),
        Span::styled(tries, theme.dim()),
        Span::styled(format!("  {}", failed.unwrap_or_default()), theme.of(Tone::Bad)),
    ])
}

fn draw_details(frame: &mut Frame<'_>, area: Rect, open: &Open<'_>, model: &Model, theme: &Theme) {
    let has_focus = model.view() == 1 && model.dialog.is_none();
    let execution = task_detail::shown(model);
    let heading = match execution {
        Some(execution) => format!("execution {}", execution.sequence),
        None => "details".to_owned(),
    };
    let inside = panel(frame, area, title(&heading, has_focus, theme), has_focus, theme);
    let width = usize::from(inside.width);
    let mut lines = Vec::new();
    if let Some(execution) = execution {
        lines.extend(execution::lines(execution, open, model, width, theme));
    }
    lines.push(Line::styled(" why", theme.strong()));
    let item = match execution {
        Some(execution) => Item::Execution(open.run.id, open.spec.name.clone(), execution.sequence),
        None => Item::Task(open.run.id, open.spec.name.clone()),
    };
    lines.extend(why::lines(&answer(model.sight(), &item), width, theme));
    lines.extend(why::chain(&item, model, width, theme));
    lines.push(Line::raw(""));
    lines.extend(definition(open, width, theme));
    let scroll = if has_focus { model.scroll.min(lines.len().saturating_sub(1)) } else { 0 };
    let shown: Vec<Line<'_>> = lines.into_iter().skip(scroll).collect();
    frame.render_widget(Paragraph::new(shown).wrap(Wrap { trim: false }), inside);
}

fn definition<'a>(open: &Open<'_>, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let spec = open.spec;
    let mut lines = vec![Line::styled(" runs", theme.strong())];
    let command = match &spec.command {
        Command::Bash(script) => script.clone(),
        Command::Exec(words) => words.join(" "),
        Command::Operator(plugin) => format!("operator {}", plugin.name),
        Command::Webhook(url) => format!("POST {url}"),
    };
    for line in command.lines().take(8) {
        lines.extend(indented(&text::printable(line), 3, width));
    }
    lines.extend(spec.for_each.iter().map(|list| Line::raw(format!("   for each item of {list}"))));
    let mut policies = Vec::new();
    if let Some(retry) = &spec.retry {
        let most =
            retry.attempts_max.map_or("without end".to_owned(), |n| text::count(n, "attempt"));
        policies.push(format!("retry: {most}"));
    }
    policies.extend(spec.timeout.map(|timeout| format!("timeout: {timeout}")));
    policies.push(format!("grace: {}", spec.grace));
    if spec.parallel > 1 {
        policies.push(format!("parallel: {}", spec.parallel));
    }
    policies.extend(spec.hook.map(|hook| format!("hook: {}", hook.name())));
    let policies = indented(&policies.join(" · "), 3, width).into_iter();
    lines.extend(policies.map(|line| line.style(theme.dim())));
    for (name, value) in &spec.env {
        lines.push(Line::styled(format!("   {name}={}", text::printable(value)), theme.dim()));
    }
    lines
}
