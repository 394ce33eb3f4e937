//! The shim's loop from the release of the task to its end: output, stop requests, the end.
//!
//! It sleeps until something happens: with nothing to do it wakes up never. It must never end
//! before the task has.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::fcntl_getpipe_size;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::arguments::Arguments;
use super::attempt::{Attempt, Task, spawn_failed, unix_micros};
use super::child::TaskOutput;
use super::lines::Lines;
use super::log::Log;
use super::reap;
use super::redact::Redactor;
use crate::output::Stream;
use crate::records::{Exit, Outcome};
use crate::system::{self, End};

/// As much as a pipe ordinarily holds.
const READ_BYTES_MAX: usize = 64 * 1024;
/// When room is kept for the exit of a task that still runs: what ends sooner does not need it.
const RESERVE_AFTER: Duration = Duration::from_millis(100);

/// How far stopping the task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    NotAsked,
    /// SIGTERM was sent; SIGKILL follows at this time.
    Graceful(Instant),
    Killed,
}

struct Supervision<'a> {
    task: Pid,
    grace: Duration,
    signals: &'a OwnedFd,
    log: Log<'a>,
    pumps: [Pump; 2],
    redactor: Redactor,
    buffer: Vec<u8>,
    stop: Stop,
    stop_requested: bool,
    killed_after_grace: bool,
}

/// One output of the task; its descriptor is gone when the task has closed it.
struct Pump {
    fd: Option<OwnedFd>,
    stream: Stream,
    lines: Lines,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
}

/// Supervises the task until it and all its descendants have ended and their output is written.
pub(crate) fn until_the_end(attempt: &Attempt, task: Task, arguments: &Arguments) -> Exit {
    let Task { held, output: TaskOutput { output, error }, redactor, .. } = task;
    let mut supervision = Supervision {
        task: held.pid,
        grace: arguments.grace,
        signals: &attempt.signals,
        log: Log::new(&attempt.directory, arguments.log_bytes_max, arguments.log_files_max),
        pumps: [Pump::new(output, Stream::Output), Pump::new(error, Stream::Error)],
        redactor,
        // Not filled: a task that writes nothing costs no memory.
        buffer: Vec::with_capacity(READ_BYTES_MAX),
        stop: Stop::NotAsked,
        stop_requested: false,
        killed_after_grace: false,
    };
    let end = supervision.wait_for_end(attempt);
    let ended_unix_micros = unix_micros();
    let left_behind = reap::end_all(held.pid, &attempt.signals);
    supervision.drain();
    let usage = system::children_usage();
    let outcome = match (held.failure(), end) {
        (Some(failure), _) => spawn_failed(failure),
        (None, End::Exited { code }) => Outcome::Exited { code },
        (None, End::Signaled { signal }) => Outcome::Signaled { signal },
    };
    Exit {
        outcome,
        stop_requested: supervision.stop_requested,
        killed_after_grace: supervision.killed_after_grace,
        ended_unix_micros,
        max_rss_bytes: usage.max_rss_bytes,
        user_cpu_micros: usage.user_cpu_micros,
        system_cpu_micros: usage.system_cpu_micros,
        log_bytes_dropped: supervision.log.dropped(),
        left_behind,
    }
}

impl Supervision<'_> {
    fn wait_for_end(&mut self, attempt: &Attempt) -> End {
        let mut reserve_at = Some(Instant::now() + RESERVE_AFTER);
        loop {
            let readable = self.sleep(reserve_at);
            let signals = system::read_signals(self.signals).unwrap_or_default();
            if let Some(end) = reap::leader_end(self.task) {
                self.stop_requested |= signals.stop || signals.kill;
                return end;
            }
            self.go_on_stopping(signals);
            for (pump, readable) in self.pumps.iter_mut().zip(readable) {
                if readable {
                    pump.read(&mut self.buffer, &self.redactor, &mut self.log);
                }
            }
            self.log.flush();
            if reserve_at.is_some_and(|at| Instant::now() >= at) {
                attempt.reserve_exit();
                reserve_at = None;
            }
        }
    }

    /// Waits until something happens, or one of two times; says which outputs may be read.
    fn sleep(&self, at: Option<Instant>) -> [bool; 2] {
        let kill_at = match self.stop {
            Stop::Graceful(until) => Some(until),
            Stop::NotAsked | Stop::Killed => None,
        };
        let until = [at, kill_at].into_iter().flatten().min();
        let timeout = until.and_then(|until| {
            Timespec::try_from(until.saturating_duration_since(Instant::now())).ok()
        });
        let mut fds = Vec::with_capacity(3);
        fds.push(PollFd::new(self.signals, PollFlags::IN));
        for pump in &self.pumps {
            if let Some(fd) = &pump.fd {
                fds.push(PollFd::new(fd, PollFlags::IN));
            }
        }
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return [false; 2];
        }
        let mut ready = fds.iter().skip(1).map(|fd| !fd.revents().is_empty());
        self.pumps.each_ref().map(|pump| pump.fd.is_some() && ready.next().unwrap_or(false))
    }

    fn go_on_stopping(&mut self, signals: system::Signals) {
        self.stop_requested |= signals.stop || signals.kill;
        if signals.kill && self.stop != Stop::Killed {
            self.signal_group(Signal::KILL);
            self.stop = Stop::Killed;
        }
        match self.stop {
            Stop::NotAsked if signals.stop => {
                self.signal_group(Signal::TERM);
                // A task that was halted could not follow.
                self.signal_group(Signal::CONT);
                self.stop = Stop::Graceful(Instant::now() + self.grace);
            }
            Stop::Graceful(until) if Instant::now() >= until => {
                self.signal_group(Signal::KILL);
                self.killed_after_grace = true;
                self.stop = Stop::Killed;
            }
            Stop::NotAsked | Stop::Graceful(_) | Stop::Killed => {}
        }
    }

    /// The leader is not reaped before the end, so its number and its group are this task's.
    fn signal_group(&self, signal: Signal) {
        if kill_process_group(self.task, signal) == Err(Errno::SRCH) {
            // The child has not come to make its group: it is alone.
            let _ = kill_process(self.task, signal);
        }
    }

    /// Writes what is still in the pipes. Their writers are dead; one that a process outside the
    /// attempt holds open is read once through, not to its end.
    fn drain(&mut self) {
        for pump in &mut self.pumps {
            let capacity = pump.fd.as_ref().map_or(0, |fd| fcntl_getpipe_size(fd).unwrap_or(0));
            for _ in 0..=capacity.div_ceil(READ_BYTES_MAX) {
                pump.read(&mut self.buffer, &self.redactor, &mut self.log);
            }
            pump.finish(&self.redactor, &mut self.log);
        }
        self.log.flush();
    }
}

impl Pump {
    fn new(fd: OwnedFd, stream: Stream) -> Self {
        Self { fd: Some(fd), stream, lines: Lines::default(), held: Vec::new() }
    }

    /// Takes one read's worth from the pipe.
    fn read(&mut self, buffer: &mut Vec<u8>, redactor: &Redactor, log: &mut Log<'_>) {
        let Some(fd) = &self.fd else { return };
        buffer.clear();
        match rustix::io::read(fd.as_fd(), spare_capacity(buffer)) {
            Ok(0) => self.fd = None,
            Ok(_) if redactor.is_empty() => self.feed(buffer, log),
            Ok(_) => {
                self.held.extend_from_slice(buffer);
                let shown = redactor.mask(&mut self.held, false);
                self.feed(&shown, log);
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.fd = None,
        }
    }

    fn feed(&mut self, bytes: &[u8], log: &mut Log<'_>) {
        let (now, stream) = (unix_micros(), self.stream);
        self.lines.feed(bytes, &mut |text, continues| {
            log.add(now, stream.tag(continues), text, !continues);
        });
    }

    fn finish(&mut self, redactor: &Redactor, log: &mut Log<'_>) {
        let shown = redactor.mask(&mut self.held, true);
        self.feed(&shown, log);
        let (now, stream) = (unix_micros(), self.stream);
        self.lines.finish(&mut |text, continues| {
            log.add(now, stream.tag(continues), text, !continues);
        });
    }
}
