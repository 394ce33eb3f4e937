//! The shim's side of the attempt directory: claim, release, exit, in this order and no other.
//!
//! It must never let the task go before `released` is in place.

use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FallocateFlags, fallocate, fstat, ftruncate};
use rustix::io::Errno;
use rustix::process::{WaitOptions, waitpid};

use super::arguments::Arguments;
use super::child::{Held, TaskOutput, fork_held};
use super::redact::Redactor;
use super::secrets::Secrets;
use super::{Failure, Ground};
use crate::directory::{AttemptDirectory, DirectoryError, Taken, write_all};
use crate::process::{BootId, ProcessIdentity, from_pid};
use crate::records::{Claim, Exit, Outcome, Released};

/// Room kept for the exit file, bytes; far more than it ever needs.
const EXIT_BYTES_RESERVED: u64 = 4096;
/// How often, and how far apart, writing the exit is tried on a disk that refuses.
const EXIT_TRIES_MAX: u32 = 60;
const EXIT_TRY_PAUSE: Duration = Duration::from_secs(1);

/// An attempt that this shim owns.
pub(crate) struct Attempt {
    pub(crate) directory: AttemptDirectory,
    pub(crate) signals: OwnedFd,
    claim: OwnedFd,
    boot_id: BootId,
}

pub(crate) enum Claimed {
    Won(Attempt),
    Lost,
}

/// The task after it was let go.
pub(crate) struct Task {
    pub(crate) process: ProcessIdentity,
    pub(crate) held: Held,
    pub(crate) output: TaskOutput,
    pub(crate) redactor: Redactor,
}

impl Attempt {
    /// Takes the claim, or finds it taken.
    pub(crate) fn claim(
        arguments: &Arguments,
        me: ProcessIdentity,
        Ground { signals, boot_id }: Ground,
    ) -> Result<Claimed, Failure> {
        let directory = AttemptDirectory::open(&arguments.directory).map_err(open_failure)?;
        let attempt = arguments.attempt.clone();
        let content = Claim::Shim { attempt, process: me, boot_id: boot_id.clone() }.to_text();
        match directory.take_claim(&content, true).map_err(Failure::at_io("take the claim"))? {
            // Its end was recorded long ago, and with its directory goes the tombstone.
            Taken::Won(_) if !directory.is_at(&arguments.directory) => Ok(Claimed::Lost),
            Taken::Won(claim) => Ok(Claimed::Won(Self { directory, signals, claim, boot_id })),
            Taken::Lost => Ok(Claimed::Lost),
        }
    }

    /// Forks the task, writes `released`, lets the task go. On failure the task is dead and has
    /// executed nothing.
    pub(crate) fn release(&self, arguments: &Arguments) -> Result<Task, Failure> {
        rustix::process::chdir(&arguments.working_directory)
            .map_err(Failure::at("enter the working directory"))?;
        let confinement = &arguments.confinement;
        let secrets = Secrets::read(&confinement.secrets, confinement.user.as_ref())?;
        let (held, output) = fork_held(arguments, &secrets, &self.claim)?;
        match self.write_released(&held) {
            Ok(process) => {
                held.let_go();
                Ok(Task { process, held, output, redactor: secrets.redactor })
            }
            Err(failure) => {
                let pid = held.pid;
                // Closing the pipe it waits on ends the child; nothing else can.
                drop(held);
                let _ = waitpid(Some(pid), WaitOptions::empty());
                Err(failure)
            }
        }
    }

    fn write_released(&self, held: &Held) -> Result<ProcessIdentity, Failure> {
        let process = ProcessIdentity::of(from_pid(held.pid))
            .map_err(Failure::at_io("read /proc"))?
            .ok_or(Failure { what: "read /proc", errno: Errno::SRCH })?;
        let boot_id = self.boot_id.clone();
        let released = Released { process, boot_id, released_unix_micros: unix_micros() };
        self.directory
            .publish("released", &released.to_text())
            .map_err(Failure::at("write released"))?;
        Ok(process)
    }

    /// Keeps room for the exit file, so that a disk that fills up meanwhile cannot swallow how
    /// the task ended. Only a precaution: nothing fails without it.
    pub(crate) fn reserve_exit(&self) {
        if let Ok(fd) = self.directory.create("exit.new") {
            let _ = fallocate(&fd, FallocateFlags::empty(), 0, EXIT_BYTES_RESERVED);
        }
    }

    /// Writes how the task ended; tries for a minute if the disk refuses, since without it the
    /// end is unknown for ever.
    pub(crate) fn publish_exit(&self, exit: &Exit) -> Result<(), Errno> {
        let text = exit.to_text();
        let mut result = self.try_publish_exit(&text);
        for _ in 1..EXIT_TRIES_MAX {
            if result.is_ok() {
                break;
            }
            std::thread::sleep(EXIT_TRY_PAUSE);
            result = self.try_publish_exit(&text);
        }
        result
    }

    /// Writes that the task could not be started.
    pub(crate) fn publish_failure(&self, failure: Failure) -> Result<(), Errno> {
        let exit = Exit {
            outcome: spawn_failed(failure),
            stop_requested: false,
            killed_after_grace: false,
            ended_unix_micros: unix_micros(),
            max_rss_bytes: 0,
            user_cpu_micros: 0,
            system_cpu_micros: 0,
            log_bytes_dropped: 0,
            left_behind: 0,
        };
        self.directory.publish("exit", &exit.to_text())
    }

    fn try_publish_exit(&self, text: &str) -> Result<(), Errno> {
        // Not emptied on opening: that would give the reserved room back.
        let fd = self.directory.open_to_overwrite("exit.new")?;
        write_all(&fd, text.as_bytes())?;
        let length = text.len() as u64;
        // With room reserved it is longer than it is to be.
        if u64::try_from(fstat(&fd)?.st_size).is_ok_and(|size| size > length) {
            ftruncate(&fd, length)?;
        }
        self.directory.rename("exit.new", "exit")
    }
}

pub(crate) fn spawn_failed(failure: Failure) -> Outcome {
    let errno = failure.errno.raw_os_error();
    let reason = std::io::Error::from_raw_os_error(errno).to_string();
    // std adds " (os error N)"; the number stands before the message already.
    let reason = reason.split(" (os error").next().unwrap_or_default();
    Outcome::SpawnFailed { errno, message: format!("{}: {reason}", failure.what) }
}

/// Wall time; 0 on a clock before 1970.
pub(crate) fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn open_failure(error: DirectoryError) -> Failure {
    let what = "open the attempt directory";
    match error {
        DirectoryError::Create { source, .. } | DirectoryError::Open { source, .. } => {
            Failure::at_io(what)(source)
        }
        DirectoryError::NotPrivate { .. } => Failure { what, errno: Errno::PERM },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::os::fd::AsFd;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use crate::handle::wait_readable;
    use crate::{Evidence, boot_id, inspect};

    const DEADLINE: Duration = Duration::from_secs(20);

    /// Not a test by itself: a shim that halts at one of its crash points until it is killed.
    /// Another test runs this executable again with the point in a variable.
    #[test]
    fn helper_halts_at_a_point() {
        let Ok(point) = std::env::var("SUPERVISE_TEST_POINT") else { return };
        let parent = std::env::var("SUPERVISE_TEST_PARENT").unwrap();
        let command =
            [c"touch".to_owned(), std::ffi::CString::new(parent.clone() + "/witness").unwrap()];
        let arguments = Arguments {
            directory: Path::new(&parent).join("attempt"),
            attempt: "crash".to_owned(),
            grace: Duration::ZERO,
            log_bytes_max: 1 << 20,
            log_files_max: 1,
            working_directory: "/".into(),
            environment: BTreeMap::new(),
            confinement: crate::Confinement::default(),
            command: command.to_vec(),
        };
        let claimed = crate::shim::claim(&arguments, Ground::prepare().unwrap());
        let Ok(Claimed::Won(attempt)) = claimed else { panic!() };
        let halt = |child: u32| -> ! {
            std::fs::write(parent.clone() + "/new", child.to_string()).unwrap();
            std::fs::rename(parent.clone() + "/new", parent.clone() + "/halted").unwrap();
            loop {
                std::thread::park();
            }
        };
        if point == "claimed" {
            halt(0);
        }
        let (held, _output) =
            fork_held(&arguments, &Secrets::read(&[], None).unwrap(), &attempt.claim).unwrap();
        if point == "held" {
            halt(from_pid(held.pid));
        }
        attempt.write_released(&held).unwrap();
        halt(from_pid(held.pid));
    }

    /// Kills a shim at the point and returns what was true before and after.
    fn crash_at(point: &str) -> (Evidence, Evidence) {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("attempt");
        AttemptDirectory::open_or_create(&directory).unwrap();
        let mut shim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shim::attempt::tests::helper_halts_at_a_point"])
            .env("SUPERVISE_TEST_POINT", point)
            .env("SUPERVISE_TEST_PARENT", parent.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + DEADLINE;
        let halted = parent.path().join("halted");
        while !halted.exists() {
            assert!(shim.try_wait().unwrap().is_none() && Instant::now() < deadline);
            std::thread::yield_now();
        }
        let child = std::fs::read_to_string(&halted).unwrap().parse().unwrap();
        let child = crate::process::to_pid(child).map(|pid| {
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap()
        });
        let boot_id = boot_id().unwrap();
        let before = inspect(&directory, "crash", &boot_id).unwrap();
        shim.kill().unwrap();
        shim.wait().unwrap();
        let after = inspect(&directory, "crash", &boot_id).unwrap();
        if let Some(child) = child {
            assert!(wait_readable(child.as_fd(), DEADLINE).unwrap());
        }
        assert!(!parent.path().join("witness").exists());
        let again = inspect(&directory, "crash", &boot_id).unwrap();
        assert_eq!(std::mem::discriminant(&again), std::mem::discriminant(&after));
        (before, after)
    }

    #[test]
    fn a_shim_that_dies_with_the_claim_alone_never_started() {
        let (before, after) = crash_at("claimed");
        assert!(matches!(before, Evidence::Running { released: None, .. }), "{before:?}");
        assert!(matches!(after, Evidence::NeverStarted), "{after:?}");
    }

    #[test]
    fn a_shim_that_dies_holding_its_child_never_started_and_the_child_ends() {
        let (before, after) = crash_at("held");
        assert!(matches!(before, Evidence::Running { released: None, .. }), "{before:?}");
        assert!(matches!(after, Evidence::NeverStarted), "{after:?}");
    }

    #[test]
    fn a_shim_that_dies_between_the_file_and_the_release_is_lost_though_nothing_ran() {
        let (before, after) = crash_at("released");
        assert!(matches!(before, Evidence::Running { released: Some(_), .. }), "{before:?}");
        assert!(matches!(after, Evidence::Lost { .. }), "{after:?}");
    }

    #[test]
    fn an_exit_is_written_over_the_room_kept_for_it() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("attempt");
        AttemptDirectory::open_or_create(&directory).unwrap();
        let arguments = Arguments {
            directory: directory.clone(),
            attempt: "a".to_owned(),
            grace: Duration::ZERO,
            log_bytes_max: 0,
            log_files_max: 0,
            working_directory: "/".into(),
            environment: BTreeMap::new(),
            confinement: crate::Confinement::default(),
            command: Vec::new(),
        };
        let me = ProcessIdentity::of(std::process::id()).unwrap().unwrap();
        let signals = rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).unwrap();
        let ground = Ground { signals, boot_id: boot_id().unwrap() };
        let claimed = Attempt::claim(&arguments, me, ground);
        let Ok(Claimed::Won(attempt)) = claimed else { panic!() };
        attempt.reserve_exit();
        assert_eq!(std::fs::metadata(directory.join("exit.new")).unwrap().len(), 4096);
        assert!(crate::read_outcome(&directory).unwrap().is_none());
        let failure = Failure { what: "fork", errno: Errno::AGAIN };
        attempt.publish_failure(failure).unwrap();
        let exit = crate::read_outcome(&directory).unwrap().unwrap();
        attempt.reserve_exit();
        attempt.publish_exit(&exit).unwrap();
        assert_eq!(crate::read_outcome(&directory).unwrap(), Some(exit.clone()));
        let message = "fork: Resource temporarily unavailable".to_owned();
        assert_eq!(exit.outcome, Outcome::SpawnFailed { errno: 11, message });
    }
}
