//! `aiflow db …`, for those who know AIFlow's: there is no database, only the daemon's log.
//!
//! Must never touch the log: a daemon may use it.

use clap::Subcommand;

use super::failure::Failure;
use super::output::note;
use super::session::Session;

/// What AIFlow users type for its database.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Nothing: the daemon makes its log when it starts.
    Init,
    /// Nothing: each daemon reads the logs of all before it.
    Upgrade,
    /// Not possible: tells what to do instead.
    Downgrade,
    /// Not done here: tells how to begin anew.
    Reset,
}

impl Verb {
    pub(crate) fn perform(&self, session: &Session) -> Result<(), Failure> {
        let home = session.home()?.directory().display().to_string();
        match self {
            Self::Init => {
                note("there is nothing to set up: the daemon makes its log when it starts");
                Ok(())
            }
            Self::Upgrade => {
                note("there is nothing to upgrade: a daemon reads the logs of all before it");
                Ok(())
            }
            Self::Downgrade => {
                let what = "a log is read by the version that wrote it, and by later ones";
                Err(Failure::input(what, Some("restore a copy of the home from before")))
            }
            Self::Reset => {
                let what =
                    format!("all that is known stands in {home}/log; it is not removed here");
                let hint = format!("aiflow server stop; mv {home} {home}.old; aiflow server start");
                Err(Failure::input(what, Some(&hint)))
            }
        }
    }
}
