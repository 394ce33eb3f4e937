//! Draws the model. Every function takes data and an area, and writes cells.
//!
//! Must never change the model, nor read a clock, nor reach beyond its area.

mod dialogs;
mod events;
mod footer;
mod grid;
mod header;
mod help;
mod log;
mod run;
mod runs;
mod streams;
mod table;
mod tasks;
pub(crate) mod theme;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Paragraph};

use crate::actions::keymap::Place;
use crate::state::{Dialog, Model, Screen};
use theme::Theme;

/// Below these a box costs more than it shows.
const BOX_WIDTH_MIN: u16 = 60;
const BOX_HEIGHT_MIN: u16 = 30;

/// Draws everything.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, theme: &Theme) {
    let area = frame.area();
    let [top, body, bottom] = Layout::vertical([
        Constraint::Length(header::height(area)),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    header::draw(frame, top, model, theme);
    footer::draw(frame, bottom, model, theme);
    if model.is_loaded {
        match model.screen {
            Screen::Runs => runs::draw(frame, body, model, theme),
            Screen::Run => run::draw(frame, body, model, theme),
            Screen::Events => events::draw_screen(frame, body, model, theme),
            Screen::Log => log::draw(frame, body, model, theme),
        }
    } else {
        draw_absence(frame, body, model, theme);
    }
    match &model.dialog {
        Some(Dialog::Help { scroll }) => {
            help::draw(frame, body, *scroll, Place::of_screen(model.screen), theme)
        }
        Some(Dialog::Emit(form)) => dialogs::draw_emit(frame, body, form, model, theme),
        Some(Dialog::Confirm(question)) => dialogs::draw_question(frame, body, question, theme),
        Some(Dialog::Filter { .. }) | None => {}
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

/// A titled panel; where room is short, a line above in place of a box. Returns what is inside.
fn panel(
    frame: &mut Frame<'_>,
    area: Rect,
    title: Line<'_>,
    has_focus: bool,
    theme: &Theme,
) -> Rect {
    let screen = frame.area();
    let is_small = screen.width < BOX_WIDTH_MIN || screen.height < BOX_HEIGHT_MIN;
    let borders = if is_small { Borders::TOP } else { Borders::ALL };
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

/// The first of `count` lines to show so that the cursor's is among `height`.
fn first_shown(cursor: usize, count: usize, height: usize) -> usize {
    cursor.saturating_sub(height / 2).min(count.saturating_sub(height))
}
