//! The tasks of a run over time: one bar a task, what it does told by shape as well as by colour.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::table::{fit, fit_right};
use super::theme::Theme;
use super::{first_shown, picked, why};
use crate::state::bars::{self, Doing, SPANS, Stretch};
use crate::state::item::Item;
use crate::state::mark::Tone;
use crate::state::tasks::rows;
use crate::state::why::answer;
use crate::state::{Model, text};

/// What each shape means, for the line below the bars.
const LEGEND: [(Doing, &str); 9] = [
    (Doing::Waits, "waits"),
    (Doing::Queued, "queued"),
    (Doing::Starts, "starts"),
    (Doing::Runs, "runs"),
    (Doing::Streams, "streams"),
    (Doing::Retries, "retries"),
    (Doing::Succeeded, "success"),
    (Doing::Failed, "failed"),
    (Doing::Stopped, "stopped"),
];

const fn glyph(doing: Doing) -> (&'static str, Tone) {
    match doing {
        Doing::Nothing | Doing::Over => (" ", Tone::Dim),
        Doing::Waits => ("┄", Tone::Dim),
        Doing::Queued => ("▒", Tone::Wait),
        Doing::Starts => ("▓", Tone::Busy),
        Doing::Runs => ("█", Tone::Busy),
        Doing::Streams => ("━", Tone::Busy),
        Doing::Retries => ("↻", Tone::Wait),
        Doing::Stopped => ("■", Tone::Dim),
        Doing::Succeeded => ("✓", Tone::Good),
        Doing::Failed => ("✗", Tone::Bad),
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(run) = model.open_run() else { return };
    let Some(snapshot) = model.state().snapshots.get(&run.snapshot) else { return };
    let rows = rows(model.state(), run);
    let width = usize::from(area.width);
    let names = rows.iter().map(|row| row.task.as_str().width()).max().unwrap_or(0);
    let name_width = names.clamp(4, 20).min(width / 3);
    let cells = width.saturating_sub(name_width + 5).max(1);
    let span = SPANS.get(model.span % SPANS.len()).copied().flatten();
    let stretch = Stretch::of(run, span, model.time());
    let has_legend = area.height > 6;
    let height = usize::from(area.height).saturating_sub(1 + usize::from(has_legend));
    let at = model.task_cursor.min(rows.len().saturating_sub(1));
    let first = first_shown(at, rows.len(), height);
    let mut lines = vec![scale(stretch, model, name_width, cells, theme)];
    let now = stretch.cell(model.time(), cells);
    let is_alive = run.status.is_alive();
    let shown = rows.iter().zip(&snapshot.spec.tasks).zip(&run.tasks).enumerate();
    for (index, ((row, spec), task)) in shown.skip(first).take(height) {
        let doing = bars::of_task(run, spec, task, stretch, cells, model.time());
        let mut spans = vec![
            Span::styled(format!(" {} ", row.mark.glyph), theme.of(row.mark.tone)),
            Span::styled(format!("{} ", fit(row.task.as_str(), name_width)), theme.strong()),
        ];
        spans.extend(bar(&doing, is_alive.then_some(now), theme));
        let item = Item::Task(run.id, row.task.clone());
        lines.push(picked(Line::from(spans), &item, index == at, true, model, theme));
    }
    if has_legend {
        let room = usize::from(area.height).saturating_sub(lines.len() + 3);
        if let Some(row) = rows.get(at).filter(|_| room >= 3) {
            lines.push(Line::raw(""));
            let answer = answer(model.sight(), &Item::Task(run.id, row.task.clone()));
            lines.push(Line::styled(format!(" {}", answer.question), theme.strong()));
            lines.extend(why::lines(&answer, width, theme).into_iter().take(room));
        }
        while lines.len() + 1 < usize::from(area.height) {
            lines.push(Line::raw(""));
        }
        lines.push(legend(theme));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn bar<'a>(doing: &[Doing], now: Option<usize>, theme: &Theme) -> Vec<Span<'a>> {
    let mut spans: Vec<Span<'a>> = Vec::new();
    for (index, what) in doing.iter().enumerate() {
        let (mut glyph, tone) = glyph(*what);
        if Some(index) == now && matches!(what, Doing::Nothing | Doing::Over | Doing::Waits) {
            glyph = "│";
        }
        let style = theme.of(tone);
        match spans.last_mut().filter(|last| last.style == style) {
            Some(last) => last.content.to_mut().push_str(glyph),
            None => spans.push(Span::styled(glyph, style)),
        }
    }
    spans
}

/// Times above the bars, and where now is.
fn scale<'a>(
    stretch: Stretch,
    model: &Model,
    name_width: usize,
    cells: usize,
    theme: &Theme,
) -> Line<'a> {
    let length = stretch.to.since(stretch.from);
    let name = |time| {
        if length.0 < 600_000_000 { text::clock(time) } else { text::date_time_short(time) }
    };
    let step = name(stretch.from).len() + 8;
    let mut line = " ".repeat(name_width + 4);
    let lead = line.len();
    let (mut at, mut last) = (0, String::new());
    while at + step <= cells {
        let time = stretch.from.plus(aiflow_model::Span(length.0 / cells as u64 * at as u64));
        let label = name(time);
        // Where less than a second lies between two, one is enough.
        if label != last {
            line = fit(&line, lead + at);
            line.push_str(&label);
            last = label;
        }
        at += step;
    }
    let now = stretch.cell(model.time(), cells);
    let is_alive = model.open_run().is_some_and(|run| run.status.is_alive());
    if is_alive && now < cells && now >= 4 {
        let room = lead + now - 3;
        line = fit(&line.chars().take(room).collect::<String>(), room);
        line.push_str("now│");
    }
    Line::styled(line, theme.dim())
}

fn legend<'a>(theme: &Theme) -> Line<'a> {
    let mut spans = vec![Span::raw(" ")];
    for (doing, word) in LEGEND {
        let (glyph, tone) = glyph(doing);
        spans.push(Span::styled(glyph, theme.of(tone)));
        spans.push(Span::styled(format!(" {word}  "), theme.dim()));
    }
    spans.push(Span::styled(fit_right("-/+ more or less time", 22), theme.dim()));
    Line::from(spans)
}
