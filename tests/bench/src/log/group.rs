//! Writers that each wait until their own record is durable: the same for every store.
//!
//! A writer has one append under way at a time. A few threads play all writers, since what is
//! measured is the store and not how fast the system switches between hundreds of threads. Must
//! never count an append that was not acknowledged.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::Thread;
use std::time::{Duration, Instant};

use super::RECORD_BYTES;
use crate::figures::number;

/// Threads that play the writers.
const THREADS: usize = 4;

/// What one thread appends through.
pub(super) trait Session: Send {
    /// Begins to append a record.
    fn submit(&mut self, record: &[u8]) -> anyhow::Result<()>;

    /// Waits until at least one record is durable; gives how many are that were not told of yet.
    fn wait(&mut self) -> anyhow::Result<usize>;
}

/// Something that keeps records.
pub(super) trait Store {
    /// What one more thread appends through.
    fn session(&self) -> anyhow::Result<Box<dyn Session + '_>>;
}

/// So many writers append for so long.
pub(super) fn appends_per_second(
    store: &mut dyn Store,
    writers: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let threads = writers.min(THREADS);
    let sessions: Vec<_> = (0..threads).map(|_| store.session()).collect::<Result<_, _>>()?;
    let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = |mut session: Box<dyn Session + '_>| -> anyhow::Result<()> {
        let record = [b'r'; RECORD_BYTES];
        let (mut idle, mut under_way) = (writers / threads, 0);
        while !stop.load(Ordering::Relaxed) {
            for _ in 0..idle {
                session.submit(&record)?;
            }
            under_way += idle;
            idle = session.wait()?;
            under_way -= idle;
            count.fetch_add(idle as u64, Ordering::Relaxed);
        }
        while under_way > 0 {
            under_way -= session.wait()?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            sessions.into_iter().map(|session| scope.spawn(move || work(session))).collect();
        let begin = Instant::now();
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

/// What threads wait for: that everything below a position is durable. A thread of its own wakes
/// them, so that whoever commits goes on at once.
#[derive(Debug)]
pub(super) struct Waiters {
    shared: Arc<Waiting>,
    durable: mpsc::Sender<u64>,
}

#[derive(Debug, Default)]
struct Waiting {
    threads: Mutex<Vec<(u64, Thread)>>,
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
    /// Waits for everything below `end`; gives the end of what is durable.
    pub(super) fn wait(&self, end: u64) -> u64 {
        loop {
            // In this order, so that no waking is missed.
            self.shared.threads().push((end, std::thread::current()));
            let durable = self.shared.durable.load(Ordering::SeqCst);
            if durable >= end {
                return durable;
            }
            std::thread::park();
            let durable = self.shared.durable.load(Ordering::SeqCst);
            if durable >= end {
                return durable;
            }
        }
    }

    /// Lets those go on who wait for what is durable now.
    pub(super) fn advance(&self, end: u64) {
        // The thread lives as long as this.
        let _ = self.durable.send(end);
    }
}

impl Waiting {
    fn wake(&self, end: u64) {
        self.durable.store(end, Ordering::SeqCst);
        self.threads().retain(|(wanted, thread)| {
            if *wanted <= end {
                thread.unpark();
            }
            *wanted > end
        });
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Thread)>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ends of what one thread has under way, ascending.
#[derive(Debug, Default)]
pub(super) struct Ends(VecDeque<u64>);

impl Ends {
    pub(super) fn push(&mut self, end: u64) {
        self.0.push_back(end);
    }

    /// Waits for the first; gives how many are durable then.
    pub(super) fn wait(&mut self, waiters: &Waiters) -> usize {
        let Some(first) = self.0.front() else { return 0 };
        let durable = waiters.wait(*first);
        let count = self.0.partition_point(|end| *end <= durable);
        self.0.drain(..count);
        count
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
    /// Whether somebody waits: waking costs a system call.
    waiting: bool,
}

impl Queue {
    /// Adds one; gives the position after it.
    pub(super) fn submit(&self, record: &[u8]) -> u64 {
        let mut state = self.state();
        state.records.push(record.to_vec());
        state.next += 1;
        let wakes = std::mem::take(&mut state.waiting);
        let end = state.next;
        drop(state);
        if wakes {
            self.wake.notify_one();
        }
        end
    }

    /// What waits, and the position after it; none once closed.
    pub(super) fn take(&self) -> Option<(Vec<Vec<u8>>, u64)> {
        let mut state = self.state();
        while state.records.is_empty() {
            if state.closed {
                return None;
            }
            state.waiting = true;
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
