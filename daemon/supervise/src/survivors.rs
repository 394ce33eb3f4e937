//! Ends what is left of an attempt whose shim died before it could.
//!
//! A process is taken for one of the attempt's only by evidence: both marks stand in its
//! environment, or it is the released process by number and start time. The evidence is looked at
//! again behind an open pidfd, and only that is signalled. It must never end a process by number.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::handle::wait_readable;
use crate::process::{ProcessIdentity, for_each_pid, is_gone, stat, to_pid};

/// How long killed processes may take to end before recovery gives up on them.
const KILL_TIME_MAX: Duration = Duration::from_secs(10);
/// How many looks at all processes must find nothing.
const QUIET_SWEEPS: u32 = 2;
/// How often, and how far apart, a process without an environment is looked at: together much
/// longer than executing or ending takes.
const MOTION_LOOKS_MAX: u32 = 50;
const MOTION_PAUSE: Duration = Duration::from_micros(100);

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
    /// These were killed and are still there; none are named if new ones kept coming.
    Stuck { pids: Vec<u32> },
}

/// Kills every process of the attempt and waits until none is left.
pub(crate) fn end(evidence: &Evidence) -> io::Result<Ended> {
    let deadline = Instant::now() + KILL_TIME_MAX;
    let mut killed = 0;
    let mut quiet_sweeps = 0;
    // Processes fork while they are looked for. A sweep goes through the numbers as they rise and
    // so meets the children of what it kills; a second one meets those whose number wrapped.
    while quiet_sweeps < QUIET_SWEEPS {
        let sweep = sweep(evidence)?;
        quiet_sweeps = if sweep.met_any { 0 } else { quiet_sweeps + 1 };
        killed += u32::try_from(sweep.killed.len()).unwrap_or(u32::MAX);
        let stuck: Vec<_> = sweep
            .killed
            .into_iter()
            .filter_map(|(pid, pidfd)| wait_for_end(pid, &pidfd, deadline).transpose())
            .collect::<io::Result<_>>()?;
        if !stuck.is_empty() || Instant::now() >= deadline {
            return Ok(Ended::Stuck { pids: stuck });
        }
    }
    Ok(Ended::All { killed })
}

/// What one look at all processes came to.
#[derive(Debug, Default)]
struct Sweep {
    /// Whether any process of the attempt was met, also if it ended by itself before the signal:
    /// it may have left a child.
    met_any: bool,
    killed: Vec<(u32, OwnedFd)>,
}

/// Kills each process of the attempt that is met.
fn sweep(evidence: &Evidence) -> io::Result<Sweep> {
    let me = std::process::id();
    let mut sweep = Sweep::default();
    for_each_pid(|pid| {
        // The recovering daemon may itself have been started by the task.
        if pid != me && is_survivor(evidence, pid)? {
            sweep.met_any = true;
            sweep.killed.extend(kill(evidence, pid)?.map(|pidfd| (pid, pidfd)));
        }
        Ok(())
    })?;
    Ok(sweep)
}

fn is_survivor(evidence: &Evidence, pid: u32) -> io::Result<bool> {
    for _ in 0..MOTION_LOOKS_MAX {
        let Some(stat) = stat(pid)? else { return Ok(false) };
        // Nothing that started before the task can be of the task.
        let older = stat.start_time < evidence.released.start_time;
        if older || stat.has_ended() || stat.is_of_the_kernel() {
            return Ok(false);
        }
        if (ProcessIdentity { pid, start_time: stat.start_time }) == evidence.released {
            return Ok(true);
        }
        match std::fs::read(format!("/proc/{pid}/environ")) {
            // Without any environment for an instant: it is just executing or just ending.
            Ok(environment) if environment.is_empty() => std::thread::sleep(MOTION_PAUSE),
            Ok(environment) => return Ok(has_marks(&environment, &evidence.marks)),
            Err(error) if is_gone(&error) => return Ok(false),
            // A process of another user, or one that may not be looked at, is not ours to kill.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// The killed process; `None` when it ended by itself.
fn kill(evidence: &Evidence, pid: u32) -> io::Result<Option<OwnedFd>> {
    let Some(raw) = to_pid(pid) else { return Ok(None) };
    let pidfd = match pidfd_open(raw, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    // From here the descriptor means one process; is it still one of the attempt's?
    if !is_survivor(evidence, pid)? {
        return Ok(None);
    }
    match pidfd_send_signal(&pidfd, Signal::KILL) {
        Ok(()) => Ok(Some(pidfd)),
        Err(Errno::SRCH) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// The number of a killed process that has not ended at the deadline.
fn wait_for_end(pid: u32, pidfd: &OwnedFd, deadline: Instant) -> io::Result<Option<u32>> {
    while !wait_readable(pidfd.as_fd(), deadline.saturating_duration_since(Instant::now()))? {
        if Instant::now() >= deadline {
            return Ok(Some(pid));
        }
    }
    Ok(None)
}

fn has_marks(environment: &[u8], marks: &[Vec<u8>]) -> bool {
    let holds = |mark: &Vec<u8>| environment.split(|byte| *byte == 0).any(|entry| entry == mark);
    !marks.is_empty() && marks.iter().all(holds)
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
