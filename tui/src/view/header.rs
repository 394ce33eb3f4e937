//! The top: where we are, how the connection is, the offset, the time; below it the tabs, or in
//! the past the place in the log.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use unicode_width::UnicodeWidthStr;

use super::table::{cut, cut_line, ends};
use super::theme::Theme;
use crate::state::mark::Tone;
use crate::state::past::Past;
use crate::state::{Link, Model, Screen, text, words};

const TABS_HEIGHT_MIN: u16 = 16;

/// Lines it takes.
pub(super) const fn height(screen: Rect, model: &Model) -> u16 {
    let tabs = if screen.height >= TABS_HEIGHT_MIN { 2 } else { 1 };
    match model.past {
        Some(_) => tabs + 1,
        None => tabs,
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let past_height = u16::from(model.past.is_some());
    let [top, past, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(past_height),
        Constraint::Length(1),
    ])
    .areas(area);
    let width = usize::from(area.width);
    let right = right(model, theme, width);
    frame.render_widget(ends(breadcrumbs(model, theme), right, width), top);
    if let Some(shown) = &model.past {
        frame.render_widget(past_line(shown, model, theme, width), past);
    }
    if area.height > 1 + past_height {
        let line = match &model.past {
            Some(shown) => scrubber(shown, theme, width),
            None => cut_line(tab_line(model, theme, width), width),
        };
        frame.render_widget(line, below);
    }
}

/// What record is looked at, and what led to it.
fn past_line<'a>(past: &Past, model: &Model, theme: &Theme, width: usize) -> Line<'a> {
    let style = theme.past();
    let Some(record) = past.record() else {
        let words = format!("{:<width$}", " ◀ PAST  reading the log …");
        return Line::styled(cut(&words, width), style);
    };
    let end = past.bounds().map_or(record.offset, |(_, end)| end);
    let ago = text::ago(model.now.since(record.time));
    let head = format!(
        " ◀ PAST  @{} of {}  {} ({ago})  ",
        text::grouped(record.offset.0),
        text::grouped(end.0.saturating_sub(1)),
        text::clock(record.time),
    );
    let cause = past.cause().map(|cause| format!("  ← {}", words::of(&cause.record)));
    let waits = if past.is_waiting() { " … " } else { "" };
    let left = format!("{head}{}{}{waits}", words::of(&record.record), cause.unwrap_or_default());
    ends(vec![Span::styled(left, style)], vec![Span::styled("  q now ", style)], width).style(style)
}

/// Where in the log that is, and the keys that move there.
fn scrubber<'a>(past: &Past, theme: &Theme, width: usize) -> Line<'a> {
    let keys = " ←→ record  <> event  f/F failure  o offset  t time ";
    let room =
        width.saturating_sub(keys.chars().count() + 3).max(10).min(width.saturating_sub(2)).max(1);
    let (begin, end) = past.bounds().map_or((0, 1), |(begin, end)| (begin.0, end.0));
    let at = past.record().map_or(begin, |record| record.offset.0);
    let whole = u128::from(end.saturating_sub(begin + 1).max(1));
    let part = u128::from(at.saturating_sub(begin));
    let cell = usize::try_from(part * (room as u128 - 1) / whole).unwrap_or(0).min(room - 1);
    let bar: String = (0..room)
        .map(|index| {
            if index == cell {
                '◆'
            } else if index < cell {
                '━'
            } else {
                '─'
            }
        })
        .collect();
    let left = vec![Span::raw(" "), Span::styled(bar, theme.focus())];
    ends(left, vec![Span::styled(keys, theme.dim())], width)
}

fn breadcrumbs<'a>(model: &Model, theme: &Theme) -> Vec<Span<'a>> {
    let mut crumbs = vec!["aiflow".to_owned()];
    let run = model.open_run();
    let of_run = |crumbs: &mut Vec<String>| {
        if let Some(run) = run {
            crumbs.push(run.workflow.to_string());
            let paused = if run.paused { " (paused)" } else { "" };
            crumbs.push(format!("run {}{paused}", run.id));
        }
    };
    match (model.screen, &model.log) {
        (Screen::Overview, _) => {}
        (Screen::Streams | Screen::Run, _) => of_run(&mut crumbs),
        (Screen::Task, _) => {
            of_run(&mut crumbs);
            crumbs.extend(model.selected_task().map(|(_, task)| task.to_string()));
        }
        (Screen::Workflow, _) => {
            crumbs.extend(model.open_workflow().map(|(_, workflow)| workflow.to_string()));
        }
        (Screen::Log, Some(log)) => {
            let run = model.state().run(log.target.run);
            crumbs.extend(run.map(|run| run.workflow.to_string()));
            crumbs.push(format!("run {}", log.target.run));
            crumbs.push(match log.others.len() {
                0 => log.target.task.to_string(),
                others => format!("{} tasks", others + 1),
            });
        }
        (screen, _) => crumbs.push(screen.word().to_owned()),
    }
    let last = crumbs.len() - 1;
    let mut spans = vec![Span::raw(" ")];
    for (index, crumb) in crumbs.into_iter().enumerate() {
        if index > 0 {
            spans.push(Span::styled(" ▸ ", theme.dim()));
        }
        let style = if index == last { theme.strong() } else { theme.plain() };
        spans.push(Span::styled(crumb, style));
    }
    spans
}

/// What always stays; the namespace and the offset give way first.
fn right<'a>(model: &Model, theme: &Theme, width: usize) -> Vec<Span<'a>> {
    let mut spans = vec![Span::raw("  ")];
    if model.read_only {
        spans.push(Span::styled("read-only  ", theme.of(Tone::Wait)));
    }
    if width >= 90 {
        spans.push(Span::styled(format!("{}   ", model.namespace()), theme.dim()));
    }
    spans.extend(link(model, theme, width));
    if width >= 60 && model.is_loaded {
        let offset = text::grouped(model.live.state.next_offset.0);
        spans.push(Span::raw(format!("  offset {offset}")));
    }
    // Seconds only where they are redrawn anyway.
    let clock = if model.shows_running_time() {
        text::clock(model.now)
    } else {
        text::clock_short(model.now)
    };
    spans.push(Span::raw(format!("  {clock} ")));
    spans
}

fn link<'a>(model: &Model, theme: &Theme, width: usize) -> Vec<Span<'a>> {
    match &model.link {
        Link::Live => vec![Span::styled("● live", theme.of(Tone::Good))],
        Link::Copy => vec![Span::styled("▣ copied log", theme.of(Tone::Wait))],
        Link::Connecting => vec![Span::styled("○ connecting", theme.of(Tone::Wait))],
        Link::Lost { since, .. } => {
            let style = theme.of(Tone::Bad);
            if width < 60 {
                return vec![Span::styled("○ disconnected", style)];
            }
            let since = text::length(model.now.since(*since));
            vec![Span::styled(format!("○ disconnected, retrying ({since})"), style)]
        }
    }
}

/// The names of the screens, each as wide as it is written.
fn tabs(model: &Model, width: usize) -> Vec<(Screen, String)> {
    let is_wide = width >= 100;
    let tab = |(number, screen): (usize, Screen)| {
        let name = screen.title();
        // Where room is short, of the others only the first letters.
        let short = || name.chars().take(3).collect::<String>();
        let name = if width >= 78 || screen == model.screen { name.to_owned() } else { short() };
        (screen, format!(" {number} {name}{}", if is_wide { " " } else { "" }))
    };
    (1..).zip(Screen::ALL).map(tab).collect()
}

fn tab_line<'a>(model: &Model, theme: &Theme, width: usize) -> Line<'a> {
    let tab = |(screen, name): (Screen, String)| {
        let style = if screen == model.screen { theme.selected(true) } else { theme.dim() };
        Span::styled(name, style)
    };
    Line::from(tabs(model, width).into_iter().map(tab).collect::<Vec<_>>())
}

/// The screen whose tab stands there.
pub(super) fn tab_at(area: Rect, model: &Model, column: u16, row: u16) -> Option<Screen> {
    if row != 1 || height(area, model) < 2 || model.past.is_some() {
        return None;
    }
    let mut begin = 0;
    let is_there = |(_, name): &(Screen, String)| {
        let end = begin + name.width();
        let is_there = (begin..end).contains(&usize::from(column));
        begin = end;
        is_there
    };
    tabs(model, usize::from(area.width)).into_iter().find(is_there).map(|(screen, _)| screen)
}
