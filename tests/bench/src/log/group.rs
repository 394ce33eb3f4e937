//! Writers that each wait until their own record is durable: the same for every store.
//!
//! Must never count an append that was not acknowledged.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::RECORD_BYTES;
use crate::figures::number;

/// One writer's way to append: returns when the record is durable.
pub(super) type Append<'a> = Box<dyn FnMut(&[u8]) -> anyhow::Result<()> + Send + 'a>;

/// Something that keeps records.
pub(super) trait Store {
    /// The way of one more writer.
    fn writer(&self) -> anyhow::Result<Append<'_>>;
}

/// So many threads append for so long.
pub(super) fn appends_per_second(
    store: &mut dyn Store,
    writers: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let appends: Vec<Append<'_>> =
        (0..writers).map(|_| store.writer()).collect::<anyhow::Result<_>>()?;
    let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = |mut append: Append<'_>| -> anyhow::Result<()> {
        let record = [b'r'; RECORD_BYTES];
        while !stop.load(Ordering::Relaxed) {
            append(&record)?;
            count.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            appends.into_iter().map(|append| scope.spawn(move || work(append))).collect();
        let begin = Instant::now();
        std::thread::park_timeout(time);
        while begin.elapsed() < time {
            std::thread::park_timeout(time.saturating_sub(begin.elapsed()));
        }
        let (counted, seconds) = (count.load(Ordering::Relaxed), begin.elapsed().as_secs_f64());
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
        }
        Ok(number(counted) / seconds)
    })
}

/// Threads that wait for a position to become durable, in order. A thread of its own wakes them, so
/// that whoever commits goes on at once.
#[derive(Debug)]
pub(super) struct Waiters {
    shared: Arc<Waiting>,
    durable: mpsc::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    threads: Mutex<VecDeque<(u64, Thread)>>,
    durable: AtomicU64,
}

impl Default for Waiters {
    fn default() -> Self {
        let shared = Arc::new(Waiting::default());
        let (durable, ends) = mpsc::channel();
        let waiting = Arc::clone(&shared);
        // Ends when the last sender is gone.
        std::thread::spawn(move || ends.into_iter().for_each(|end| waiting.wake(end)));
        Self { shared, durable }
    }
}

impl Waiters {
    /// Waits for everything below `end`; `register` must have been called with it.
    pub(super) fn wait(&self, end: u64) {
        while self.shared.durable.load(Ordering::Acquire) < end {
            std::thread::park();
        }
    }

    /// Notes that this thread will wait. In the order of `end`.
    pub(super) fn register(&self, end: u64) {
        self.shared.threads().push_back((end, std::thread::current()));
    }

    /// Lets those go on who wait for what is durable now.
    pub(super) fn advance(&self, end: u64) {
        // The thread lives as long as this.
        let _ = self.durable.send(end);
    }
}

impl Waiting {
    fn wake(&self, end: u64) {
        self.durable.store(end, Ordering::Release);
        let woken = {
            let mut threads = self.threads();
            let count = threads.partition_point(|(wanted, _)| *wanted <= end);
            threads.drain(..count).collect::<Vec<_>>()
        };
        woken.iter().for_each(|(_, thread)| thread.unpark());
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, VecDeque<(u64, Thread)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records that wait for a thread that commits them together.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    wake: Condvar,
    pub(super) waiters: Waiters,
}

#[derive(Debug, Default)]
struct QueueState {
    records: Vec<Vec<u8>>,
    next: u64,
    closed: bool,
}

impl Queue {
    /// Appends one and waits.
    pub(super) fn append(&self, record: &[u8]) {
        let end = {
            let mut state = self.state();
            state.records.push(record.to_vec());
            state.next += 1;
            self.waiters.register(state.next);
            state.next
        };
        self.wake.notify_one();
        self.waiters.wait(end);
    }

    /// What waits, and the position after it; none once closed.
    pub(super) fn take(&self) -> Option<(Vec<Vec<u8>>, u64)> {
        let mut state = self.state();
        while state.records.is_empty() {
            if state.closed {
                return None;
            }
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some((std::mem::take(&mut state.records), state.next))
    }

    /// Lets `take` end.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.wake.notify_one();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
