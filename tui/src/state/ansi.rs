//! Colours in what tasks write: the sequences that set them, taken out of the text and kept beside
//! it. All that would move a cursor is dropped.
//!
//! Must never fail: what is not understood is left out.

/// A colour as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// One of the terminal's 256.
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// How text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Look {
    pub(crate) front: Option<Colour>,
    pub(crate) back: Option<Colour>,
    pub(crate) is_bold: bool,
    pub(crate) is_dim: bool,
    pub(crate) is_italic: bool,
    pub(crate) is_underlined: bool,
    pub(crate) is_reversed: bool,
}

/// Text without sequences, and from which byte on it looks how; empty where it is all plain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Styled {
    pub(crate) text: String,
    pub(crate) looks: Vec<(usize, Look)>,
}

/// Reads a line; `look` is how the line before ended, and then how this one does.
pub(crate) fn read(line: &str, look: &mut Look) -> Styled {
    let mut styled = Styled { text: String::with_capacity(line.len()), looks: Vec::new() };
    if *look != Look::default() {
        styled.looks.push((0, *look));
    }
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' if chars.peek() == Some(&'[') => {
                chars.next();
                let mut numbers = String::new();
                // A control sequence ends with a letter or one of @ ~ and the like.
                let end = chars.by_ref().find(|c| {
                    let ends = ('@'..='~').contains(c);
                    if !ends {
                        numbers.push(*c);
                    }
                    ends
                });
                if end == Some('m') {
                    set(look, &numbers);
                    styled.looks.push((styled.text.len(), *look));
                }
            }
            '\u{1b}' if chars.peek() == Some(&']') => {
                // A title or link: up to its bell, or its end in two characters.
                let mut before = ' ';
                for c in chars.by_ref() {
                    if c == '\u{7}' || (before == '\u{1b}' && c == '\\') {
                        break;
                    }
                    before = c;
                }
            }
            '\t' => styled.text.push_str("    "),
            c if c.is_control() => {}
            c => styled.text.push(c),
        }
    }
    styled
}

fn set(look: &mut Look, numbers: &str) {
    let mut codes = numbers.split([';', ':']).map(|code| code.parse::<u8>().unwrap_or(0));
    while let Some(code) = codes.next() {
        match code {
            0 => *look = Look::default(),
            1 => look.is_bold = true,
            2 => look.is_dim = true,
            3 => look.is_italic = true,
            4 => look.is_underlined = true,
            7 => look.is_reversed = true,
            22 => (look.is_bold, look.is_dim) = (false, false),
            23 => look.is_italic = false,
            24 => look.is_underlined = false,
            27 => look.is_reversed = false,
            30..=37 => look.front = Some(Colour::Indexed(code - 30)),
            38 => look.front = extended(&mut codes),
            39 => look.front = None,
            40..=47 => look.back = Some(Colour::Indexed(code - 40)),
            48 => look.back = extended(&mut codes),
            49 => look.back = None,
            90..=97 => look.front = Some(Colour::Indexed(code - 90 + 8)),
            100..=107 => look.back = Some(Colour::Indexed(code - 100 + 8)),
            _ => {}
        }
    }
}

fn extended(codes: &mut impl Iterator<Item = u8>) -> Option<Colour> {
    match codes.next()? {
        5 => Some(Colour::Indexed(codes.next()?)),
        2 => Some(Colour::Rgb(codes.next()?, codes.next()?, codes.next()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_kept_beside_the_text() {
        let mut look = Look::default();
        let styled =
            read("a\u{1b}[31;1mred\u{1b}[0m \u{1b}[38;5;208mx\u{1b}[2K\ty\r\u{7}", &mut look);
        assert_eq!(styled.text, "ared x    y");
        let red = Look { front: Some(Colour::Indexed(1)), is_bold: true, ..Look::default() };
        let orange = Look { front: Some(Colour::Indexed(208)), ..Look::default() };
        assert_eq!(styled.looks, [(1, red), (4, Look::default()), (5, orange)]);
        assert_eq!(look, orange, "the next line goes on as this one ends");
        assert_eq!(read("z", &mut look).looks, [(0, orange)]);
        let link = "\u{1b}]8;;http://x\u{1b}\\text\u{1b}]8;;\u{7} \u{1b}[38;2;1;2;3mc\u{1b}[";
        let styled = read(link, &mut Look::default());
        assert_eq!(styled.text, "text c");
        assert_eq!(styled.looks[0].1.front, Some(Colour::Rgb(1, 2, 3)));
    }
}
