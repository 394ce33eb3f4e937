//! `--watch`: a verb that only looks, again each time that something has been recorded.
//!
//! Must never repeat a verb that changes anything, nor ask while nothing happens.

use std::time::Duration;

use aiflow_model::exit_code;
use aiflow_model::wire::Follow;
use tokio::time::{sleep, timeout};

use super::Verb;
use super::failure::Failure;
use super::output::reader_gone;
use super::session::Session;

/// What comes within this time is shown together.
const TOGETHER: Duration = Duration::from_millis(250);

/// Does it until the reader goes.
pub(super) async fn perform(
    session: &Session,
    again: impl Fn() -> Option<Verb>,
) -> Result<u8, Failure> {
    if !again().is_some_and(|verb| verb.looks()) {
        let what = "--watch is for verbs that only look".to_owned();
        let hint =
            Some("ps, server status, and list, show, count and rules of each noun".to_owned());
        return Err(Failure::Input { what, hint, exit: exit_code::USAGE });
    }
    loop {
        let (_, mut records) =
            session.persist(async |client| client.follow(Follow::default()).await).await?;
        loop {
            session.output.clear()?;
            if let Some(verb) = again() {
                verb.perform(session).await?;
            }
            let is_broken = tokio::select! {
                next = records.next() => next.is_err(),
                gone = reader_gone() => return Err(gone),
            };
            if is_broken {
                break;
            }
            sleep(TOGETHER).await;
            while let Ok(Ok(_)) = timeout(Duration::ZERO, records.next()).await {}
        }
    }
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    fn looks(&self) -> bool {
        match self {
            Self::Ps => true,
            Self::Server(verb) => verb.looks(),
            Self::Namespace(verb) => verb.looks(),
            Self::Workflow(verb) => verb.looks(),
            Self::WorkflowSchedule(verb) => verb.looks(),
            Self::WorkflowTrigger(verb) => verb.looks(),
            Self::WorkflowExecution(verb) => verb.looks(),
            Self::TaskExecution(verb) => verb.looks(),
            Self::Event(verb) | Self::Notification(super::Notification::Event(verb)) => {
                verb.looks()
            }
            _ => false,
        }
    }
}
