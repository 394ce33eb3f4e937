//! The hash that says whether two states are equal.
//!
//! Must never depend on anything but the state as it is stored.

use aiflow_model::State;
use sha2::{Digest, Sha256};

/// SHA-256 of a state as it is stored, in hex: equal states have equal ones.
pub(crate) fn state_hash(state: &State) -> serde_json::Result<String> {
    Ok(hash(&state.to_stored()?))
}

/// The same of a state that was stored already.
pub(crate) fn hash(stored: &[u8]) -> String {
    Sha256::digest(stored).iter().map(|byte| format!("{byte:02x}")).collect()
}
