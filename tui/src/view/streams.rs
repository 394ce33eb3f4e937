//! The streams of a run: each source's watermark, its pace, and which one holds the clock.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use unicode_width::UnicodeWidthStr;

use super::table::{cut, cut_line, fit, spark};
use super::theme::Theme;
use super::{panel, title};
use crate::state::mark::Tone;
use crate::state::rates;
use crate::state::streams::{ClockView, SourceView};
use crate::state::{Model, text};

/// Sources that are shown; one that two clocks share is shown once.
pub(super) fn sources(clocks: &[ClockView]) -> Vec<&SourceView> {
    let mut sources: Vec<&SourceView> = Vec::new();
    for source in clocks.iter().flat_map(|clock| &clock.sources) {
        if !sources.iter().any(|known| known.key == source.key) {
            sources.push(source);
        }
    }
    sources
}

/// Lines inside the panel, given whether remarks get lines of their own.
pub(super) fn height(clocks: &[ClockView], with_remarks: bool) -> u16 {
    let lines = sources(clocks)
        .into_iter()
        .map(|source| 1 + u16::from(with_remarks && source.remark.is_some()));
    lines.sum()
}

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    clocks: &[ClockView],
    model: &Model,
    theme: &Theme,
) {
    let inside = panel(frame, area, title("Streams", false, theme), false, theme);
    let sources = sources(clocks);
    let with_remarks = usize::from(inside.height) > sources.len();
    let key_width = sources.iter().map(|s| s.key.as_str().width()).max().unwrap_or(0).min(28);
    let emitters = sources.iter().filter_map(|s| s.emitter.as_deref().map(UnicodeWidthStr::width));
    let emitter_width = emitters.max().unwrap_or(0).min(24);
    let fastest = sources.iter().max_by_key(|s| s.watermark).map(|s| s.key.as_str());
    let columns = Columns { key_width, emitter_width, fastest, width: usize::from(inside.width) };
    let mut lines = Vec::new();
    for source in sources {
        lines.push(line(source, &columns, theme));
        if let (true, Some(remark)) = (with_remarks, &source.remark) {
            lines.push(remark_line(source, remark, model, theme, columns.width));
        }
    }
    frame.render_widget(Paragraph::new(lines), inside);
}

struct Columns<'a> {
    key_width: usize,
    emitter_width: usize,
    fastest: Option<&'a str>,
    width: usize,
}

fn line<'a>(source: &SourceView, columns: &Columns<'_>, theme: &Theme) -> Line<'a> {
    let is_moving = source.per_second > 0.0;
    let (glyph, tone) = match (source.watermark, is_moving) {
        (None, _) => ("◌", Tone::Wait),
        (Some(_), true) => ("●", Tone::Busy),
        (Some(_), false) => ("○", Tone::Dim),
    };
    let is_narrow = columns.width < 50;
    let time = if is_narrow { text::date_time_short } else { text::date_time };
    let watermark = source.watermark.map_or_else(|| "silent".to_owned(), time);
    let mut spans = vec![Span::styled(format!(" {glyph} "), theme.of(tone))];
    let is_wide = columns.width >= 100;
    if is_wide {
        let emitter = source.emitter.as_deref().unwrap_or_default();
        spans.push(Span::styled(fit(emitter, columns.emitter_width) + "  ", theme.dim()));
    }
    spans
        .push(Span::raw(fit(source.key.as_str(), columns.key_width.min(columns.width / 3)) + "  "));
    spans.push(Span::styled(fit(&watermark, if is_narrow { 11 } else { 16 }), theme.strong()));
    if columns.width >= 70 {
        let cells = if columns.width >= 150 {
            30
        } else if is_wide {
            20
        } else {
            8
        };
        spans.push(Span::styled(
            format!("  {}", spark(rates::bars(&source.minute, cells))),
            theme.of(Tone::Busy),
        ));
    }
    if is_wide {
        spans.push(Span::raw(format!(" {:>5} ev/s", rate(source.per_second))));
    }
    let used: usize = spans.iter().map(Span::width).sum();
    let room = columns.width.saturating_sub(used);
    spans.extend(standing(source, columns, room, theme));
    cut_line(Line::from(spans), columns.width)
}

fn standing<'a>(
    source: &SourceView,
    columns: &Columns<'_>,
    room: usize,
    theme: &Theme,
) -> Vec<Span<'a>> {
    if source.watermark.is_none() {
        let words = "  has not spoken; holds the clock".to_owned();
        return vec![Span::styled(words, theme.of(Tone::Wait))];
    }
    if source.behind.0 == 0 {
        return Vec::new();
    }
    let behind = text::length_in_words(source.behind);
    // The first word of a key tells sources apart; the second is the same for all.
    let whom = columns.fastest.map(|key| key.split(['.', '/', ':']).next().unwrap_or(key));
    let hold = if source.holds_clock { ["  holds the clock", " ◂"] } else { [""; 2] };
    let variants = [
        format!("  behind {} {behind}{}", whom.unwrap_or_default(), hold[0]),
        format!("  behind {behind}{}", hold[0]),
        format!("  behind {behind}{}", hold[1]),
        format!("  -{behind}{}", hold[1]),
    ];
    let fitting = variants.iter().find(|words| words.width() <= room);
    let words = fitting.unwrap_or(&variants[3]).clone();
    vec![Span::styled(words, theme.of(Tone::Wait))]
}

fn remark_line<'a>(
    source: &SourceView,
    remark: &str,
    model: &Model,
    theme: &Theme,
    width: usize,
) -> Line<'a> {
    let mut words = format!("   {remark}");
    if let Some(moved) = source.moved_at {
        let ago = model.time().since(moved);
        words.push_str(&match ago.0 {
            ..1_000_000 => " · moved just now".to_owned(),
            _ => format!(" · moved {}", text::ago(ago)),
        });
    }
    Line::styled(cut(&words, width), theme.dim())
}

fn rate(per_second: f64) -> String {
    if per_second >= 10.0 || per_second == 0.0 {
        format!("{per_second:.0}")
    } else {
        format!("{per_second:.1}")
    }
}
