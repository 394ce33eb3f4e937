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
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Change nothing: only look
    #[arg(long)]
    read_only: bool,
    /// Look at a copied home or log directory, without a daemon
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
    /// Write how long each frame took, in microseconds; for the benchmark
    #[arg(long, value_name = "FILE", hide = true)]
    frames: Option<PathBuf>,
    /// Print the screen once, as text, and end
    #[arg(long)]
    once: bool,
    /// With --once: columns and lines
    #[arg(long, value_name = "WxH", default_value = "120x40", value_parser = size)]
    size: (u16, u16),
    /// Begin with what a link leads to: aiflow://task/1/train/5@48213
    #[arg(value_name = "LINK")]
    link: Option<Link>,
}

impl Arguments {
    /// Nothing was said.
    pub(crate) const fn none() -> Self {
        let (read_only, once, log, frames, link) = (false, false, None, None, None);
        Self { read_only, log, frames, once, size: (120, 40), link }
    }

    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        let keymap = keymap()?;
        let (read_only, link, frames) = (self.read_only, self.link, self.frames);
        let settings = Settings { keymap, read_only, link, frames };
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
        if self.once {
            let text = crate::once::screen(conn, home, settings, self.size).await;
            let text = text.map_err(|what| Failure::input(what, None))?;
            return session.output.write(text.as_bytes());
        }
        let shown = crate::tui::run(conn, home, settings).await;
        shown.map_err(|source| Failure::system("cannot show the interface", source))
    }
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parsed = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let is_good =
        |(width, height): &(u16, u16)| (1..=1000).contains(width) && (1..=1000).contains(height);
    parsed.filter(is_good).ok_or_else(|| "write columns and lines, such as 120x40".to_owned())
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
