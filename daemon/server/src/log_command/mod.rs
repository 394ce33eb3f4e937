//! `aiflowd log …`: work on the log of a home that no daemon uses, one file a verb.
//!
//! Must never write anything but what the verb says, and never take away without `--yes`.

mod compact;
mod dump;
mod repair;
mod replay;
mod stat;
mod unpack;
mod verify;

use std::path::PathBuf;

use aiflow_log::DirectoryLock;
use aiflow_model::exit_code;
use clap::Subcommand;

use crate::failure::Failure;
use crate::home::Home;

/// What came of writing to stdout.
type Written = std::io::Result<()>;

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Check every byte; exit 8 when something is damaged.
    Verify {
        /// Fold the log too, from its beginning and from each snapshot, and compare.
        #[arg(long)]
        deep: bool,
    },
    /// Print the records, one JSON object a line.
    Dump {
        /// First record [default: the first that the log has]
        #[arg(long)]
        from: Option<u64>,
        /// Most records.
        #[arg(long)]
        limit: Option<u64>,
    },
    /// Fold a copied log, or a bundle, and print the hash of the state. Needs no home.
    Replay(replay::Arguments),
    /// Make a log of a bundle, for `aiflow tui --log` and the like. Needs no home.
    Unpack(unpack::Arguments),
    /// Print what the log is made of: its segments and snapshots, with sizes and times.
    Stat,
    /// Tell what a damaged log has to give up so that it can be used again, and with --yes do it.
    Repair {
        /// Do it. What is taken out of the log is renamed, not removed.
        #[arg(long)]
        yes: bool,
    },
    /// Compress every segment but the last.
    Compact,
}

/// Runs it.
pub(crate) fn run(flag: Option<PathBuf>, command: &LogCommand) -> Result<(), Failure> {
    match command {
        LogCommand::Replay(asked) => return written(replay::run(asked)?),
        LogCommand::Unpack(asked) => return written(unpack::run(asked)?),
        _ => {}
    }
    let home = Home::locate(flag)?;
    let _lock = DirectoryLock::acquire(home.root()).map_err(|error| {
        Failure::new(exit_code::HOME_BUSY, "the log is in use")
            .because(error)
            .hint(format!("aiflow --home {} server stop", home.root().display()))
    })?;
    written(match command {
        // Done above: they are of no home.
        LogCommand::Replay(asked) => replay::run(asked),
        LogCommand::Unpack(asked) => unpack::run(asked),
        LogCommand::Verify { deep } => verify::run(&home, *deep),
        LogCommand::Dump { from, limit } => dump::run(&home, *from, *limit),
        LogCommand::Stat => stat::run(&home),
        LogCommand::Repair { yes } => repair::run(&home, *yes),
        LogCommand::Compact => compact::run(&home),
    }?)
}

fn written(written: Written) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(exit_code::OPERATING, "cannot write to stdout").because(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
