//! `aiflow state`, `aiflow since` and `aiflow event show`: what the log tells of the past.
//!
//! Must never mix what was with what is.

use std::str::FromStr;

use aiflow_model::digest::Digest;
use aiflow_model::wire::{ExecutionView, Moment, Receipt, RuleReceipt, RunView, SinceReply};
use aiflow_model::{ErrorCode, Offset, Rejection, RunId, Timestamp};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::output::{Format, Row, note};
use super::rows::or_none;
use super::session::Session;

/// An offset or a time.
fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(offset) = Offset::from_str(text) {
        return Ok(Moment { offset: Some(offset), time: None });
    }
    let time: Timestamp = text
        .parse()
        .map_err(|_| "an offset, or a time such as 2013-01-01T05:00:00Z, is wanted".to_owned())?;
    Ok(Moment { offset: None, time: Some(time) })
}

/// How things stood.
#[derive(Debug, Args)]
pub(crate) struct State {
    /// Before the record at this offset, or at this time
    #[arg(long, value_name = "OFFSET|TIME", value_parser = moment)]
    at: Moment,
    /// The task executions of this run; else all runs
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
}

impl State {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let past = session.connect().await?.state_at(self.at).await?;
        note(&format!("as it was before offset {}", past.at));
        let Some(run) = self.run else {
            return match session.output.format() {
                Format::Json | Format::Yaml => session.output.answer(&past, ""),
                Format::Table | Format::Plain => {
                    let runs: Vec<RunView> = past.state.runs.values().map(RunView::of).collect();
                    session.output.list(&runs)
                }
            };
        };
        let Some(executions) = ExecutionView::all_of_run(&past.state, run) else {
            let message = format!("there was no run {run} before offset {}", past.at);
            let rejection = Rejection::new(ErrorCode::UnknownRun, message)
                .hint(format!("aiflow state --at {}", past.at));
            return Err(aiflow_client::CallError::Rejected(rejection).into());
        };
        session.output.list(&executions)
    }
}

/// What has happened since.
#[derive(Debug, Args)]
pub(crate) struct Since {
    /// From this offset on, or after this time
    #[arg(value_name = "OFFSET|TIME", value_parser = moment)]
    from: Moment,
}

impl Since {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let reply = session.connect().await?.since(self.from).await?;
        match session.output.format() {
            Format::Json | Format::Yaml => session.output.answer(&reply, ""),
            Format::Table | Format::Plain => session.output.list(&lines(&reply)),
        }
    }
}

/// Something that has happened.
#[derive(Debug, Serialize)]
struct Happened {
    what: &'static str,
    count: u64,
    at: String,
    on: String,
}

impl Row for Happened {
    const COLUMNS: &'static [&'static str] = &["what", "count", "offset", "of"];

    fn cells(&self) -> Vec<String> {
        vec![self.what.to_owned(), self.count.to_string(), self.at.clone(), self.on.clone()]
    }
}

fn lines(reply: &SinceReply) -> Vec<Happened> {
    let Digest {
        daemons,
        events,
        runs_started,
        runs_ended,
        executions_ended,
        tasks,
        late,
        faults,
        waiting,
    } = &reply.digest;
    let dash = || or_none(None::<&Offset>);
    let mut all = Vec::new();
    for task in tasks {
        let what = if task.recovered_at.is_some() { "recovered" } else { "failed" };
        let at = task.recovered_at.unwrap_or(task.failed_at).to_string();
        let on = format!("{} of run {}", task.task, task.run);
        all.push(Happened { what, count: task.failures, at, on });
    }
    for task in waiting {
        let on = format!("{} of run {}", task.task, task.run);
        let (count, at) = (task.executions, task.since.to_string());
        all.push(Happened { what: "waits", count, at, on });
    }
    for (what, offsets) in [("late", late), ("fault", faults)] {
        let count = offsets.len() as u64;
        if let Some(last) = offsets.last() {
            all.push(Happened { what, count, at: last.to_string(), on: dash() });
        }
    }
    for (what, count) in [("daemon started", daemons), ("events", events), ("runs", runs_started)] {
        all.push(Happened { what, count: *count, at: dash(), on: dash() });
    }
    for (what, ended) in [("runs ended", runs_ended), ("tasks ended", executions_ended)] {
        for (status, count) in ended {
            all.push(Happened { what, count: *count, at: dash(), on: status.clone() });
        }
    }
    all
}

impl Row for RuleReceipt {
    const COLUMNS: &'static [&'static str] = &["of", "fate", "why", "records", "when"];

    fn cells(&self) -> Vec<String> {
        let records: Vec<String> = self.records.iter().map(Offset::to_string).collect();
        let records = Some(records.join(" ")).filter(|text| !text.is_empty());
        let fate = self.fate.word().to_owned();
        vec![self.of(), fate, self.text.clone(), or_none(records.as_ref()), self.condition.clone()]
    }
}

/// Prints what became of an event.
pub(super) fn receipt(session: &Session, receipt: &Receipt) -> Result<(), Failure> {
    if matches!(session.output.format(), Format::Json | Format::Yaml) {
        return session.output.answer(receipt, "");
    }
    let event = &receipt.event;
    note(&format!("event {} {} {} from {}", event.offset, event.key, event.value, event.source));
    if let Some(cause) = receipt.cause {
        note(&format!("a rule derived it: record {cause}"));
    }
    if receipt.rules.is_empty() {
        note("no rule looked at its key");
    }
    session.output.list(&receipt.rules)
}
