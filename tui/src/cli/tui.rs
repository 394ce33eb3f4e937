//! `aiflow tui`: the terminal interface.
//!
//! Must never need a daemon to begin with: the interface waits for one, and says so.

use super::failure::Failure;
use super::session::Session;

pub(crate) async fn perform(session: &Session) -> Result<(), Failure> {
    let home = session.home()?;
    let shown = crate::tui::run(home).await;
    shown.map_err(|source| Failure::system("cannot show the interface", source))
}
