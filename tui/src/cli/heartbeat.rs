//! `aiflow heartbeat`: a task says that it lives.
//!
//! Must never be kept for later: a sign of life that comes late is none.

use aiflow_model::wire::Heartbeat;

use super::failure::Failure;
use super::session::Session;

/// Says it, now or not at all.
pub(crate) async fn perform(session: &Session) -> Result<(), Failure> {
    let Ok(token) = std::env::var("AIFLOW_TOKEN") else {
        let what = "AIFLOW_TOKEN is not set: a heartbeat is a task's";
        return Err(Failure::input(what, Some("call it from a task that has a `heartbeat:`")));
    };
    Ok(session.connect().await?.heartbeat(Heartbeat { token }).await?)
}
