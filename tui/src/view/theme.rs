//! Tones as terminal styles: sets of colours to choose from, or none at all.
//!
//! Must never carry a meaning that shape or word does not carry too.

use ratatui::style::{Color, Modifier, Style};

use crate::state::ansi::{Colour, Look};
use crate::state::mark::Tone;

/// A set of colours.
#[derive(Debug)]
pub(crate) struct Colours {
    pub(crate) name: &'static str,
    dim: Color,
    good: Color,
    busy: Color,
    wait: Color,
    bad: Color,
    /// What is behind the bar that says that the past is shown.
    past: Color,
}

const fn rgb(r: u8, g: u8, b: u8) -> Color {
    Color::Rgb(r, g, b)
}

/// The sets; the first is the terminal's own sixteen colours.
pub(crate) const THEMES: &[Colours] = &[
    Colours {
        name: "the terminal's own sixteen",
        dim: Color::DarkGray,
        good: Color::Green,
        busy: Color::Cyan,
        wait: Color::Yellow,
        bad: Color::Red,
        past: Color::Magenta,
    },
    Colours {
        name: "dark",
        dim: rgb(0x80, 0x86, 0x94),
        good: rgb(0x8f, 0xc4, 0x6b),
        busy: rgb(0x6c, 0xb6, 0xe8),
        wait: rgb(0xe5, 0xb8, 0x62),
        bad: rgb(0xef, 0x72, 0x6a),
        past: rgb(0xb4, 0x8e, 0xe0),
    },
    Colours {
        name: "light",
        dim: rgb(0x6a, 0x70, 0x7c),
        good: rgb(0x2b, 0x7a, 0x1c),
        busy: rgb(0x00, 0x5f, 0x9e),
        wait: rgb(0x93, 0x5b, 0x00),
        bad: rgb(0xb8, 0x1d, 0x1d),
        past: rgb(0x74, 0x36, 0xb0),
    },
    // After Okabe and Ito: told apart with every common kind of colour blindness.
    Colours {
        name: "colour-blind-safe",
        dim: rgb(0x8a, 0x8a, 0x8a),
        good: rgb(0x00, 0x9e, 0x73),
        busy: rgb(0x56, 0xb4, 0xe9),
        wait: rgb(0xe6, 0x9f, 0x00),
        bad: rgb(0xd5, 0x5e, 0x00),
        past: rgb(0xcc, 0x79, 0xa7),
    },
];

/// The colours that are used, if any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    colours: Option<&'static Colours>,
}

impl Theme {
    /// One of the sets, or none.
    pub(crate) fn new(index: usize, has_colour: bool) -> Self {
        Self { colours: THEMES.get(index).filter(|_| has_colour) }
    }

    /// Of a tone.
    pub(crate) const fn of(&self, tone: Tone) -> Style {
        let Some(colours) = self.colours else {
            return match tone {
                Tone::Bad => Style::new().add_modifier(Modifier::BOLD),
                Tone::Dim => self.dim(),
                _ => Style::new(),
            };
        };
        let colour = match tone {
            Tone::Plain => return Style::new(),
            Tone::Dim => colours.dim,
            Tone::Good => colours.good,
            Tone::Busy => colours.busy,
            Tone::Wait => colours.wait,
            Tone::Bad => colours.bad,
        };
        Style::new().fg(colour)
    }

    /// Ordinary text.
    pub(crate) const fn plain(&self) -> Style {
        Style::new()
    }

    /// What matters less.
    pub(crate) const fn dim(&self) -> Style {
        match self.colours {
            Some(colours) => Style::new().fg(colours.dim),
            None => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// What matters more.
    pub(crate) const fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The border of the pane that has the keys.
    pub(crate) const fn focus(&self) -> Style {
        match self.colours {
            Some(colours) => Style::new().fg(colours.busy),
            None => self.strong(),
        }
    }

    /// The bar that says that the past is shown: unlike anything else, on any palette.
    pub(crate) const fn past(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::REVERSED).add_modifier(Modifier::BOLD);
        match self.colours {
            Some(colours) => style.fg(colours.past),
            None => style,
        }
    }

    /// The selected line: reversed where its pane has the keys, so that it shows on any palette.
    pub(crate) const fn selected(&self, has_focus: bool) -> Style {
        if has_focus {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new().add_modifier(Modifier::UNDERLINED)
        }
    }

    /// As a task wanted its text to look.
    pub(crate) fn look(&self, look: &Look) -> Style {
        let mut style = Style::new();
        let colour = |colour: Colour| match colour {
            Colour::Indexed(number) => Color::Indexed(number),
            Colour::Rgb(r, g, b) => Color::Rgb(r, g, b),
        };
        if self.colours.is_some() {
            style.fg = look.front.map(colour);
            style.bg = look.back.map(colour);
        }
        let modifiers = [
            (look.is_bold, Modifier::BOLD),
            (look.is_dim, Modifier::DIM),
            (look.is_italic, Modifier::ITALIC),
            (look.is_underlined, Modifier::UNDERLINED),
            (look.is_reversed, Modifier::REVERSED),
        ];
        modifiers
            .into_iter()
            .filter(|(is_set, _)| *is_set)
            .fold(style, |style, (_, modifier)| style.add_modifier(modifier))
    }
}
