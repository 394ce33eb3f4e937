//! Why something stands as it stands: the answer as a tree, with meters, and what would bring it
//! on.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::table::cut_line;
use super::theme::Theme;
use super::{middle, title};
use crate::state::Model;
use crate::state::item::Item;
use crate::state::why::{Answer, WhyLine, answer};

/// Cells of a meter.
const METER: usize = 12;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    about: &Item,
    scroll: usize,
    model: &Model,
    theme: &Theme,
) {
    let answer = answer(model.sight(), about);
    let most = usize::from(area.width).saturating_sub(4);
    let mut shown = lines(&answer, most, theme);
    if let Some(command) = &answer.command {
        shown.push(Line::raw(""));
        shown.push(Line::from(vec![
            Span::styled(" to bring it on   $ ", theme.dim()),
            Span::styled(command.clone(), theme.strong()),
        ]));
    }
    let widest = shown.iter().map(Line::width).max().unwrap_or(0).max(answer.question.width());
    let as_u16 = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
    let at = middle(area, as_u16(widest + 4).max(44), as_u16(shown.len() + 2));
    let inside = usize::from(at.height.saturating_sub(2));
    let scroll = scroll.min(shown.len().saturating_sub(inside));
    let below = if shown.len() > inside + scroll {
        format!(" {} more below · Esc close ", shown.len() - inside - scroll)
    } else {
        " y copy   Y copy the command line   Esc close ".to_owned()
    };
    let block = Block::bordered()
        .border_style(theme.focus())
        .title_top(title(&answer.question, true, theme))
        .title_bottom(Line::styled(below, theme.dim()));
    let lines: Vec<Line<'_>> = shown.into_iter().skip(scroll).collect();
    frame.render_widget(Clear, at);
    frame.render_widget(Paragraph::new(lines).block(block), at);
}

/// The answer's lines, cut to what there is room for.
pub(super) fn lines<'a>(answer: &Answer, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let line = |(index, line): (usize, &WhyLine)| {
        let rest = answer.lines.get(index + 1..).unwrap_or_default();
        cut_line(one(line, &branch(line.depth, rest), theme), width)
    };
    answer.lines.iter().enumerate().map(line).collect()
}

/// The lines of the tree before a part: a branch goes on while others of its depth follow.
fn branch(depth: usize, rest: &[WhyLine]) -> String {
    let goes_on = |level: usize| {
        let next = rest.iter().find(|line| line.depth <= level);
        next.is_some_and(|line| line.depth == level)
    };
    let mut lead = " ".to_owned();
    for level in 1..depth {
        lead.push_str(if goes_on(level) { "│  " } else { "   " });
    }
    match depth {
        0 => {}
        depth => lead.push_str(if goes_on(depth) { "├─ " } else { "└─ " }),
    }
    lead
}

fn one<'a>(line: &WhyLine, lead: &str, theme: &Theme) -> Line<'a> {
    let mut spans = vec![
        Span::styled(lead.to_owned(), theme.dim()),
        Span::styled(format!("{} ", line.glyph), theme.of(line.tone)),
        Span::raw(line.words.clone()),
    ];
    if let Some((has, wants)) = line.meter {
        spans.push(Span::styled(format!("  {}", meter(has, wants)), theme.of(line.tone)));
        spans.push(Span::styled(format!(" {}/{}", number(has), number(wants)), theme.strong()));
    }
    if !line.note.is_empty() {
        spans.push(Span::styled(format!("   {}", line.note), theme.dim()));
    }
    Line::from(spans)
}

/// How much of it there is, as a bar.
fn meter(has: f64, wants: f64) -> String {
    let share = if wants > 0.0 { (has / wants).clamp(0.0, 1.0) } else { 0.0 };
    let full = (share * METER as f64).floor() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(METER - full))
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
