//! `aiflow logs RUN TASK`: what a task wrote, its stdout on stdout and its stderr on stderr.
//!
//! Must never mix attempts: the attempt that the first piece came from is the one that is shown.

use std::time::Duration;

use aiflow_client::Client;
use aiflow_model::wire::{LogPiece, LogRead};
use aiflow_model::{AttemptId, AttemptNumber, RunId, Sequence, TaskName};
use clap::Args;

use super::failure::Failure;
use super::log_lines::{LogLine, LogLines, Stream, last_lines};
use super::output::reader_gone;
use super::session::Session;

/// Between two looks for more, in the beginning and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How far from the end the search for the last lines begins, in bytes.
const TAIL_BYTES: i64 = 64 << 10;

/// Whose output, and how much of it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The run
    run: RunId,
    /// The task
    task: TaskName,
    /// Go on with what comes, until the attempt ends
    #[arg(short, long)]
    follow: bool,
    /// Which execution of the task [default: the latest]
    #[arg(long, value_name = "N")]
    sequence: Option<Sequence>,
    /// Which attempt of the execution [default: the latest]
    #[arg(long, value_name = "N")]
    attempt: Option<AttemptNumber>,
    /// Begin with the last so many lines
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
    /// Show when each line came
    #[arg(short, long)]
    timestamps: bool,
}

/// Prints kept lines.
struct Printer<'a> {
    session: &'a Session,
    timestamps: bool,
    /// Whether stdout and stderr are in the middle of a line.
    open: [bool; 2],
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        tokio::select! {
            result = self.print(session) => result,
            failure = reader_gone() => Err(failure),
        }
    }

    async fn print(self, session: &Session) -> Result<(), Failure> {
        let mut read = LogRead {
            run: self.run,
            task: self.task,
            sequence: self.sequence,
            attempt: self.attempt,
            position: 0,
            bytes_max: None,
        };
        let mut printer = Printer { session, timestamps: self.timestamps, open: [false; 2] };
        let mut source = Source { session, client: session.connect().await?, follow: self.follow };
        let mut lines = LogLines::default();
        if let Some(count) = self.tail {
            let found = find_tail(&mut source, &mut read, &mut lines, count).await?;
            printer.print(last_lines(&found, count))?;
        }
        let mut pause = PAUSE_MIN;
        loop {
            let piece = source.next(&mut read).await?;
            printer.print(&lines.take(&piece.text))?;
            let more = piece.next > piece.position;
            if piece.ended || !(more || self.follow) {
                // What is being written at the moment is shown as far as it came.
                return printer.print(lines.finish().as_slice());
            }
            if more {
                pause = PAUSE_MIN;
            } else {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// Where the pieces come from. A follower waits for a daemon that is away.
struct Source<'a> {
    session: &'a Session,
    client: Client,
    follow: bool,
}

impl Source<'_> {
    /// The piece at `read`, which moves on behind it.
    async fn next(&mut self, read: &mut LogRead) -> Result<LogPiece, Failure> {
        loop {
            match self.client.read_log(read.clone()).await {
                Ok(piece) => {
                    move_behind(read, &piece);
                    return Ok(piece);
                }
                Err(error) if self.follow && error.is_absence() => {
                    self.client = self.session.persist(async |c: &Client| Ok(c.clone())).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn move_behind(read: &mut LogRead, piece: &LogPiece) {
    read.position = i64::try_from(piece.next).unwrap_or(i64::MAX);
    if let Ok(AttemptId { execution, number }) = piece.attempt.parse() {
        read.sequence = Some(execution.sequence);
        read.attempt = Some(number);
    }
}

/// Reads from so far before the end that more than `count` lines are found, if there are. `lines`
/// and `read` stand at the end then.
async fn find_tail(
    source: &mut Source<'_>,
    read: &mut LogRead,
    lines: &mut LogLines,
    count: usize,
) -> Result<Vec<LogLine>, Failure> {
    let mut back = TAIL_BYTES;
    let mut began = u64::MAX;
    loop {
        read.position = -back;
        *lines = LogLines::default();
        let mut piece = source.next(read).await?;
        let begin = piece.position;
        // The first line may be cut.
        let whole = if begin == 0 { Some(&*piece.text) } else { after_first_line(&piece.text) };
        let mut found = lines.take(whole.unwrap_or_default());
        while piece.next > piece.position {
            piece = source.next(read).await?;
            found.extend(lines.take(&piece.text));
        }
        let enough = found.iter().filter(|line| line.ends).count() > count;
        // No further back than before: that is all there is.
        if enough || begin == 0 || begin >= began {
            return Ok(found);
        }
        began = begin;
        back = back.saturating_mul(4);
    }
}

fn after_first_line(text: &str) -> Option<&str> {
    text.split_once('\n').map(|(_, rest)| rest)
}

impl Printer<'_> {
    fn print(&mut self, lines: &[LogLine]) -> Result<(), Failure> {
        let mut text = String::new();
        let mut stream = Stream::Out;
        for line in lines {
            if line.stream != stream {
                self.flush(stream, &text)?;
                text.clear();
                stream = line.stream;
            }
            self.render(line, &mut text);
        }
        self.flush(stream, &text)
    }

    fn render(&mut self, line: &LogLine, text: &mut String) {
        let open = &mut self.open[usize::from(line.stream == Stream::Err)];
        if let (true, false, Some(time)) = (self.timestamps, *open, line.time) {
            text.push_str(&format!("{time} "));
        }
        text.push_str(&line.text);
        if line.ends {
            text.push('\n');
        }
        *open = !line.ends;
    }

    fn flush(&self, stream: Stream, text: &str) -> Result<(), Failure> {
        match stream {
            _ if text.is_empty() => Ok(()),
            Stream::Out => self.session.output.write(text.as_bytes()),
            Stream::Err => self.session.output.write_stderr(text.as_bytes()),
        }
    }
}
