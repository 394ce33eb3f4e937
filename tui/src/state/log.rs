//! The output of one attempt, as far as it was read, and the part of it that is looked at.
//!
//! Must never hold more than its limit: older lines fall out, and are counted.

use std::collections::VecDeque;

use aiflow_model::time::Timestamp;
use aiflow_model::wire::LogPiece;
use aiflow_model::{RunId, Sequence, TaskName};

use super::text;
use crate::cli::log_lines::{LogLine, LogLines, Stream};

/// Lines that are kept.
const LINES_MAX: usize = 10_000;

/// Whose output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogTarget {
    pub(crate) run: RunId,
    pub(crate) task: TaskName,
    /// Which execution; none: the newest that has any output.
    pub(crate) sequence: Option<Sequence>,
    /// How often it was asked for: an old answer is known by a lower number.
    pub(crate) generation: u64,
}

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) time: Option<Timestamp>,
    pub(crate) is_error: bool,
    pub(crate) text: String,
}

/// The output of a task, and where in it we are.
#[derive(Debug)]
pub(crate) struct LogView {
    pub(crate) target: LogTarget,
    /// The attempt whose output this is, once it is known.
    pub(crate) attempt: Option<String>,
    /// Why there is none.
    pub(crate) fault: Option<String>,
    /// No more will come.
    pub(crate) ended: bool,
    lines: VecDeque<Line>,
    dropped: usize,
    /// Index after the lowest line shown; none: the end, whatever comes.
    bottom: Option<usize>,
    parser: LogLines,
    is_open: bool,
}

impl LogView {
    /// Nothing read yet.
    pub(crate) fn new(target: LogTarget) -> Self {
        Self {
            target,
            attempt: None,
            fault: None,
            ended: false,
            lines: VecDeque::new(),
            dropped: 0,
            bottom: None,
            parser: LogLines::default(),
            is_open: false,
        }
    }

    /// Takes in the next piece. A piece of another attempt begins anew.
    pub(crate) fn take(&mut self, piece: &LogPiece) {
        if self.attempt.as_ref().is_some_and(|attempt| *attempt != piece.attempt) {
            *self = Self::new(self.target.clone());
        }
        self.fault = None;
        self.attempt = Some(piece.attempt.clone());
        for line in self.parser.take(&piece.text) {
            self.push(&line);
        }
        self.ended = piece.ended;
        if piece.ended
            && let Some(line) = self.parser.finish()
        {
            self.push(&line);
        }
    }

    fn push(&mut self, line: &LogLine) {
        let is_error = line.stream == Stream::Err;
        let continues = self.is_open;
        self.is_open = !line.ends;
        if continues
            && let Some(last) = self.lines.back_mut().filter(|last| last.is_error == is_error)
        {
            last.text.push_str(&text::printable(&line.text));
            return;
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
            self.dropped += 1;
        }
        let text = text::printable(&line.text);
        self.lines.push_back(Line { time: line.time, is_error, text });
    }

    /// Index after the newest line; counts lines that fell out.
    pub(crate) fn end(&self) -> usize {
        self.dropped + self.lines.len()
    }

    /// Whether new lines are followed.
    pub(crate) const fn follows(&self) -> bool {
        self.bottom.is_none()
    }

    /// Lines that came since following was suspended.
    pub(crate) fn unseen(&self) -> usize {
        self.bottom.map_or(0, |bottom| self.end().saturating_sub(bottom))
    }

    /// Lines from the lowest shown upwards.
    pub(crate) fn upwards(&self) -> impl Iterator<Item = &Line> {
        let bottom = self.bottom.unwrap_or_else(|| self.end());
        let count = bottom.saturating_sub(self.dropped);
        self.lines.iter().take(count).rev()
    }

    /// Moves the view; upwards suspends following, and reaching the end resumes it.
    pub(crate) fn scroll(&mut self, by: isize) {
        let end = self.end();
        let first = (self.dropped + 1).min(end);
        let bottom = self.bottom.unwrap_or(end).saturating_add_signed(by).max(first);
        self.bottom = (bottom < end).then_some(bottom);
    }

    /// To the first line.
    pub(crate) fn go_to_start(&mut self, page: usize) {
        let bottom = (self.dropped + page).min(self.end());
        self.bottom = (bottom < self.end()).then_some(bottom);
    }

    /// To the end, following.
    pub(crate) const fn follow(&mut self) {
        self.bottom = None;
    }

    /// Follows, or stops to.
    pub(crate) fn toggle_follow(&mut self) {
        self.bottom = match self.bottom {
            None => Some(self.end()),
            Some(_) => None,
        };
    }
}
