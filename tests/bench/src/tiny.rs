//! The tiny programs that rows start as tasks and as their bare counterparts.
//!
//! Must never do more than they say: whatever they do is in the figures.

use std::ffi::OsString;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the clock that all processes of the host share.
pub(crate) fn monotonic_ns() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// Processor time of this process, in nanoseconds.
pub(crate) fn own_cpu_ns() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Tells the time at which it started.
pub(crate) fn mark(now: u64, socket: Option<OsString>) -> anyhow::Result<()> {
    let socket = socket.context("mark needs a socket")?;
    UnixDatagram::unbound()?.send_to(&now.to_le_bytes(), socket)?;
    Ok(())
}

/// Spawns `mark` and waits for it: the second of two spawns in series.
pub(crate) fn relay(socket: Option<OsString>) -> anyhow::Result<()> {
    let socket = socket.context("relay needs a socket")?;
    let own = std::env::current_exe()?;
    Command::new(own).arg("mark").arg(socket).stdin(Stdio::null()).status()?;
    Ok(())
}

/// Sleeps until it is killed, or long enough for any row.
#[expect(clippy::unnecessary_wraps, reason = "each mode has the shape of main")]
pub(crate) fn sleep() -> anyhow::Result<()> {
    std::thread::sleep(std::time::Duration::from_secs(300));
    Ok(())
}
