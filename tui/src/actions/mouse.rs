//! Clicks and the wheel, where the user wants them: a click selects, a second one opens, the wheel
//! moves.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;

use super::{Action, navigate, perform};
use crate::state::items;
use crate::state::{Model, Screen};
use crate::view;

/// Lines that one turn of the wheel moves.
const WHEEL: isize = 3;

/// Does what the mouse says; false when that is nothing.
pub(crate) fn on_mouse(model: &mut Model, mouse: MouseEvent, area: Rect) -> bool {
    match mouse.kind {
        MouseEventKind::ScrollUp => navigate::by(model, -WHEEL),
        MouseEventKind::ScrollDown => navigate::by(model, WHEEL),
        MouseEventKind::Down(MouseButton::Left) => click(model, mouse, area),
        MouseEventKind::Down(MouseButton::Right) => perform(model, Action::Back),
        _ => return false,
    }
    true
}

fn click(model: &mut Model, mouse: MouseEvent, area: Rect) {
    if model.dialog.is_some() {
        return;
    }
    if let Some(screen) = view::tab_at(area, model, mouse.column, mouse.row) {
        return navigate::show(model, screen);
    }
    let is_list = matches!(model.screen, Screen::Overview | Screen::Events | Screen::Clocks);
    let Some(line) = view::line_at(area, model, mouse.row).filter(|_| is_list) else { return };
    let items = items::items(model);
    let at = model.cursor_in(&items);
    let height = view::list_height(area, model);
    let first = view::first_shown(at, items.len(), height);
    // The panel's border, or its title, is the first line.
    let Some(clicked) = line.checked_sub(1).map(|line| first + line) else { return };
    let Some(item) = items.get(clicked) else { return };
    if clicked == at {
        return perform(model, Action::Open);
    }
    navigate::set_cursor(model, clicked, Some(item));
}
