//! Fuzz targets: one function over bytes for each place that reads bytes it did not write.
//!
//! `scripts/fuzz` runs them under libFuzzer; `cargo test` replays the inputs in `corpus`. Most of
//! these places stand behind a checksum, which random bytes never match. So an input is a small
//! program: it says how to build or to change the bytes, and which checksums are set right then.
//! Never: depend on anything but the input.
#![expect(
    clippy::unwrap_used,
    reason = "a target ends at the first thing that is not as it must be"
)]

mod bytes;
mod frame;
mod index;
mod recovery;
mod request;
mod snapshot;
mod specification;

pub use frame::frame;
pub use index::index;
pub use recovery::recovery;
pub use request::request;
pub use snapshot::snapshot;

/// A target: panics on an input that shows a bug.
pub type Target = fn(&[u8]);

/// Every target, by the name of its directory in `corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("frame", frame),
    ("index", index),
    ("recovery", recovery),
    ("request", request),
    ("snapshot", snapshot),
];
