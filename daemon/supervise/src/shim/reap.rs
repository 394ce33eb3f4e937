//! Takes ended children off the process table and, when the task has ended, all that is left.
//!
//! A process number is signalled here only while this process is its parent and has not reaped
//! it, so that it cannot mean another process.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, wait, waitpid};

use crate::handle::wait_readable;
use crate::process::{for_each_pid, stat, to_pid};
use crate::system::{self, End};

/// How long killed descendants may take to end before the exit is written without them.
const KILL_TIME_MAX: Duration = Duration::from_secs(10);
/// Longest pause between two looks at the descendants; ordinarily a signal ends it.
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(20);

/// Reaps orphans that came to the shim; says how the task's leader ended, once it has, and leaves
/// it in the process table.
pub(crate) fn leader_end(leader: Pid) -> Option<End> {
    loop {
        let ended = system::peek_ended_child().ok().flatten()?;
        if ended.pid == leader {
            return Some(ended.end);
        }
        let _ = waitpid(Some(ended.pid), WaitOptions::NOHANG);
    }
}

/// Kills the rest of the task's group and every other descendant, and reaps them all with the
/// leader. Returns how many were still there when the time was over.
pub(crate) fn end_all(leader: Pid, signals: &OwnedFd) -> u32 {
    // The leader is not reaped yet, so the group is still this task's.
    let _ = kill_process_group(leader, Signal::KILL);
    let deadline = Instant::now() + KILL_TIME_MAX;
    loop {
        match wait(WaitOptions::NOHANG) {
            // One more gone; its own children have just become ours.
            Ok(Some(_)) | Err(Errno::INTR) => continue,
            Ok(None) => {}
            Err(_) => return 0,
        }
        let children = children();
        if Instant::now() >= deadline {
            return u32::try_from(children.len()).unwrap_or(u32::MAX);
        }
        for child in children {
            let _ = kill_process(child, Signal::KILL);
        }
        let _ = wait_readable(signals.as_fd(), LOOK_PAUSE_MAX);
        let _ = system::read_signals(signals);
    }
}

/// The children of this process. None of them can be reaped by anybody else.
fn children() -> Vec<Pid> {
    let me = std::process::id();
    // One file of the kernel tells them; some kernels are built without it.
    if let Ok(list) = std::fs::read_to_string(format!("/proc/{me}/task/{me}/children")) {
        let pids = list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        return pids.filter_map(to_pid).collect();
    }
    let mut found = Vec::new();
    let _ = for_each_pid(|pid| {
        if stat(pid)?.is_some_and(|stat| stat.parent == me) {
            found.extend(to_pid(pid));
        }
        Ok(())
    });
    found
}
