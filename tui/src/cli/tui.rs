//! `aiflow tui`: the terminal interface, on a daemon or on a copied log.
//!
//! Must never need a daemon to begin with: the interface waits for one, and says so.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::session::Session;
use crate::actions::keyfile;
use crate::actions::keymap::Keymap;
use crate::conn::Conn;
use crate::state::link::Link;
use crate::tui::Settings;

/// What the interface begins with.
#[derive(Debug, Default, Args)]
pub(crate) struct Arguments {
    /// Change nothing: only look
    #[arg(long)]
    read_only: bool,
    /// Look at a copied home or log directory, without a daemon
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
    /// Begin with what a link leads to: aiflow://task/1/train/5@48213
    #[arg(value_name = "LINK")]
    link: Option<Link>,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let keymap = keymap()?;
        let settings = Settings { keymap, read_only: self.read_only, link: self.link };
        let (conn, home) = match self.log {
            Some(log) => {
                let program = super::server_start::find_daemon()?;
                let shown = log.display().to_string();
                (Conn::of_copy(program, log), shown)
            }
            None => {
                let home = session.home()?;
                (Conn::start(home.socket().to_owned()), home.directory().display().to_string())
            }
        };
        let shown = crate::tui::run(conn, home, settings).await;
        shown.map_err(|source| Failure::system("cannot show the interface", source))
    }
}

/// The keys as the user wants them.
fn keymap() -> Result<Keymap, Failure> {
    let Some(path) = keyfile::path(|name| std::env::var_os(name)) else {
        return Ok(Keymap::default());
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Keymap::default());
        }
        Err(error) => {
            return Err(Failure::system(format!("cannot read {}", path.display()), error));
        }
    };
    keyfile::read(&text).map_err(|fault| {
        let what = format!("the keymap {} is refused: {fault}", path.display());
        Failure::input(what, Some("aiflow man DIR; docs/guide/tui.md lists places and actions"))
    })
}
