//! A server of another product, run for the comparison and ended with it.
//!
//! Must never leave a process behind.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

const READY_WITHIN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// A running server; dropping it kills it.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
}

impl Server {
    /// Starts it, and waits until `connect` succeeds.
    pub(super) fn start<T>(
        program: &str,
        arguments: &[&str],
        directory: &Path,
        connect: impl Fn() -> std::io::Result<T>,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot run {program}"))?;
        let mut server = Self { child };
        let begin = Instant::now();
        while connect().is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("{program} ended at once: {status}");
            }
            if begin.elapsed() > READY_WITHIN {
                bail!("{program} does not answer");
            }
            std::thread::park_timeout(PAUSE);
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
