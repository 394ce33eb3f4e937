//! An error and all that led to it, on one line.
//!
//! Must never add words of its own: each error says its part.

use std::error::Error;

/// The nearest first; a part that only repeats the one before it is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut parts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        parts.push(error.to_string());
        source = error.source();
    }
    parts.dedup();
    parts.join(": ")
}
