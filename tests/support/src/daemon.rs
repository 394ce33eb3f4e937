//! Daemons that tests start, kill and start again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::processes::processes_of;
use crate::socket::Socket;
use crate::wait::wait_until;

/// The repository's root.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One of our programs, as built beside the tests.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a test knows its own path");
    let directory = own.ancestors().nth(2).expect("tests lie in target/PROFILE/deps");
    let path = directory.join(name);
    assert!(path.exists(), "{name} is not built: cargo build --workspace --bins");
    path
}

/// What a program said.
#[derive(Debug)]
pub struct Output {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// Runs a command to its end, without the environment of whoever runs the tests.
///
/// # Panics
/// When it cannot be started.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    clean(command);
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AIFLOW_") {
            command.env_remove(name);
        }
    }
}

/// A home and the daemon on it. Dropping it kills the daemon and what it started.
#[derive(Debug)]
pub struct Daemon {
    directory: TempDir,
    child: Option<Child>,
}

impl Daemon {
    /// A daemon on a fresh home, serving.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut daemon = Self::on_fresh_home();
        daemon.resume();
        daemon
    }

    /// A fresh home without a daemon.
    ///
    /// # Panics
    /// When there is no temporary directory.
    #[must_use]
    pub fn on_fresh_home() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        Self { directory, child: None }
    }

    /// Starts the daemon (again) and waits until it serves.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn resume(&mut self) {
        self.resume_with(&[]);
    }

    /// As [`Self::resume`], with further arguments.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn resume_with(&mut self, arguments: &[&str]) {
        self.spawn(&program("aiflowd"), arguments);
        self.wait_until_ready();
    }

    /// Starts a daemon's program, whichever it is, without waiting until it serves.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn spawn(&mut self, program: &Path, arguments: &[&str]) {
        assert!(self.child.is_none(), "the daemon runs already");
        let errors = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory.path().join("aiflowd.err"))
            .expect("the error log can be opened");
        let mut command = Command::new(program);
        clean(&mut command);
        command.arg("--home").arg(self.home()).args(arguments).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(errors);
        self.child = Some(command.spawn().expect("the daemon starts"));
    }

    /// Waits until the daemon that was started serves.
    ///
    /// # Panics
    /// When it ends instead.
    #[track_caller]
    pub fn wait_until_ready(&mut self) {
        let child = self.child.as_mut().expect("a daemon runs");
        let stdout = child.stdout.as_mut().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the daemon speaks");
        assert!(line.starts_with("ready "), "the daemon did not start: {}", self.errors());
    }

    /// Whether a daemon was started and has not ended by itself.
    pub fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Kills the daemon with SIGKILL.
    ///
    /// # Panics
    /// When none runs.
    #[track_caller]
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a daemon runs");
        child.kill().expect("the daemon can be killed");
        child.wait().expect("the daemon ends");
    }

    /// Process id of the daemon.
    ///
    /// # Panics
    /// When none runs.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a daemon runs").id()
    }

    /// Waits until the daemon has ended by itself and gives its exit code.
    ///
    /// # Panics
    /// When none runs.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let mut child = self.child.take().expect("a daemon runs");
        child.wait().expect("the daemon ends").code().unwrap_or(-1)
    }

    /// What the daemons of this home wrote to stderr.
    #[must_use]
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("aiflowd.err")).unwrap_or_default()
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// A place for the test's own files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// A connection.
    ///
    /// # Panics
    /// When the daemon does not listen.
    #[must_use]
    #[track_caller]
    pub fn socket(&self) -> Socket {
        Socket::connect(&self.home().join("aiflow.sock"))
    }

    /// The client's command line on this home.
    #[must_use]
    pub fn aiflow(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("aiflow"));
        command.arg("--home").arg(self.home()).args(arguments);
        command
    }

    /// Runs the client.
    #[track_caller]
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> Output {
        run(&mut self.aiflow(arguments))
    }

    /// Runs the client, which must succeed; gives its stdout without the last newline.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert_eq!(output.code, 0, "aiflow {arguments:?}: {}", output.stderr);
        output.stdout.trim_end().to_owned()
    }

    /// Stores a definition and starts a run of it.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn start_run(&self, definition: &str) -> u64 {
        let mut socket = self.socket();
        let upload = socket.call("workflow.upload", &serde_json::json!({"source": definition}));
        let workflow = upload.expect("the definition is good")["workflow"].clone();
        let started = socket.call("execution.start", &serde_json::json!({"workflow": workflow}));
        started.expect("the run starts")["run"].as_u64().expect("a run has a number")
    }

    /// The task executions of a run, as views.
    ///
    /// # Panics
    /// When there is no such run.
    #[track_caller]
    #[must_use]
    pub fn executions(&self, run: u64) -> Vec<Value> {
        let list = self.socket().call("task.list", &serde_json::json!({"run": run}));
        list.expect("the run exists").as_array().cloned().unwrap_or_default()
    }

    /// Waits until an execution of a task has a status, and gives its view.
    ///
    /// # Panics
    /// When it does not come to that.
    #[track_caller]
    pub fn wait_for(&self, run: u64, task: &str, sequence: u64, status: &str) -> Value {
        wait_until(&format!("{run}.{task}.{sequence} is {status}"), || {
            self.executions(run).into_iter().find(|view| {
                view["task"] == task && view["sequence"] == sequence && view["status"] == status
            })
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // The end of a test; the daemon may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        // What a killed daemon left to its successor, which will not come.
        for process in processes_of(&self.home()) {
            // It may have ended since.
            let _ = process.kill();
        }
    }
}
