//! Ends what is left of an attempt whose shim died before it could.
//!
//! A process is taken for one of the attempt's only by evidence: both marks stand in its
//! environment, or it is the released process by number and start time. The evidence is looked at
//! again behind an open pidfd, and only that is signalled. It must never end a process by number.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::handle::wait_readable;
use crate::process::{ProcessIdentity, all_pids, is_gone, stat, to_pid};

/// How long killed processes may take to end before recovery gives up on them.
const KILL_TIME_MAX: Duration = Duration::from_secs(10);

/// What the processes of one attempt carry.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// `NAME=VALUE` entries, all of which stand in the environment of each process.
    pub(crate) marks: Vec<Vec<u8>>,
    /// The process that was released.
    pub(crate) released: ProcessIdentity,
}

/// What ending the survivors came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// None is left; this many were killed.
    All { killed: u32 },
    /// This many were killed and are still there.
    Stuck { pids: Vec<u32> },
}

/// Kills every process of the attempt and waits until none is left.
pub(crate) fn end(evidence: &Evidence) -> io::Result<Ended> {
    let deadline = Instant::now() + KILL_TIME_MAX;
    let mut killed = 0;
    // A process may fork between being seen and being killed, so look until nothing is seen.
    loop {
        let survivors = find(evidence)?;
        if survivors.is_empty() {
            return Ok(Ended::All { killed });
        }
        for pid in &survivors {
            killed += u32::from(end_one(evidence, *pid, deadline)?);
        }
        if Instant::now() >= deadline {
            return Ok(Ended::Stuck { pids: survivors });
        }
    }
}

fn find(evidence: &Evidence) -> io::Result<Vec<u32>> {
    let me = std::process::id();
    let mut found = Vec::new();
    for pid in all_pids()? {
        // The recovering daemon may itself have been started by the task.
        if pid != me && is_survivor(evidence, pid)? {
            found.push(pid);
        }
    }
    Ok(found)
}

fn is_survivor(evidence: &Evidence, pid: u32) -> io::Result<bool> {
    if pid == evidence.released.pid {
        return evidence.released.is_alive();
    }
    match std::fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) => Ok(has_marks(&environment, &evidence.marks)),
        Err(error) if is_gone(&error) => Ok(false),
        // A process of another user, or one that may not be looked at, cannot be ours to kill.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error),
    }
}

fn has_marks(environment: &[u8], marks: &[Vec<u8>]) -> bool {
    let holds = |mark: &Vec<u8>| environment.split(|byte| *byte == 0).any(|entry| entry == mark);
    !marks.is_empty() && marks.iter().all(holds)
}

/// Whether the process was ended by this call.
fn end_one(evidence: &Evidence, pid: u32, deadline: Instant) -> io::Result<bool> {
    let Some(raw) = to_pid(pid) else { return Ok(false) };
    let pidfd = match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    };
    // From here the descriptor means one process; is it still the one that was seen?
    if !is_survivor(evidence, pid)? {
        return Ok(false);
    }
    match pidfd_send_signal(&pidfd, Signal::KILL) {
        Ok(()) => {}
        Err(Errno::SRCH) => return Ok(false),
        Err(errno) => return Err(errno.into()),
    }
    while !wait_readable(pidfd.as_fd(), deadline.saturating_duration_since(Instant::now()))? {
        if Instant::now() >= deadline || stat(pid)?.is_none() {
            break;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_match_whole_entries_and_all_of_them() {
        let marks = vec![b"A=1".to_vec(), b"B=/x".to_vec()];
        assert!(has_marks(b"Z=\0B=/x\0A=1\0", &marks));
        assert!(!has_marks(b"A=12\0B=/x\0", &marks));
        assert!(!has_marks(b"A=1\0", &marks));
        assert!(!has_marks(b"XA=1\0B=/x\0", &marks));
        assert!(!has_marks(b"", &[]));
    }
}
