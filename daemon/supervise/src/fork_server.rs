//! The process from which shims are forked, as the daemon holds it.
//!
//! Forking a small process that is ready costs a fraction of executing a program anew for each
//! attempt. The shims are the daemon's own children all the same, and depend on the server for
//! nothing once they are forked. It must never leave open whether an order that failed may have
//! been carried out.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Pid;

use crate::order::{self, ATTEMPT_BYTES_MAX, Order};
use crate::shim::SERVE;

/// How long a server may take over one order before another takes its place: the daemon waits, and
/// ordinarily for a fraction of a millisecond. Too short is only dear: the directory tells.
const ORDER_TIME_MAX: Duration = Duration::from_secs(2);

/// Forks shims. When its process is gone, the next order starts another. Dropping it ends the
/// process and no shim.
#[derive(Debug)]
pub struct ForkServer {
    program: Program,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Program {
    shim: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

/// Why no shim is at hand.
#[derive(Debug)]
pub(crate) enum NotForked {
    /// None was forked.
    Nothing(io::Error),
    /// Nobody can say.
    Unknown(io::Error),
}

#[derive(Debug)]
struct Running {
    socket: OwnedFd,
    process: Child,
}

impl ForkServer {
    /// Starts a server of `shim`, the absolute path of the `aiflow-shim` executable. `environment`:
    /// its own variables, by which it and its shims can be told in `/proc`; no task gets them.
    ///
    /// # Errors
    /// What the kernel said when it would not execute it.
    pub fn start(shim: PathBuf, environment: Vec<(OsString, OsString)>) -> io::Result<Self> {
        let program = Program { shim, environment };
        let running = Mutex::new(Some(program.start()?));
        Ok(Self { program, running })
    }

    /// The executable.
    pub(crate) fn shim(&self) -> &Path {
        &self.program.shim
    }

    /// Forks a shim, a child of this process that it has not reaped.
    pub(crate) fn fork(&self, order: &Order, report: BorrowedFd<'_>) -> Result<Pid, NotForked> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.take()
            && order.send(server.socket.as_fd(), report).is_ok()
        {
            return settle(server, &mut running);
        }
        // It died while nothing was asked of it, and has not got the whole order.
        let server = self.program.start().map_err(NotForked::Nothing)?;
        order.send(server.socket.as_fd(), report).map_err(NotForked::Nothing)?;
        settle(server, &mut running)
    }
}

/// Waits for the answer to an order that has gone out whole; a server that gives none is not kept.
fn settle(server: Running, running: &mut Option<Running>) -> Result<Pid, NotForked> {
    match order::read_answer(server.socket.as_fd()) {
        Ok(forked) => {
            *running = Some(server);
            forked.map_err(|errno| NotForked::Nothing(errno.into()))
        }
        Err(error) => Err(NotForked::Unknown(error)),
    }
}

impl Program {
    fn start(&self) -> io::Result<Running> {
        let (kind, flags) = (SocketType::STREAM, SocketFlags::CLOEXEC);
        let (socket, other) = socketpair(AddressFamily::UNIX, kind, flags, None)?;
        for timeout in [Timeout::Send, Timeout::Recv] {
            set_socket_timeout(&socket, timeout, Some(ORDER_TIME_MAX))?;
        }
        let process = Command::new(&self.shim)
            .arg(SERVE)
            // Room in which its shims show what they are.
            .arg(" ".repeat(ATTEMPT_BYTES_MAX))
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir("/")
            .stdin(other)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Running { socket, process })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends by itself when the socket does, unless it hangs.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
