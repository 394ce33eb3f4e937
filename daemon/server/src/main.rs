//! `aiflowd`: the daemon. Runs in the foreground, prints `ready <socket path>` when it serves.
//!
//! The only room that reads the clock and the environment. Must never decide: that is the core's.

mod answers;
mod archive;
mod asking;
mod attempts;
mod backtest;
mod bundle;
mod bundle_command;
mod check;
mod clock;
mod connection;
mod daemon;
mod environment;
mod event_index;
mod failure;
mod files;
mod follow;
mod history;
mod history_command;
mod home;
mod host;
mod hosts;
mod inputs;
mod kept;
mod log_command;
mod meters;
mod order;
mod outbox;
mod output;
mod parked;
mod past;
mod pending;
mod queries;
mod question;
mod readiness;
mod receipt;
mod recent;
use aiflow_daemon::records;
mod requests;
mod retention;
mod run_diff;
mod slice;
mod snapshots;
mod socket;
mod spool;
mod start;
mod state_hash;
mod subject;
mod sweep;
mod token;
mod waypoints;

use std::path::PathBuf;
use std::process::ExitCode;

use aiflow_model::{config, exit_code};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use failure::Failure;

/// The AIFlow daemon: event-driven workflows, from one append-only log.
#[derive(Debug, Parser)]
#[command(name = "aiflowd", version, about)]
struct Arguments {
    /// Directory of the log, the runs and the socket [default: $AIFLOW_HOME, else the XDG state
    /// directory].
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(flatten)]
    settings: start::Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at the log of a home that no daemon uses.
    #[command(subcommand)]
    Log(log_command::LogCommand),
    /// Work on the history of a home that no daemon uses.
    #[command(subcommand)]
    History(history_command::HistoryCommand),
    /// Read a definition from stdin and print what is wrong in it, as JSON.
    Check,
    /// Print the log as text that can be replayed: `aiflow bundle`.
    #[command(hide = true)]
    Bundle(bundle_command::Arguments),
    /// Print a slice of a copied log and the state before it, as JSON: `aiflow tui --log`.
    #[command(hide = true)]
    Slice {
        /// The copied home, or its log.
        directory: PathBuf,
        /// Which records, as in `log.slice`.
        query: String,
    },
    /// Print what became of an event of a copied log, as JSON: `aiflow tui --log`.
    #[command(hide = true)]
    Receipt {
        /// The copied home, or its log.
        directory: PathBuf,
        /// Which event, as in `event.show`.
        query: String,
    },
}

fn main() -> ExitCode {
    let matches = match configured(Arguments::command()) {
        Ok(command) => command.get_matches(),
        Err(failure) => return failure.report(),
    };
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let result = match arguments.command {
        None => start::run(arguments.home, &arguments.settings),
        Some(Command::Check) => check::run(),
        Some(Command::Bundle(asked)) => bundle_command::run(arguments.home, &asked),
        Some(Command::Slice { directory, query }) => slice::run(&directory, &query),
        Some(Command::Receipt { directory, query }) => slice::run_receipt(&directory, &query),
        Some(Command::History(command)) => history_command::run(arguments.home, command),
        Some(Command::Log(command)) => log_command::run(arguments.home, &command),
    };
    match result {
        Ok(()) => ExitCode::from(exit_code::SUCCESS),
        Err(failure) => failure.report(),
    }
}

/// The command line with what the file of settings says in place of what is given by itself. The
/// home is left to flag and environment: clients say it to the daemon that they start.
fn configured(command: clap::Command) -> Result<clap::Command, Failure> {
    let Some(path) = config::path(|name| std::env::var_os(name)) else { return Ok(command) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(command),
        Err(error) => {
            let what = format!("cannot read {}", path.display());
            return Err(Failure::new(exit_code::OPERATING, what).because(error));
        }
    };
    let entries = config::read(&text).map_err(|fault| {
        Failure::new(exit_code::USAGE, format!("{}: {fault}", path.display()))
            .hint("aiflow config list")
    })?;
    Ok(command.mut_args(|arg| match entries.get(arg.get_id().as_str()) {
        Some(entry) if arg.get_id() != "home" => arg.default_value(entry.value.clone()),
        _ => arg,
    }))
}
