//! Draws the model. Every function takes data and an area, and writes cells.
//!
//! Must never change the model, nor read a clock, nor reach beyond its area.

mod bars;
mod clocks;
mod dialogs;
mod diff;
mod event_detail;
mod events;
mod execution;
mod footer;
mod form;
mod graph;
mod grid;
mod header;
mod help;
mod log;
mod overview;
mod palette;
mod run_screen;
mod streams;
mod streams_screen;
mod system;
mod table;
mod task_screen;
mod tasks;
pub(crate) mod text;
pub(crate) mod theme;
mod why;
mod workflow_screen;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use crate::actions::place::Place;
use crate::state::item::Item;
use crate::state::{Dialog, Model, Screen};
use theme::Theme;

/// Below these a box costs more than it shows.
const BOX_WIDTH_MIN: u16 = 60;
const BOX_HEIGHT_MIN: u16 = 30;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, theme: &Theme) {
    let area = frame.area();
    let [top, body, bottom] = areas(area, model);
    header::draw(frame, top, model, theme);
    footer::draw(frame, bottom, model, theme);
    if model.is_loaded {
        draw_screen(frame, body, model, theme);
    } else {
        draw_absence(frame, body, model, theme);
    }
    match &model.dialog {
        Some(Dialog::Help { scroll }) => help::draw(frame, body, *scroll, model, theme),
        Some(Dialog::Form(form)) => form::draw(frame, body, form, model, theme),
        Some(Dialog::Confirm(question)) => dialogs::draw_question(frame, body, question, theme),
        Some(Dialog::Palette(palette)) => palette::draw(frame, body, palette, model, theme),
        Some(Dialog::Diff(told)) => diff::draw(frame, body, told, theme),
        Some(Dialog::Why { about, scroll }) => {
            why::draw(frame, body, about, *scroll, model, theme);
        }
        Some(Dialog::Prompt(_)) | None => {}
    }
}

/// Header, body, footer.
fn areas(area: Rect, model: &Model) -> [Rect; 3] {
    Layout::vertical([
        Constraint::Length(header::height(area, model)),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area)
}

fn draw_screen(frame: &mut Frame<'_>, body: Rect, model: &Model, theme: &Theme) {
    match model.screen {
        Screen::Overview => overview::draw(frame, body, model, theme),
        Screen::Streams => streams_screen::draw(frame, body, model, theme),
        Screen::Run => run_screen::draw(frame, body, model, theme),
        Screen::Workflow => workflow_screen::draw(frame, body, model, theme),
        Screen::Task => task_screen::draw(frame, body, model, theme),
        Screen::Events => events::draw_screen(frame, body, model, theme),
        Screen::Log => log::draw(frame, body, model, theme),
        Screen::Clocks => clocks::draw(frame, body, model, theme),
        Screen::System => system::draw(frame, body, model, theme),
    }
}

/// Before anything is known.
fn draw_absence(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let lines = vec![
        Line::raw(""),
        Line::styled("Nothing is known yet: no daemon has answered.", theme.strong()),
        Line::raw(""),
        Line::raw(format!("home   {}", model.home)),
        Line::raw("start  aiflow server start"),
    ];
    draw_centred(frame, area, lines);
}

/// What is missing, and what to do about it.
fn draw_empty(frame: &mut Frame<'_>, area: Rect, what: &str, hint: &str, theme: &Theme) {
    let lines = vec![
        Line::raw(""),
        Line::styled(what.to_owned(), theme.strong()),
        Line::raw(""),
        Line::raw(hint.to_owned()),
    ];
    draw_centred(frame, area, lines);
}

/// Lines in the middle.
fn draw_centred(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    let width = lines.iter().map(Line::width).max().unwrap_or(0);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let at = middle(area, u16::try_from(width).unwrap_or(u16::MAX), height);
    frame.render_widget(Paragraph::new(lines), at);
}

/// A rectangle of this size in the middle, as far as there is room.
fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    let x = area.x + (area.width - width) / 2;
    let y = area.y + (area.height - height) / 2;
    Rect { x, y, width, height }
}

/// Whether there is no room for boxes.
fn is_small(frame: &Frame<'_>) -> bool {
    let screen = frame.area();
    screen.width < BOX_WIDTH_MIN || screen.height < BOX_HEIGHT_MIN
}

/// A titled panel; where room is short, a line above in place of a box. Returns what is inside.
fn panel(
    frame: &mut Frame<'_>,
    area: Rect,
    title: Line<'_>,
    has_focus: bool,
    theme: &Theme,
) -> Rect {
    let borders = if is_small(frame) { Borders::TOP } else { Borders::ALL };
    let style = if has_focus { theme.focus() } else { theme.dim() };
    let block = Block::new().borders(borders).border_style(style).title_top(title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    inside
}

/// A panel's title, bold where its pane has the keys.
fn title<'a>(text: &str, has_focus: bool, theme: &Theme) -> Line<'a> {
    let style = if has_focus { theme.strong() } else { theme.plain() };
    Line::styled(format!(" {text} "), style)
}

/// A panel's title with the names of the views that it may show.
fn title_of_views<'a>(text: &str, model: &Model, theme: &Theme) -> Line<'a> {
    let mut spans = vec![Span::styled(format!(" {text} "), theme.strong())];
    for (index, name) in model.screen.views().iter().enumerate() {
        let is_shown = index == model.view();
        let style = if is_shown { theme.strong() } else { theme.dim() };
        let shown = if is_shown { format!("[{name}] ") } else { format!(" {name}  ") };
        spans.push(Span::styled(shown, style));
    }
    let places = [Place::Screen(model.screen)];
    if let Some(key) = model.keymap.names_of(&places, crate::actions::Action::NextPane) {
        spans.push(Span::styled(format!("{key} "), theme.dim()));
    }
    Line::from(spans)
}

/// A line as it is drawn: the selected one shows, and so does one that is marked.
fn picked<'a>(
    line: Line<'a>,
    item: &Item,
    is_selected: bool,
    has_focus: bool,
    model: &Model,
    theme: &Theme,
) -> Line<'a> {
    let mut line = line;
    if model.marks.contains(item)
        && let Some(first) = line.spans.first_mut()
    {
        // In the margin that every line begins with.
        let rest: String = first.content.chars().skip(1).collect();
        *first = Span::styled(format!("+{rest}"), first.style.patch(theme.strong()));
    }
    if is_selected { line.style(theme.selected(has_focus)) } else { line }
}

/// The first of `count` lines to show so that the cursor's is among `height`.
pub(crate) fn first_shown(cursor: usize, count: usize, height: usize) -> usize {
    cursor.saturating_sub(height / 2).min(count.saturating_sub(height))
}

/// The line of the body at a row of the screen.
pub(crate) fn line_at(area: Rect, model: &Model, row: u16) -> Option<usize> {
    let [_, body, _] = areas(area, model);
    (row >= body.y && row < body.bottom()).then(|| usize::from(row - body.y))
}

/// Lines of a list that takes the whole body.
pub(crate) fn list_height(area: Rect, model: &Model) -> usize {
    let [_, body, _] = areas(area, model);
    let is_small = area.width < BOX_WIDTH_MIN || area.height < BOX_HEIGHT_MIN;
    usize::from(body.height.saturating_sub(if is_small { 1 } else { 2 }))
}

/// The screen whose tab stands there.
pub(crate) fn tab_at(area: Rect, model: &Model, column: u16, row: u16) -> Option<Screen> {
    header::tab_at(area, model, column, row)
}
