//! What waits to be written to clients, in bytes: of each connection and of all together.
//!
//! Who asks and does not read must not fill the memory: beyond the bound the connection with the
//! most unwritten bytes is cut off, and resumes by offset or by repeating its requests. Must never
//! hold up whoever reads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

/// Most bytes that wait for all clients together.
const UNWRITTEN_BYTES_MAX: usize = 64 << 20;

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Outboxes {
    bytes: AtomicUsize,
    each: Mutex<Vec<Weak<Outbox>>>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    all: Arc<Outboxes>,
    bytes: AtomicUsize,
    cut: Notify,
}

/// So many bytes wait, until this is dropped.
#[derive(Debug)]
pub(crate) struct Weight {
    outbox: Arc<Outbox>,
    bytes: usize,
}

impl Outboxes {
    /// A new connection's.
    pub(crate) fn open(self: &Arc<Self>) -> Arc<Outbox> {
        let (all, bytes, cut) = (Arc::clone(self), AtomicUsize::new(0), Notify::new());
        let outbox = Arc::new(Outbox { all, bytes, cut });
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        each.retain(|other| other.strong_count() > 0);
        each.push(Arc::downgrade(&outbox));
        outbox
    }

    fn cut_the_fullest(&self) {
        let each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        let living = each.iter().filter_map(Weak::upgrade);
        if let Some(fullest) = living.max_by_key(|outbox| outbox.bytes.load(Ordering::Relaxed)) {
            fullest.cut.notify_one();
        }
    }
}

impl Outbox {
    /// Notes that bytes wait; may cut off a connection, this one or another.
    pub(crate) fn weigh(self: &Arc<Self>, bytes: usize) -> Weight {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let all = self.all.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all > UNWRITTEN_BYTES_MAX {
            self.all.cut_the_fullest();
        }
        Weight { outbox: Arc::clone(self), bytes }
    }

    /// Waits until this connection is to be cut off.
    pub(crate) async fn is_cut(&self) {
        self.cut.notified().await;
    }
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.outbox.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.outbox.all.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_the_bound_the_fullest_is_cut_off() {
        let all = Arc::new(Outboxes::default());
        let (small, large) = (all.open(), all.open());
        let kept = small.weigh(1_000);
        let held = large.weigh(UNWRITTEN_BYTES_MAX - 1_000);
        drop(small.weigh(1));
        large.is_cut().await;
        drop(held);
        drop(kept);
        assert_eq!(all.bytes.load(Ordering::Relaxed), 0, "what was written is forgotten");
        drop(large);
        // The gone one is not looked at; the one that is left is the fullest.
        let _held = small.weigh(UNWRITTEN_BYTES_MAX + 1);
        small.is_cut().await;
    }
}
