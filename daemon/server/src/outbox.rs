//! What waits to be written to clients, in bytes: of each connection and of all together.
//!
//! Who asks and does not read must not fill the memory: beyond the bound the connection with the
//! most unwritten bytes, of those that take none, is cut off. It resumes by offset or by repeating
//! its requests. Must never cut off whoever reads, however large what it reads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Bytes that may wait for all clients together.
const UNWRITTEN_BYTES_MAX: usize = 64 << 20;
/// Who has taken nothing for so long while something waited does not read.
const PATIENCE: Duration = Duration::from_millis(200);

/// All connections.
#[derive(Debug)]
pub(crate) struct Outboxes {
    bytes: AtomicUsize,
    each: Mutex<Vec<Weak<Outbox>>>,
    patience: Duration,
    /// When the fullest was looked for last.
    looked: Mutex<Option<Instant>>,
    /// There is room again.
    freed: Notify,
    /// Who waits for room: one looks after it, the others wait for their turn.
    waiters: tokio::sync::Mutex<()>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    all: Arc<Outboxes>,
    bytes: AtomicUsize,
    /// When it took something last, or something began to wait.
    moved: Mutex<Instant>,
    cut: Notify,
}

/// So many bytes wait, until this is dropped.
#[derive(Debug)]
pub(crate) struct Weight {
    outbox: Arc<Outbox>,
    bytes: usize,
}

impl Default for Outboxes {
    fn default() -> Self {
        let (bytes, each, waiters) = <(AtomicUsize, Mutex<_>, tokio::sync::Mutex<_>)>::default();
        let (looked, freed) = (Mutex::default(), Notify::new());
        Self { bytes, each, patience: PATIENCE, looked, freed, waiters }
    }
}

impl Outboxes {
    /// A new connection's.
    pub(crate) fn open(self: &Arc<Self>) -> Arc<Outbox> {
        let (all, bytes) = (Arc::clone(self), AtomicUsize::new(0));
        let (moved, cut) = (Mutex::new(Instant::now()), Notify::new());
        let outbox = Arc::new(Outbox { all, bytes, moved, cut });
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        each.retain(|other| other.strong_count() > 0);
        each.push(Arc::downgrade(&outbox));
        outbox
    }

    /// Waits until there is room for more, and cuts off who takes nothing while there is none. For
    /// whoever makes what is large: those who ask and do not read have to be found out first.
    pub(crate) async fn room(&self) {
        let is_full = || self.bytes.load(Ordering::Relaxed) > UNWRITTEN_BYTES_MAX;
        if !is_full() {
            return;
        }
        let _turn = self.waiters.lock().await;
        while is_full() {
            self.cut_the_fullest();
            // Looked at again in any case: patience may have come to its end.
            let _ = tokio::time::timeout(self.patience / 4, self.freed.notified()).await;
        }
    }

    fn cut_the_fullest(&self) {
        // Not for each answer: there may be very many, to very many.
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|looked| looked.elapsed() < self.patience / 20) {
            return;
        }
        *looked = Some(Instant::now());
        drop(looked);
        let each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let living = each.iter().filter_map(Weak::upgrade);
        let stuck = living.filter(|outbox| outbox.since_it_moved() >= self.patience);
        if let Some(fullest) = stuck.max_by_key(|outbox| outbox.bytes.load(Ordering::Relaxed)) {
            fullest.cut.notify_one();
        }
    }
}

impl Outbox {
    /// Notes that bytes wait; may cut off a connection, this one or another.
    pub(crate) fn weigh(self: &Arc<Self>, bytes: usize) -> Weight {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.note_move();
        }
        let all = self.all.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > UNWRITTEN_BYTES_MAX {
            self.all.cut_the_fullest();
        }
        Weight { outbox: Arc::clone(self), bytes }
    }

    /// As [`Outboxes::room`].
    pub(crate) async fn room(&self) {
        self.all.room().await;
    }

    /// Notes that the client has taken something.
    pub(crate) fn note_move(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn since_it_moved(&self) -> Duration {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Waits until this connection is to be cut off.
    pub(crate) async fn is_cut(&self) {
        self.cut.notified().await;
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.outbox.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        let before = self.outbox.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        if before > UNWRITTEN_BYTES_MAX {
            self.outbox.all.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outboxes(patience: Duration) -> Arc<Outboxes> {
        Arc::new(Outboxes { patience, ..Outboxes::default() })
    }

    #[tokio::test]
    async fn beyond_the_bound_the_fullest_is_cut_off() {
        let all = outboxes(Duration::ZERO);
        let (small, large) = (all.open(), all.open());
        let kept = small.weigh(1_000);
        let held = large.weigh(UNWRITTEN_BYTES_MAX - 1_000);
        drop(small.weigh(1));
        large.is_cut().await;
        drop((held, kept));
        assert_eq!(all.bytes.load(Ordering::Relaxed), 0, "what was written is forgotten");
        drop(large);
        // The gone one is not looked at; the one that is left is the fullest.
        let _held = small.weigh(UNWRITTEN_BYTES_MAX + 1);
        small.is_cut().await;
    }

    #[tokio::test]
    async fn what_is_large_waits_until_there_is_room() {
        let all = outboxes(Duration::from_secs(3600));
        all.room().await;
        let reader = all.open();
        let held = reader.weigh(UNWRITTEN_BYTES_MAX + 1);
        let waiting = all.room();
        tokio::pin!(waiting);
        let is_there = tokio::select! {
            biased;
            () = &mut waiting => true,
            () = std::future::ready(()) => false,
        };
        assert!(!is_there);
        drop(held);
        waiting.await;
    }

    #[tokio::test]
    async fn whoever_reads_is_not_cut_off() {
        let all = outboxes(Duration::from_secs(3600));
        let reader = all.open();
        let _held = reader.weigh(2 * UNWRITTEN_BYTES_MAX);
        drop(reader.weigh(1));
        let is_cut = tokio::select! {
            biased;
            () = reader.is_cut() => true,
            () = std::future::ready(()) => false,
        };
        assert!(!is_cut);
    }
}
