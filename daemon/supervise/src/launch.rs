//! Starts one attempt: its directory, then its shim.
//!
//! It must never decide whether the attempt may start, and never run the program itself: between
//! the caller and the program there is always a shim that holds the claim.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{PidfdFlags, pidfd_open};

use crate::confinement::Confinement;
use crate::directory::{AttemptDirectory, DirectoryError};
use crate::handle::ShimHandle;
use crate::process::to_pid;
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
    /// The `aiflow-shim` executable, an absolute path.
    pub shim: PathBuf,
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
/// [`LaunchError::Handle`] nothing was started, and the attempt may be recorded as failed to
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
    /// The shim could not be spawned: it is missing, or arguments and environment are too long,
    /// or processes, descriptors or memory ran out.
    #[error("the shim {} cannot be spawned", shim.display())]
    Spawn {
        /// Path of the shim.
        shim: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The shim was spawned but could not be held, and so was killed. It may have started the
    /// task before: inspect the attempt.
    #[error("the spawned shim cannot be held")]
    Handle {
        /// What the kernel said.
        source: io::Error,
    },
}

/// Creates the attempt directory and spawns the shim in it. Returns as soon as the shim is
/// spawned; what comes of it is told by [`Launched::report`].
///
/// # Errors
/// [`LaunchError`], which says for each variant whether anything may have started.
pub fn launch(launch: &Launch) -> Result<Launched, LaunchError> {
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
    let path = launch.directory.canonicalize().map_err(unusable)?;

    let not_spawned = |source| LaunchError::Spawn { shim: launch.shim.clone(), source };
    let (report, report_writer) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| not_spawned(errno.into()))?;
    let child = command(launch, &path, report_writer).spawn().map_err(|source| {
        // The same error number may mean the shim or the directory: look which it is.
        match enter(&launch.working_directory) {
            Ok(()) => not_spawned(source),
            Err(source) => {
                let path = launch.working_directory.clone();
                LaunchError::WorkingDirectory { path, source }
            }
        }
    })?;
    let shim = hold(child).map_err(|source| LaunchError::Handle { source })?;
    Ok(Launched { shim, report })
}

fn check(launch: &Launch) -> Result<(), LaunchError> {
    let invalid = |field, reason| Err(LaunchError::Invalid { field, reason });
    let attempt = &launch.attempt;
    if attempt.is_empty() || attempt.len() > 255 || attempt.chars().any(char::is_control) {
        return invalid("attempt", "it must be one line of 1 to 255 bytes");
    }
    if !launch.shim.is_absolute() {
        return invalid("shim", "it must be an absolute path");
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

/// The command line of the shim, whose environment and working directory are the task's.
fn command(launch: &Launch, directory: &Path, report: OwnedFd) -> Command {
    let mut command = Command::new(&launch.shim);
    command.env_clear();
    command.arg("--protocol").arg(PROTOCOL_VERSION.to_string());
    command.arg("--dir").arg(directory);
    command.arg("--attempt").arg(&launch.attempt);
    command.arg("--grace-ms").arg(launch.grace.as_millis().to_string());
    command.arg("--log-bytes").arg(launch.log_bytes_max.to_string());
    command.arg("--log-files").arg(launch.log_files_max.to_string());
    for (name, value) in &launch.environment {
        if is_for_the_loader(name) {
            let mut setting = name.clone();
            setting.push("=");
            setting.push(value);
            command.arg("--set").arg(setting);
        } else {
            command.env(name, value);
        }
    }
    command.args(launch.confinement.arguments());
    command.env(ATTEMPT_ID_VARIABLE, &launch.attempt);
    command.env(ATTEMPT_DIRECTORY_VARIABLE, directory);
    command.arg("--").arg(&launch.program).args(&launch.arguments);
    command.current_dir(&launch.working_directory);
    command.stdin(Stdio::null()).stdout(report).stderr(Stdio::null());
    command
}

/// Whether this process could change into the directory.
fn enter(directory: &Path) -> io::Result<()> {
    // Looking up `.` needs the right to enter, as changing the directory does.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, directory.join("."), flags, Mode::empty())?;
    Ok(())
}

/// Variables that the dynamic loader and the allocator of the shim itself would obey. A task that
/// preloads a library or brings its own C library must not change the shim, so these travel as
/// arguments and enter the environment only before the program is executed.
fn is_for_the_loader(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"LD_") || name.starts_with(b"MALLOC_") || name == b"GLIBC_TUNABLES"
}

/// Opens the child, which cannot have been reaped yet, so that its number still means it.
fn hold(mut child: Child) -> io::Result<ShimHandle> {
    let pid = to_pid(child.id()).ok_or(io::ErrorKind::InvalidData)?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok(ShimHandle::new(pidfd, pid)),
        Err(errno) => {
            child.kill()?;
            child.wait()?;
            Err(errno.into())
        }
    }
}
