//! The state as bytes that outlive the process, so that a start need not fold the whole log.
//!
//! Self-describing JSON: fields that are new take their defaults, fields that are gone are passed
//! over. Whoever cannot read it folds the log instead. Must never leave out what a decision may
//! depend on; what is derived is made again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Identities, Identity, State};

/// Raised when a state of the version before would be misread; not when a field is added.
pub const STATE_VERSION: u32 = 1;

/// Why bytes are not taken for a state.
#[derive(Debug, thiserror::Error)]
pub enum StoredStateError {
    /// Another version of the program stored it.
    #[error("the state was stored in version {found}, this program reads {STATE_VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// The identities are not those that this program would compute.
    #[error("the identities in it were stored by a program that computes them in another way")]
    Identities,
    /// The bytes are not a state.
    #[error("the stored state cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// What is outside of the state's own fields, and is read first.
#[derive(Serialize, Deserialize)]
struct Envelope<'a, S> {
    state_version: u32,
    /// A fixed identity, which tells whether they are computed as ever.
    #[serde(default)]
    probe: String,
    #[serde(default, borrow)]
    event_ids: std::borrow::Cow<'a, str>,
    #[serde(default, borrow)]
    run_requests: std::borrow::Cow<'a, str>,
    state: S,
}

impl State {
    /// The state as bytes. Equal states give equal bytes.
    ///
    /// # Errors
    /// None for the types here; the signature is serde's.
    pub fn to_stored(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Envelope {
            state_version: STATE_VERSION,
            probe: Identities::probe(),
            event_ids: self.event_ids.to_text().into(),
            run_requests: self.run_requests.to_text().into(),
            state: self,
        })
    }

    /// The state that [`Self::to_stored`] was given, derived parts included.
    ///
    /// # Errors
    /// [`StoredStateError`].
    pub fn from_stored(bytes: &[u8]) -> Result<Self, StoredStateError> {
        let stored: Envelope<'_, &RawValue> = serde_json::from_slice(bytes)?;
        if stored.state_version != STATE_VERSION {
            return Err(StoredStateError::Version { found: stored.state_version });
        }
        let read = |text: &str| {
            let ids = Identities::from_text(text).filter(|_| stored.probe == Identities::probe());
            ids.ok_or(StoredStateError::Identities)
        };
        let (event_ids, run_requests) = (read(&stored.event_ids)?, read(&stored.run_requests)?);
        let mut state: Self = serde_json::from_str(stored.state.get())?;
        state.event_ids = event_ids;
        state.run_requests = run_requests;
        state.take_in_earlier_requests();
        Ok(state.with_derived())
    }

    /// Builds before 0.2 stored them by their texts.
    fn take_in_earlier_requests(&mut self) {
        let mut earlier: Vec<_> = std::mem::take(&mut self.requests).into_iter().collect();
        earlier.sort_by_key(|(_, run)| *run);
        for (request, run) in earlier {
            self.run_requests.remember(Identity::of_request(&request), run.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Event, LoggedRecord, Record};
    use crate::{EventKey, JsonText, Namespace, Offset, Timestamp};

    fn state(events: u64) -> State {
        let namespace = Namespace::default_namespace();
        let event = |id: u64| Event {
            namespace: namespace.clone(),
            key: EventKey::new("k").unwrap(),
            value: JsonText::null(),
            source: "s".to_owned(),
            id: id.to_string(),
            execution: None,
        };
        let added = Record::NamespaceAdded { namespace: namespace.clone(), properties: [].into() };
        let events = (0..events).map(|id| Record::EventEmitted(event(id)));
        let mut state = State::empty();
        for (offset, record) in (0..).zip(std::iter::once(added).chain(events)) {
            let time = Timestamp(0);
            state
                .apply(&LoggedRecord { offset: Offset(offset), time, cause: None, record })
                .unwrap();
        }
        state
    }

    #[test]
    fn a_stored_state_comes_back_with_the_identities_of_its_events() {
        let before = state(1_000);
        let after = State::from_stored(&before.to_stored().unwrap()).unwrap();
        assert_eq!(after, before);
        assert_eq!(after.event_ids.find(Identity::of_event("default", "s", "999")), Some(1_000));
    }

    #[test]
    fn requests_that_an_earlier_build_stored_are_known() {
        let text = String::from_utf8(state(1).to_stored().unwrap()).unwrap();
        let earlier = text.replacen("\"epoch\":0", "\"requests\":{\"a\":7,\"b\":3},\"epoch\":0", 1);
        assert_ne!(earlier, text);
        let read = State::from_stored(earlier.as_bytes()).unwrap();
        assert_eq!(read.run_requests.find(Identity::of_request("a")), Some(7));
        let again = State::from_stored(&read.to_stored().unwrap()).unwrap();
        assert_eq!(again, read);
        assert_eq!(again.run_requests.find(Identity::of_request("b")), Some(3));
    }

    #[test]
    fn unknown_fields_are_passed_over_and_missing_ones_have_defaults() {
        let text = String::from_utf8(state(1).to_stored().unwrap()).unwrap();
        let wider = text.replacen("\"epoch\":0", "\"later\":[1],\"epoch\":0", 1);
        assert_ne!(wider, text);
        assert_eq!(State::from_stored(wider.as_bytes()).unwrap(), state(1));
        let narrower = text.replacen("\"epoch\":0,", "", 1);
        assert_ne!(narrower, text);
        assert_eq!(State::from_stored(narrower.as_bytes()).unwrap(), state(1));
    }

    #[test]
    fn other_versions_and_other_identities_are_refused() {
        let text = String::from_utf8(state(1).to_stored().unwrap()).unwrap();
        let refused = |from: &str, to: &str| {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            State::from_stored(other.as_bytes()).unwrap_err()
        };
        let version = refused("\"state_version\":1", "\"state_version\":2");
        assert!(matches!(version, StoredStateError::Version { found: 2 }));
        let probe = format!("\"probe\":\"{}", Identities::probe());
        assert!(matches!(refused(&probe, "\"probe\":\"0"), StoredStateError::Identities));
        assert!(matches!(refused("\"state\":{", "\"state\":[{"), StoredStateError::Unreadable(_)));
    }
}
