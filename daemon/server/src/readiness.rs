//! Waits until a descriptor is readable: pidfds, inotify and pipes.
//!
//! tokio's pipe end does for any pollable descriptor what is needed here, without `unsafe`. Must
//! never be used for descriptors that are always ready, such as regular files.

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe::Receiver;

/// A descriptor to wait on and to read from. It is made non-blocking.
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<Receiver> {
    rustix::io::ioctl_fionbio(&descriptor, true).or_else(|errno| match errno {
        // A pidfd has no such switch and needs none: it is only waited for.
        rustix::io::Errno::NOTTY | rustix::io::Errno::INVAL => Ok(()),
        errno => Err(errno),
    })?;
    Receiver::from_owned_fd_unchecked(descriptor)
}
