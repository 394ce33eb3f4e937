//! The palette: what is written in it, and how well something fits that.
//!
//! Must never know what there is to choose from: the actions do.

use super::input_line::InputLine;

/// A command looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Palette {
    pub(crate) line: InputLine,
    /// Which of those that fit is chosen.
    pub(crate) chosen: usize,
}

/// How well a text fits what is written: all letters in order, best where words begin and where
/// they stand together; none where it does not fit.
pub(crate) fn score(text: &str, wanted: &str) -> Option<i64> {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut total = 0;
    for word in wanted.to_lowercase().split_whitespace() {
        total += score_word(&text, word)?;
    }
    Some(total)
}

fn score_word(text: &[char], word: &str) -> Option<i64> {
    let word: Vec<char> = word.chars().collect();
    let starts = (0..text.len()).filter(|at| text.get(*at) == word.first());
    starts.filter_map(|at| score_from(text, at, &word)).max()
}

fn score_from(text: &[char], start: usize, word: &[char]) -> Option<i64> {
    let mut score = if start == 0 { 4 } else { 0 };
    let mut at = start;
    let mut last: Option<usize> = None;
    for letter in word {
        let found = at + text.get(at..)?.iter().position(|c| c == letter)?;
        let begins = found == 0 || text.get(found - 1).is_some_and(|c| !c.is_alphanumeric());
        let follows = last.is_some_and(|last| last + 1 == found);
        score += 1 + if begins { 3 } else { 0 } + if follows { 4 } else { 0 };
        last = Some(found);
        at = found + 1;
    }
    Some(score * 16 - i64::try_from(at - start).unwrap_or(i64::MAX / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_fit_and_words_that_begin_with_them_fit_best() {
        let best = |wanted: &str| {
            let texts = ["stop-run: stop the whole run", "show streams", "start-task: start it"];
            let scored = texts.iter().filter_map(|text| Some((score(text, wanted)?, *text)));
            scored.max_by_key(|(score, _)| *score).map(|(_, text)| text)
        };
        assert_eq!(best("stru"), Some("stop-run: stop the whole run"));
        assert_eq!(best("streams"), Some("show streams"));
        assert_eq!(best("task"), Some("start-task: start it"));
        assert_eq!(best("run whole"), Some("stop-run: stop the whole run"));
        assert_eq!(best("xyz"), None);
    }
}
