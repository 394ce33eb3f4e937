//! The format of `output.log`: what a task wrote, tagged with time and stream, nothing lost.
//!
//! One record per line: `MICROSECONDS TAG TEXT`. It must never interpret the text, which may be
//! any bytes except a line feed.

/// Longest text of one record, bytes. A longer line is split into several records.
pub(crate) const PIECE_BYTES_MAX: usize = 8 * 1024;

/// Which of its two outputs the task wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output; tags `o` and `O`.
    Output,
    /// Standard error; tags `e` and `E`.
    Error,
}

/// One record of the output log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Wall time at which the shim read the end of it, microseconds since 1970.
    pub unix_micros: u64,
    /// Where the task wrote it.
    pub stream: Stream,
    /// Whether the task's own line goes on in the next record of the same stream. When there is
    /// none, the task ended without a last line feed. Capital tags say so.
    pub continues: bool,
    /// What the task wrote, without the line feed; at most 8 KiB.
    pub text: &'a [u8],
}

/// Reads one line of an output log, with or without its line feed; `None` when it is not one,
/// such as a line still being written.
#[must_use]
pub fn parse_piece(line: &[u8]) -> Option<Piece<'_>> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let space = line.iter().position(|byte| *byte == b' ')?;
    let (time, rest) = line.split_at(space);
    let unix_micros = std::str::from_utf8(time).ok()?.parse().ok()?;
    let [b' ', tag, b' ', text @ ..] = rest else { return None };
    let (stream, continues) = match tag {
        b'o' => (Stream::Output, false),
        b'O' => (Stream::Output, true),
        b'e' => (Stream::Error, false),
        b'E' => (Stream::Error, true),
        _ => return None,
    };
    Some(Piece { unix_micros, stream, continues, text })
}

/// Name of a file of the log inside the attempt directory: 0 is the one being written, higher
/// numbers are older.
#[must_use]
pub fn output_file_name(age: u32) -> String {
    if age == 0 { "output.log".to_owned() } else { format!("output.log.{age}") }
}

impl Stream {
    pub(crate) fn tag(self, continues: bool) -> u8 {
        match (self, continues) {
            (Self::Output, false) => b'o',
            (Self::Output, true) => b'O',
            (Self::Error, false) => b'e',
            (Self::Error, true) => b'E',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_and_other_lines_refused() {
        let piece = parse_piece(b"17 O a  b\n").unwrap();
        let expected =
            Piece { unix_micros: 17, stream: Stream::Output, continues: true, text: b"a  b" };
        assert_eq!(piece, expected);
        assert_eq!(parse_piece(b"17 e ").unwrap().text, b"");
        for line in [&b""[..], b"17", b"17 o", b"x o a", b"17 x a", b"17 oo a"] {
            assert_eq!(parse_piece(line), None);
        }
    }
}
