//! The dialogue with one plugin: a JSON object a line each way, one question at a time.
//!
//! Must never wait for ever for an answer that should come at once, nor take one for another's.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};

/// Version of the dialogue.
pub(crate) const PROTOCOL: u32 = 1;
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Time for answers that should come at once.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Time for an answer about a job, which may have to ask a cluster.
pub(crate) const LATER: Duration = Duration::from_secs(300);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    #[error("the plugin has ended")]
    Gone,
    #[error("the plugin did not answer {method} within {} s", within.as_secs())]
    Late { method: &'static str, within: Duration },
    #[error("the plugin answered {method} with something else: {problem}")]
    Nonsense { method: &'static str, problem: String },
    #[error("{0}")]
    Refused(String),
    #[error("the plugin cannot be started: {0}")]
    NotStarted(std::io::Error),
}

/// What a plugin says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Described {
    /// Of the dialogue.
    pub(crate) protocol: u32,
    /// Its own.
    #[serde(default)]
    pub(crate) version: String,
    /// What it does, in a sentence.
    #[serde(default)]
    pub(crate) about: String,
    /// JSON Schema of its configuration.
    #[serde(default)]
    pub(crate) config: Value,
}

/// What a job is known by.
#[derive(Debug, Deserialize)]
pub(crate) struct Started {
    pub(crate) handle: Value,
}

/// Where a job stands.
#[derive(Debug, Deserialize)]
pub(crate) struct Standing {
    pub(crate) state: JobState,
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(default)]
    pub(crate) code: Option<u8>,
    /// When to ask again, in milliseconds.
    #[serde(default)]
    pub(crate) poll_ms: Option<u64>,
}

/// Where a job stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum JobState {
    /// It goes on, or waits to.
    Running,
    /// It has done what it should.
    Succeeded,
    /// It has not.
    Failed,
    /// It was asked to end.
    Stopped,
}

/// A plugin that runs.
pub(crate) struct Plugin {
    child: Child,
    stdin: Sender,
    stdout: BufReader<Receiver>,
    asked: u64,
}

impl Plugin {
    /// Starts a plugin and makes sure that it speaks this version.
    pub(crate) async fn start(path: &Path) -> Result<(Self, Described), Silence> {
        let mut command = Command::new(path);
        // A group of its own: the signal that ends the task is for its driver to pass on.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(Silence::NotStarted)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Silence::Gone);
        };
        let unready = |descriptor: OwnedFd| {
            rustix::io::ioctl_fionbio(&descriptor, true)?;
            Ok(descriptor)
        };
        let stdin = unready(stdin.into()).and_then(Sender::from_owned_fd_unchecked);
        let stdout = unready(stdout.into()).and_then(Receiver::from_owned_fd_unchecked);
        let stdin = stdin.map_err(Silence::NotStarted)?;
        let stdout = BufReader::new(stdout.map_err(Silence::NotStarted)?);
        let mut plugin = Self { child, stdin, stdout, asked: 0 };
        let described: Described = plugin.ask("describe", Value::Null, Some(SOON)).await?;
        if described.protocol != PROTOCOL {
            let problem = format!("it speaks version {}, not {PROTOCOL}", described.protocol);
            return Err(Silence::Nonsense { method: "describe", problem });
        }
        Ok((plugin, described))
    }

    /// Asks; `params` is an object, or null. Without `within` as long as it takes.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &mut self,
        method: &'static str,
        params: Value,
        within: Option<Duration>,
    ) -> Result<T, Silence> {
        let answer = self.exchange(method, params);
        match within {
            None => answer.await,
            Some(within) => tokio::time::timeout(within, answer)
                .await
                .unwrap_or(Err(Silence::Late { method, within })),
        }
    }

    async fn exchange<T: DeserializeOwned>(
        &mut self,
        method: &'static str,
        params: Value,
    ) -> Result<T, Silence> {
        let nonsense = |problem: String| Silence::Nonsense { method, problem };
        self.asked += 1;
        let mut question = match params {
            Value::Object(params) => params,
            _ => serde_json::Map::new(),
        };
        question.insert("id".to_owned(), self.asked.into());
        question.insert("method".to_owned(), method.into());
        let line = format!("{}\n", Value::Object(question));
        self.stdin.write_all(line.as_bytes()).await.map_err(|_| Silence::Gone)?;
        let mut text = Vec::new();
        let mut limited = (&mut self.stdout).take(ANSWER_BYTES_MAX);
        let read = limited.read_until(b'\n', &mut text).await;
        if read.is_err() || text.is_empty() {
            return Err(Silence::Gone);
        }
        let mut answer: Value = serde_json::from_slice(&text).map_err(|error| {
            let begin = String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned();
            nonsense(format!("{error}: {begin:?}"))
        })?;
        if answer["id"] != self.asked {
            return Err(nonsense(format!("its id is {}, not {}", answer["id"], self.asked)));
        }
        if let Value::String(error) = answer["error"].take() {
            return Err(Silence::Refused(error));
        }
        serde_json::from_value(answer).map_err(|error| nonsense(error.to_string()))
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // It has ended, or is of no use any more; what it started is not its attempt's.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
