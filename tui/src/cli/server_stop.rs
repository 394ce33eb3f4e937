//! `aiflow server stop`: asks the daemon to go, and waits until it has gone.
//!
//! Must never signal a process: the daemon goes by itself, and its tasks go on.

use std::os::fd::OwnedFd;
use std::time::Duration;

use aiflow_model::wire::Empty;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::failure::Failure;
use super::output::note;
use super::session::Session;

/// How long a daemon may take to end.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// Stops the daemon.
pub(crate) async fn perform(session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let status = client.status(Empty {}).await?;
    // Taken while it surely lives: its pid cannot be another's.
    let process = open_process(status.pid);
    match client.stop_daemon(Empty {}).await {
        // It may be gone before its answer is through.
        Err(error) if !error.is_absence() => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let closed = tokio::time::timeout(ENDED_WITHIN, client.closed()).await.is_ok();
    if !closed || process.is_some_and(|process| !has_ended(&process)) {
        let what = format!("the daemon (pid {}) has not ended for {ENDED_WITHIN:?}", status.pid);
        return Err(Failure::input(what, Some("look into aiflowd.log in its home")));
    }
    note(&format!("the daemon (pid {}) has ended", status.pid));
    Ok(())
}

/// A handle to the daemon's process; none where it cannot be seen, such as in another container.
fn open_process(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Waits for the end of the process, which is what frees the home for the next daemon. Blocks,
/// for there is nothing else to do meanwhile. An error says no more than that it cannot be
/// waited for.
fn has_ended(process: &OwnedFd) -> bool {
    let within = Timespec::try_from(ENDED_WITHIN).ok();
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    poll(&mut fds, within.as_ref()).map_or(true, |ready| ready > 0)
}
