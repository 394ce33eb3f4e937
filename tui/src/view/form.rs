//! Forms, with the line that has the keys and what the daemon says of them.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::dialogs::{foretold, rows_of};
use super::theme::Theme;
use super::{first_shown, middle, title};
use crate::actions;
use crate::state::Model;
use crate::state::form::{About, Entry, Field, Form};
use crate::state::input_line::InputLine;
use crate::state::mark::Tone;

const WIDTH: u16 = 72;
const LABEL_MIN: usize = 8;
const LABEL_MAX: usize = 24;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, form: &Form, model: &Model, theme: &Theme) {
    let inner = usize::from(WIDTH.min(area.width).saturating_sub(2));
    let below = below(form, model, theme);
    let needed = rows_of(&below, inner) + 3;
    let most = usize::from(area.height).saturating_sub(needed).max(1);
    let shown = form.fields.len().min(most);
    let height = u16::try_from(shown + needed).unwrap_or(u16::MAX);
    let at = middle(area, WIDTH, height);
    let (heading, keys) = match &form.about {
        About::Event => {
            ("Emit an event".to_owned(), " ⏎ emit   ^P what if   Tab next field   Esc cancel ")
        }
        About::Run { workflow, .. } if form.is_foretold() => {
            (format!("Start a run of {workflow}"), " ⏎ start   Tab next field   Esc cancel ")
        }
        About::Run { workflow, .. } => (
            format!("Start a run of {workflow}"),
            " ⏎ ask what it would cause   Tab next field   Esc cancel ",
        ),
    };
    let block = Block::bordered()
        .border_style(theme.focus())
        .title_top(title(&heading, true, theme))
        .title_bottom(Line::styled(keys, theme.dim()));
    let inside = block.inner(at);
    let names = form.fields.iter().map(|field| field.name.width()).max().unwrap_or(0) + 1;
    let label = names.clamp(LABEL_MIN, LABEL_MAX);
    let room = usize::from(inside.width).saturating_sub(label + 2);
    let first = first_shown(form.at, form.fields.len(), shown);
    let mut lines = vec![Line::raw("")];
    for (index, field) in form.fields.iter().enumerate().skip(first).take(shown) {
        lines.push(field_line(field, index == form.at, (label, room), model, theme));
    }
    lines.extend(below);
    frame.render_widget(Clear, at);
    frame.render_widget(block, at);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inside);
    let Some(Entry::Text(line)) = form.fields.get(form.at).map(|field| &field.entry) else {
        return;
    };
    let (_, column) = visible(line, room);
    let column = u16::try_from(label + 1 + column).unwrap_or(u16::MAX);
    let row = u16::try_from(form.at - first + 1).unwrap_or(u16::MAX);
    let x = inside.x.saturating_add(column).min(inside.right().saturating_sub(1));
    let y = inside.y.saturating_add(row).min(inside.bottom().saturating_sub(1));
    frame.set_cursor_position(Position { x, y });
}

/// What stands below the fields: what may be written, or what is wrong; what it would cause.
fn below<'a>(form: &Form, model: &Model, theme: &Theme) -> Vec<Line<'a>> {
    let note = form.fields.get(form.at).map(|field| field.note.as_str()).unwrap_or_default();
    let mut lines = vec![match &form.fault {
        Some(fault) => Line::styled(format!(" {fault}"), theme.of(Tone::Bad)),
        None => Line::styled(format!(" {note}"), theme.dim()),
    }];
    lines.extend(foretold(form.foretold.as_ref(), form.number > 0, theme));
    if let Ok(command) = actions::command_of(model, form) {
        lines.push(Line::styled(format!(" $ {}", command.line()), theme.dim()));
    }
    lines
}

fn field_line<'a>(
    field: &Field,
    is_open: bool,
    (label, room): (usize, usize),
    model: &Model,
    theme: &Theme,
) -> Line<'a> {
    let style = if is_open { theme.strong() } else { theme.dim() };
    let name = super::table::fit(&field.name, label);
    let mut spans = vec![Span::styled(format!(" {name}"), style)];
    match &field.entry {
        Entry::Text(line) => spans.push(Span::raw(visible(line, room).0)),
        Entry::Scope { in_run } => spans.extend(scope(*in_run, is_open, model, theme)),
    }
    Line::from(spans)
}

fn scope<'a>(in_run: bool, is_open: bool, model: &Model, theme: &Theme) -> Vec<Span<'a>> {
    let choice = |text: String, is_chosen: bool| {
        let style = match (is_chosen, is_open) {
            (true, true) => theme.selected(true),
            (true, false) => theme.plain(),
            (false, _) => theme.dim(),
        };
        Span::styled(format!("{} {text}", if is_chosen { "(•)" } else { "( )" }), style)
    };
    let all = "all runs of the namespace".to_owned();
    match model.open_run() {
        Some(run) => vec![
            choice(format!("run {} only", run.id), in_run),
            Span::raw("   "),
            choice(all, !in_run),
        ],
        None => vec![choice(all, true)],
    }
}

/// The part of a line that fits with its cursor, and the cursor's column in it.
fn visible(line: &InputLine, room: usize) -> (String, usize) {
    let before = line.before_cursor();
    let mut skipped = 0;
    let mut column = before.width();
    let text = line.text();
    let mut chars = text.chars();
    while column - skipped >= room.max(1) {
        let Some(c) = chars.next() else { break };
        skipped += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
    }
    column -= skipped.min(column);
    (super::table::cut(chars.as_str(), room), column)
}
