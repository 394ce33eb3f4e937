//! The open run: its tasks over time, as a graph, or as a table.

use aiflow_model::state::Run;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::graph::{self, Task};
use super::table::cut_line;
use super::theme::Theme;
use super::{bars, draw_empty, panel, tasks, title_of_views};
use crate::state::mark::Mark;
use crate::state::tasks::rows;
use crate::state::{Model, about, text};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(run) = model.open_run() else {
        draw_empty(
            frame,
            area,
            "no run is open",
            "1, then n on a workflow, or: aiflow run WORKFLOW",
            theme,
        );
        return;
    };
    let mark = Mark::of_run(run);
    let lasted = text::length(run.ended_at.unwrap_or(model.time()).since(run.started_at));
    let heading = format!("{} {} {lasted}", mark.glyph, mark.word);
    let has_focus = model.dialog.is_none();
    let inside = panel(frame, area, title_of_views(&heading, model, theme), has_focus, theme);
    let inside = draw_params(frame, inside, run, theme);
    match model.view() {
        0 => bars::draw(frame, inside, model, theme),
        1 => draw_graph(frame, inside, model, theme),
        _ => tasks::draw_rows(frame, inside, model, has_focus, theme),
    }
}

/// What it was given, where it was given anything; the room below that.
fn draw_params(frame: &mut Frame<'_>, area: Rect, run: &Run, theme: &Theme) -> Rect {
    let Some(words) = about::params_of_run(run).filter(|_| area.height > 6) else { return area };
    let line = Line::from(vec![Span::styled(" params ", theme.dim()), Span::raw(words)]);
    frame.render_widget(cut_line(line, usize::from(area.width)), Rect { height: 1, ..area });
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

/// The graph of the open run, with how each task stands.
pub(super) fn draw_graph(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(run) = model.open_run() else { return };
    let Some(snapshot) = model.state().snapshots.get(&run.snapshot) else { return };
    let task =
        |row: crate::state::tasks::TaskRow| Task { name: row.task.to_string(), mark: row.mark };
    let tasks: Vec<Task> = rows(model.state(), run).into_iter().map(task).collect();
    let selected = model.task_cursor.min(tasks.len().saturating_sub(1));
    let graph = crate::state::graph::of(&snapshot.spec, selected, model.is_focused);
    let mut below = area;
    if graph.is_focused && area.height > 4 {
        let words = format!(
            " {} of {}: what is one step away; j/k go on, i shows all",
            graph.nodes.len(),
            text::count(tasks.len(), "task")
        );
        frame.render_widget(Line::styled(words, theme.dim()), Rect { height: 1, ..area });
        below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    }
    graph::draw(frame, below, &graph, &tasks, selected, theme);
}
