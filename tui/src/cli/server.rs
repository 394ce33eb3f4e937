//! `aiflow server …`: the daemon on this home.
//!
//! Must never touch the daemon's files but for the log of its stderr.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use aiflow_model::wire::Empty;
use clap::Subcommand;

use super::failure::Failure;
use super::session::Session;
use super::{server_start, server_stop};

/// What to do with the daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start the daemon, and return when it serves.
    Start {
        /// Nothing: it always goes on in the background
        #[arg(short, long, hide = true)]
        daemon: bool,
    },
    /// Stop the daemon, and return when it has ended; tasks go on.
    Stop,
    /// Show how the daemon is.
    Status,
    /// Become COMMAND in a session of its own, which no terminal ends.
    #[command(hide = true)]
    Detach {
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<OsString>,
    },
}

impl Verb {
    /// Whether it changes nothing and ends by itself.
    pub(crate) fn looks(&self) -> bool {
        matches!(self, Self::Status)
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Start { daemon: _ } => {
                session.refuse_dry_run("server start")?;
                server_start::perform(session).await
            }
            Self::Stop => {
                session.refuse_dry_run("server stop")?;
                server_stop::perform(session).await
            }
            Self::Status => session.output.show(&session.connect().await?.status(Empty {}).await?),
            Self::Detach { command } => Err(detach(&command)),
        }
    }
}

/// Does not return unless it failed. A process of our own does this because what stands between
/// fork and exec cannot be done without unsafe code.
fn detach(command: &[OsString]) -> Failure {
    let Some((program, arguments)) = command.split_first() else {
        return Failure::input("there is nothing to become", None);
    };
    if let Err(error) = rustix::process::setsid() {
        return Failure::system("cannot begin a session", error.into());
    }
    let source = Command::new(program).args(arguments).exec();
    Failure::system(format!("cannot run {}", program.to_string_lossy()), source)
}
