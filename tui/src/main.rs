//! `aiflow`: with a verb the command line, without one on a terminal the interface.
//!
//! Must never decide anything: it asks the daemon and shows what it says.

use std::process::ExitCode;

mod actions;
mod chain;
mod cli;
mod conn;
mod looked;
mod once;
mod palette_history;
mod plugin;
mod programs;
mod state;
#[cfg(test)]
mod tests;
mod tui;
mod view;

fn main() -> ExitCode {
    ExitCode::from(cli::main())
}
