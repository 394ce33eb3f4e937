//! `aiflow man DIR`: a page for each verb, for `man`.
//!
//! Must never say anything that `--help` does not: the pages are made from the parser.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::failure::Failure;
use super::session::Session;

/// Where the pages go.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The directory, such as ~/.local/share/man/man1; it is made
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Arguments {
    /// Writes the pages; those that are there are replaced.
    pub(crate) fn perform(self, session: &Session) -> Result<(), Failure> {
        session.refuse_dry_run("man")?;
        let directory = self.directory;
        let failed =
            |source| Failure::system(format!("cannot write to {}", directory.display()), source);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        clap_mangen::generate_to(super::Arguments::command(), &directory).map_err(failed)?;
        session.output.write(format!("{}\n", directory.join("aiflow.1").display()).as_bytes())
    }
}
