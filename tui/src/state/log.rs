//! The output of attempts, as far as it was read, and the part of it that is looked at. Of several
//! tasks it is merged by time.
//!
//! Must never hold more than its limits: older lines fall out, and are counted.

use std::collections::VecDeque;

use aiflow_model::time::Timestamp;
use aiflow_model::wire::LogPiece;
use aiflow_model::{RunId, Sequence, TaskName};

use super::ansi::{self, Look, Styled};
use crate::cli::log_lines::{LogLine, LogLines, Stream};

/// Lines that are kept, and their bytes.
const LINES_MAX: usize = 200_000;
const BYTES_MAX: usize = 96 << 20;

/// Whose output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogTarget {
    pub(crate) run: RunId,
    pub(crate) task: TaskName,
    /// Which execution; none: the newest that has any output.
    pub(crate) sequence: Option<Sequence>,
    /// From its beginning, rather than only its end.
    pub(crate) is_whole: bool,
    /// How often it was asked for: an old answer is known by a lower number.
    pub(crate) generation: u64,
}

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) time: Option<Timestamp>,
    pub(crate) is_error: bool,
    pub(crate) text: String,
    /// From which byte on it looks how.
    pub(crate) looks: Vec<(usize, Look)>,
    /// Whose it is, by its place among the targets.
    pub(crate) reader: usize,
}

/// What is known of one of the outputs.
#[derive(Debug, Default)]
struct Reader {
    attempt: Option<String>,
    ended: bool,
    parser: LogLines,
    is_open: bool,
    look: Look,
}

/// The output of a task, or of several, and where in it we are.
#[derive(Debug)]
pub(crate) struct LogView {
    /// The first; alone, but where outputs are merged.
    pub(crate) target: LogTarget,
    pub(crate) others: Vec<LogTarget>,
    /// The attempt whose output this is, once it is known.
    pub(crate) attempt: Option<String>,
    /// Why there is none.
    pub(crate) fault: Option<String>,
    /// No more will come.
    pub(crate) ended: bool,
    /// What is searched for.
    pub(crate) search: String,
    /// Only lines that have it are shown.
    pub(crate) is_filtered: bool,
    /// Columns that are left out at the left.
    pub(crate) left: usize,
    /// Once it is read, its beginning is wanted.
    pub(crate) wants_start: bool,
    readers: Vec<Reader>,
    lines: VecDeque<Line>,
    bytes: usize,
    dropped: usize,
    /// Index after the lowest line shown; none: the end, whatever comes.
    bottom: Option<usize>,
}

impl LogView {
    /// Nothing read yet.
    pub(crate) fn new(target: LogTarget) -> Self {
        Self::merged(target, Vec::new())
    }

    /// Nothing read yet of several.
    pub(crate) fn merged(target: LogTarget, others: Vec<LogTarget>) -> Self {
        let readers = std::iter::repeat_with(Reader::default).take(others.len() + 1).collect();
        Self {
            target,
            others,
            attempt: None,
            fault: None,
            ended: false,
            search: String::new(),
            is_filtered: false,
            left: 0,
            wants_start: false,
            readers,
            lines: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            bottom: None,
        }
    }

    /// All that is read.
    pub(crate) fn targets(&self) -> Vec<LogTarget> {
        std::iter::once(&self.target).chain(&self.others).cloned().collect()
    }

    /// Whether it is of several tasks.
    pub(crate) fn is_merged(&self) -> bool {
        !self.others.is_empty()
    }

    /// The task of a line.
    pub(crate) fn task_of(&self, line: &Line) -> &TaskName {
        let other = line.reader.checked_sub(1).and_then(|index| self.others.get(index));
        &other.unwrap_or(&self.target).task
    }

    /// Takes in the next piece of one of the targets, or why there is none.
    pub(crate) fn take(&mut self, target: &LogTarget, piece: Result<LogPiece, String>) {
        let Some(index) = self.targets().iter().position(|one| one == target) else { return };
        let piece = match piece {
            Ok(piece) => piece,
            // A task that has not begun says nothing in a merged log.
            Err(_) if self.is_merged() => return self.end(index),
            Err(fault) => {
                self.fault = Some(fault);
                return;
            }
        };
        let Some(reader) = self.readers.get_mut(index) else { return };
        let is_other = reader.attempt.as_ref().is_some_and(|attempt| *attempt != piece.attempt);
        if is_other && !self.is_merged() {
            let search = std::mem::take(&mut self.search);
            *self = Self { search, ..Self::new(self.target.clone()) };
        }
        self.fault = None;
        if index == 0 {
            self.attempt = Some(piece.attempt.clone());
        }
        let Some(reader) = self.readers.get_mut(index) else { return };
        reader.attempt = Some(piece.attempt.clone());
        let mut lines = reader.parser.take(&piece.text);
        if piece.ended {
            lines.extend(reader.parser.finish());
        }
        for line in lines {
            self.push(index, &line);
        }
        if piece.ended {
            self.end(index);
        }
        if self.wants_start && (self.ended || piece.text.is_empty()) {
            self.wants_start = false;
            self.go_to_start(1);
        }
    }

    fn end(&mut self, index: usize) {
        if let Some(reader) = self.readers.get_mut(index) {
            reader.ended = true;
        }
        self.ended = self.readers.iter().all(|reader| reader.ended);
    }

    fn push(&mut self, index: usize, line: &LogLine) {
        let is_error = line.stream == Stream::Err;
        let Some(reader) = self.readers.get_mut(index) else { return };
        let continues = std::mem::replace(&mut reader.is_open, !line.ends);
        let Styled { text, looks } = ansi::read(&line.text, &mut reader.look);
        self.bytes += text.len();
        let is_same = |last: &&mut Line| last.is_error == is_error && last.reader == index;
        if continues && let Some(last) = self.lines.back_mut().filter(is_same) {
            let begin = last.text.len();
            last.looks.extend(looks.into_iter().map(|(at, look)| (begin + at, look)));
            last.text.push_str(&text);
            return;
        }
        while self.lines.len() >= LINES_MAX || self.bytes > BYTES_MAX {
            let Some(gone) = self.lines.pop_front() else { break };
            self.bytes -= gone.text.len();
            self.dropped += 1;
        }
        let line = Line { time: line.time, is_error, text, looks, reader: index };
        let later = self.lines.iter().rev().take_while(|known| known.time > line.time).count();
        let later = if self.is_merged() { later } else { 0 };
        let at = self.lines.len() - later;
        self.lines.insert(at, line);
        // What is looked at stays where it is.
        if let Some(bottom) = &mut self.bottom
            && self.dropped + at < *bottom
        {
            *bottom += 1;
        }
    }

    /// Index after the newest line; counts lines that fell out.
    pub(crate) fn count(&self) -> usize {
        self.dropped + self.lines.len()
    }

    /// Lines that fell out.
    pub(crate) const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Whether new lines are followed.
    pub(crate) const fn follows(&self) -> bool {
        self.bottom.is_none()
    }

    /// Lines that came since following was suspended.
    pub(crate) fn unseen(&self) -> usize {
        self.bottom.map_or(0, |bottom| self.count().saturating_sub(bottom))
    }

    /// Lines from the lowest shown upwards.
    pub(crate) fn upwards(&self) -> impl Iterator<Item = &Line> {
        let bottom = self.bottom.unwrap_or_else(|| self.count());
        let count = bottom.saturating_sub(self.dropped);
        self.lines.range(..count).rev().filter(|line| !self.is_filtered || self.has_match(line))
    }

    /// Whether a line has what is searched for.
    pub(crate) fn has_match(&self, line: &Line) -> bool {
        is_match(&line.text, &self.search)
    }

    /// How many lines have it.
    pub(crate) fn matches(&self) -> usize {
        if self.search.is_empty() {
            return 0;
        }
        self.lines.iter().filter(|line| self.has_match(line)).count()
    }

    /// Searches from the end on.
    pub(crate) fn search(&mut self, text: String) {
        self.search = text;
        if self.search.is_empty() {
            self.is_filtered = false;
            return;
        }
        self.bottom = None;
        self.find(true);
    }

    /// To the next line that is searched for, or to the one before; false when there is none.
    pub(crate) fn find(&mut self, back: bool) -> bool {
        if self.search.is_empty() {
            return false;
        }
        let bottom = self.bottom.unwrap_or_else(|| self.count() + 1);
        let from = bottom.saturating_sub(self.dropped);
        let is_it = |line: &Line| is_match(&line.text, &self.search);
        let found = if back {
            let end = from.saturating_sub(1).min(self.lines.len());
            self.lines.range(..end).rposition(is_it)
        } else {
            let begin = from.min(self.lines.len());
            self.lines.range(begin..).position(is_it).map(|at| begin + at)
        };
        if let Some(at) = found {
            self.bottom = Some(self.dropped + at + 1);
        }
        found.is_some()
    }

    /// The line that is searched for where one is, else the lowest that is shown.
    pub(crate) fn copied(&self) -> Option<String> {
        self.upwards().next().map(|line| line.text.clone())
    }

    /// All that was read.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| format!("{}\n", line.text));
        lines.collect()
    }

    /// Moves the view; upwards suspends following, and reaching the end resumes it.
    pub(crate) fn scroll(&mut self, by: isize) {
        let end = self.count();
        let first = (self.dropped + 1).min(end);
        let bottom = self.bottom.unwrap_or(end).saturating_add_signed(by).max(first);
        self.bottom = (bottom < end).then_some(bottom);
    }

    /// To the first line.
    pub(crate) fn go_to_start(&mut self, page: usize) {
        let bottom = (self.dropped + page).min(self.count());
        self.bottom = (bottom < self.count()).then_some(bottom);
    }

    /// To the end, following.
    pub(crate) const fn follow(&mut self) {
        self.bottom = None;
    }

    /// Follows, or stops to.
    pub(crate) fn toggle_follow(&mut self) {
        self.bottom = match self.bottom {
            None => Some(self.count()),
            Some(_) => None,
        };
    }
}

/// Letters of any case, unless a capital is written.
fn is_match(text: &str, wanted: &str) -> bool {
    if wanted.is_empty() {
        return false;
    }
    if wanted.chars().any(char::is_uppercase) {
        return text.contains(wanted);
    }
    text.to_lowercase().contains(wanted)
}
