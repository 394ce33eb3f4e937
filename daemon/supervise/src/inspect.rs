//! Recovery of one attempt: reads locks and files, ends what must not go on, and says what is so.
//!
//! Calling it again gives the same answer. It must never start anything, and never report an end
//! while a process of the attempt may still run.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::directory::{AttemptDirectory, DirectoryError, Taken, is_locked, read_all};
use crate::handle::ShimHandle;
use crate::process::{BootId, ProcessIdentity, to_pid};
use crate::records::{Claim, Exit, FormatError, Released};
use crate::survivors;
use crate::{ATTEMPT_DIRECTORY_VARIABLE, ATTEMPT_ID_VARIABLE};

/// How long a directory may be in motion (a shim dying, a claim being taken) before recovery
/// gives up; ordinarily microseconds.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(10);
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

/// What is true of an attempt.
#[derive(Debug)]
pub enum Evidence {
    /// Nothing of the user's ran, and no shim can start this attempt any more: the claim is a
    /// tombstone, or its shim died before it released the task.
    ///
    /// A missing directory says nothing about an earlier boot, since nothing in it is synced: a
    /// caller that launched the attempt under another boot id must read this as
    /// [`Evidence::Interrupted`].
    NeverStarted,
    /// A shim holds the claim. It may just be ending: when its descriptor is readable, inspect
    /// again.
    Running {
        /// The adopted shim.
        shim: ShimHandle,
        /// The task, if it was released already.
        released: Option<Released>,
    },
    /// The task ended and the shim wrote down how.
    Ended(Exit),
    /// The task was released in this boot, its shim died without writing an exit, and what was
    /// left of the attempt is dead now. How the task ended is unknown.
    Lost {
        /// How many processes this call killed; 0 when it is repeated.
        killed: u32,
    },
    /// The machine went down while a shim had the attempt.
    Interrupted,
}

/// An attempt directory cannot be judged. Nothing was decided; the call may be repeated.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The directory cannot be created, opened or trusted.
    #[error("the attempt directory cannot be used")]
    Directory(#[source] DirectoryError),
    /// A file in it cannot be read, or the claim not be taken.
    #[error("`{file}` in the attempt directory {} cannot be used", directory.display())]
    File {
        /// The directory.
        directory: PathBuf,
        /// The file in it.
        file: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file in it does not say what it should, and no power cut explains it.
    #[error("`{file}` in the attempt directory {} is damaged", directory.display())]
    Damaged {
        /// The directory.
        directory: PathBuf,
        /// The file in it.
        file: &'static str,
        /// What is wrong with it.
        source: FormatError,
    },
    /// The directory belongs to another attempt.
    #[error("the directory {} belongs to attempt `{found}`, not `{expected}`", directory.display())]
    OtherAttempt {
        /// The directory.
        directory: PathBuf,
        /// The attempt asked for.
        expected: String,
        /// The attempt that claimed it.
        found: String,
    },
    /// The kernel would not tell about processes or take a signal for one.
    #[error("the processes of attempt `{attempt}` cannot be examined")]
    Processes {
        /// The attempt.
        attempt: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Processes of the attempt were killed and are still there.
    #[error("attempt `{attempt}` has processes that do not end although killed: {pids:?}")]
    Stuck {
        /// The attempt.
        attempt: String,
        /// Their numbers, for people to read; none if new ones kept coming.
        pids: Vec<u32>,
    },
    /// The claim is locked by a process that is not the shim it names.
    #[error("the claim in {} is locked, but not by the shim that it names", directory.display())]
    Unsettled {
        /// The directory.
        directory: PathBuf,
    },
}

/// The exit of an attempt cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The directory cannot be opened or trusted.
    #[error("the attempt directory cannot be used")]
    Directory(#[source] DirectoryError),
    /// The file cannot be read.
    #[error("the exit of the attempt cannot be read")]
    Read(#[source] io::Error),
    /// The file does not say what it should.
    #[error("the exit of the attempt is damaged")]
    Damaged(#[source] FormatError),
}

/// Says what became of an attempt, adopting its shim if one runs.
///
/// The directory need not exist. When nobody has claimed the attempt, this takes the claim, so
/// that a shim that comes late finds it taken and runs nothing. When a shim died after it had
/// released its task, what is left of the task is killed before this returns.
///
/// `boot_id` is the current one, from [`crate::boot_id`]. May take up to some seconds when
/// processes must be killed; otherwise microseconds.
///
/// # Errors
/// [`InspectError`]: nothing was decided, and the attempt must not be taken as ended.
pub fn inspect(
    directory: &Path,
    attempt: &str,
    boot_id: &BootId,
) -> Result<Evidence, InspectError> {
    let opened = AttemptDirectory::open_or_create(directory).map_err(InspectError::Directory)?;
    let inspection = Inspection { path: directory, directory: opened, attempt, boot_id };
    let deadline = Instant::now() + SETTLE_TIME_MAX;
    loop {
        if let Some(evidence) = inspection.once()? {
            return Ok(evidence);
        }
        if Instant::now() >= deadline {
            return Err(InspectError::Unsettled { directory: directory.to_owned() });
        }
        std::thread::sleep(SETTLE_PAUSE);
    }
}

/// Reads the exit of an attempt; `None` when there is none (yet).
///
/// # Errors
/// [`ReadError`] when the directory or file is there but cannot be used.
pub fn read_outcome(directory: &Path) -> Result<Option<Exit>, ReadError> {
    let directory = AttemptDirectory::open(directory).map_err(ReadError::Directory)?;
    let content = directory.read("exit").map_err(ReadError::Read)?;
    content.map(|bytes| Exit::parse(&bytes)).transpose().map_err(ReadError::Damaged)
}

struct Inspection<'a> {
    path: &'a Path,
    directory: AttemptDirectory,
    attempt: &'a str,
    boot_id: &'a BootId,
}

impl Inspection<'_> {
    /// `None` while the directory is in motion.
    fn once(&self) -> Result<Option<Evidence>, InspectError> {
        let Some(file) = self.directory.open_file("claim").map_err(self.unreadable("claim"))?
        else {
            return self.bury();
        };
        // The lock first: what is read after it was seen free can no longer change.
        let locked = is_locked(&file).map_err(self.unreadable("claim"))?;
        let bytes = read_all(&file).map_err(self.unreadable("claim"))?;
        let (process, boot_id) = match Claim::parse(&bytes) {
            Ok(Claim::Tombstone) => return Ok(Some(Evidence::NeverStarted)),
            Ok(Claim::Shim { attempt, process, boot_id }) => {
                self.check_attempt(attempt)?;
                (process, boot_id)
            }
            // A visible claim is complete, except when the power went before it was on disk.
            Err(FormatError::Torn) if !locked => return Ok(Some(Evidence::Interrupted)),
            Err(source) => return Err(self.damaged("claim", source)),
        };
        if locked {
            return self.adopt(&file, process);
        }
        self.judge(boot_id == *self.boot_id).map(Some)
    }

    /// Takes the claim of an attempt that nobody has claimed.
    fn bury(&self) -> Result<Option<Evidence>, InspectError> {
        let tombstone = Claim::Tombstone.to_text();
        match self.directory.take_claim(&tombstone, false).map_err(self.unreadable("claim"))? {
            Taken::Won(_) => Ok(Some(Evidence::NeverStarted)),
            Taken::Lost => Ok(None),
        }
    }

    /// Opens the shim that holds the lock.
    fn adopt(
        &self,
        claim: &OwnedFd,
        process: ProcessIdentity,
    ) -> Result<Option<Evidence>, InspectError> {
        let Some(pid) = to_pid(process.pid) else { return Ok(None) };
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            // The shim is gone; a held child has its lock for an instant longer.
            Err(Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(self.unexaminable(errno.into())),
        };
        let now = ProcessIdentity::of(process.pid).map_err(|source| self.unexaminable(source))?;
        // The lock is still held after the descriptor was opened: it means the shim.
        if now != Some(process) || !is_locked(claim).map_err(self.unreadable("claim"))? {
            return Ok(None);
        }
        let released = self.released()?;
        Ok(Some(Evidence::Running { shim: ShimHandle::new(pidfd, pid), released }))
    }

    /// What an ended shim left behind.
    fn judge(&self, same_boot: bool) -> Result<Evidence, InspectError> {
        let exit = self.directory.read("exit").map_err(self.unreadable("exit"))?;
        match exit.map(|bytes| Exit::parse(&bytes)) {
            Some(Ok(exit)) => return Ok(Evidence::Ended(exit)),
            Some(Err(FormatError::Torn)) if !same_boot => return Ok(Evidence::Interrupted),
            Some(Err(source)) => return Err(self.damaged("exit", source)),
            None => {}
        }
        if !same_boot {
            // Not even "never started": what the shim wrote last may not have reached the disk.
            return Ok(Evidence::Interrupted);
        }
        let Some(released) = self.released()? else { return Ok(Evidence::NeverStarted) };
        let evidence = survivors::Evidence { marks: self.marks()?, released: released.process };
        match survivors::end(&evidence).map_err(|source| self.unexaminable(source))? {
            survivors::Ended::All { killed } => Ok(Evidence::Lost { killed }),
            survivors::Ended::Stuck { pids } => {
                Err(InspectError::Stuck { attempt: self.attempt.to_owned(), pids })
            }
        }
    }

    fn released(&self) -> Result<Option<Released>, InspectError> {
        let content = self.directory.read("released").map_err(self.unreadable("released"))?;
        content
            .map(|bytes| Released::parse(&bytes))
            .transpose()
            .map_err(|source| self.damaged("released", source))
    }

    fn marks(&self) -> Result<Vec<Vec<u8>>, InspectError> {
        let path = self.directory.path().map_err(|source| {
            InspectError::Directory(DirectoryError::Open { path: self.path.to_owned(), source })
        })?;
        Ok(vec![
            mark(ATTEMPT_ID_VARIABLE, OsStr::new(self.attempt)),
            mark(ATTEMPT_DIRECTORY_VARIABLE, path.as_os_str()),
        ])
    }

    fn check_attempt(&self, found: String) -> Result<(), InspectError> {
        if found == self.attempt {
            return Ok(());
        }
        let expected = self.attempt.to_owned();
        Err(InspectError::OtherAttempt { directory: self.path.to_owned(), expected, found })
    }

    fn unreadable(&self, file: &'static str) -> impl Fn(io::Error) -> InspectError {
        let directory = self.path.to_owned();
        move |source| InspectError::File { directory: directory.clone(), file, source }
    }

    fn damaged(&self, file: &'static str, source: FormatError) -> InspectError {
        InspectError::Damaged { directory: self.path.to_owned(), file, source }
    }

    fn unexaminable(&self, source: io::Error) -> InspectError {
        InspectError::Processes { attempt: self.attempt.to_owned(), source }
    }
}

fn mark(name: &str, value: &OsStr) -> Vec<u8> {
    [name.as_bytes(), b"=", value.as_bytes()].concat()
}
