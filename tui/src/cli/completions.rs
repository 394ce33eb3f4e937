//! `aiflow completions SHELL`.
//!
//! Must never list anything by hand: the completions are made from the parser.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::failure::Failure;
use super::session::Session;

/// Which completions.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

impl Arguments {
    /// Prints the script.
    pub(crate) fn perform(self, session: &Session) -> Result<(), Failure> {
        let mut script = Vec::new();
        let mut command = super::Arguments::command();
        clap_complete::generate(self.shell, &mut command, "aiflow", &mut script);
        session.output.write(&script)
    }
}
