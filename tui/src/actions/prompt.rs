//! Lines that are written at the bottom: filters, searches, offsets, times, windows.
//!
//! Must never keep a line that cannot be understood: it says what is wrong and stays open.

use aiflow_model::time::{Span, Timestamp};
use aiflow_model::{Offset, RunId, TaskName};

use super::control::{self, Plan};
use crate::state::command::Command;
use crate::state::input_line::InputLine;
use crate::state::mark::Tone;
use crate::state::past::Wanted;
use crate::state::{Asked, Dialog, Model, Prompt, Screen, text};
use crate::state::{items, travel};

/// Begins to write a line.
pub(super) fn begin(model: &mut Model, asked: Asked) {
    let line = match &asked {
        Asked::Filter { before } | Asked::Search { before } => InputLine::of(before),
        Asked::Offset | Asked::Time | Asked::Backfill { .. } => InputLine::default(),
    };
    model.dialog = Some(Dialog::Prompt(Prompt { asked, line, fault: None }));
}

/// Begins to write which windows of the selected task are to be run.
pub(super) fn begin_backfill(model: &mut Model) {
    if !model.may_change() {
        return;
    }
    match items::selected(model).and_then(|item| item.task()) {
        Some((run, task)) => begin(model, Asked::Backfill { run, task }),
        None => model.say("select a task first", Tone::Wait),
    }
}

/// Begins to write a filter; what is shown changes with each letter.
pub(super) fn begin_filter(model: &mut Model) {
    if model.screen == Screen::Log {
        let before = model.log.as_ref().map(|log| log.search.clone()).unwrap_or_default();
        return begin(model, Asked::Search { before });
    }
    let before = model.filter.clone();
    model.event_cursor = None;
    begin(model, Asked::Filter { before });
}

/// What is shown while it is written.
pub(super) fn on_change(model: &mut Model) {
    let Some(Dialog::Prompt(prompt)) = &mut model.dialog else { return };
    prompt.fault = None;
    let text = prompt.line.text();
    match prompt.asked {
        Asked::Filter { .. } => {
            model.filter = text;
            model.event_cursor = None;
            model.runs_cursor = 0;
        }
        Asked::Search { .. } => {
            if let Some(log) = &mut model.log {
                log.search(text);
            }
        }
        Asked::Offset | Asked::Time | Asked::Backfill { .. } => {}
    }
}

/// Takes the line, or says what is wrong with it.
pub(super) fn take(model: &mut Model, prompt: Prompt) {
    let text = prompt.line.text();
    let text = text.trim();
    let taken = match &prompt.asked {
        Asked::Filter { .. } | Asked::Search { .. } => Ok(()),
        Asked::Offset => match text.replace(',', "").trim_start_matches('@').parse() {
            Ok(offset) => {
                travel::enter(model, Wanted::Offset(Offset(offset)));
                Ok(())
            }
            Err(_) => Err("write a number, such as 48213".to_owned()),
        },
        Asked::Time => time_of(text, model.time()).map(|time| {
            travel::enter(model, Wanted::Time(time));
        }),
        Asked::Backfill { run, task } => backfill(*run, task, text).map(|plan| {
            control::put(model, plan);
        }),
    };
    if let Err(fault) = taken {
        model.dialog = Some(Dialog::Prompt(Prompt { fault: Some(fault), ..prompt }));
    }
}

/// A time as people write it: of the day, in full, or so long ago.
fn time_of(written: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Some(ago) = written.strip_suffix("ago") {
        let span = ago.trim().parse::<Span>();
        return span.map(|span| now.minus(span)).map_err(|error| error.to_string());
    }
    if let Ok(time) = written.parse() {
        return Ok(time);
    }
    // Of the day that is shown.
    let day = text::date_time(now.floor_to(Span::from_seconds(86_400)));
    let day = day.split(' ').next().unwrap_or_default();
    let seconds = if written.matches(':').count() == 1 { ":00" } else { "" };
    let whole = format!("{day}T{written}{seconds}Z");
    whole.parse().map_err(|_| "write 12:04, 2026-11-23T12:04:31Z, or 5m ago".to_owned())
}

fn backfill(run: RunId, task: &TaskName, text: &str) -> Result<Plan, String> {
    let mut words = text.split_whitespace().peekable();
    let from =
        words.next().ok_or("write at least where it begins, such as 2013-01-01T00:00:00Z")?;
    let from: Timestamp = from.parse().map_err(|error| format!("{error}"))?;
    let to = match words.next_if(|word| word.contains(':')) {
        Some(word) => Some(word.parse::<Timestamp>().map_err(|error| format!("{error}"))?),
        None => None,
    };
    let parallel = match words.next() {
        Some(word) => word.parse().map_err(|_| format!("{word:?} is not how many at once"))?,
        None => 1,
    };
    let what = match to {
        Some(to) => format!("those that begin from {from} up to {to}, {parallel} at once"),
        None => format!("the one that holds {from}"),
    };
    let command = Command::Backfill { run, task: task.clone(), from, to, parallel };
    Ok(Plan {
        question: format!("Run windows of {task} of run {run}?"),
        consequences: vec![what],
        commands: vec![command],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-23T12:04:31Z".parse().unwrap();
        let read = |text: &str| time_of(text, now).map(|time| time.to_string());
        assert_eq!(read("12:03").unwrap(), "2026-11-23T12:03:00Z");
        assert_eq!(read("12:03:58").unwrap(), "2026-11-23T12:03:58Z");
        assert_eq!(read("5m ago").unwrap(), "2026-11-23T11:59:31Z");
        assert_eq!(read("2013-01-01T00:00:00Z").unwrap(), "2013-01-01T00:00:00Z");
        assert!(read("noon").unwrap_err().contains("write 12:04"));
    }

    #[test]
    fn windows_are_named_by_their_times() {
        let task: TaskName = "train".parse().unwrap();
        let line = |text: &str| backfill(RunId(1), &task, text).map(|plan| plan.commands[0].line());
        let whole = "2013-01-01T00:00:00Z 2013-01-02T00:00:00Z 4";
        let shown = format!("aiflow backfill 1 train {}", whole.replace(" 4", " --parallel 4"));
        assert_eq!(line(whole).unwrap(), shown);
        assert!(line("").unwrap_err().contains("write at least"));
        assert!(line("yesterday").is_err());
        assert!(line("2013-01-01T00:00:00Z many").unwrap_err().contains("how many at once"));
    }
}
