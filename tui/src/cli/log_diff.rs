//! The first line in which what two attempts wrote differs, for stdout and stderr apart: how the
//! two fall together is chance.
//!
//! Must never hold more of either than what the other has not come to yet.

use std::collections::VecDeque;

use serde::Serialize;

use super::log_lines::{LogLine, Stream};

/// Where two outputs differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// `stdout` or `stderr`.
    pub(super) stream: &'static str,
    /// Which line, from 1.
    pub(super) line: u64,
    /// What it says in each; none where there is no such line.
    pub(super) texts: [Option<String>; 2],
}

/// One output of one attempt, as far as it came.
#[derive(Debug, Default)]
struct Lines {
    whole: VecDeque<String>,
    /// The beginning of a line that goes on.
    open: String,
    is_open: bool,
}

/// Compares what comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// By side, then by stream.
    lines: [[Lines; 2]; 2],
    ended: [bool; 2],
    /// Lines that are the same, by stream.
    same: [u64; 2],
    found: [Option<Difference>; 2],
}

impl Comparison {
    /// Takes what came of one side.
    pub(super) fn take(&mut self, side: usize, lines: &[LogLine]) {
        for line in lines {
            let of_stream = &mut self.lines[side][usize::from(line.stream == Stream::Err)];
            of_stream.open.push_str(&line.text);
            of_stream.is_open = !line.ends;
            if line.ends {
                of_stream.whole.push_back(std::mem::take(&mut of_stream.open));
            }
        }
        self.compare();
    }

    /// Nothing more comes of one side.
    pub(super) fn end(&mut self, side: usize) {
        for lines in &mut self.lines[side] {
            if std::mem::take(&mut lines.is_open) {
                lines.whole.push_back(std::mem::take(&mut lines.open));
            }
        }
        self.ended[side] = true;
        self.compare();
    }

    /// The side that has to be read further; none when all is known.
    pub(super) fn wanted(&self) -> Option<usize> {
        if self.found.iter().all(Option::is_some) {
            return None;
        }
        let waiting = |side: usize| -> usize {
            let [old, new] = &self.lines[side];
            old.whole.len() + new.whole.len()
        };
        (0..2).filter(|side| !self.ended[*side]).min_by_key(|side| waiting(*side))
    }

    /// What differs.
    pub(super) fn differences(self) -> Vec<Difference> {
        self.found.into_iter().flatten().collect()
    }

    fn compare(&mut self) {
        let [old, new] = &mut self.lines;
        for (stream, (old, new)) in old.iter_mut().zip(new).enumerate() {
            let found = &mut self.found[stream];
            while found.is_none() {
                let fronts = [old.whole.front(), new.whole.front()];
                let waits = |side: usize| fronts[side].is_none() && !self.ended[side];
                if waits(0) || waits(1) || fronts == [None, None] {
                    break;
                }
                if fronts[0] == fronts[1] {
                    self.same[stream] += 1;
                    old.whole.pop_front();
                    new.whole.pop_front();
                    continue;
                }
                *found = Some(Difference {
                    stream: ["stdout", "stderr"][stream],
                    line: self.same[stream] + 1,
                    texts: fronts.map(|front| front.cloned()),
                });
            }
            if found.is_some() {
                old.whole.clear();
                new.whole.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(stream: Stream, text: &str, ends: bool) -> LogLine {
        LogLine { time: None, stream, text: text.to_owned(), ends }
    }

    fn differences(sides: [&[LogLine]; 2]) -> Vec<Difference> {
        let mut comparison = Comparison::default();
        let mut rest = sides;
        while let Some(side) = comparison.wanted() {
            match rest[side].split_first() {
                Some((first, after)) => {
                    comparison.take(side, std::slice::from_ref(first));
                    rest[side] = after;
                }
                None => comparison.end(side),
            }
        }
        comparison.differences()
    }

    #[test]
    fn each_output_has_a_first_line_that_differs_however_they_fall_together() {
        let (out, err) = (Stream::Out, Stream::Err);
        let old = [line(out, "a", true), line(err, "w", true), line(out, "b", true)];
        let new = [line(err, "w", true), line(out, "a", true), line(out, "c", true)];
        let texts = ["b", "c"].map(|text| Some(text.to_owned()));
        let wanted = Difference { stream: "stdout", line: 2, texts };
        assert_eq!(differences([&old, &new]), [wanted]);
        assert_eq!(differences([&old, &old]), []);
        let longer = [&old[..], &[line(err, "x", true)]].concat();
        let found = differences([&old, &longer]);
        assert_eq!((found[0].line, &found[0].texts), (2, &[None, Some("x".to_owned())]));
    }

    #[test]
    fn pieces_of_a_line_are_one_line() {
        let cut = [line(Stream::Out, "ab", false), line(Stream::Out, "c", true)];
        assert_eq!(differences([&cut, &[line(Stream::Out, "abc", true)]]), []);
        assert_eq!(differences([&cut, &[line(Stream::Out, "abc", false)]]), []);
        assert_eq!(differences([&[line(Stream::Out, "", true)], &[]]).len(), 1);
    }

    /// All outputs of up to three lines, of two texts on two streams.
    fn all() -> Vec<Vec<LogLine>> {
        let one = [Stream::Out, Stream::Err]
            .into_iter()
            .flat_map(|stream| ["a", "b"].map(|text| line(stream, text, true)));
        let mut all = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..3 {
            let until = all.len();
            let longer: Vec<Vec<LogLine>> = all[from..]
                .iter()
                .flat_map(|begun| one.clone().map(|line| [begun.clone(), vec![line]].concat()))
                .collect();
            all.extend(longer);
            from = until;
        }
        all
    }

    #[test]
    fn what_is_found_is_the_first_place_where_the_lines_differ() {
        let all = all();
        assert_eq!(all.len(), 1 + 4 + 16 + 64);
        for (old, new) in all.iter().flat_map(|old| all.iter().map(move |new| (old, new))) {
            let mut wanted = Vec::new();
            for (of, stream) in [(Stream::Out, "stdout"), (Stream::Err, "stderr")] {
                let texts = |side: &[LogLine]| -> Vec<String> {
                    side.iter().filter(|l| l.stream == of).map(|l| l.text.clone()).collect()
                };
                let (old, new) = (texts(old), texts(new));
                let longest = old.len().max(new.len());
                if let Some(at) = (0..longest).find(|at| old.get(*at) != new.get(*at)) {
                    let texts = [old.get(at).cloned(), new.get(at).cloned()];
                    wanted.push(Difference { stream, line: at as u64 + 1, texts });
                }
            }
            assert_eq!(differences([old, new]), wanted, "{old:?} {new:?}");
        }
    }
}
