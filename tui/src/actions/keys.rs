//! A key as it is pressed, as it is shown, and as keymap files write it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key as it is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) code: KeyCode,
    pub(crate) control: bool,
    /// Only of keys that are no characters: a character has its own capital.
    pub(crate) shift: bool,
}

/// Names in keymap files, each with what is shown.
const NAMED: &[(&str, KeyCode, &str)] = &[
    ("enter", KeyCode::Enter, "⏎"),
    ("esc", KeyCode::Esc, "Esc"),
    ("tab", KeyCode::Tab, "Tab"),
    ("shift-tab", KeyCode::BackTab, "⇧Tab"),
    ("up", KeyCode::Up, "↑"),
    ("down", KeyCode::Down, "↓"),
    ("left", KeyCode::Left, "←"),
    ("right", KeyCode::Right, "→"),
    ("page-up", KeyCode::PageUp, "PgUp"),
    ("page-down", KeyCode::PageDown, "PgDn"),
    ("home", KeyCode::Home, "Home"),
    ("end", KeyCode::End, "End"),
    ("space", KeyCode::Char(' '), "Space"),
];

impl Key {
    pub(super) const fn char(c: char) -> Self {
        Self { code: KeyCode::Char(c), control: false, shift: false }
    }

    pub(super) const fn control(c: char) -> Self {
        Self { code: KeyCode::Char(c), control: true, shift: false }
    }

    pub(super) const fn code(code: KeyCode) -> Self {
        Self { code, control: false, shift: false }
    }

    pub(super) const fn shifted(code: KeyCode) -> Self {
        Self { code, control: false, shift: true }
    }

    /// The key of an event.
    pub(crate) fn of(event: KeyEvent) -> Self {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let is_plain = matches!(event.code, KeyCode::Char(_) | KeyCode::BackTab);
        let shift = !is_plain && event.modifiers.contains(KeyModifiers::SHIFT);
        Self { code: event.code, control, shift }
    }

    /// As keymap files write it: `x`, `ctrl-d`, `shift-left`, `enter`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some((_, code, _)) = NAMED.iter().find(|(name, _, _)| *name == text) {
            return Some(Self::code(*code));
        }
        let mut chars = text.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            return Some(Self::char(c));
        }
        let (modifier, rest) = text.split_once('-')?;
        let key = Self::parse(rest)?;
        match (modifier, key.code) {
            ("ctrl", KeyCode::Char(c)) => Some(Self::control(c.to_ascii_lowercase())),
            ("shift", KeyCode::Char(_)) => None,
            ("shift", code) => Some(Self::shifted(code)),
            _ => None,
        }
    }

    /// As keymap files write it.
    pub(crate) fn written(self) -> String {
        let lead = match (self.control, self.shift) {
            (true, _) => "ctrl-",
            (_, true) => "shift-",
            _ => "",
        };
        let named = NAMED.iter().find(|(_, code, _)| *code == self.code);
        match (named, self.code) {
            (Some((name, _, _)), _) => format!("{lead}{name}"),
            (None, KeyCode::Char(c)) => format!("{lead}{c}"),
            (None, other) => format!("{lead}{other:?}"),
        }
    }

    /// As it is shown: `^D`, `⇧←`, `⏎`.
    pub(crate) fn name(self) -> String {
        let named = NAMED.iter().find(|(_, code, _)| *code == self.code);
        match (named, self.code) {
            (Some((_, _, shown)), _) if self.shift => format!("⇧{shown}"),
            (Some((_, _, shown)), _) => (*shown).to_owned(),
            (None, KeyCode::Char(c)) if self.control => format!("^{}", c.to_ascii_uppercase()),
            (None, KeyCode::Char(c)) => c.to_string(),
            (None, _) => "?".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        for text in
            ["x", "X", "ctrl-d", "shift-left", "enter", "space", "shift-tab", "-", "page-up"]
        {
            let key = Key::parse(text).unwrap();
            assert_eq!(key.written(), text);
        }
        for text in ["", "xy", "ctrl-", "alt-x", "shift-x", "hyper-enter"] {
            assert_eq!(Key::parse(text), None, "{text}");
        }
        assert_eq!(Key::parse("ctrl-d").unwrap().name(), "^D");
        assert_eq!(Key::parse("shift-left").unwrap().name(), "⇧←");
    }
}
