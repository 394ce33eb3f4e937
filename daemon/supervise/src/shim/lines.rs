//! Cuts a stream of bytes into lines, and lines that are too long into pieces.
//!
//! Pure. It must never lose or invent a byte: the pieces with the line feeds of the complete ones
//! are the stream.

use crate::output::PIECE_BYTES_MAX;

/// The part of a line that has come so far.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    held: Vec<u8>,
}

impl Lines {
    /// Takes bytes and gives out each piece with whether its line goes on.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], give: &mut impl FnMut(&[u8], bool)) {
        while !bytes.is_empty() {
            let room = PIECE_BYTES_MAX - self.held.len();
            let window = &bytes[..room.min(bytes.len())];
            if let Some(at) = window.iter().position(|byte| *byte == b'\n') {
                self.give(&window[..at], false, give);
                bytes = &bytes[at + 1..];
            } else if window.len() == room {
                self.give(window, true, give);
                bytes = &bytes[room..];
            } else {
                self.held.extend_from_slice(window);
                bytes = &[];
            }
        }
    }

    /// The stream has ended: gives out a last line that has no line feed.
    pub(crate) fn finish(&mut self, give: &mut impl FnMut(&[u8], bool)) {
        if !self.held.is_empty() {
            self.give(&[], true, give);
        }
    }

    fn give(&mut self, rest: &[u8], continues: bool, give: &mut impl FnMut(&[u8], bool)) {
        if self.held.is_empty() {
            give(rest, continues);
        } else {
            self.held.extend_from_slice(rest);
            give(&self.held, continues);
            self.held.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the stream in chunks and puts the pieces together again.
    fn round_trip(stream: &[u8], chunk: usize) -> Vec<(usize, bool)> {
        let (mut lines, mut whole, mut pieces) = (Lines::default(), Vec::new(), Vec::new());
        let mut give = |piece: &[u8], continues: bool| {
            whole.extend_from_slice(piece);
            if !continues {
                whole.push(b'\n');
            }
            pieces.push((piece.len(), continues));
        };
        for part in stream.chunks(chunk) {
            lines.feed(part, &mut give);
        }
        lines.finish(&mut give);
        assert_eq!(whole, stream);
        pieces
    }

    #[test]
    fn the_pieces_are_the_stream_whatever_the_chunks() {
        let mut stream = Vec::new();
        for length in [0, 1, 0, 8191, 8192, 8193, 20_000, 3, 16_384] {
            stream.extend(std::iter::repeat_n(b'x', length));
            stream.push(b'\n');
        }
        stream.extend_from_slice(b"no line feed");
        let whole = round_trip(&stream, stream.len());
        for chunk in [1, 2, 7, 4096, 8191, 8192, 8193] {
            assert_eq!(round_trip(&stream, chunk), whole);
        }
        assert!(whole.iter().all(|(length, _)| *length <= PIECE_BYTES_MAX));
        assert_eq!(whole.last(), Some(&(12, true)));
    }
}
