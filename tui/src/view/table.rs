//! Lines of columns: each column gives way by its rank when there is no room.
//!
//! Must never cut a character in half: widths are those of the terminal.

use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How high a bar is, from nothing to all.
const BARS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Bars from 0 to 8 in a line.
pub(super) fn spark(bars: impl IntoIterator<Item = u8>) -> String {
    bars.into_iter().filter_map(|bar| BARS.get(usize::from(bar))).collect()
}

/// The text cut to `width` cells, with `…` where something is missing.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        kept.push(c);
        used += wide;
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

/// The text in lines of at most `width` cells, broken between words where that is possible.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if !line.is_empty() && line.width() + c.width().unwrap_or(0) > width {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

/// The text in lines behind an indent.
pub(super) fn indented<'a>(text: &str, indent: usize, width: usize) -> Vec<Line<'a>> {
    let lead = " ".repeat(indent);
    let lines = wrapped(text, width.saturating_sub(indent).max(1)).into_iter();
    lines.map(|line| Line::raw(format!("{lead}{line}"))).collect()
}

/// The text cut or filled to exactly `width` cells.
pub(super) fn fit(text: &str, width: usize) -> String {
    let mut text = cut(text, width);
    let missing = width.saturating_sub(text.width());
    text.extend(std::iter::repeat_n(' ', missing));
    text
}

/// The same, at the right.
pub(super) fn fit_right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

/// The line cut to `width` cells, span by span.
pub(super) fn cut_line(line: Line<'_>, width: usize) -> Line<'_> {
    let mut left = width;
    let mut spans: Vec<Span<'_>> = Vec::with_capacity(line.spans.len());
    for span in line.spans {
        let wide = span.width();
        if wide > left {
            spans.push(Span::styled(cut(&span.content, left), span.style));
            break;
        }
        left -= wide;
        spans.push(span);
    }
    Line { spans, ..Line::default() }
}

/// Spans at the left and at the right of one line; the left gives way.
pub(super) fn ends<'a>(left: Vec<Span<'a>>, right: Vec<Span<'a>>, width: usize) -> Line<'a> {
    let right_width: usize = right.iter().map(Span::width).sum();
    let room = width.saturating_sub(right_width);
    let mut line = cut_line(Line::from(left), room);
    let gap = room.saturating_sub(line.width());
    line.spans.push(Span::raw(" ".repeat(gap)));
    line.spans.extend(right);
    cut_line(line, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_are_not_cut_in_half() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!(fit_right("7", 3), "  7");
        assert_eq!(cut("x", 0), "");
    }

    #[test]
    fn the_right_end_stays() {
        let line = ends(vec![Span::raw("a long left")], vec![Span::raw("right")], 10);
        assert_eq!(line.to_string(), "a lo…right");
    }
}
