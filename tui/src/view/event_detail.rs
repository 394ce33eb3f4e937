//! All that is known of one event: what it is, what each rule made of it, its value.
//!
//! Must never let one of them take the room of the others.

use aiflow_model::wire::RuleReceipt;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::table::{cut, wrapped};
use super::theme::Theme;
use crate::state::asking;
use crate::state::recent::{BRIEF_BYTES_MAX, Seen};
use crate::state::streams::reported;
use crate::state::{Model, fate, receipts, text};

/// A tree with fewer lines than this shows too little.
const TREE_LINES_MIN: usize = 6;
/// Cells for the name of a field.
const LABEL: usize = 8;
/// Levels of a value that are shown before they are unfolded.
const FOLDED_BELOW: usize = 2;

/// What there is room for.
pub(super) fn lines<'a>(model: &Model, seen: &Seen, area: Rect, theme: &Theme) -> Vec<Line<'a>> {
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let mut lines = head(model, seen, width, theme);
    let room = height.saturating_sub(lines.len());
    let rules = rules(model, seen, width, theme);
    let needed: usize = rules.iter().map(Vec::len).sum();
    let of_value = value_lines(seen, room.saturating_sub(needed).max(room / 2), model.is_unfolded);
    lines.extend(fitted(rules, room.saturating_sub(of_value.len()), seen, theme));
    lines.extend(of_value);
    lines
}

/// All of it, from where it is scrolled to.
pub(super) fn whole<'a>(model: &Model, seen: &Seen, area: Rect, theme: &Theme) -> Vec<Line<'a>> {
    let width = usize::from(area.width);
    let mut lines = head(model, seen, width, theme);
    lines.extend(rules(model, seen, width, theme).into_iter().flatten());
    lines.extend(value_lines(seen, usize::MAX, true));
    let height = usize::from(area.height);
    let scroll = model.scroll.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(scroll + height);
    let mut shown: Vec<Line<'a>> = lines.into_iter().skip(scroll).take(height).collect();
    if below > 0
        && let Some(last) = shown.last_mut()
    {
        *last = Line::styled(format!(" … {} more below: j", below + 1), theme.dim());
    }
    shown
}

/// What it is; in a word what became of it, until each rule's word is known.
fn head<'a>(model: &Model, seen: &Seen, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let scope = match seen.run {
        Some(run) => format!("{} · run {run} only", seen.namespace),
        None => format!("{} · all runs", seen.namespace),
    };
    let offset = format!("{} · {}", text::grouped(seen.offset.0), text::date_time(seen.time));
    let source = text::printable(&format!("{} · id {}", seen.source, seen.id));
    let mut lines = vec![Line::styled(format!(" {}", seen.key), theme.strong())];
    for (name, value) in [("offset", offset), ("source", source), ("scope", scope)] {
        let mut name = name;
        for piece in wrapped(&value, width.saturating_sub(LABEL + 1)) {
            lines.push(Line::from(vec![
                Span::styled(format!(" {name:<LABEL$}"), theme.dim()),
                Span::raw(piece),
            ]));
            name = "";
        }
    }
    let receipt = asking::about(model).and_then(|about| model.receipts.of(about));
    if !receipt.is_some_and(|told| told.is_ok_and(|receipt| !receipt.rules.is_empty())) {
        let (words, tone) = fate::words(&seen.fate);
        lines.push(Line::from(vec![
            Span::styled(format!(" {:<LABEL$}", "fate"), theme.dim()),
            Span::styled(words, theme.of(tone)),
        ]));
    }
    lines
}

/// What each rule made of it, a block of lines for each; until that is known, what it started.
fn rules<'a>(model: &Model, seen: &Seen, width: usize, theme: &Theme) -> Vec<Vec<Line<'a>>> {
    let known = asking::about(model).and_then(|about| model.receipts.of(about));
    match known {
        None => {
            let each = fate::started_one_by_one(&seen.fate).into_iter();
            each.skip(usize::from(seen.fate.started.len() < 2))
                .map(|one| vec![Line::raw(format!("          {one}"))])
                .collect()
        }
        Some(Err(reason)) => {
            vec![vec![Line::styled(format!(" rules   not known: {reason}"), theme.dim())]]
        }
        Some(Ok(receipt)) if receipt.rules.is_empty() => {
            vec![vec![Line::styled(" rules   none looked at its key", theme.dim())]]
        }
        Some(Ok(receipt)) => {
            // What says most comes first.
            let mut rules: Vec<&RuleReceipt> = receipt.rules.iter().collect();
            rules.sort_by_key(|rule| rule.fate);
            rules.into_iter().map(|rule| rule_lines(rule, width, theme)).collect()
        }
    }
}

fn rule_lines<'a>(rule: &RuleReceipt, width: usize, theme: &Theme) -> Vec<Line<'a>> {
    let mark = receipts::mark(rule.fate);
    let mut lines = vec![Line::from(vec![
        Span::styled(format!(" {} {}", mark.glyph, mark.word), theme.of(mark.tone)),
        Span::raw(format!(" by {}", rule.of())),
    ])];
    let room = width.saturating_sub(3);
    let told = wrapped(&text::printable(&rule.text), room).into_iter();
    lines.extend(told.map(|words| Line::raw(format!("   {words}"))));
    let when = wrapped(&format!("when {}", text::printable(&rule.condition)), room).into_iter();
    lines.extend(when.map(|words| Line::styled(format!("   {words}"), theme.dim())));
    lines
}

/// As much as there is room for: whole blocks first, then the first line of each, then how many
/// are left out.
fn fitted<'a>(
    blocks: Vec<Vec<Line<'a>>>,
    room: usize,
    seen: &Seen,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    let count = blocks.len();
    for (index, mut block) in blocks.into_iter().enumerate() {
        let after = count - index - 1;
        let left = room.saturating_sub(lines.len());
        if left <= 1 && after > 0 {
            let more = format!(" … {} more: Tab, or aiflow event show {}", after + 1, seen.offset);
            lines.extend((left > 0).then(|| Line::styled(more, theme.dim())));
            break;
        }
        let whole = left.saturating_sub(after);
        if after > 0 && block.len() > whole {
            block.truncate(1);
        }
        lines.extend(block.into_iter().take(left));
    }
    lines
}

/// The value below an empty line: as a tree, or in one piece where there is no room for it.
fn value_lines<'a>(seen: &Seen, room: usize, is_unfolded: bool) -> Vec<Line<'a>> {
    let pretty = seen.brief_tree().map(|tree| {
        let mut lines = Vec::new();
        let depth = if is_unfolded { usize::MAX } else { FOLDED_BELOW };
        tree_lines(&tree, "", 0, depth, &mut lines);
        lines.join("\n")
    });
    let pretty = pretty.unwrap_or_else(|| {
        let bytes = text::grouped(seen.value.as_str().len() as u64);
        format!("{}…\n({bytes} bytes in all)", seen.brief())
    });
    let room = room.saturating_sub(1).max(1);
    let mut lines = vec![Line::raw("")];
    if pretty.lines().count() > room && room < TREE_LINES_MIN {
        lines.push(Line::raw(format!(" {}", value(seen, BRIEF_BYTES_MAX))));
        return lines;
    }
    let shown = pretty.lines().take(room);
    lines.extend(shown.map(|line| Line::raw(format!(" {}", text::printable(line)))));
    lines
}

/// A value in one line: an object without its braces and quotes, for people.
pub(super) fn value(seen: &Seen, width: usize) -> String {
    let Some(tree) = seen.brief_tree() else {
        return cut(&text::printable(seen.brief()), width);
    };
    let plain = |value: &serde_json::Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let words = match &tree {
        serde_json::Value::Object(fields) => {
            // What a watermark says comes first, and its key says already that it is one.
            let time = reported(seen).map(text::date_time);
            let is_told = |name: &str| time.is_some() && name == "watermark";
            let rest = fields.iter().filter(|(name, _)| !is_told(name));
            let rest = rest.map(|(name, value)| format!("{name} {}", plain(value)));
            time.clone().into_iter().chain(rest).collect::<Vec<_>>().join(", ")
        }
        other => reported(seen).map_or_else(|| plain(other), text::date_time),
    };
    cut(&text::printable(&words), width)
}

/// A value as an indented tree; what lies deeper than `depth` is folded to its size.
fn tree_lines(
    value: &serde_json::Value,
    name: &str,
    level: usize,
    depth: usize,
    lines: &mut Vec<String>,
) {
    use serde_json::Value;
    let lead = format!("{}{name}", "  ".repeat(level));
    match value {
        Value::Object(fields) if fields.is_empty() => lines.push(format!("{lead}{{}}")),
        Value::Array(items) if items.is_empty() => lines.push(format!("{lead}[]")),
        Value::Object(fields) if level >= depth => {
            lines.push(format!("{lead}▸ {{ {} }}", text::count(fields.len(), "field")));
        }
        Value::Array(items) if level >= depth => {
            lines.push(format!("{lead}▸ [ {} ]", text::count(items.len(), "item")));
        }
        Value::Object(fields) => {
            lines.push(format!("{lead}{{"));
            for (name, field) in fields {
                tree_lines(field, &format!("{name}: "), level + 1, depth, lines);
            }
            lines.push(format!("{}}}", "  ".repeat(level)));
        }
        Value::Array(items) => {
            lines.push(format!("{lead}["));
            for item in items {
                tree_lines(item, "", level + 1, depth, lines);
            }
            lines.push(format!("{}]", "  ".repeat(level)));
        }
        plain => lines.push(format!("{lead}{plain}")),
    }
}
