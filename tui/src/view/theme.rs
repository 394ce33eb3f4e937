//! Tones as terminal styles: the terminal's own sixteen colours, or none at all.
//!
//! Must never carry a meaning that shape or word does not carry too.

use ratatui::style::{Color, Modifier, Style};

use crate::state::mark::Tone;

/// Whether colours are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    pub(crate) has_colour: bool,
}

impl Theme {
    /// Of a tone.
    pub(crate) const fn of(&self, tone: Tone) -> Style {
        let colour = match tone {
            Tone::Plain => return Style::new(),
            Tone::Dim => return self.dim(),
            Tone::Good => Color::Green,
            Tone::Busy => Color::Cyan,
            Tone::Wait => Color::Yellow,
            Tone::Bad => Color::Red,
        };
        if self.has_colour {
            return Style::new().fg(colour);
        }
        match tone {
            Tone::Bad => Style::new().add_modifier(Modifier::BOLD),
            _ => Style::new(),
        }
    }

    /// Ordinary text.
    pub(crate) const fn plain(&self) -> Style {
        Style::new()
    }

    /// What matters less.
    pub(crate) const fn dim(&self) -> Style {
        if self.has_colour {
            Style::new().fg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    /// What matters more.
    pub(crate) const fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The border of the pane that has the keys.
    pub(crate) const fn focus(&self) -> Style {
        if self.has_colour { Style::new().fg(Color::Cyan) } else { self.strong() }
    }

    /// The selected line: reversed where its pane has the keys, so that it shows on any palette.
    pub(crate) const fn selected(&self, has_focus: bool) -> Style {
        if has_focus {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new().add_modifier(Modifier::UNDERLINED)
        }
    }
}
