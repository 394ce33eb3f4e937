//! Starts one attempt: its directory, then its shim.
//!
//! It must never decide whether the attempt may start, and never run the program itself: between
//! the caller and the program there is always a shim that holds the claim.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};

use crate::confinement::Confinement;
use crate::directory::{AttemptDirectory, DirectoryError};
use crate::fork_server::{ForkServer, NotForked};
use crate::handle::ShimHandle;
use crate::order::{ATTEMPT_BYTES_MAX, Order};
use crate::{ATTEMPT_DIRECTORY_VARIABLE, ATTEMPT_ID_VARIABLE, PROTOCOL_VERSION};

/// Smallest size of one log file, bytes: two of the longest records fit.
pub const LOG_BYTES_MIN: u64 = 32 * 1024;
/// Largest number of log files of one attempt.
pub const LOG_FILES_MAX: u32 = 1000;
/// Longest grace period that the shim takes, milliseconds: 49 days.
pub(crate) const GRACE_MILLIS_MAX: u64 = u32::MAX as u64;

/// One attempt to start. The task gets exactly this environment, and besides it only the two
/// marks [`ATTEMPT_ID_VARIABLE`] and [`ATTEMPT_DIRECTORY_VARIABLE`], which replace any given.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The attempt directory. Its parent must exist; it itself is created, or may exist without a
    /// claim, private to this user.
    pub directory: PathBuf,
    /// The attempt's id: one line of text, at most 255 bytes.
    pub attempt: String,
    /// The program, looked up in the `PATH` of `environment` when it has no slash.
    pub program: OsString,
    /// Its arguments, without its own name.
    pub arguments: Vec<OsString>,
    /// Its environment, as name and value.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it runs; must exist.
    pub working_directory: PathBuf,
    /// How long a stopped task may take before it is killed; at most 49 days, rounded down to
    /// milliseconds.
    pub grace: Duration,
    /// Size of one file of the output log, bytes; at least 32 KiB.
    pub log_bytes_max: u64,
    /// Number of files of the output log, 1..=1000; the oldest is dropped for a new one.
    pub log_files_max: u32,
    /// What the task may use and who it is.
    pub confinement: Confinement,
}

/// A shim that was spawned.
#[derive(Debug)]
pub struct Launched {
    /// The shim, a child of this process.
    pub shim: ShimHandle,
    /// Read end of the pipe on which the shim reports its one line; see [`crate::parse_report`].
    /// Blocking, closed on exec.
    pub report: OwnedFd,
}

/// An attempt was not launched. Except for [`LaunchError::AlreadyClaimed`] and
/// [`LaunchError::Unknown`] nothing was started, and the attempt may be recorded as failed to
/// spawn.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A shim or a tombstone owns the attempt: it was launched before. Inspect it.
    #[error("the attempt in {} is claimed already", directory.display())]
    AlreadyClaimed {
        /// The attempt directory.
        directory: PathBuf,
    },
    /// The attempt directory cannot be created or trusted.
    #[error("the attempt directory cannot be used")]
    Directory(#[source] DirectoryError),
    /// The launch asks for what cannot be.
    #[error("the launch has an impossible {field}: {reason}")]
    Invalid {
        /// The field of [`Launch`].
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The working directory of the task does not exist or cannot be entered.
    #[error("the working directory {} cannot be entered", path.display())]
    WorkingDirectory {
        /// Its path.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// No shim could be forked: it is missing, or there is more of arguments and environment than
    /// the kernel takes, or processes, descriptors or memory ran out.
    #[error("the shim {} cannot be spawned", shim.display())]
    Spawn {
        /// Path of the shim.
        shim: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The server died over the order, or the shim that it forked could not be held and was killed.
    /// The task may have started: inspect the attempt.
    #[error("it is unknown whether a shim was spawned")]
    Unknown {
        /// What the kernel said.
        source: io::Error,
    },
}

/// Creates the attempt directory and has a shim forked for it. Returns as soon as that is so; what
/// comes of it is told by [`Launched::report`].
///
/// # Errors
/// [`LaunchError`], which says for each variant whether anything may have started.
pub fn launch(server: &ForkServer, launch: &Launch) -> Result<Launched, LaunchError> {
    check(launch)?;
    let directory =
        AttemptDirectory::open_or_create(&launch.directory).map_err(LaunchError::Directory)?;
    let unusable = |source| {
        let path = launch.directory.clone();
        LaunchError::Directory(DirectoryError::Open { path, source })
    };
    if directory.contains("claim").map_err(unusable)? {
        return Err(LaunchError::AlreadyClaimed { directory: launch.directory.clone() });
    }
    let path = directory.path().map_err(unusable)?;
    enter(&launch.working_directory).map_err(|source| LaunchError::WorkingDirectory {
        path: launch.working_directory.clone(),
        source,
    })?;

    let not_spawned = |source| LaunchError::Spawn { shim: server.shim().to_owned(), source };
    let order = Order::new(words(launch, &path)).map_err(|errno| match errno {
        Errno::INVAL => LaunchError::Invalid {
            field: "command or environment",
            reason: "a program cannot be given a zero byte",
        },
        errno => not_spawned(errno.into()),
    })?;
    let (report, report_writer) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| not_spawned(errno.into()))?;
    let pid = server.fork(&order, report_writer.as_fd()).map_err(|error| match error {
        NotForked::Nothing(source) => not_spawned(source),
        NotForked::Unknown(source) => LaunchError::Unknown { source },
    })?;
    let shim = hold(pid).map_err(|errno| LaunchError::Unknown { source: errno.into() })?;
    Ok(Launched { shim, report })
}

fn check(launch: &Launch) -> Result<(), LaunchError> {
    let invalid = |field, reason| Err(LaunchError::Invalid { field, reason });
    let attempt = &launch.attempt;
    if attempt.is_empty()
        || attempt.len() > ATTEMPT_BYTES_MAX
        || attempt.chars().any(char::is_control)
    {
        return invalid("attempt", "it must be one line of 1 to 255 bytes");
    }
    if launch.program.is_empty() {
        return invalid("program", "it must not be empty");
    }
    if launch.log_bytes_max < LOG_BYTES_MIN {
        return invalid("log_bytes_max", "it must be at least 32 KiB");
    }
    if !(1..=LOG_FILES_MAX).contains(&launch.log_files_max) {
        return invalid("log_files_max", "it must be 1 to 1000");
    }
    if launch.grace.as_millis() > u128::from(GRACE_MILLIS_MAX) {
        return invalid("grace", "it must be at most 49 days");
    }
    let bad_name = |name: &OsStr| name.is_empty() || name.as_bytes().contains(&b'=');
    let secrets = launch.confinement.secrets.iter().map(|(name, _)| OsStr::new(name));
    if launch.environment.iter().map(|(name, _)| name.as_os_str()).chain(secrets).any(bad_name) {
        return invalid("environment", "a name must not be empty or hold `=`");
    }
    Ok(())
}

/// What the shim is told; [`crate::shim`] reads it.
fn words(launch: &Launch, directory: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut option = |name: &str, value: &OsStr| words.extend([name.into(), value.into()]);
    option("--protocol", PROTOCOL_VERSION.to_string().as_ref());
    option("--dir", directory.as_os_str());
    option("--attempt", launch.attempt.as_ref());
    option("--grace-ms", launch.grace.as_millis().to_string().as_ref());
    option("--log-bytes", launch.log_bytes_max.to_string().as_ref());
    option("--log-files", launch.log_files_max.to_string().as_ref());
    option("--cwd", launch.working_directory.as_os_str());
    let marks = [
        (ATTEMPT_ID_VARIABLE.into(), launch.attempt.clone().into()),
        (ATTEMPT_DIRECTORY_VARIABLE.into(), directory.into()),
    ];
    for (name, value) in launch.environment.iter().chain(&marks) {
        let mut setting = name.clone();
        setting.push("=");
        setting.push(value);
        option("--env", &setting);
    }
    words.extend(launch.confinement.arguments());
    words.extend(["--".into(), launch.program.clone()]);
    words.extend(launch.arguments.iter().cloned());
    words
}

/// Whether this process could change into the directory.
fn enter(directory: &Path) -> io::Result<()> {
    // Looking up `.` needs the right to enter, as changing the directory does.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, directory.join("."), flags, Mode::empty())?;
    Ok(())
}

/// Opens a child of this process that has not been reaped, so that its number still means it.
fn hold(pid: Pid) -> rustix::io::Result<ShimHandle> {
    pidfd_open(pid, PidfdFlags::empty()).map(|pidfd| ShimHandle::new(pidfd, pid)).or_else(|errno| {
        kill_process(pid, Signal::KILL)?;
        waitpid(Some(pid), WaitOptions::empty())?;
        Err(errno)
    })
}
