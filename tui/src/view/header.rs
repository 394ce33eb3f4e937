//! The top: where we are, how the connection is, the offset, the time; below it the tabs.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::table::{cut_line, ends};
use super::theme::Theme;
use crate::state::mark::Tone;
use crate::state::{Link, Model, Screen, text};

const TABS_HEIGHT_MIN: u16 = 16;

/// Lines it takes.
pub(super) const fn height(screen: Rect) -> u16 {
    if screen.height >= TABS_HEIGHT_MIN { 2 } else { 1 }
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let [top, tabs] = Layout::vertical([Constraint::Length(1), Constraint::Length(1)]).areas(area);
    let width = usize::from(area.width);
    let right = right(model, theme, width);
    frame.render_widget(ends(breadcrumbs(model, theme), right, width), top);
    if area.height > 1 {
        frame.render_widget(cut_line(tab_line(model, theme), width), tabs);
    }
}

fn breadcrumbs<'a>(model: &Model, theme: &Theme) -> Vec<Span<'a>> {
    let mut crumbs = vec!["aiflow".to_owned()];
    let run = model.open_run().filter(|_| model.screen != Screen::Runs);
    if let Some(run) = run {
        crumbs.push(run.workflow.to_string());
        let paused = if run.paused { " (paused)" } else { "" };
        crumbs.push(format!("run {}{paused}", run.id));
    }
    match (model.screen, &model.log) {
        (Screen::Events, _) => crumbs = vec!["aiflow".to_owned(), "events".to_owned()],
        (Screen::Log, Some(log)) => {
            let run = model.state.run(log.target.run);
            crumbs = vec!["aiflow".to_owned()];
            crumbs.extend(run.map(|run| run.workflow.to_string()));
            crumbs.push(format!("run {}", log.target.run));
            crumbs.push(log.target.task.to_string());
        }
        _ => {}
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
    if width >= 90 {
        spans.push(Span::styled(format!("{}   ", model.namespace()), theme.dim()));
    }
    spans.extend(link(model, theme, width));
    if width >= 60 && model.is_loaded {
        let offset = text::grouped(model.state.next_offset.0);
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

fn tab_line<'a>(model: &Model, theme: &Theme) -> Line<'a> {
    let tabs = [
        (Screen::Runs, "1 Runs"),
        (Screen::Run, "2 Run"),
        (Screen::Events, "3 Events"),
        (Screen::Log, "4 Log"),
    ];
    let mut spans = vec![Span::raw(" ")];
    for (screen, name) in tabs {
        let is_open = screen == model.screen;
        let style = if is_open { theme.selected(true) } else { theme.dim() };
        spans.push(Span::styled(format!(" {name} "), style));
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}
