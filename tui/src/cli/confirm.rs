//! Asks before something is deleted or stopped that cannot be had back.
//!
//! Must never take silence for a yes: without a terminal, `-y` has to be given.

use std::io::{BufRead, IsTerminal, Write};

use aiflow_model::exit_code;
use clap::Args;

use super::failure::Failure;
use super::session::Session;

/// Whether to ask.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Confirmation {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Confirmation {
    /// Asks whether to do this; the question names what is lost. With `--dry-run` nothing is.
    ///
    /// # Errors
    /// When the answer is not yes, or nobody can be asked.
    pub(crate) fn ask(self, session: &Session, question: &str) -> Result<(), Failure> {
        if self.yes || session.dry_run {
            return Ok(());
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            let what = format!("{question} Nobody can be asked; nothing was done");
            let hint = Some("the same command with -y".to_owned());
            return Err(Failure::Input { what, hint, exit: exit_code::USAGE });
        }
        let mut answer = String::new();
        let asked = write!(std::io::stderr(), "{question} [y/N] ")
            .and_then(|()| std::io::stderr().flush())
            .and_then(|()| std::io::stdin().lock().read_line(&mut answer));
        asked.map_err(|error| Failure::system("the answer cannot be read", error))?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::input("not confirmed; nothing was done", None))
    }
}
