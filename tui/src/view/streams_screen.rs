//! The open run: streams on top, the windows they drive, then tasks and events.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::theme::Theme;
use super::{draw_empty, events, grid, is_small, streams, tasks};
use crate::state::streams::{ClockView, clocks};
use crate::state::{Model, Pane};

/// From this height on events stand below the tasks.
const EVENTS_BELOW_FROM: u16 = 18;
/// From this width on tasks and events stand side by side.
const SIDE_BY_SIDE: u16 = 110;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(run) = model.open_run() else {
        let hint = "1, then n on a workflow, or: aiflow run WORKFLOW";
        draw_empty(frame, area, "no run yet", hint, theme);
        return;
    };
    if model.is_zoomed {
        return match model.pane {
            Pane::Tasks => tasks::draw(frame, area, model, theme),
            Pane::Events => events::draw_pane(frame, area, model, theme),
        };
    }
    let clocks = clocks(model.sight(), run);
    let frame_height = if is_small(frame) { 1 } else { 2 };
    let task_count = u16::try_from(run.tasks.len()).unwrap_or(u16::MAX);
    let plan = plan(area, &clocks, model, frame_height, task_count);
    let [top, middle, bottom] = Layout::vertical([
        Constraint::Length(plan.streams),
        Constraint::Length(plan.windows),
        Constraint::Fill(1),
    ])
    .areas(area);
    if plan.streams > 0 {
        streams::draw(frame, top, &clocks, model, theme);
    }
    if let (Some(clock), true) = (clocks.first(), plan.windows > 0) {
        grid::draw(frame, middle, clock, model, theme);
    }
    draw_bottom(frame, bottom, model, theme, frame_height + task_count);
}

struct Plan {
    streams: u16,
    windows: u16,
}

/// How much each part gets; what is short comes off the details first.
fn plan(
    area: Rect,
    clocks: &[ClockView],
    model: &Model,
    frame_height: u16,
    task_count: u16,
) -> Plan {
    let Some(clock) = clocks.first() else { return Plan { streams: 0, windows: 0 } };
    let tasks = frame_height + task_count.clamp(3, 6);
    // Below: the tasks, and under them, where they are not beside and there is room, some events.
    let bottom = match area.height {
        _ if area.width >= SIDE_BY_SIDE => tasks + 1,
        EVENTS_BELOW_FROM.. => tasks + frame_height + 3,
        _ => tasks,
    };
    let room = area.height.saturating_sub(bottom);
    let brief = streams::height(clocks, false) + frame_height;
    let full = streams::height(clocks, true) + frame_height;
    let grid = grid::grid_height(clock, model) + frame_height;
    if room < brief {
        return Plan { streams: room, windows: 0 };
    }
    if room < brief + grid {
        let windows = if room - brief > frame_height + 3 { room - brief } else { 0 };
        return Plan { streams: brief, windows };
    }
    let streams = if room >= full + grid + 2 { full } else { brief };
    let lines = (area.height / 10).clamp(2, 6) + 1;
    let windows = (grid + lines).min(room - streams);
    Plan { streams, windows }
}

fn draw_bottom(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme, tasks_height: u16) {
    if area.width >= SIDE_BY_SIDE {
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(50), Constraint::Fill(1)]).areas(area);
        tasks::draw(frame, left, model, theme);
        events::draw_pane(frame, right, model, theme);
        return;
    }
    if area.height < tasks_height.min(8) + 3 {
        // No room for both: the one that has the keys.
        match model.pane {
            Pane::Tasks => tasks::draw(frame, area, model, theme),
            Pane::Events => events::draw_pane(frame, area, model, theme),
        }
        return;
    }
    let upper = (tasks_height + 1).min(area.height - 4);
    let [top, bottom] =
        Layout::vertical([Constraint::Length(upper), Constraint::Fill(1)]).areas(area);
    tasks::draw(frame, top, model, theme);
    events::draw_pane(frame, bottom, model, theme);
}
