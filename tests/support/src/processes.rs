//! Processes of a home, found by the mark in their environment, and killed without mistaking one.
//!
//! Must never signal a number: a descriptor is opened first, then it is looked whose it is.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A process that was seen.
#[derive(Debug)]
pub struct Process {
    /// Its number, for people to read.
    pub pid: u32,
    /// What it is for.
    pub kind: Kind,
    fd: OwnedFd,
}

/// What a process of a home is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It stands above one attempt.
    Shim,
    /// Shims are forked from it.
    ForkServer,
    /// It does an attempt's work.
    Task,
}

impl Process {
    fn open(pid: u32) -> Option<Self> {
        let fd = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let kind = match arguments.split(|byte| *byte == 0).nth(1) {
            Some(b"--serve") if name.trim_end() == "aiflow-shim" => Kind::ForkServer,
            _ if name.trim_end() == "aiflow-shim" => Kind::Shim,
            _ => Kind::Task,
        };
        Some(Self { pid, kind, fd })
    }

    /// Kills it with SIGKILL; false when it has ended before.
    #[must_use = "it may have ended before"]
    pub fn kill(&self) -> bool {
        pidfd_send_signal(&self.fd, Signal::KILL).is_ok()
    }
}

/// The shims and tasks that daemons of a home have started, and all that those have.
#[must_use]
pub fn processes_of(home: &Path) -> Vec<Process> {
    let mark = format!("AIFLOW_HOME={}", home.display());
    let is_ours = |pid: u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    };
    // The mark a second time, so that none but ours is opened and none is mistaken behind it.
    let ours = numbers().into_iter().filter(|pid| is_ours(*pid)).filter_map(Process::open);
    ours.filter(|process| is_ours(process.pid)).collect()
}

/// The latest child of the first thread of a process, if it has any that lives.
#[must_use]
pub fn latest_child(parent: u32) -> Option<Process> {
    let children = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(children).ok()?;
    let process = Process::open(children.split_whitespace().next_back()?.parse().ok()?)?;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.pid)).ok()?;
    let after_name = stat.rsplit(')').next()?;
    let is_child = after_name.split_whitespace().nth(1)? == parent.to_string();
    is_child.then_some(process)
}

fn numbers() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}
