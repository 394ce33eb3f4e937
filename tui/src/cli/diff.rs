//! `aiflow diff`: how a run differs from another, with what their tasks wrote.
//!
//! Must never compare anything but the output by itself: the model does.

use std::fmt::Write;

use aiflow_client::{CallError, Client};
use aiflow_model::compare::{RunDiff, RunSide, TaskDiff, TaskSide};
use aiflow_model::wire::{DiffRequest, LogRead};
use aiflow_model::{AttemptId, RunId, Span, TaskName};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::log_diff::{Comparison, Difference};
use super::log_lines::LogLines;
use super::output::{Format, clean};
use super::rows::{NONE, or_none};
use super::session::Session;
use crate::state::text::outcome_words;

/// Most bytes of each output that are compared.
const OUTPUT_BYTES_MAX: u64 = 64 << 20;
/// Characters of a line, or a value, that are shown.
const SHOWN_MAX: usize = 200;

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The run; or, if another is named, the one that it is compared with
    #[arg(value_name = "RUN")]
    run: RunId,
    /// Compare RUN with this one [default: RUN with the last before
    /// it that succeeded]
    #[arg(value_name = "OTHER")]
    other: Option<RunId>,
}

/// Both runs, and what their tasks wrote.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    diff: &'a RunDiff,
    logs: &'a [LogDiff],
}

/// What a task wrote in one run and in the other.
#[derive(Debug, Serialize)]
pub(crate) struct LogDiff {
    task: TaskName,
    /// Why the output of one, or of both, was not compared.
    unread: [Option<String>; 2],
    /// Whether there is more than was compared.
    cut: bool,
    /// The first line of each stream that differs.
    differences: Vec<Difference>,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let request = match self.other {
            Some(other) => DiffRequest { run: other, against: Some(self.run) },
            None => DiffRequest { run: self.run, against: None },
        };
        let client = session.connect().await?;
        let (diff, logs) = compare(&client, request).await?;
        match session.output.format() {
            Format::Json | Format::Yaml => {
                session.output.answer(&Whole { diff: &diff, logs: &logs }, "")
            }
            Format::Table | Format::Plain => session.output.write(text(&diff, &logs).as_bytes()),
        }
    }
}

/// Asks how the runs differ, and compares what their tasks wrote.
async fn compare(
    client: &Client,
    request: DiffRequest,
) -> Result<(RunDiff, Vec<LogDiff>), CallError> {
    let diff = client.diff_runs(request).await?;
    let mut logs = Vec::new();
    for task in &diff.tasks {
        let latest = |side: usize| task.sides[side].as_ref()?.latest.as_ref();
        if let (Some(old), Some(new)) = (latest(0), latest(1)) {
            logs.push(compare_output(client, &task.task, [old, new]).await?);
        }
    }
    Ok((diff, logs))
}

/// The answer for people.
pub(crate) async fn told(client: &Client, request: DiffRequest) -> Result<String, CallError> {
    let (diff, logs) = compare(client, request).await?;
    Ok(text(&diff, &logs))
}

/// Reads the output of both attempts as far as they are the same.
async fn compare_output(
    client: &Client,
    task: &TaskName,
    attempts: [&AttemptId; 2],
) -> Result<LogDiff, CallError> {
    let mut readers = attempts.map(Reader::new);
    let mut comparison = Comparison::default();
    while let Some(side) = comparison.wanted() {
        let reader = &mut readers[side];
        match client.read_log(reader.read.clone()).await {
            Ok(piece) => {
                comparison.take(side, &reader.lines.take(&piece.text));
                reader.bytes += piece.text.len() as u64;
                let is_all = piece.ended || piece.next == piece.position;
                reader.read.position = i64::try_from(piece.next).unwrap_or(i64::MAX);
                reader.cut = !is_all && reader.bytes >= OUTPUT_BYTES_MAX;
                if is_all {
                    comparison.take(side, reader.lines.finish().as_slice());
                    comparison.end(side);
                }
            }
            Err(CallError::Rejected(rejection)) => reader.unread = Some(rejection.message),
            Err(error) => return Err(error),
        }
        if reader.cut || reader.unread.is_some() {
            break;
        }
    }
    let cut = readers.iter().any(|reader| reader.cut);
    let unread = readers.map(|reader| reader.unread);
    Ok(LogDiff { task: task.clone(), unread, cut, differences: comparison.differences() })
}

/// The output of one attempt, piece by piece.
struct Reader {
    read: LogRead,
    lines: LogLines,
    bytes: u64,
    cut: bool,
    unread: Option<String>,
}

impl Reader {
    fn new(id: &AttemptId) -> Self {
        let of = &id.execution;
        let read = LogRead {
            run: of.run,
            task: of.task.clone(),
            sequence: Some(of.sequence),
            attempt: Some(id.number),
            position: 0,
            bytes_max: None,
        };
        Self { read, lines: LogLines::default(), bytes: 0, cut: false, unread: None }
    }
}

/// It in words; what their tasks wrote comes last.
pub(crate) fn text(diff: &RunDiff, logs: &[LogDiff]) -> String {
    let mut text = String::new();
    for (side, mark) in diff.runs.iter().zip(['-', '+']) {
        line(&mut text, &format!("{mark} {}", run_words(side)));
    }
    match (diff.definition.same, &diff.runs) {
        (None, _) => line(&mut text, "\na definition is no longer kept"),
        (Some(true), _) => line(&mut text, "\nthe definition is the same"),
        (Some(false), [old, new]) => {
            let (old, new) = (old.snapshot, new.snapshot);
            line(&mut text, &format!("\nthe definition differs: snapshots {old} and {new}"));
        }
    }
    diff.definition.lines.iter().for_each(|one| line(&mut text, &format!("  {}", shown(one))));
    for file in &diff.definition.files {
        let [old, new] = file.sha256.each_ref().map(|hash| {
            hash.as_ref().map_or(NONE, |hash| hash.get(..12).unwrap_or(hash)).to_owned()
        });
        line(&mut text, &format!("  file {}: {old} -> {new}", clean(&file.path)));
    }
    let same = format!("{} the same", diff.params_same);
    let params = diff.params.iter().map(|param| {
        let [old, new] = param.values.each_ref().map(|value| shown(&or_none(value.as_ref())));
        [clean(&param.name), old, new]
    });
    table(&mut text, &format!("parameters, {same}"), &params.collect::<Vec<_>>());
    let events = diff.events.iter().map(|of_key| {
        let [old, new] = of_key.counts.map(|count| count.to_string());
        [of_key.key.to_string(), old, new]
    });
    table(&mut text, "events used up", &events.collect::<Vec<_>>());
    if diff.events_unread != [0, 0] {
        let [old, new] = diff.events_unread;
        line(&mut text, &format!("  too many, or no longer kept: {old} and {new}"));
    }
    let tasks: Vec<_> = diff.tasks.iter().map(task_row).collect();
    table(&mut text, "tasks, outliers first", &tasks);
    logs.iter().for_each(|log| log_words(&mut text, log));
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn table(text: &mut String, title: &str, rows: &[[String; 3]]) {
    if rows.is_empty() {
        return;
    }
    line(text, &format!("\n{title}"));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
    for [name, old, new] in rows {
        let mark = if old == new { ' ' } else { '!' };
        line(text, &format!("{mark} {name:first$}  {old:second$}  {new}"));
    }
}

fn run_words(side: &RunSide) -> String {
    let RunSide { run, workflow, status, started_at, .. } = side;
    let took = side.took.map_or_else(|| "not ended".to_owned(), |took| format!("took {took}"));
    let trigger = side.trigger.map(|trigger| format!(", of trigger {trigger}"));
    let trigger = trigger.unwrap_or_default();
    let window = side.window.map(|w| format!(", for {} / {}", w.start, w.end)).unwrap_or_default();
    format!("run {run} {status} of {workflow}, {took}, began {started_at}{trigger}{window}")
}

fn task_row(task: &TaskDiff) -> [String; 3] {
    let [old, new] = task.sides.each_ref().map(|side| side.as_ref().map_or_else(never, side_words));
    [task.task.to_string(), old, new]
}

fn never() -> String {
    "never ran".to_owned()
}

fn side_words(side: &TaskSide) -> String {
    let mut words = side.status.to_string();
    if let Some(outcome) = side.outcome.as_ref().filter(|outcome| !outcome.is_success()) {
        words += &format!(" ({})", shown(&outcome_words(outcome)));
    }
    let count: u64 = side.executions.values().sum();
    if count > 1 {
        words += &format!(", {count} executions");
    }
    if side.attempts > count {
        words += &format!(", {} attempts", side.attempts);
    }
    let short = |span: Span| Span(span.0 - if span.0 > 1_000 { span.0 % 1_000 } else { 0 });
    side.took.map_or(words.clone(), |took| format!("{words} in {}", short(took)))
}

fn log_words(text: &mut String, log: &LogDiff) {
    let task = &log.task;
    for reason in log.unread.iter().flatten() {
        line(text, &format!("\n{task} is not compared: {}", clean(reason)));
    }
    for Difference { stream, line: number, texts } in &log.differences {
        line(text, &format!("\n{task} {stream}, line {number}"));
        for (mark, one) in ['-', '+'].into_iter().zip(texts) {
            let shown = one.as_ref().map(|one| shown(one));
            line(text, &format!("{mark} {}", shown.as_deref().unwrap_or("(no more lines)")));
        }
    }
    if log.cut {
        let most = OUTPUT_BYTES_MAX >> 20;
        line(text, &format!("\n{task}: only the first {most} MiB of its output were compared"));
    }
}

/// On one line, and not too long.
fn shown(text: &str) -> String {
    let text = clean(text);
    match text.char_indices().nth(SHOWN_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
