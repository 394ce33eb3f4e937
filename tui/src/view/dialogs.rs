//! The form of an event, and questions.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::theme::Theme;
use super::{middle, title};
use crate::state::dialog::Foretold;
use crate::state::input_line::InputLine;
use crate::state::mark::Tone;
use crate::state::{Confirm, EmitField, EmitForm, Model};

const FORM_WIDTH: u16 = 72;
const LABEL: usize = 8;

pub(super) fn draw_emit(
    frame: &mut Frame<'_>,
    area: Rect,
    form: &EmitForm,
    model: &Model,
    theme: &Theme,
) {
    let told = foretold(form.foretold.as_ref(), form.number > 0, theme);
    let height = u16::try_from(8 + told.len()).unwrap_or(u16::MAX);
    let at = middle(area, FORM_WIDTH, height);
    let block = Block::bordered()
        .border_style(theme.focus())
        .title_top(title("Emit an event", true, theme))
        .title_bottom(Line::styled(
            " ⏎ emit   ^P what if   Tab next field   Esc cancel ",
            theme.dim(),
        ));
    let inside = block.inner(at);
    let room = usize::from(inside.width).saturating_sub(LABEL + 2);
    let field = |name: &str, line: &InputLine, is_open: bool| {
        let (text, _) = visible(line, room);
        let style = if is_open { theme.strong() } else { theme.dim() };
        Line::from(vec![Span::styled(format!(" {name:<LABEL$}"), style), Span::raw(text)])
    };
    let hint = if form.value.is_empty() { "empty: null" } else { "JSON if it parses, else text" };
    let fault = form.fault.as_deref().map_or_else(
        || Line::styled(format!(" {:LABEL$}{hint}", ""), theme.dim()),
        |fault| Line::styled(format!(" {fault}"), theme.of(Tone::Bad)),
    );
    let mut lines = vec![
        Line::raw(""),
        field("key", &form.key, form.field == EmitField::Key),
        field("value", &form.value, form.field == EmitField::Value),
        scope(form, model, theme),
        fault,
    ];
    lines.extend(told);
    frame.render_widget(Clear, at);
    frame.render_widget(block, at);
    frame.render_widget(Paragraph::new(lines), inside);
    let (line, row) = match form.field {
        EmitField::Key => (&form.key, 1),
        EmitField::Value => (&form.value, 2),
        EmitField::Scope => return,
    };
    let (_, column) = visible(line, room);
    let column = u16::try_from(LABEL + 1 + column).unwrap_or(u16::MAX);
    let x = inside.x.saturating_add(column).min(inside.right().saturating_sub(1));
    let y = (inside.y + row).min(inside.bottom().saturating_sub(1));
    frame.set_cursor_position(Position { x, y });
}

fn scope<'a>(form: &EmitForm, model: &Model, theme: &Theme) -> Line<'a> {
    let is_open = form.field == EmitField::Scope;
    let label = if is_open { theme.strong() } else { theme.dim() };
    let choice = |text: String, is_chosen: bool| {
        let style = match (is_chosen, is_open) {
            (true, true) => theme.selected(true),
            (true, false) => theme.plain(),
            (false, _) => theme.dim(),
        };
        Span::styled(format!("{} {text}", if is_chosen { "(•)" } else { "( )" }), style)
    };
    let mut spans = vec![Span::styled(format!(" {:<LABEL$}", "scope"), label)];
    match model.open_run() {
        Some(run) => {
            spans.push(choice(format!("run {} only", run.id), form.in_run));
            spans.push(Span::raw("   "));
            spans.push(choice("all runs of the namespace".to_owned(), !form.in_run));
        }
        None => spans.push(choice("all runs of the namespace".to_owned(), true)),
    }
    Line::from(spans)
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

/// What the daemon says that it would cause; nothing where it was not asked.
fn foretold<'a>(told: Option<&Foretold>, was_asked: bool, theme: &Theme) -> Vec<Line<'a>> {
    let heading = |words: &str, tone| Line::styled(format!("  {words}"), theme.of(tone));
    match told {
        None if !was_asked => Vec::new(),
        None => vec![heading("asking the daemon what it would cause …", Tone::Dim)],
        Some(Ok(lines)) => {
            let mut all = vec![heading("it would cause:", Tone::Dim)];
            all.extend(lines.iter().map(|line| Line::raw(format!("    {line}"))));
            all
        }
        Some(Err(reason)) => vec![heading(&format!("it would be refused: {reason}"), Tone::Bad)],
    }
}

pub(super) fn draw_question(frame: &mut Frame<'_>, area: Rect, question: &Confirm, theme: &Theme) {
    let mut lines =
        vec![Line::raw(""), Line::styled(format!("  {}", question.question), theme.strong())];
    let indented = |line: &String| Line::raw(format!("    {line}"));
    lines.extend(question.consequences.iter().map(indented));
    lines.extend(foretold(question.foretold.as_ref(), true, theme));
    let commands = question.commands.iter().take(3);
    lines.push(Line::raw(""));
    lines.extend(commands.map(|one| Line::styled(format!("  $ {}", one.line()), theme.dim())));
    let longest = lines.iter().map(Line::width).max().unwrap_or(0);
    let as_u16 = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    let width = as_u16(longest.max(24) + 4).min(area.width);
    // Long lines are broken; each takes more than one row then.
    let inner = usize::from(width.saturating_sub(2)).max(1);
    let rows: usize = lines.iter().map(|line| line.width().div_ceil(inner).max(1)).sum();
    let at = middle(area, width, as_u16(rows + 2));
    let block = Block::bordered()
        .border_style(theme.of(Tone::Wait))
        .title_bottom(Line::styled(" y yes   n no   Y copy the command line ", theme.strong()));
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), at);
}
