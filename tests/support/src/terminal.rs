//! A terminal for a program: what it writes is kept as a screen, keys are typed, its size changes.
//!
//! Must never wait for a time: only for what the screen shows. Must never show half a frame.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::wait_until;

/// What a program writes around a frame that is to be shown whole or not at all.
const FRAME_BEGINS: &[u8] = b"\x1b[?2026h";
const FRAME_ENDS: &[u8] = b"\x1b[?2026l";

/// A program in a terminal of its own. Dropping it ends the program.
pub struct Terminal {
    master: File,
    child: Child,
    screen: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<AtomicU64>,
}

impl Terminal {
    /// Runs a command in a terminal of so many columns and rows.
    ///
    /// # Panics
    /// When there is no terminal to be had, or the command cannot be run.
    #[must_use]
    #[track_caller]
    pub fn run(command: &Command, columns: u16, rows: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a terminal can be opened");
        grantpt(&master).expect("the terminal is ours");
        unlockpt(&master).expect("the terminal can be used");
        let name = ptsname(&master, Vec::new()).expect("the terminal has a name");
        let path = name.to_str().expect("the name is text");
        let end = || {
            let opened = File::options().read(true).write(true).open(path);
            Stdio::from(opened.expect("the terminal can be opened"))
        };
        // Only the leader of a session hears of a change of size, and gets ctrl-c.
        let mut inside = Command::new("setsid");
        inside.arg("--ctty").arg("--wait").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside.env("TERM", "xterm-256color").stdin(end()).stdout(end()).stderr(end());
        set_size(&master, columns, rows);
        let child = inside.spawn().expect("setsid can be run");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let master = File::from(master);
        let (mut output, kept) = (master.try_clone().expect("it can be read"), Arc::clone(&screen));
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let show = |bytes: &[u8]| {
                kept.lock().unwrap_or_else(PoisonError::into_inner).process(bytes);
            };
            let mut piece = [0; 65_536];
            let mut held = Vec::new();
            // The end of the program is an error on Linux.
            while let Ok(count @ 1..) = output.read(&mut piece) {
                counted.fetch_add(count as u64, Ordering::Relaxed);
                held.extend_from_slice(&piece[..count]);
                let rest = held.split_off(whole(&held));
                show(&held);
                held = rest;
            }
            show(&held);
        });
        Self { master, child, screen, bytes }
    }

    /// The program's process: `setsid` becomes it.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Bytes that the program has written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Types: text as it is, so that control characters are `\u{1b}` and the like.
    ///
    /// # Panics
    /// When the program is gone.
    #[track_caller]
    pub fn keys(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("somebody reads the keys");
    }

    /// Changes the size.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.screen_mut().set_size(rows, columns);
        set_size(&self.master, columns, rows);
    }

    /// What the screen shows.
    #[must_use]
    pub fn text(&self) -> String {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner).screen().contents()
    }

    /// Waits until the screen shows all of these.
    ///
    /// # Panics
    /// When it does not come to that.
    #[track_caller]
    pub fn shows(&self, wanted: &[&str]) {
        self.until(&format!("the screen shows {wanted:?}"), |text| {
            wanted.iter().all(|wanted| text.contains(wanted))
        });
    }

    /// Waits until the screen is as it should be.
    ///
    /// # Panics
    /// When it does not come to that.
    #[track_caller]
    pub fn until(&self, what: &str, is_good: impl Fn(&str) -> bool) {
        until(what, || self.text(), is_good);
    }

    /// Waits until the program has ended.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn ended(&mut self) {
        wait_until("the program ends", || self.child.try_wait().ok().flatten());
    }
}

/// Waits until what is shown is as it should be; says what is there when it does not come to that.
#[track_caller]
pub(crate) fn until(what: &str, shown: impl Fn() -> String, is_good: impl Fn(&str) -> bool) {
    let mut last = String::new();
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until(what, || {
            last = shown();
            is_good(&last).then_some(())
        });
    }));
    assert!(seen.is_ok(), "gave up waiting until {what}; it shows:\n{last}");
}

/// Up to where what was written may be shown: not into a frame that has not ended, nor into what
/// may be the beginning of one.
fn whole(written: &[u8]) -> usize {
    let find = |wanted: &[u8]| written.windows(wanted.len()).rposition(|found| found == wanted);
    let (begins, ends) = (find(FRAME_BEGINS), find(FRAME_ENDS));
    match begins {
        Some(begins) if ends.is_none_or(|ends| ends < begins) => begins,
        _ => {
            let is_cut = |length: &usize| written.ends_with(&FRAME_BEGINS[..*length]);
            written.len() - (1..FRAME_BEGINS.len()).rev().find(is_cut).unwrap_or(0)
        }
    }
}

fn set_size(terminal: impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("the terminal takes a size");
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_shown_whole_wherever_it_is_cut() {
        let frame = b"a\x1b[?2026hbc\x1b[?2026ld".as_slice();
        let (begins, ends) = (1, frame.len() - 1);
        for cut in 0..=frame.len() {
            let shown = whole(&frame[..cut]);
            let expected = if cut < ends { cut.min(begins) } else { cut };
            assert_eq!(shown, expected, "cut at {cut}");
        }
        let two = [frame, frame].concat();
        assert_eq!(whole(&two[..two.len() - 4]), frame.len() + begins);
    }
}
