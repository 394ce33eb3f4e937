//! A daemon under measurement, and a plain connection to it.
//!
//! Must never use the client crate: its cost is not what is measured.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aiflow_model::wire::Status;
use anyhow::{Context, bail};
use serde_json::{Value, json};

/// Longest wait for anything.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// A task that waits for what never comes, so that its run does not end when the others have.
pub(crate) const WAITING: &str = "  wait:\n    exec: [\"false\"]\n    start: {on: never}\n";

/// A running daemon; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
    socket: PathBuf,
    /// From its spawn to its word that it serves.
    pub(crate) ready_after: Duration,
}

impl Daemon {
    pub(crate) fn start(program: &Path, home: &Path) -> anyhow::Result<Self> {
        let errors = std::fs::File::create(home.with_extension("err"))?;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AIFLOW_") {
                command.env_remove(name);
            }
        }
        command.arg("--home").arg(home).stdin(Stdio::null());
        let begin = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let ready_after = begin.elapsed();
        let Some(socket) = line.trim_end().strip_prefix("ready ").map(PathBuf::from) else {
            child.wait()?;
            let errors = std::fs::read_to_string(home.with_extension("err"))?;
            bail!("the daemon did not start: {errors}");
        };
        Ok(Self { child, socket, ready_after })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn socket_path(&self) -> &Path {
        &self.socket
    }

    /// A connection.
    pub(crate) fn connect(&self) -> anyhow::Result<Connection> {
        let stream = UnixStream::connect(&self.socket).context("cannot connect to the daemon")?;
        stream.set_read_timeout(Some(WAIT_MAX))?;
        Ok(Connection { reader: BufReader::new(stream), next_id: 0 })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One connection: a line out, a line in.
#[derive(Debug)]
pub(crate) struct Connection {
    reader: BufReader<UnixStream>,
    next_id: u64,
}

impl Connection {
    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.reader.get_mut().write_all(bytes)?)
    }

    /// The socket itself, for a second thread.
    pub(crate) fn stream(&self) -> anyhow::Result<UnixStream> {
        Ok(self.reader.get_ref().try_clone()?)
    }

    /// The next line.
    pub(crate) fn receive(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            bail!("the daemon has closed the connection");
        }
        let value: Value = serde_json::from_str(&line)?;
        if let Some(error) = value.get("error") {
            bail!("the daemon refused: {error}");
        }
        Ok(value)
    }

    /// Calls a method and gives its result.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> anyhow::Result<Value> {
        self.next_id += 1;
        let id = self.next_id;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(format!("{request}\n").as_bytes())?;
        Ok(self.receive()?["result"].take())
    }

    /// How the daemon is.
    pub(crate) fn status(&mut self) -> anyhow::Result<Status> {
        Ok(serde_json::from_value(self.call("daemon.status", &json!({}))?)?)
    }

    /// Stores a definition and starts a run of it.
    pub(crate) fn start_run(&mut self, definition: &str) -> anyhow::Result<u64> {
        let uploaded = self.call("workflow.upload", &json!({"source": definition}))?;
        let workflow = &uploaded["workflow"];
        let started = self.call("execution.start", &json!({"workflow": workflow}))?;
        started["run"].as_u64().context("a run has a number")
    }

    /// Waits until no attempt is alive.
    pub(crate) fn wait_until_quiet(&mut self, pause: Duration) -> anyhow::Result<Status> {
        let begin = Instant::now();
        loop {
            let status = self.status()?;
            if status.alive_attempts == 0 {
                return Ok(status);
            }
            if begin.elapsed() > WAIT_MAX {
                bail!("{} attempts do not end", status.alive_attempts);
            }
            std::thread::sleep(pause);
        }
    }
}
