//! One host of conditions: a process that is asked a line of JSON and answers one.
//!
//! It keeps nothing that counts, so it can be started anew at any time. Must never be waited for
//! longer than its questions say: one that does not answer is ended.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use aiflow_core::{HostAnswer, Question, Verdict};
use aiflow_model::state::ExecutionStatus;
use aiflow_model::wire::EventView;
use aiflow_model::{JsonText, Offset, RunId, TaskName, Timestamp};
use aiflow_supervise::{Companion, CompanionOrder};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::{Instant, timeout_at};

use crate::readiness;

/// Added to the time for an answer when the host has just been started: it has to load its code.
const START_WITHIN: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Most of a line of stderr that is kept.
const LAST_WORDS_CHARS: usize = 500;

/// A question as the host reads it.
#[derive(Serialize)]
struct Asked<'a> {
    id: u64,
    config: &'a JsonText,
    state: &'a JsonText,
    event: EventView,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<&'a BTreeMap<TaskName, ExecutionStatus>>,
}

/// An answer as the host writes it.
#[derive(Deserialize)]
struct Answered {
    id: u64,
    #[serde(default)]
    met: Option<bool>,
    #[serde(default)]
    state: JsonText,
    #[serde(default)]
    error: Option<String>,
}

/// Why there is no answer.
enum Silence {
    /// The process is gone; whether it has seen the question nobody knows.
    Gone,
    /// It is there, and of no use any more.
    Useless(String),
}

/// A process that answers.
pub(crate) struct Host {
    _companion: Companion,
    stdin: Sender,
    stdout: BufReader<Receiver>,
    last_words: Rc<RefCell<String>>,
    asked: u64,
}

impl Host {
    /// Starts one.
    ///
    /// # Errors
    /// When its program cannot be started.
    pub(crate) fn start(order: &CompanionOrder) -> io::Result<Self> {
        let (companion, streams) = Companion::start(order)?;
        let last_words = Rc::<RefCell<String>>::default();
        tokio::task::spawn_local(listen(readiness::watch(streams.stderr)?, Rc::clone(&last_words)));
        rustix::io::ioctl_fionbio(&streams.stdin, true)?;
        Ok(Self {
            _companion: companion,
            stdin: Sender::from_owned_fd_unchecked(streams.stdin)?,
            stdout: BufReader::new(readiness::watch(streams.stdout)?),
            last_words,
            asked: 0,
        })
    }
}

/// Asks, with a host that is started when there is none; what is left in `host` can be asked again.
/// One that was gone before it was asked is started anew, once: to ask again does nothing twice.
pub(crate) async fn ask(
    host: &mut Option<Host>,
    order: &CompanionOrder,
    question: &Question,
    (offset, now): (Offset, Timestamp),
) -> Verdict {
    loop {
        let is_new = host.is_none();
        let mut asked = match host.take() {
            Some(running) => running,
            None => Host::start(order).map_err(|error| {
                format!("the host {} cannot be started: {error}", order.command[0])
            })?,
        };
        let patience = question.host.timeout.to_std();
        let within = if is_new { patience + START_WITHIN } else { patience };
        let line = asked.line(question, offset, now)?;
        match timeout_at(Instant::now() + within, asked.exchange(&line)).await {
            Ok(Ok(verdict)) => {
                *host = Some(asked);
                return verdict;
            }
            Ok(Err(Silence::Gone)) if !is_new => {}
            Ok(Err(Silence::Gone)) => return Err(asked.end_of("the host has ended")),
            Ok(Err(Silence::Useless(why))) => return Err(asked.end_of(&why)),
            Err(_) => {
                return Err(asked.end_of(&format!("the host has not answered within {within:?}")));
            }
        }
    }
}

impl Host {
    fn line(
        &mut self,
        question: &Question,
        offset: Offset,
        now: Timestamp,
    ) -> Result<Vec<u8>, String> {
        self.asked += 1;
        let asked = Asked {
            id: self.asked,
            config: &question.host.config,
            state: &question.state,
            event: EventView::of(&question.event, offset, now),
            run: question.run(),
            tasks: question.host.tasks.then_some(&question.tasks),
        };
        let mut line = serde_json::to_vec(&asked).map_err(|error| error.to_string())?;
        line.push(b'\n');
        Ok(line)
    }

    async fn exchange(&mut self, line: &[u8]) -> Result<Verdict, Silence> {
        self.stdin.write_all(line).await.map_err(|_| Silence::Gone)?;
        let mut text = Vec::new();
        let mut limited = (&mut self.stdout).take(ANSWER_BYTES_MAX as u64);
        match limited.read_until(b'\n', &mut text).await {
            Ok(0) | Err(_) => return Err(Silence::Gone),
            Ok(_) => {}
        }
        if text.last() != Some(&b'\n') {
            let is_cut = text.len() < ANSWER_BYTES_MAX;
            let why = format!("the host's answer is longer than {ANSWER_BYTES_MAX} bytes");
            return Err(if is_cut { Silence::Gone } else { Silence::Useless(why) });
        }
        let answered: Answered = serde_json::from_slice(&text).map_err(|error| {
            let said = String::from_utf8_lossy(&text[..text.len().min(100)]).into_owned();
            Silence::Useless(format!("the host's answer is no such answer: {error}: {said:?}"))
        })?;
        if answered.id != self.asked {
            let message = format!("the host answered {} when asked {}", answered.id, self.asked);
            return Err(Silence::Useless(message));
        }
        Ok(match (answered.error, answered.met) {
            (Some(error), _) => Err(error),
            (None, Some(met)) => Ok(HostAnswer { met, state: answered.state }),
            (None, None) => Err("the host's answer has neither `met` nor `error`".to_owned()),
        })
    }

    /// Why it has ended, with what it said last.
    fn end_of(&self, why: &str) -> String {
        match self.last_words.borrow().as_str() {
            "" => why.to_owned(),
            last => format!("{why}; it last said: {last}"),
        }
    }
}

/// Keeps the last line that a host says on stderr. The rest is nobody's.
async fn listen(stderr: Receiver, last_words: Rc<RefCell<String>>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut stderr).take(ANSWER_BYTES_MAX as u64);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let said = String::from_utf8_lossy(&line);
        if !said.trim().is_empty() {
            *last_words.borrow_mut() = said.trim_end().chars().take(LAST_WORDS_CHARS).collect();
        }
    }
}
