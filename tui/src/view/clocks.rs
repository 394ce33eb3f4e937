//! Schedules, triggers, and the clocks of runs: what ticks next, and what is waited for.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::table::{cut_line, fit, fit_right};
use super::theme::Theme;
use super::{draw_empty, first_shown, panel, picked, title};
use crate::state::clocks_list::{self, Line as Clock};
use crate::state::item::Item;
use crate::state::mark::Tone;
use crate::state::{Model, text};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let lines = clocks_list::lines(model.state());
    if lines.is_empty() {
        let hint = "aiflow workflow-schedule add WORKFLOW 1h";
        draw_empty(frame, area, "nothing ticks, and nothing starts runs", hint, theme);
        return;
    }
    let has_focus = model.dialog.is_none();
    let heading = title("Schedules, triggers, and clocks of runs", has_focus, theme);
    let inside = panel(frame, area, heading, has_focus, theme);
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let at = model.clock_cursor.min(lines.len() - 1);
    let first = first_shown(at, lines.len(), height);
    let shown: Vec<Line<'_>> = lines
        .iter()
        .enumerate()
        .skip(first)
        .take(height)
        .map(|(index, clock)| {
            let (line, item) = line(clock, width, model, theme);
            picked(cut_line(line, width), &item, index == at, has_focus, model, theme)
        })
        .collect();
    frame.render_widget(Paragraph::new(shown), inside);
}

fn line<'a>(clock: &Clock<'_>, width: usize, model: &Model, theme: &Theme) -> (Line<'a>, Item) {
    let name_width = (width / 4).clamp(10, 28);
    match clock {
        Clock::Trigger { trigger, is_active, next } => {
            let (glyph, tone) = match (is_active, trigger.is_schedule()) {
                (false, _) => ("‖", Tone::Wait),
                (true, true) => ("◷", Tone::Busy),
                (true, false) => ("◆", Tone::Busy),
            };
            let next = match (next, is_active) {
                (Some(next), _) => format!("in {}", text::length(next.since(model.time()))),
                (None, false) => "paused".to_owned(),
                (None, true) => "on events".to_owned(),
            };
            let name = format!("{}. {}", trigger.id, trigger.workflow);
            let fired = format!("fired {}", trigger.firings);
            let spans = vec![
                Span::styled(format!(" {glyph} "), theme.of(tone)),
                Span::styled(fit(&name, name_width), theme.strong()),
                Span::raw(" "),
                Span::styled(fit(&fit_right(&next, 10), 12), theme.of(tone)),
                Span::styled(fit(&fired, 11), theme.dim()),
                Span::raw(trigger.condition.to_string()),
            ];
            (Line::from(spans), Item::Trigger(trigger.id))
        }
        Clock::Clock { run, task, condition, progress } => {
            let name = format!("run {} · {task}", run.id);
            let progress = progress.join("; ");
            let spans = vec![
                Span::styled(" ◴ ", theme.of(Tone::Busy)),
                Span::styled(fit(&name, name_width), theme.strong()),
                Span::raw(format!(" {condition}  ")),
                Span::styled(progress, theme.of(Tone::Wait)),
            ];
            (Line::from(spans), Item::Task(run.id, (*task).clone()))
        }
    }
}
