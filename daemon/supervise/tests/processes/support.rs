//! An attempt in a temporary directory, and waits that have a deadline.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aiflow_supervise::{
    BootId, Evidence, Exit, ForkServer, Launch, Launched, Outcome, Piece, Report, ShimHandle,
    boot_id, inspect, launch, output_file_name, parse_piece, parse_report, read_outcome,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};

pub(crate) const SHIM: &str = env!("CARGO_BIN_EXE_aiflow-shim");
const DEADLINE: Duration = Duration::from_secs(20);

/// A directory for one attempt and for what its task leaves as a witness.
pub(crate) struct Place {
    parent: tempfile::TempDir,
    pub(crate) attempt: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let attempt = format!("test-{}-{number}", std::process::id());
        Self { parent: tempfile::tempdir().unwrap(), attempt }
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.parent.path().join("attempt")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.parent.path().join(name)
    }

    /// A launch of a bash script, in which `$W` is the parent of the attempt directory.
    pub(crate) fn bash(&self, script: &str) -> Launch {
        self.command("bash", &["-c", script])
    }

    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Launch {
        Launch {
            directory: self.directory(),
            attempt: self.attempt.clone(),
            program: program.into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            environment: vec![
                ("PATH".into(), "/usr/bin:/bin".into()),
                ("W".into(), self.parent.path().into()),
            ],
            working_directory: self.parent.path().to_owned(),
            grace: Duration::from_secs(30),
            log_bytes_max: 1 << 20,
            log_files_max: 3,
            confinement: aiflow_supervise::Confinement::default(),
        }
    }

    pub(crate) fn inspect(&self) -> Evidence {
        inspect(&self.directory(), &self.attempt, &boot_id().unwrap()).unwrap()
    }

    pub(crate) fn inspect_in(&self, boot_id: &BootId) -> Evidence {
        inspect(&self.directory(), &self.attempt, boot_id).unwrap()
    }

    /// Launches, waits for the end and returns it.
    pub(crate) fn run(&self, launch: &Launch) -> Exit {
        self.run_by(server(), launch)
    }

    pub(crate) fn run_by(&self, server: &ForkServer, request: &Launch) -> Exit {
        let launched = launch(server, request).unwrap();
        wait_for_shim(&launched.shim);
        self.ended()
    }

    pub(crate) fn ended(&self) -> Exit {
        let Evidence::Ended(exit) = self.inspect() else { panic!("{:?}", self.inspect()) };
        assert_eq!(self.processes(), [0_u32; 0], "nothing outlives the attempt");
        assert_eq!(read_outcome(&self.directory()).unwrap(), Some(exit.clone()));
        exit
    }

    pub(crate) fn witnesses(&self) -> usize {
        std::fs::read_to_string(self.path("witness")).map_or(0, |text| text.lines().count())
    }

    /// Processes, other than its shim, that carry this attempt's directory in their environment.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let Ok(directory) = self.directory().canonicalize() else { return Vec::new() };
        let mark = format!("AIFLOW_ATTEMPT_DIRECTORY={}", directory.display());
        processes(&mark)
    }

    /// All of the log, oldest first, as owned lines.
    pub(crate) fn log_lines(&self, files: u32) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for age in (0..files).rev() {
            if let Ok(content) = std::fs::read(self.directory().join(output_file_name(age))) {
                assert!(content.is_empty() || content.ends_with(b"\n"));
                lines.extend(content.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec));
            }
        }
        lines
    }

    /// What the task wrote to both streams, in the order of the log, without time.
    pub(crate) fn log_text(&self) -> String {
        let mut text = String::new();
        for line in self.log_lines(3) {
            let Piece { stream, continues, text: piece, .. } = parse_piece(&line).unwrap();
            let stream = if stream == aiflow_supervise::Stream::Output { "out" } else { "err" };
            let end = if continues { "…" } else { "" };
            text.push_str(&format!("{stream} {}{end}\n", String::from_utf8_lossy(piece)));
        }
        text
    }
}

/// The one server of this process, as a daemon has one.
pub(crate) fn server() -> &'static ForkServer {
    static SERVER: OnceLock<ForkServer> = OnceLock::new();
    SERVER.get_or_init(|| ForkServer::start(SHIM.into(), Vec::new()).unwrap())
}

pub(crate) fn start(request: &Launch) -> Launched {
    launch(server(), request).unwrap()
}

/// Launches and returns the shim once it has released the task.
pub(crate) fn start_released(request: &Launch) -> (ShimHandle, u32) {
    let Launched { shim, report } = start(request);
    let line = read_report(report);
    let Report::Released(process) = parse_report(&line).unwrap() else { panic!("{line}") };
    (shim, process.pid)
}

pub(crate) fn exited(exit: &Exit) -> i32 {
    let Outcome::Exited { code } = exit.outcome else { panic!("{exit:?}") };
    code
}

/// The line of a report pipe, empty when the shim died first.
pub(crate) fn read_report(pipe: OwnedFd) -> String {
    let mut line = String::new();
    let mut file = File::from(pipe);
    loop {
        wait_readable(&file, "the report");
        let mut buffer = [0; 256];
        let count = file.read(&mut buffer).unwrap();
        if count == 0 {
            return line;
        }
        line.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
}

pub(crate) fn wait_for_shim(shim: &ShimHandle) {
    wait_readable(shim, "the end of the shim");
    assert!(shim.has_ended().unwrap());
    shim.reap().unwrap();
}

pub(crate) fn kill(process: impl AsFd) {
    pidfd_send_signal(process, Signal::KILL).unwrap();
}

pub(crate) fn signal(process: impl AsFd, signal: Signal) {
    pidfd_send_signal(process, signal).unwrap();
}

pub(crate) fn pidfd(pid: u32) -> OwnedFd {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap()
}

pub(crate) fn wait_readable(fd: impl AsFd, what: &str) {
    let timeout = Timespec::try_from(DEADLINE).unwrap();
    let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)];
    assert_eq!(poll(&mut fds, Some(&timeout)).unwrap(), 1, "waited too long for {what}");
}

/// Looks until the condition holds.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::yield_now();
    }
}

/// Waits for a file that a task writes by renaming, and reads a number from it.
pub(crate) fn wait_for_number(path: &Path) -> u32 {
    wait_until("a number in a file", || path.exists());
    std::fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// A shim that nobody forked, as no daemon starts one: the library's own checks are passed by.
pub(crate) fn raw_shim(place: &Place, protocol: &str, command: &[&str]) -> Command {
    let mut shim = Command::new(SHIM);
    shim.args(["--protocol", protocol, "--grace-ms", "1", "--log-bytes", "99999"])
        .args(["--log-files", "1", "--cwd", "/", "--env", "PATH=/usr/bin:/bin", "--env"])
        .arg(format!("W={}", place.path("").display()))
        .args(["--attempt", &place.attempt, "--dir"])
        .arg(place.directory())
        .arg("--")
        .args(command)
        .stdin(Stdio::null());
    shim
}

/// All processes that have an entry in their environment.
pub(crate) fn processes(entry: &str) -> Vec<u32> {
    let has = |environment: &[u8]| {
        environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
    };
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let environment = |pid: &u32| std::fs::read(format!("/proc/{pid}/environ"));
    pids.filter(|pid| environment(pid).is_ok_and(|bytes| has(&bytes))).collect()
}

/// A server that is limited by a command of bash, and so are its shims.
pub(crate) fn limited_server(directory: &Path, command: &str) -> ForkServer {
    let script = directory.join("limited-shim");
    std::fs::write(&script, format!("#!/bin/bash\n{command}\nexec {SHIM} \"$@\"\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&script, mode).unwrap();
    ForkServer::start(script, Vec::new()).unwrap()
}

/// Whether a process is there and runs, by number: for processes of the test itself.
pub(crate) fn is_running(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(") ").unwrap().1;
    !state.starts_with('Z') && !state.starts_with('X')
}
