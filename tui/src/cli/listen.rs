//! `aiflow event listen KEY`: events as they come.
//!
//! Must never skip or repeat an event when the connection breaks.

use aiflow_client::{Client, Subscription};
use aiflow_model::record::Record;
use aiflow_model::wire::{EventView, Follow};
use aiflow_model::{EventKey, LoggedRecord, Offset};
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
    #[arg(long, value_name = "OFFSET")]
    from: Option<Offset>,
    #[command(flatten)]
    within: InNamespace,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        tokio::select! {
            result = self.listen(session) => result,
            failure = reader_gone() => Err(failure),
        }
    }

    async fn listen(self, session: &Session) -> Result<(), Failure> {
        let mut follow = Follow {
            from: self.from,
            with_state: false,
            events_in: Some(self.within.namespace),
            key: Some(self.key),
        };
        // That no daemon is there at all is told at once.
        let (_, mut events) = session.connect().await?.follow(follow.clone()).await?;
        loop {
            let resume = print_all(session, &mut events).await?;
            note(&format!("the connection broke; going on from offset {resume}"));
            follow.from = Some(resume);
            let again = async |client: &Client| client.follow(follow.clone()).await;
            (_, events) = session.persist(again).await?;
        }
    }
}

/// Prints events until the connection breaks; the offset to resume from.
async fn print_all(session: &Session, events: &mut Subscription) -> Result<Offset, Failure> {
    loop {
        match events.next().await {
            Err(broken) => return Ok(broken.resume),
            Ok(records) => {
                for event in records.records.iter().filter_map(event) {
                    session.output.item(&event)?;
                }
            }
        }
    }
}

fn event(logged: &LoggedRecord) -> Option<EventView> {
    match &logged.record {
        Record::EventEmitted(event) => Some(EventView::of(event, logged.offset, logged.time)),
        _ => None,
    }
}
