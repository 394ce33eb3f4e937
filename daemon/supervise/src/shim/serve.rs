//! The fork server: waits for orders and forks a shim for each.
//!
//! It has one thread and holds nothing but its socket, so that a fork is cheap and sound. It must
//! never claim, start or signal anything itself.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{Mode, OFlags, open};

use super::{EXIT_DONE, EXIT_FAILED, EXIT_USAGE, Ground, SERVE, run};
use crate::order;
use crate::system;

/// Serves until the daemon closes the socket, which is the standard input. A shim ends in here.
pub(crate) fn serve(shown: &mut [u8]) -> u8 {
    // Its signals too: what a terminal sends to all of its processes is meant for the daemon.
    let (Ok(ground), Ok(null)) =
        (Ground::prepare(), open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()))
    else {
        return EXIT_FAILED;
    };
    show(shown, SERVE.as_bytes());
    let socket = rustix::stdio::stdin();
    // Kept from order to order: after a fork each page that is touched is copied.
    let mut bytes = Vec::new();
    loop {
        let report = match order::receive(socket, &mut bytes) {
            Ok(Some(report)) => report,
            Ok(None) => return EXIT_DONE,
            Err(_) => return EXIT_USAGE,
        };
        let forked = match system::fork_sibling() {
            Ok(Some(pid)) => Ok(pid),
            Ok(None) => {
                show(shown, attempt(&bytes));
                let code = match take_streams(null, report) {
                    Ok(()) => run(order::words(&bytes).map(OsStr::to_owned), ground),
                    Err(_) => EXIT_FAILED,
                };
                // Without what a program does at its end, for which it would have to be copied.
                system::exit_now(code.into());
            }
            Err(errno) => Err(errno),
        };
        // The daemon may be dead; then the socket ends.
        let _ = order::answer(socket, forked);
    }
}

/// The streams of a shim: nothing to read, and its report to write. The server's socket goes, so
/// that it ends with the server.
fn take_streams(null: OwnedFd, report: OwnedFd) -> rustix::io::Result<()> {
    system::duplicate_onto(null.as_fd(), 0)?;
    system::duplicate_onto(report.as_fd(), 1)
}

/// Lets `ps` show a text in place of the arguments, as much of it as there is room for.
fn show(shown: &mut [u8], text: &[u8]) {
    shown.fill(0);
    for (place, byte) in shown.iter_mut().zip(text) {
        *place = *byte;
    }
}

/// The id of the attempt that an order is for.
fn attempt(order: &[u8]) -> &[u8] {
    let mut words = order::words(order).skip_while(|word| *word != "--attempt");
    words.nth(1).map_or(b"", |id| id.as_bytes())
}
