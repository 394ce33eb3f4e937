//! What an attempt may use and who it is: limits, another user, secrets.
//!
//! It travels from the launch to the shim as arguments, never as values of secrets: those are read
//! from their files by the shim. It must never quietly leave out what cannot be enforced.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::user::User;

/// What an attempt may use and who it is. The default: as the daemon, without secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Most of a resource that each process of the task may use.
    pub limits: Vec<(Limit, u64)>,
    /// Who runs the task; none: whoever runs the daemon.
    pub user: Option<User>,
    /// Files that the task reads through a descriptor, by the variable that names it.
    pub secrets: Vec<(String, PathBuf)>,
}

/// A resource that can be limited; for each process of the task, by `setrlimit(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of private memory that it can write (`RLIMIT_DATA`).
    Memory,
    /// Open descriptors (`RLIMIT_NOFILE`).
    OpenFiles,
    /// Processes and threads of the task's user, all together (`RLIMIT_NPROC`); the kernel exempts
    /// root.
    Processes,
    /// Bytes of a file that it writes (`RLIMIT_FSIZE`).
    FileSize,
    /// Seconds of a processor (`RLIMIT_CPU`).
    CpuTime,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Memory, Self::OpenFiles, Self::Processes, Self::FileSize, Self::CpuTime];

    /// Its name on the command line of the shim.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::OpenFiles => "open_files",
            Self::Processes => "processes",
            Self::FileSize => "file_size",
            Self::CpuTime => "cpu_time",
        }
    }

    const fn resource(self) -> Resource {
        match self {
            Self::Memory => Resource::Data,
            Self::OpenFiles => Resource::Nofile,
            Self::Processes => Resource::Nproc,
            Self::FileSize => Resource::Fsize,
            Self::CpuTime => Resource::Cpu,
        }
    }

    /// Limits this process and those that it becomes; never above what it may itself.
    pub(crate) fn set(self, most: u64) -> rustix::io::Result<()> {
        let maximum = getrlimit(self.resource()).maximum.unwrap_or(u64::MAX).min(most);
        let limit = Rlimit { current: Some(maximum), maximum: Some(maximum) };
        setrlimit(self.resource(), limit)
    }
}

impl Confinement {
    /// The limits that the kernel will not enforce on this task.
    #[must_use]
    pub fn unenforced(&self) -> Vec<Limit> {
        let uid = self.user.as_ref().map_or(rustix::process::geteuid().as_raw(), |user| user.uid);
        let is_exempt = |limit: &Limit| uid == 0 && *limit == Limit::Processes;
        self.limits.iter().map(|(limit, _)| *limit).filter(is_exempt).collect()
    }

    /// The arguments of the shim that say all this.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        for (limit, most) in &self.limits {
            arguments.extend(["--limit".into(), format!("{}={most}", limit.name()).into()]);
        }
        if let Some(user) = &self.user {
            arguments.extend(["--user".into(), user.to_argument().into()]);
        }
        for (name, file) in &self.secrets {
            arguments.extend(["--secret".into(), secret_argument(name, file)]);
        }
        arguments
    }
}

fn secret_argument(name: &str, file: &Path) -> OsString {
    let mut argument = OsString::from(format!("{name}="));
    argument.push(file);
    argument
}

/// `NAME=NUMBER` as the shim is given it.
pub(crate) fn parse_limit(text: &str) -> Option<(Limit, u64)> {
    let (name, most) = text.split_once('=')?;
    let limit = Limit::ALL.into_iter().find(|limit| limit.name() == name)?;
    Some((limit, most.parse().ok()?))
}
