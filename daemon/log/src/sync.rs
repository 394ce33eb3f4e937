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
