//! Faults of a definition as compilers show them: place, message, the line with a caret, a hint.
//!
//! Must never trust a place: the daemon may have read another text than the file now holds.

use aiflow_client::CallError;
use aiflow_model::ErrorCode;
use aiflow_model::error::Diagnostic;
use unicode_width::UnicodeWidthChar;

use super::failure::Failure;
use super::output::clean;

/// Characters of a source line that are shown around the place.
const SHOWN_BEFORE: usize = 60;
const SHOWN_CHARS: usize = 120;

/// A refusal with, if it is of a definition, all places that are wrong in it.
pub(crate) fn explain(error: CallError, file: &str, source: &str) -> Failure {
    match error {
        CallError::Rejected(rejection) if rejection.code == ErrorCode::InvalidDefinition => {
            let places = faults(file, source, &rejection.diagnostics);
            Failure::Definition { rejection, places }
        }
        error => error.into(),
    }
}

/// What is wrong, one after another, each with its lines ended.
pub(crate) fn faults(file: &str, source: &str, faults: &[Diagnostic]) -> String {
    faults.iter().map(|fault| one(file, source, "error", fault)).collect()
}

/// As [`faults`], of what is not wrong and hardly meant.
pub(crate) fn warnings(file: &str, source: &str, warnings: &[Diagnostic]) -> String {
    warnings.iter().map(|warning| one(file, source, "warning", warning)).collect()
}

/// The column, from 1, at which the text of a line begins.
pub(crate) fn begin_of(source: &str, line: u32) -> u32 {
    let index = (line as usize).checked_sub(1);
    let text = index.and_then(|index| source.lines().nth(index)).unwrap_or_default();
    let indent = text.chars().take_while(|c| c.is_whitespace()).count();
    u32::try_from(indent).unwrap_or(0).saturating_add(1)
}

fn one(file: &str, source: &str, kind: &str, fault: &Diagnostic) -> String {
    let Diagnostic { line, column, message, hint } = fault;
    let mut text = format!("{file}:{line}:{column}: {kind}: {}\n", clean(message));
    let index = (*line as usize).checked_sub(1);
    if let Some(shown) = index.and_then(|index| source.lines().nth(index)) {
        text.push_str(&excerpt(*line, shown, (*column as usize).saturating_sub(1)));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("  hint: {}\n", clean(hint)));
    }
    text
}

/// The line and under it a caret below its character `at`, which may be one behind the last.
fn excerpt(number: u32, line: &str, at: usize) -> String {
    let length = line.chars().count();
    let at = at.min(length);
    // A very long line is shown around the place.
    let begin = if length <= SHOWN_CHARS { 0 } else { at.saturating_sub(SHOWN_BEFORE) };
    let shown: Vec<char> = line.chars().skip(begin).take(SHOWN_CHARS).collect();
    let gutter = number.to_string();
    let mut text = format!("  {gutter} | ");
    let mut under = format!("  {} | ", " ".repeat(gutter.len()));
    for (index, c) in shown.iter().enumerate() {
        // A tab stays a tab, in both lines alike, so that the caret stands right at any tab width.
        let c = if c.is_control() && *c != '\t' { '\u{fffd}' } else { *c };
        text.push(c);
        if begin + index < at {
            match c {
                '\t' => under.push('\t'),
                c => under.push_str(&" ".repeat(c.width().unwrap_or(0))),
            }
        }
    }
    format!("{}\n{under}^\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: u32, column: u32, hint: Option<&str>) -> Diagnostic {
        Diagnostic { line, column, message: "wrong".into(), hint: hint.map(str::to_owned) }
    }

    fn rendered(source: &str, fault: Diagnostic) -> String {
        faults("w.yaml", source, &[fault])
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            rendered("a: 1\nretyr: 2\n", fault(2, 1, Some("retry"))),
            "w.yaml:2:1: error: wrong\n  2 | retyr: 2\n    | ^\n  hint: retry\n"
        );
    }

    #[test]
    fn wide_characters_and_tabs_are_counted_as_they_are_shown() {
        assert_eq!(
            rendered("漢字: é\tx", fault(1, 7, None)),
            "w.yaml:1:7: error: wrong\n  1 | 漢字: é\tx\n    |       ".to_owned() + " \t^\n"
        );
        // A combining mark takes no place of its own.
        let text = rendered("e\u{301}x", fault(1, 3, None));
        assert!(text.ends_with("    |  ^\n"), "{text}");
    }

    #[test]
    fn a_place_outside_of_the_text_is_no_harm() {
        assert_eq!(rendered("a", fault(9, 1, None)), "w.yaml:9:1: error: wrong\n");
        assert_eq!(rendered("a", fault(0, 0, None)), "w.yaml:0:0: error: wrong\n");
        let behind = rendered("ab", fault(1, 99, None));
        assert!(behind.ends_with("  1 | ab\n    |   ^\n"), "{behind}");
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let line = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let text = rendered(&line, fault(1, 5001, None));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].chars().count() < 140);
        assert_eq!(lines[1].find('X'), lines[2].find('^'));
    }
}
