//! The append-only log of AIFlow: bytes and offsets, never workflows.
//!
//! Records are opaque byte strings numbered without gaps from 0. A *frame* holds the records of one
//! batch and is kept or lost as a whole. A *commit* is one write and one `fdatasync` of any number
//! of frames. `docs/log-format.md` is the specification of the bytes.
//!
//! Never: interpret a payload, read a wall clock, acknowledge a byte before it is durable, retry a
//! failed sync, or cut away anything that may have been acknowledged.
//!
//! Where to read next: [`mod@format`] (bytes), [`storage`] (what is asked of a directory),
//! [`recovery`] (what is believed after a crash), [`writer`] and [`committer`] (writing),
//! [`reader`] and [`index`] (reading), [`mod@snapshot`] (not reading from the beginning),
//! [`retention`] (not keeping for ever), [`mod@repair`] (what can be saved of a damaged one).

pub mod committer;
mod compressed;
pub mod disk;
pub mod error;
pub mod format;
pub mod frame;
pub mod index;
pub mod lock;
pub mod reader;
pub mod recovery;
pub mod repair;
pub mod retention;
mod scan;
mod segment;
pub mod snapshot;
pub mod storage;
mod sync;
pub mod testing;
pub mod verify;
pub mod writer;

pub use committer::{CommitOutcome, Committer, SubmitError};
pub use disk::DiskStorage;
pub use error::{CommitError, Damage, DamageReason, OpenError, ReadError, StorageError};
pub use format::{FORMAT_VERSION, FrameFault, Records};
pub use frame::{Frame, FrameBuilder, FrameError};
pub use index::{LabelIndex, Labeller};
pub use lock::{DirectoryLock, LockError};
pub use reader::{Batch, Batches, LogReader, Record};
pub use recovery::{Recovered, TornTail, open};
pub use snapshot::{Snapshot, SnapshotError};
pub use storage::{Access, Storage, StorageFile};
pub use verify::{Report, SegmentReport, verify};
pub use writer::{LogOptions, LogWriter, Space};
