//! The shim: the process above one attempt, from the claim to the exit file.
//!
//! It outlives the daemon, so it depends on nothing but its directory. It has one thread and must
//! stay tiny. It must never execute the program without holding the claim and having written
//! `released`, and never end on its own while the task runs.

mod arguments;
mod attempt;
mod child;
mod lines;
mod log;
mod reap;
mod redact;
mod secrets;
mod serve;
mod supervise;

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use crate::process::{BootId, ProcessIdentity, boot_id};
use crate::report::Report;
use crate::system;
use arguments::Arguments;
use attempt::{Attempt, Claimed};

/// Exit code of a shim that wrote the exit of its task.
pub const EXIT_DONE: u8 = 0;
/// Exit code of a shim that was given arguments it does not understand. It ran nothing.
pub const EXIT_USAGE: u8 = 2;
/// Exit code of a shim that found the attempt claimed, or was stopped before. It ran nothing.
pub const EXIT_REFUSED: u8 = 3;
/// Exit code of a shim that could not start the task. It ran nothing.
pub const EXIT_FAILED: u8 = 4;
/// Exit code of a shim that could not write the exit of its task.
pub const EXIT_UNRECORDED: u8 = 5;

/// The one argument of the server that shims are forked from.
pub(crate) const SERVE: &str = "--serve";

/// A step of the start that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) what: &'static str,
    pub(crate) errno: Errno,
}

impl Failure {
    /// For `map_err`: names the step.
    pub(crate) fn at(what: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self { what, errno }
    }

    /// As [`Failure::at`], for errors that came through std.
    pub(crate) fn at_io(what: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self { what, errno: Errno::from_io_error(&error).unwrap_or(Errno::INVAL) }
    }
}

/// Runs a shim to its end, or the server that shims are forked from, and returns the exit code.
/// The arguments come without the program's own name; `shown` is where they lie, which is what
/// the kernel tells of them to others. A shim's standard output is the report pipe. Called by the
/// binary `aiflow-shim` and by nothing else.
pub fn main(arguments: impl Iterator<Item = OsString>, shown: &mut [u8]) -> u8 {
    let mut arguments = arguments.peekable();
    if arguments.next_if(|word| word == SERVE).is_some() {
        return serve::serve(shown);
    }
    match Ground::prepare() {
        Ok(ground) => run(arguments, ground),
        Err(failure) => report_failure(failure),
    }
}

/// What is the same for all shims, and so done once before they are forked.
struct Ground {
    signals: OwnedFd,
    boot_id: BootId,
}

impl Ground {
    fn prepare() -> Result<Self, Failure> {
        // Signals first: from here on no signal but SIGKILL ends the process.
        let signals = system::take_signals().map_err(Failure::at("signals"))?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let boot_id = boot_id().map_err(Failure::at_io("read the boot id"))?;
        Ok(Self { signals, boot_id })
    }
}

fn run(words: impl Iterator<Item = OsString>, ground: Ground) -> u8 {
    match Arguments::parse(words) {
        // It is never freed: the process ends with it.
        Some(arguments) => supervise(Box::leak(Box::new(arguments)), ground),
        None => {
            let errno = Errno::INVAL.raw_os_error();
            report(&Report::Failed { errno, what: "arguments".into() });
            EXIT_USAGE
        }
    }
}

fn supervise(arguments: &Arguments, ground: Ground) -> u8 {
    let attempt = match claim(arguments, ground) {
        Ok(Claimed::Won(attempt)) => attempt,
        Ok(Claimed::Lost) => return refuse("the attempt is claimed already"),
        Err(failure) => return report_failure(failure),
    };
    if system::read_signals(&attempt.signals).is_ok_and(|signals| signals.stop || signals.kill) {
        return refuse("the attempt was stopped before it started");
    }
    let task = match attempt.release(arguments) {
        Ok(task) => task,
        Err(failure) => {
            // The reason also for a daemon that comes later; without it: never started.
            let _ = attempt.publish_failure(failure);
            return report_failure(failure);
        }
    };
    report(&Report::Released(task.process));
    // Out of the daemon's session, as the task is already. Only now: the kernel schedules a new
    // session as a group of its own, which would delay the start on a busy host, and until here
    // blocked signals keep the shim safe. It fails only for a leader of a group.
    let _ = rustix::process::setsid();
    let exit = supervise::until_the_end(&attempt, task, arguments);
    match attempt.publish_exit(&exit) {
        Ok(()) => EXIT_DONE,
        Err(_) => EXIT_UNRECORDED,
    }
}

fn claim(arguments: &Arguments, ground: Ground) -> Result<Claimed, Failure> {
    let me = ProcessIdentity::of(std::process::id())
        .map_err(Failure::at_io("read /proc"))?
        .ok_or(Failure { what: "read /proc", errno: Errno::SRCH })?;
    // Descendants of the task whose parents end come to the shim, not to the host's init.
    rustix::process::set_child_subreaper(crate::process::to_pid(me.pid))
        .map_err(Failure::at("become subreaper"))?;
    Attempt::claim(arguments, me, ground)
}

/// Without `released` it is never started.
fn refuse(reason: &str) -> u8 {
    report(&Report::Refused { reason: reason.into() });
    EXIT_REFUSED
}

fn report_failure(failure: Failure) -> u8 {
    let errno = failure.errno.raw_os_error();
    report(&Report::Failed { errno, what: failure.what.into() });
    EXIT_FAILED
}

/// Writes the one line and closes the pipe. The daemon may be dead: nobody hears, nothing fails.
fn report(report: &Report) {
    let _ = rustix::io::write(rustix::stdio::stdout(), report.to_line().as_bytes());
    let _ = system::duplicate_onto(rustix::stdio::stdin(), 1);
}
