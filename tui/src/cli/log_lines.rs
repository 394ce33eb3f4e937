//! The output of an attempt as it is kept, taken apart: `<microseconds> <o|e|O|E> <text>` a line.
//!
//! Must never lose a character of the text, nor join pieces of different streams.

use aiflow_model::Timestamp;

/// Which of its two outputs the task wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// One kept line: a line of the task, or a piece of a long one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// When it came; none when the kept line is not understood.
    pub(crate) time: Option<Timestamp>,
    pub(crate) stream: Stream,
    pub(crate) text: String,
    /// The task's line ends here; else the next piece of the stream continues it.
    pub(crate) ends: bool,
}

/// Cuts what comes in pieces of any size into kept lines.
#[derive(Debug, Default)]
pub(crate) struct LogLines {
    rest: String,
}

impl LogLines {
    /// The lines that are whole with this piece.
    pub(crate) fn take(&mut self, piece: &str) -> Vec<LogLine> {
        self.rest.push_str(piece);
        let Some(end) = self.rest.rfind('\n') else { return Vec::new() };
        let lines = self.rest[..end].split('\n').map(LogLine::read).collect();
        self.rest.drain(..=end);
        lines
    }

    /// What has no line end and will not get one.
    pub(crate) fn finish(&mut self) -> Option<LogLine> {
        let rest = std::mem::take(&mut self.rest);
        (!rest.is_empty()).then(|| LogLine::read(&rest))
    }
}

impl LogLine {
    fn read(kept: &str) -> Self {
        let parts = || {
            let (time, rest) = kept.split_once(' ')?;
            let (mark, text) = rest.split_once(' ').unwrap_or((rest, ""));
            let (stream, ends) = match mark {
                "o" => (Stream::Out, true),
                "e" => (Stream::Err, true),
                "O" => (Stream::Out, false),
                "E" => (Stream::Err, false),
                _ => return None,
            };
            let time = Some(Timestamp(time.parse().ok()?));
            Some(Self { time, stream, text: text.to_owned(), ends })
        };
        // What is not understood is shown as it is rather than left out.
        parts().unwrap_or_else(|| Self {
            time: None,
            stream: Stream::Out,
            text: kept.to_owned(),
            ends: true,
        })
    }
}

/// The last `count` lines of the task.
pub(crate) fn last_lines(lines: &[LogLine], count: usize) -> &[LogLine] {
    // A piece at the very end that does not end its line counts as a line.
    let open = usize::from(lines.last().is_some_and(|line| !line.ends));
    let Some(ends) = count.checked_sub(open) else { return &[] };
    let starts = lines.iter().enumerate().rev().filter(|(_, line)| line.ends);
    match starts.map(|(index, _)| index + 1).nth(ends) {
        Some(start) => &lines[start..],
        None => lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(micros: i64, stream: Stream, text: &str, ends: bool) -> LogLine {
        LogLine { time: Some(Timestamp(micros)), stream, text: text.to_owned(), ends }
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let kept = "1 o a  b \n2 e \n3 O long\n4 E oops\n5 o  tail ä\nodd line\n";
        let expected = [
            line(1, Stream::Out, "a  b ", true),
            line(2, Stream::Err, "", true),
            line(3, Stream::Out, "long", false),
            line(4, Stream::Err, "oops", false),
            line(5, Stream::Out, " tail ä", true),
            LogLine { time: None, stream: Stream::Out, text: "odd line".into(), ends: true },
        ];
        for cut in (0..=kept.len()).filter(|cut| kept.is_char_boundary(*cut)) {
            let mut lines = LogLines::default();
            let mut all = lines.take(&kept[..cut]);
            all.extend(lines.take(&kept[cut..]));
            assert_eq!(all, expected, "cut at {cut}");
            assert_eq!(lines.finish(), None);
        }
    }

    #[test]
    fn an_open_end_is_kept_until_nothing_more_comes() {
        let mut lines = LogLines::default();
        assert_eq!(lines.take("1 o ab"), []);
        assert_eq!(lines.take("c"), []);
        assert_eq!(lines.finish(), Some(line(1, Stream::Out, "abc", true)));
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn the_last_lines_keep_their_pieces() {
        let kept = "1 o a\n2 O b\n3 o c\n4 o d\n";
        let lines = LogLines::default().take(kept);
        let last = |count| last_lines(&lines, count).iter().map(|l| &*l.text).collect::<String>();
        assert_eq!([last(0), last(1), last(2), last(3), last(9)], ["", "d", "bcd", "abcd", "abcd"]);
        let open = LogLines::default().take("1 o a\n2 O b\n");
        assert_eq!(last_lines(&open, 1).len(), 1);
        assert!(last_lines(&open, 0).is_empty());
        assert!(last_lines(&[], 3).is_empty());
    }
}
