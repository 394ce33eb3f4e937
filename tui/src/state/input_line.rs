//! One line of text being typed.
//!
//! Must never know a terminal: keys are turned into edits elsewhere.

/// Text and where the next character goes, counted in characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InputLine {
    chars: Vec<char>,
    cursor: usize,
}

/// A change of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edit {
    Insert(char),
    Backspace,
    Delete,
    Left,
    Right,
    Home,
    End,
    /// Everything before the cursor.
    EraseToStart,
    /// The word before the cursor.
    EraseWord,
}

impl InputLine {
    /// The line with this text, the cursor behind it.
    pub(crate) fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        Self { cursor: chars.len(), chars }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// The text before the cursor, which tells the column.
    pub(crate) fn before_cursor(&self) -> String {
        self.chars[..self.cursor].iter().collect()
    }

    /// Changes the line.
    pub(crate) fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::Insert(c) if c.is_control() => {}
            Edit::Insert(c) => {
                self.chars.insert(self.cursor, c);
                self.cursor += 1;
            }
            Edit::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.chars.remove(self.cursor);
            }
            Edit::Delete if self.cursor < self.chars.len() => {
                self.chars.remove(self.cursor);
            }
            Edit::Backspace | Edit::Delete => {}
            Edit::Left => self.cursor = self.cursor.saturating_sub(1),
            Edit::Right => self.cursor = (self.cursor + 1).min(self.chars.len()),
            Edit::Home => self.cursor = 0,
            Edit::End => self.cursor = self.chars.len(),
            Edit::EraseToStart => self.erase_from(0),
            Edit::EraseWord => {
                let before = &self.chars[..self.cursor];
                let word_end = before.iter().rposition(|c| *c != ' ').map_or(0, |at| at + 1);
                let start = before[..word_end].iter().rposition(|c| *c == ' ');
                self.erase_from(start.map_or(0, |at| at + 1));
            }
        }
    }

    fn erase_from(&mut self, start: usize) {
        self.chars.drain(start..self.cursor);
        self.cursor = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_change_what_is_before_the_cursor() {
        let mut line = InputLine::of("one two");
        for edit in [Edit::Left, Edit::Left, Edit::Left, Edit::Insert('x'), Edit::End] {
            line.edit(edit);
        }
        assert_eq!(line.text(), "one xtwo");
        line.edit(Edit::EraseWord);
        assert_eq!((line.text().as_str(), line.before_cursor().as_str()), ("one ", "one "));
        line.edit(Edit::EraseWord);
        line.edit(Edit::Backspace);
        line.edit(Edit::Delete);
        assert_eq!(line.text(), "");
    }
}
