//! `aiflow event …`.
//!
//! Must never emit in another way than `aiflow emit` does.

use aiflow_model::wire::{EventQuery, EventRef};
use aiflow_model::{EventKey, Offset, Timestamp};
use clap::{Args, Subcommand};

use super::emit;
use super::failure::Failure;
use super::listen;
use super::options::InNamespace;
use super::output::note;
use super::past;
use super::session::Session;

/// Events that the daemon lists when it is not told how many.
const EVENTS_DEFAULT: u32 = 100;

/// What to do with events.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Emit an event, as `aiflow emit` does; prints its offset.
    Send(emit::Arguments),
    /// List events, oldest first.
    List {
        #[command(flatten)]
        which: Which,
        /// At most the newest so many [default: the daemon's, 100]
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// From this offset
        #[arg(long, value_name = "OFFSET", alias = "begin-offset")]
        from: Option<Offset>,
    },
    /// Show what became of an event, rule by rule: used up, held, filtered, expired.
    Show {
        /// Its offset
        offset: Offset,
        /// Only what had become of it before this offset
        #[arg(long, value_name = "OFFSET")]
        until: Option<Offset>,
    },
    /// Count events.
    Count {
        #[command(flatten)]
        which: Which,
        /// From this offset
        #[arg(long, value_name = "OFFSET", alias = "begin-offset")]
        from: Option<Offset>,
    },
    /// Print events of a key as they come, each once, also over restarts of the daemon.
    Listen(listen::Arguments),
}

/// Which events.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only of this key
    key: Option<EventKey>,
    #[command(flatten)]
    within: InNamespace,
    /// Nothing taken in before this time, e.g. 2013-01-01T05:00:00Z
    #[arg(long, value_name = "TIME", alias = "begin-time")]
    since: Option<Timestamp>,
    /// Only of those who call themselves so
    #[arg(long, alias = "sender")]
    source: Option<String>,
}

impl Which {
    fn query(self) -> EventQuery {
        let Self { key, within, since, source } = self;
        let namespace = Some(within.namespace);
        EventQuery { namespace, key, since, source, ..EventQuery::default() }
    }
}

/// Says that older events were dropped, where they may be missed.
fn tell_beginning(from: Option<Offset>, log_begins: Offset) {
    if from.unwrap_or_default() < log_begins {
        note(&format!("the log begins at offset {log_begins}; what was before is not kept"));
    }
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Count { .. })
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Send(arguments) => arguments.perform(session).await,
            Self::List { which, limit, from } => {
                let query = EventQuery { limit, from, ..which.query() };
                let page = session.connect().await?.list_events(query).await?;
                let is_whole = page.events.len() >= limit.unwrap_or(EVENTS_DEFAULT) as usize;
                if !is_whole {
                    tell_beginning(from, page.log_begins);
                }
                session.output.list(&page.events)
            }
            Self::Show { offset, until } => {
                let asked = EventRef { offset, until };
                let receipt = session.connect().await?.show_event(asked).await?;
                past::receipt(session, &receipt)
            }
            Self::Count { which, from } => {
                let query = EventQuery { from, ..which.query() };
                let reply = session.connect().await?.count_events(query).await?;
                tell_beginning(from, reply.log_begins);
                session.output.answer(&reply, &reply.count.to_string())
            }
            Self::Listen(arguments) => arguments.perform(session).await,
        }
    }
}
