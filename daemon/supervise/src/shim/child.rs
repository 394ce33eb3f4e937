//! The child of the shim, between fork and exec: prepared, held on a pipe, then the program.
//!
//! The child only makes system calls. It must never execute unless a byte came through the pipe:
//! when the shim dies first, the pipe ends and so does the child.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, getpid, getppid, set_parent_process_death_signal, setsid};

use super::Failure;
use super::arguments::Arguments;
use super::secrets::Secrets;
use crate::confinement::Confinement;
use crate::system::{self, NullEnded};

/// The names of the child's steps; their index travels through the failure pipe.
const STEPS: [&str; 9] = [
    "setsid",
    "prctl",
    "dup2",
    "close_range",
    "wait for release",
    "unblock signals",
    "exec",
    "set a limit",
    "become the user",
];
const SETSID: u8 = 0;
const PRCTL: u8 = 1;
const DUP2: u8 = 2;
const CLOSE_RANGE: u8 = 3;
const WAIT: u8 = 4;
const UNBLOCK: u8 = 5;
const EXEC: u8 = 6;
const LIMIT: u8 = 7;
const USER: u8 = 8;

/// Exit code of a child that did not become the program; the failure pipe says why.
const NOT_EXECUTED: i32 = 127;

/// A child that waits for permission to execute. Dropping it without [`Held::let_go`] ends the
/// child without anything executed.
pub(crate) struct Held {
    pub(crate) pid: Pid,
    go: OwnedFd,
    failure: OwnedFd,
}

/// Read ends of what the task writes; they do not block.
pub(crate) struct TaskOutput {
    pub(crate) output: OwnedFd,
    pub(crate) error: OwnedFd,
}

impl Held {
    /// Permits the exec. A child that died meanwhile is seen by its end.
    pub(crate) fn let_go(&self) {
        let _ = rustix::io::write(&self.go, b"g");
    }

    /// Why the child did not become the program; `None` if it did, or was killed before.
    /// Meaningful once it has ended.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let mut report = [0; 5];
        let count = rustix::io::read(&self.failure, &mut report).ok()?;
        let [step, errno @ ..] = report;
        let what = STEPS.get(usize::from(step)).filter(|_| count == report.len())?;
        Some(Failure { what, errno: Errno::from_raw_os_error(i32::from_ne_bytes(errno)) })
    }
}

/// Forks a child that will execute the command of the arguments, with the secrets at hand.
pub(crate) fn fork_held(
    arguments: &Arguments,
    secrets: &Secrets,
    claim: &OwnedFd,
) -> Result<(Held, TaskOutput), Failure> {
    let Arguments { command, confinement, .. } = arguments;
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(Failure::at("pipe"));
    let (output, output_end) = pipe()?;
    let (error, error_end) = pipe()?;
    let (go_end, go) = pipe()?;
    let (failure, failure_end) = pipe()?;
    for end in [&output, &error, &failure] {
        fcntl_setfl(end, OFlags::NONBLOCK).map_err(Failure::at("fcntl"))?;
    }
    let variables = environment(arguments, secrets).map_err(Failure::at("environment"))?;
    let environment = NullEnded::new(variables.iter().map(CString::as_c_str));
    let arguments = NullEnded::new(command.iter().map(CString::as_c_str));
    let shim = getpid();

    let Some(pid) = system::fork().map_err(Failure::at("fork"))? else {
        // The lock must die with the shim, and the pipe must end with it.
        system::close_in_child(claim.as_fd());
        system::close_in_child(go.as_fd());
        let ends = Ends { output: output_end.as_fd(), error: error_end.as_fd() };
        let failed = prepare(shim, &ends, confinement, secrets)
            .and_then(|()| wait_for_release(go_end.as_fd()))
            .and_then(|()| system::unblock_signals().map_err(at(UNBLOCK)));
        let (step, errno) = match (failed, command.first()) {
            (Ok(()), Some(program)) => (EXEC, system::execute(program, &arguments, &environment)),
            (Ok(()), None) => (EXEC, Errno::NOENT),
            (Err(failed), _) => failed,
        };
        let [a, b, c, d] = errno.raw_os_error().to_ne_bytes();
        let _ = rustix::io::write(&failure_end, &[step, a, b, c, d]);
        system::exit_now(NOT_EXECUTED);
    };
    Ok((Held { pid, go, failure }, TaskOutput { output, error }))
}

/// All variables of the task, as the kernel takes them.
fn environment(arguments: &Arguments, secrets: &Secrets) -> Result<Vec<CString>, Errno> {
    let mut all: BTreeMap<&OsString, &OsString> = arguments.environment.iter().collect();
    all.extend(secrets.variables.iter().map(|(name, path)| (name, path)));
    let entry = |(name, value): (&OsString, &OsString)| {
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).map_err(|_| Errno::INVAL)
    };
    all.into_iter().map(entry).collect()
}

struct Ends<'a> {
    output: BorrowedFd<'a>,
    error: BorrowedFd<'a>,
}

type Step = Result<(), (u8, Errno)>;

fn at(step: u8) -> impl Fn(Errno) -> (u8, Errno) {
    move |errno| (step, errno)
}

fn prepare(shim: Pid, ends: &Ends<'_>, confinement: &Confinement, secrets: &Secrets) -> Step {
    // A session, and so a process group, of its own; without a terminal.
    setsid().map_err(at(SETSID))?;
    for (limit, most) in &confinement.limits {
        limit.set(*most).map_err(at(LIMIT))?;
    }
    // Before the signal at the death of the parent, which a change of user would clear.
    if let Some(user) = &confinement.user {
        system::become_user(user.uid, user.gid, &user.groups).map_err(at(USER))?;
    }
    // A second line only: what makes "at most once" true is the pipe, and what ends the rest of
    // the task is the shim or recovery.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(PRCTL))?;
    if getppid() != Some(shim) {
        // The shim died before the line above: nobody would ever send the signal.
        system::exit_now(NOT_EXECUTED);
    }
    system::forbid_new_privileges().map_err(at(PRCTL))?;
    system::duplicate_onto(ends.output, 1).map_err(at(DUP2))?;
    system::duplicate_onto(ends.error, 2).map_err(at(DUP2))?;
    system::close_others_on_exec().map_err(at(CLOSE_RANGE))?;
    secrets.keep_on_exec().map_err(at(CLOSE_RANGE))
}

fn wait_for_release(go: BorrowedFd<'_>) -> Step {
    let mut byte = [0];
    loop {
        match rustix::io::read(go, &mut byte) {
            Ok(1..) => return Ok(()),
            Ok(0) => system::exit_now(NOT_EXECUTED),
            Err(Errno::INTR) => {}
            Err(errno) => return Err((WAIT, errno)),
        }
    }
}
