//! `aiflow event listen KEY` and `aiflow workflow-execution listen ID`: records as they come.
//!
//! Must never skip or repeat one when the connection breaks.

use aiflow_client::{Client, Subscription};
use aiflow_model::record::Record;
use aiflow_model::wire::{Empty, EventView, Follow, RunRef};
use aiflow_model::{EventKey, LoggedRecord, Offset, RunId};
use clap::Args;

use super::failure::Failure;
use super::options::InNamespace;
use super::output::{note, reader_gone};
use super::session::Session;

/// What to listen to.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The key
    key: EventKey,
    /// Begin with the event at this offset or the first after it [default: the next one]
    #[arg(long, value_name = "OFFSET", alias = "begin-offset")]
    from: Option<Offset>,
    #[command(flatten)]
    within: InNamespace,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let wanted = Follow {
            from: self.from,
            events_in: Some(self.within.namespace),
            key: Some(self.key),
            ..Follow::default()
        };
        let print = |logged: &LoggedRecord| match event(logged) {
            Some(event) => session.output.item(&event),
            None => Ok(()),
        };
        listen(session, wanted, print).await
    }
}

/// Prints all that is about a run, from an offset or from its beginning, as it comes.
pub(crate) async fn listen_to_run(
    session: &Session,
    run: RunId,
    from: Option<Offset>,
) -> Result<(), Failure> {
    // That there is no such run is told at once.
    let client = session.connect().await?;
    client.show_run(RunRef { run }).await?;
    let begin = client.status(Empty {}).await?.log_begins;
    let wanted = Follow { from: Some(from.unwrap_or(begin)), run: Some(run), ..Follow::default() };
    listen(session, wanted, |logged| session.output.item(logged)).await
}

async fn listen(
    session: &Session,
    wanted: Follow,
    print: impl Fn(&LoggedRecord) -> Result<(), Failure>,
) -> Result<(), Failure> {
    tokio::select! {
        result = follow(session, wanted, print) => result,
        failure = reader_gone() => Err(failure),
    }
}

async fn follow(
    session: &Session,
    mut wanted: Follow,
    print: impl Fn(&LoggedRecord) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // That no daemon is there at all is told at once.
    let (_, mut records) = session.connect().await?.follow(wanted.clone()).await?;
    loop {
        let resume = print_all(&mut records, &print).await?;
        note(&format!("the connection broke; going on from offset {resume}"));
        wanted.from = Some(resume);
        let again = async |client: &Client| client.follow(wanted.clone()).await;
        (_, records) = session.persist(again).await?;
    }
}

/// Prints records until the connection breaks; the offset to resume from.
async fn print_all(
    records: &mut Subscription,
    print: impl Fn(&LoggedRecord) -> Result<(), Failure>,
) -> Result<Offset, Failure> {
    loop {
        match records.next().await {
            Err(broken) => return Ok(broken.resume),
            Ok(records) => records.records.iter().try_for_each(&print)?,
        }
    }
}

fn event(logged: &LoggedRecord) -> Option<EventView> {
    match &logged.record {
        Record::EventEmitted(event) => Some(EventView::of(event, logged.offset, logged.time)),
        _ => None,
    }
}
