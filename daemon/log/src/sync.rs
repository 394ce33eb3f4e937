//! Threads and locks of the committer. In the unit tests they are those of shuttle, which runs one
//! thread at a time and tries out where to switch.
//!
//! Never: shuttle in anything that is built to run. `cfg(test)` is on in this crate's own unit
//! tests alone, and shuttle is a dependency of tests.

#[cfg(not(test))]
pub(crate) use std::{
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

#[cfg(test)]
pub(crate) use shuttle::{
    sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Waits to be woken, for so long at most.
#[cfg(not(test))]
pub(crate) fn wait_at_most<'a, T>(
    condvar: &Condvar,
    (_, guard): (&'a Mutex<T>, MutexGuard<'a, T>),
    limit: std::time::Duration,
) -> MutexGuard<'a, T> {
    let waited = condvar.wait_timeout(guard, limit);
    waited.unwrap_or_else(std::sync::PoisonError::into_inner).0
}

/// Shuttle has no clock: others run for a while, and then the time is over.
#[cfg(test)]
pub(crate) fn wait_at_most<'a, T>(
    _: &Condvar,
    (mutex, guard): (&'a Mutex<T>, MutexGuard<'a, T>),
    _: std::time::Duration,
) -> MutexGuard<'a, T> {
    use shuttle::rand::Rng;
    drop(guard);
    for _ in 0..shuttle::rand::thread_rng().gen_range(0..8) {
        thread::yield_now();
    }
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
