//! A process that serves the daemon and goes with it: a host of conditions.
//!
//! Unlike an attempt it holds nothing that must outlive the daemon. Must never be left behind: it
//! is killed with all that it started when it is dropped, and by the kernel when the daemon dies.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::system;

/// What to start.
#[derive(Debug)]
pub struct CompanionOrder {
    /// Program and arguments, at least the program.
    pub command: Vec<String>,
    /// Where it works.
    pub directory: PathBuf,
    /// All of its variables.
    pub environment: Vec<(OsString, OsString)>,
}

/// A process that serves, and its three streams.
#[derive(Debug)]
pub struct Companion {
    child: Child,
}

/// Its streams, as pipes that close when the daemon executes another program.
#[derive(Debug)]
pub struct Streams {
    /// To write to.
    pub stdin: OwnedFd,
    /// To read from.
    pub stdout: OwnedFd,
    /// To read from.
    pub stderr: OwnedFd,
}

impl Companion {
    /// Starts a process, in a group of its own. Call it on the thread that lives as long as the
    /// daemon does: the kernel kills the process when that thread ends.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(order: &CompanionOrder) -> io::Result<(Self, Streams)> {
        let (program, arguments) =
            order.command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&order.directory)
            .env_clear()
            .envs(order.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        system::die_with_parent(&mut command);
        let mut child = command.spawn()?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let companion = Self { child };
        let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let streams = Streams { stdin: stdin.into(), stdout: stdout.into(), stderr: stderr.into() };
        Ok((companion, streams))
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        // It has not been waited for, so its number is its own still.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // A group that has ended already is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
        // After SIGKILL there is an end to wait for, unless it is another's already.
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Write};

    use super::*;

    #[test]
    fn it_serves_and_goes_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let script = "sleep 1000 & read line; echo \"$line\"; pwd; env";
        let order = CompanionOrder {
            command: ["bash", "-c", script].map(str::to_owned).to_vec(),
            directory: directory.path().to_owned(),
            environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        };
        let (companion, streams) = Companion::start(&order).unwrap();
        File::from(streams.stdin).write_all(b"hello\n").unwrap();
        let mut lines = BufReader::new(File::from(streams.stdout)).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "hello");
        assert_eq!(lines.next().unwrap().unwrap(), directory.path().to_str().unwrap());
        drop(companion);
        // The pipe ends only when nobody is left that could write to it, the sleeper too.
        let rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
        assert!(rest.iter().all(|line| !line.starts_with("HOME=")), "{rest:?}");
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let order = CompanionOrder {
            command: vec!["/nonexistent".to_owned()],
            directory: "/".into(),
            environment: Vec::new(),
        };
        assert_eq!(Companion::start(&order).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
