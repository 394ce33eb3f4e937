//! Plugins: programs of others that do a task's work, or run its command elsewhere.
//!
//! Here is the side of the task: the process of an attempt drives one plugin (`docs/plugins.md`).
//! Must never decide what becomes of a task: its exit code says how the work ended.

mod check;
mod drive;
mod handle;
mod program;
mod speak;

pub(crate) use check::{Finding, check};
pub(crate) use drive::{Order, drive};
pub(crate) use program::{Found, Kind, find, list};
