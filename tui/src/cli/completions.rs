//! `aiflow completions SHELL`.
//!
//! Must never list anything by hand: the shell asks this program, which knows its verbs and asks
//! the daemon for names and ids.

use clap::{Args, ValueEnum};
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Zsh};

use super::failure::Failure;
use super::session::Session;

/// The variable by which a shell asks for completions.
pub(crate) const VARIABLE: &str = "AIFLOW_COMPLETE";

/// Which completions.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// A shell that can ask.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    /// `source <(aiflow completions bash)`
    Bash,
    /// `eval (aiflow completions elvish | slurp)`
    Elvish,
    /// `aiflow completions fish | source`
    Fish,
    /// `aiflow completions powershell | Out-String | Invoke-Expression`
    Powershell,
    /// `source <(aiflow completions zsh)`
    Zsh,
}

impl Arguments {
    /// Prints the script.
    pub(crate) fn perform(self, session: &Session) -> Result<(), Failure> {
        let shell: &dyn EnvCompleter = match self.shell {
            Shell::Bash => &Bash,
            Shell::Elvish => &Elvish,
            Shell::Fish => &Fish,
            Shell::Powershell => &Powershell,
            Shell::Zsh => &Zsh,
        };
        let mut script = Vec::new();
        let written = shell.write_registration(VARIABLE, "aiflow", "aiflow", "aiflow", &mut script);
        written.map_err(|source| Failure::system("cannot write the completions", source))?;
        session.output.write(&script)
    }
}
