//! Group commit: a thread that owns the writer. While one commit syncs, submitted frames gather;
//! then all of them are one write and one sync. Whoever was just told of a commit mostly submits
//! again at once, so the next commit waits a moment for them: else half of the submitters would
//! wait for the sync of the other half, in turn.
//!
//! Never: report a frame as durable before its sync, or go on after a failure. The queue is not
//! bounded here: the caller watches [`Committer::queued_bytes`] and stops taking work.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crate::error::CommitError;
use crate::frame::Frame;
use crate::storage::Storage;
use crate::sync::thread::{Builder, JoinHandle};
use crate::sync::{AtomicU64, Condvar, Mutex, MutexGuard, Ordering, wait_at_most};
use crate::writer::{LogWriter, Space};

/// Name of the thread.
const THREAD_NAME: &str = "aiflow-log";
/// A commit takes frames up to this many bytes, and at least one; the rest waits for the next.
const COMMIT_BYTES_MAX: u64 = 8 << 20;
/// How often space is asked for again while there is too little and nothing is submitted.
const SPACE_RETRY: Duration = Duration::from_secs(1);

/// The most that a commit waits for those who were told of the last one, as a part of what that
/// took: waiting longer than half of a sync could not pay.
const GATHER_PART: u32 = 2;
const GATHER_MAX: Duration = Duration::from_millis(1);
/// After a wait in vain so many commits do not wait; twice as many after the next, up to the most.
const GATHER_PAUSE_MAX: u32 = 256;

/// What became of submitted frames.
#[derive(Debug)]
pub enum CommitOutcome {
    /// Everything below `end` is durable.
    Durable {
        /// Offset after the last durable record.
        end: u64,
        /// The frames of this commit, in the order of submission, for publishing and for reuse of
        /// their buffers. Empty if only `space` has changed.
        frames: Vec<Frame>,
        /// Whether new work may be taken.
        space: Space,
        /// Time that writing and syncing took.
        took: Duration,
    },
    /// The last outcome: nothing will be written any more. What was submitted and not reported as
    /// durable is neither safe nor surely absent; only opening the log again tells.
    Failed(CommitError),
}

/// The log has failed, so the frame was dropped. [`CommitOutcome::Failed`] told why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log takes no more frames")]
pub struct SubmitError;

/// The handle to the thread. Dropping it commits what is queued, as `close` does.
#[derive(Debug)]
pub struct Committer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    frame_limit: u64,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// Bytes submitted and not yet durable.
    bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    frames: Vec<Frame>,
    /// The thread waits for so many frames; waking it costs a system call, which a busy one does
    /// not need.
    wanted: Option<usize>,
    closing: bool,
    stopped: bool,
}

impl Shared {
    /// No invariant spans a panic while the queue is locked, so a poisoned lock is taken as it is.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Committer {
    /// Starts the thread. `on_commit` runs on it, once per commit and in order; while it runs,
    /// nothing is committed.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn spawn<S: Storage + 'static>(
        writer: LogWriter<S>,
        on_commit: impl FnMut(CommitOutcome) + Send + 'static,
    ) -> io::Result<Self>
    where
        S::File: 'static,
    {
        let shared = Arc::new(Shared::default());
        let frame_limit = writer.frame_limit();
        let stop = StopOnDrop(Arc::clone(&shared));
        let work = Worker { writer, on_commit, stop, gathering: Gathering::default() };
        let builder = Builder::new().name(THREAD_NAME.to_owned());
        let thread = Some(builder.spawn(move || work.run())?);
        Ok(Self { shared, thread, frame_limit })
    }

    /// Queues a frame for the next commit; returns at once. Frames must come in offset order.
    ///
    /// # Errors
    /// [`SubmitError`] after a failure.
    pub fn submit(&self, frame: Frame) -> Result<(), SubmitError> {
        let mut queue = self.shared.queue();
        if queue.stopped {
            return Err(SubmitError);
        }
        self.shared.bytes.fetch_add(frame.size(), Ordering::Relaxed);
        queue.frames.push(frame);
        let wake = queue.wanted.is_some_and(|wanted| queue.frames.len() >= wanted);
        if wake {
            queue.wanted = None;
        }
        drop(queue);
        if wake {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// Bytes submitted and not yet durable.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Largest frame accepted, in bytes, for [`crate::FrameBuilder::with_limit`].
    #[must_use]
    pub fn frame_limit(&self) -> u64 {
        self.frame_limit
    }

    /// Commits what is queued, ends the thread and waits for it.
    ///
    /// # Panics
    /// If `on_commit` panicked.
    pub fn close(mut self) {
        if let Err(panic) = self.finish() {
            std::panic::resume_unwind(panic);
        }
    }

    fn finish(&mut self) -> std::thread::Result<()> {
        self.shared.queue().closing = true;
        self.shared.wake.notify_one();
        self.thread.take().map_or(Ok(()), JoinHandle::join)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        // A panic of the thread was printed by its hook; a second one here would abort.
        let _ = self.finish();
    }
}

/// Refuses further frames when the thread ends, also by a panic.
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.stopped = true;
        queue.frames.clear();
    }
}

struct Worker<S: Storage, C> {
    writer: LogWriter<S>,
    on_commit: C,
    stop: StopOnDrop,
    gathering: Gathering,
}

/// Whether the next commit waits for those who were told of the last one.
#[derive(Debug, Default)]
struct Gathering {
    /// Frames of the last commit, and what it took.
    told: usize,
    took: Duration,
    /// Commits that do not wait, as the last wait was in vain, and how many they were then.
    pause: u32,
    pause_last: u32,
}

impl Gathering {
    fn after_commit(&mut self, told: usize, took: Duration) {
        (self.told, self.took) = (told, took);
        self.pause = self.pause.saturating_sub(1);
    }

    /// How long to wait for those who were told; none: not at all.
    fn limit(&self) -> Option<Duration> {
        let limit = (self.took / GATHER_PART).min(GATHER_MAX);
        (self.told > 0 && self.pause == 0).then_some(limit)
    }

    fn after_wait(&mut self, all_came: bool) {
        self.pause_last =
            if all_came { 0 } else { (self.pause_last * 2).clamp(1, GATHER_PAUSE_MAX) };
        self.pause = self.pause_last;
    }
}

/// What the thread does next.
enum Next {
    Commit(Vec<Frame>),
    RetrySpace,
    Close,
}

impl<S: Storage, C: FnMut(CommitOutcome)> Worker<S, C> {
    fn run(mut self) {
        loop {
            let outcome = match self.next() {
                Next::Commit(frames) => self.commit(frames),
                Next::RetrySpace => self.retry_space(),
                Next::Close => return,
            };
            let failed = matches!(outcome, Some(CommitOutcome::Failed(_)));
            if failed {
                // Before it is told, so that whoever hears of it finds the queue closed.
                self.stop.0.queue().stopped = true;
            }
            if let Some(outcome) = outcome {
                (self.on_commit)(outcome);
            }
            if failed {
                return;
            }
        }
    }

    /// Waits for work. Without a time limit unless space is low, so that an idle log never wakes.
    fn next(&mut self) -> Next {
        let shared = Arc::clone(&self.stop.0);
        let mut queue = shared.queue();
        let early = queue.frames.len();
        loop {
            if !queue.frames.is_empty() {
                queue = self.gather(&shared, queue, early);
                return Next::Commit(take(&mut queue.frames));
            }
            if queue.closing {
                return Next::Close;
            }
            queue.wanted = Some(1);
            if self.writer.space() == Space::Enough {
                queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = shared.wake.wait_timeout(queue, SPACE_RETRY);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() && woken.frames.is_empty() && !woken.closing {
                return Next::RetrySpace;
            }
            queue = woken;
        }
    }

    /// Waits a moment for those who were told of the last commit, beside the `early` who had
    /// submitted before it ended.
    fn gather<'a>(
        &mut self,
        shared: &'a Shared,
        mut queue: MutexGuard<'a, Queue>,
        early: usize,
    ) -> MutexGuard<'a, Queue> {
        let Some(limit) = self.gathering.limit() else { return queue };
        let wanted = early + self.gathering.told;
        if queue.frames.len() >= wanted || queue.closing {
            return queue;
        }
        queue.wanted = Some(wanted);
        queue = wait_at_most(&shared.wake, (&shared.queue, queue), limit);
        queue.wanted = None;
        self.gathering.after_wait(queue.frames.len() >= wanted);
        queue
    }

    fn commit(&mut self, mut frames: Vec<Frame>) -> Option<CommitOutcome> {
        let started = Instant::now();
        let bytes = frames.iter().map(Frame::size).sum();
        match self.writer.append(&mut frames) {
            Ok(end) => {
                self.stop.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
                let (space, took) = (self.writer.space(), started.elapsed());
                self.gathering.after_commit(frames.len(), took);
                Some(CommitOutcome::Durable { end, frames, space, took })
            }
            Err(error) => Some(CommitOutcome::Failed(error)),
        }
    }

    fn retry_space(&mut self) -> Option<CommitOutcome> {
        let started = Instant::now();
        let before = self.writer.space();
        let space = self.writer.reserve();
        let (end, took) = (self.writer.next_offset(), started.elapsed());
        (space != before).then_some(CommitOutcome::Durable { end, frames: vec![], space, took })
    }
}

/// Takes the frames of the next commit.
fn take(queue: &mut Vec<Frame>) -> Vec<Frame> {
    let mut bytes = 0;
    let fits = |frame: &&Frame| {
        bytes += frame.size();
        bytes <= COMMIT_BYTES_MAX
    };
    let n = queue.iter().take_while(fits).count().max(1);
    let later = queue.split_off(n);
    std::mem::replace(queue, later)
}
