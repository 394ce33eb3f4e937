//! A running shim, held by a descriptor that can never come to mean another process.
//!
//! It signals through that descriptor only, and it must never signal by process number.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use crate::process::from_pid;

/// A shim that was launched or adopted. Dropping it neither stops nor waits for anything.
///
/// Its descriptor ([`AsFd`]) becomes readable when the shim has ended.
#[derive(Debug)]
pub struct ShimHandle {
    pidfd: OwnedFd,
    pid: Pid,
}

impl ShimHandle {
    pub(crate) fn new(pidfd: OwnedFd, pid: Pid) -> Self {
        Self { pidfd, pid }
    }

    /// The shim's process number. For people to read, never to signal.
    #[must_use]
    pub fn pid(&self) -> u32 {
        from_pid(self.pid)
    }

    /// Asks for a graceful end: the shim sends the task's process group SIGTERM, and SIGKILL when
    /// the grace period of the launch is over. Asking again changes nothing; a shim that has
    /// ended is not an error. A shim asked before it has let its task go runs nothing, or stops
    /// it at once.
    ///
    /// # Errors
    /// When the kernel refuses the signal, for example across users.
    pub fn stop(&self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Asks for an end without grace: the shim kills the task's process group at once, then
    /// writes the exit as ever. Works also after [`ShimHandle::stop`].
    ///
    /// # Errors
    /// When the kernel refuses the signal, for example across users.
    pub fn kill_group(&self) -> io::Result<()> {
        self.signal(Signal::QUIT)
    }

    /// Whether the shim has ended. Never blocks.
    ///
    /// # Errors
    /// When the descriptor cannot be polled.
    pub fn has_ended(&self) -> io::Result<bool> {
        wait_readable(self.as_fd(), std::time::Duration::ZERO)
    }

    /// Takes the ended shim off the process table if it is a child of this process; one that was
    /// adopted, was reaped before or still runs is left alone. Never blocks.
    ///
    /// # Errors
    /// When the kernel refuses to wait for another reason.
    pub fn reap(&self) -> io::Result<()> {
        let id = WaitId::PidFd(self.pidfd.as_fd());
        match waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(_) | Err(Errno::CHILD) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for ShimHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// For event loops that register descriptors by number; the number is valid as long as the handle.
impl AsRawFd for ShimHandle {
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }
}

/// Waits until the descriptor is readable; `false` when the time is over first.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, time: std::time::Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let timeout = Timespec::try_from(time).ok();
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    match poll(&mut fds, timeout.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}
