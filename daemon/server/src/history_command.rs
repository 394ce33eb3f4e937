//! `aiflowd history …`: work on the tables of a home that no daemon uses.
//!
//! Must never write to the log.

use std::io::Write;
use std::path::PathBuf;

use aiflow_log::DirectoryLock;
use aiflow_model::exit_code;
use clap::Subcommand;

use crate::failure::Failure;
use crate::history::{Place, rebuild};
use crate::home::Home;
use crate::start::refuse;

/// What to do with the history.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Make the tables anew from the log.
    Rebuild {
        /// Those in this Postgres, in place of those in the home
        #[arg(long, value_name = "URL", env = "AIFLOW_POSTGRES", hide_env_values = true)]
        postgres: Option<String>,
    },
}

/// Runs it.
pub(crate) fn run(flag: Option<PathBuf>, command: HistoryCommand) -> Result<(), Failure> {
    let home = Home::locate(flag)?;
    let _lock = DirectoryLock::acquire(home.root()).map_err(|error| {
        Failure::new(exit_code::HOME_BUSY, "the history is in use")
            .because(error)
            .hint(format!("aiflow --home {} server stop", home.root().display()))
    })?;
    let HistoryCommand::Rebuild { postgres } = command;
    let place = postgres.map_or_else(|| Place::Sqlite(home.history()), Place::Postgres);
    let storage = home.open_log()?;
    let report = aiflow_log::verify(&storage).map_err(|error| refuse(&home, error))?;
    let failed = |error: anyhow::Error| {
        Failure::new(exit_code::OPERATING, format!("the history in {} was not made", place.name()))
            .because(std::io::Error::other(error))
    };
    let records = rebuild(&place, &storage, report.next_offset).map_err(failed)?;
    let mut stdout = std::io::stdout().lock();
    // Whoever asked may have gone; it is done all the same.
    let _ = writeln!(stdout, "made the history in {} anew: {records} records", place.name());
    Ok(())
}
