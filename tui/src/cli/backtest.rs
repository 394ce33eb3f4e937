//! `aiflow backtest FILE`: what a definition would have done with the events that came.
//!
//! Must never upload anything.

use std::path::PathBuf;

use aiflow_model::wire::{BacktestReply, BacktestRequest, WouldFire};
use aiflow_model::{Offset, RunId, Timestamp};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::options::InNamespace;
use super::output::{Format, Row, note};
use super::rows::or_none;
use super::session::Session;
use crate::state::text;

/// A definition, and the past that it is given.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The definition, in YAML
    file: PathBuf,
    /// Tell only what fires from then on, e.g. 2013-01-01T05:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// The run to compare with [default: the oldest of the workflow that is alive, else
    /// its latest]
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    #[command(flatten)]
    within: InNamespace,
}

/// A firing that only one of both has.
#[derive(Debug, Serialize)]
struct Difference {
    which: &'static str,
    time: String,
    task: String,
    action: String,
    window: Option<String>,
    events: Vec<Offset>,
}

impl Row for Difference {
    const COLUMNS: &'static [&'static str] =
        &["fires in", "time", "task", "action", "window", "events"];

    fn cells(&self) -> Vec<String> {
        let events: Vec<String> = self.events.iter().map(Offset::to_string).collect();
        let events = Some(events.join(" ")).filter(|text| !text.is_empty());
        vec![
            self.which.to_owned(),
            self.time.clone(),
            self.task.clone(),
            self.action.clone(),
            or_none(self.window.as_ref()),
            or_none(events.as_ref()),
        ]
    }
}

impl Difference {
    fn of(which: &'static str, firing: &WouldFire) -> Self {
        Self {
            which,
            time: firing.time.to_string(),
            task: firing.task.to_string(),
            action: firing.action.clone(),
            window: firing.window.map(|window| format!("{} / {}", window.start, window.end)),
            events: firing.events.clone(),
        }
    }
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let Self { file, since, run, within } = self;
        let name = file.display().to_string();
        let source = std::fs::read_to_string(&file)
            .map_err(|source| Failure::system(format!("cannot read {name}"), source))?;
        let namespace = within.namespace;
        let asked = BacktestRequest { namespace, source: source.clone(), since, run };
        let asked = session.connect().await?.backtest(Box::new(asked)).await;
        let reply = asked.map_err(|error| super::diagnostics::explain(error, &name, &source))?;
        match session.output.format() {
            Format::Json | Format::Yaml => return session.output.answer(&reply, ""),
            Format::Table | Format::Plain => {}
        }
        let BacktestReply { events, same, only_new, only_recorded, run, .. } = &reply;
        let beside = run
            .map_or_else(|| "no run to compare with".to_owned(), |run| format!("beside run {run}"));
        note(&format!(
            "{}, {beside}: {} the same",
            text::count(*events, "event"),
            text::count(*same, "firing")
        ));
        let new = only_new.iter().map(|firing| Difference::of("this file", firing));
        let old = only_recorded.iter().map(|firing| Difference::of("the run", firing));
        let mut all: Vec<Difference> = new.chain(old).collect();
        all.sort_by(|one, other| one.time.cmp(&other.time));
        session.output.list(&all)
    }
}
