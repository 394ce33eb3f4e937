//! What an event is in the log, whole and as replay reads it.
//!
//! Must never check names again: the log holds what was once accepted.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{LoggedRecord, Payload};
use crate::time::Timestamp;
use crate::{EventKey, JsonText, Namespace, Offset, RunId};

/// What users and tasks emit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Where it is seen.
    pub namespace: Namespace,
    /// What it is about.
    pub key: EventKey,
    /// What it says.
    #[serde(default)]
    pub value: JsonText,
    /// Who says it; with `id` the identity of the event.
    pub source: String,
    /// Identity within its source.
    pub id: String,
    /// The run whose rules see it; none: all runs of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<RunId>,
}

/// What the fold looks at of an event.
pub trait EventFacts {
    /// Where it is seen.
    fn namespace(&self) -> &str;
    /// Who says it.
    fn source(&self) -> &str;
    /// Identity within its source.
    fn id(&self) -> &str;
}

impl EventFacts for Event {
    fn namespace(&self) -> &str {
        self.namespace.as_str()
    }

    fn source(&self) -> &str {
        &self.source
    }

    fn id(&self) -> &str {
        &self.id
    }
}

/// An event as replay reads it: borrowed from its payload, no more of it than the fold looks at.
/// Names are not checked again: the log holds what was once accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct EventIdentity<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
}

impl EventFacts for EventIdentity<'_> {
    fn namespace(&self) -> &str {
        &self.namespace
    }

    fn source(&self) -> &str {
        &self.source
    }

    fn id(&self) -> &str {
        &self.id
    }
}

impl<'a> LoggedRecord<EventIdentity<'a>> {
    /// Reads a payload for replay, which takes a fraction of the time that the whole record takes.
    ///
    /// # Errors
    /// What `serde_json` finds wrong.
    pub fn for_replay(
        offset: Offset,
        time: Timestamp,
        payload: &'a [u8],
    ) -> Result<Self, serde_json::Error> {
        let Payload { cause, record } = serde_json::from_slice(payload)?;
        Ok(Self { offset, time, cause, record })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Record;

    proptest! {
        #[test]
        fn replay_reads_of_an_event_what_the_whole_record_says(
            source in any::<String>(),
            id in any::<String>(),
            value in any::<String>(),
            run in proptest::option::of(any::<u64>()),
            cause in proptest::option::of(any::<u64>()),
        ) {
            let event = Event {
                namespace: Namespace::default_namespace(),
                key: EventKey::new("k").unwrap(),
                value: JsonText::from_value(&serde_json::json!({"source": value, "id": [value]})),
                source,
                id,
                execution: run.map(RunId),
            };
            let cause = cause.map(Offset);
            let record = Record::EventEmitted(event.clone());
            let payload = serde_json::to_vec(&Payload { cause, record: &record }).unwrap();
            let (offset, time) = (Offset(7), Timestamp(-1));
            let read = LoggedRecord::for_replay(offset, time, &payload).unwrap();
            prop_assert_eq!((read.offset, read.time, read.cause), (offset, time, cause));
            let Record::EventEmitted(facts) = &read.record else { panic!("{read:?}") };
            prop_assert_eq!(facts.namespace(), EventFacts::namespace(&event));
            prop_assert_eq!((facts.source(), facts.id()), (&*event.source, &*event.id));
            // What is cut off is refused by both.
            for end in 0..payload.len() {
                prop_assert!(
                    LoggedRecord::for_replay(offset, time, &payload[..end]).is_err()
                        && serde_json::from_slice::<Payload>(&payload[..end]).is_err()
                );
            }
        }
    }
}
