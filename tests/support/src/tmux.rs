//! A program in tmux: what people see who work in one.
//!
//! Must never touch another tmux server than its own, nor wait for a time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::terminal::until;

/// A program in a tmux server of its own. Dropping it ends both.
#[derive(Debug)]
pub struct Tmux {
    socket: PathBuf,
}

impl Tmux {
    /// Runs a command in a window of so many columns and rows; `directory` is for the server's
    /// socket. None where there is no tmux.
    ///
    /// # Panics
    /// When tmux is there and does not run the command.
    #[must_use]
    #[track_caller]
    pub fn run(command: &Command, directory: &Path, columns: u16, rows: u16) -> Option<Self> {
        Command::new("tmux").arg("-V").output().ok().filter(|output| output.status.success())?;
        let tmux = Self { socket: directory.join("tmux.sock") };
        let mut inside = tmux.command();
        inside.args(["new-session", "-d", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        for (name, value) in command.get_envs() {
            let value = value.unwrap_or_default();
            inside.arg("-e").arg([name, value].join("=".as_ref()));
        }
        inside.arg("--").arg(command.get_program()).args(command.get_args());
        // The window outlives its program, so that its end can be seen.
        inside.args([";", "set-option", "-g", "remain-on-exit", "on"]);
        inside.args([";", "set-option", "-g", "status", "off"]);
        let ran = inside.output().expect("tmux can be run");
        assert!(ran.status.success(), "tmux: {}", String::from_utf8_lossy(&ran.stderr));
        Some(tmux)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(["-f", "/dev/null"]);
        command.stdin(Stdio::null()).env_remove("TMUX");
        command
    }

    #[track_caller]
    fn ask(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().expect("tmux can be run");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {told}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Presses keys, by the names that tmux has for them: `j`, `Enter`, `C-u`.
    ///
    /// # Panics
    /// When the window is gone.
    #[track_caller]
    pub fn keys(&self, names: &[&str]) {
        self.ask(&[&["send-keys"], names].concat());
    }

    /// Types a text.
    ///
    /// # Panics
    /// When the window is gone.
    #[track_caller]
    pub fn types(&self, text: &str) {
        self.ask(&["send-keys", "-l", text]);
    }

    /// Changes the size.
    ///
    /// # Panics
    /// When the window is gone.
    #[track_caller]
    pub fn resize(&self, columns: u16, rows: u16) {
        self.ask(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What the window shows.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    /// Waits until the window shows all of these.
    ///
    /// # Panics
    /// When it does not come to that.
    #[track_caller]
    pub fn shows(&self, wanted: &[&str]) {
        until(
            &format!("tmux shows {wanted:?}"),
            || self.text(),
            |text| wanted.iter().all(|wanted| text.contains(wanted)),
        );
    }

    /// Waits until the window shows this no longer.
    ///
    /// # Panics
    /// When it does not come to that.
    #[track_caller]
    pub fn shows_no_more(&self, gone: &str) {
        until(&format!("tmux shows no {gone:?}"), || self.text(), |text| !text.contains(gone));
    }

    /// Waits until the program has ended.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn ended(&self) {
        let is_dead = || self.ask(&["display-message", "-p", "#{pane_dead}"]);
        until("the program ends", is_dead, |told| told.trim() == "1");
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.command().arg("kill-server").output();
    }
}
