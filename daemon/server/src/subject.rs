//! What a record is about, seen without reading the whole of it.
//!
//! Must agree with [`aiflow_model::Record::run`] on every record there is.

use std::borrow::Cow;
use std::fmt;

use aiflow_model::RunId;
use aiflow_model::record::Payload;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// What a record is about, borrowed from its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subject<'a> {
    /// Namespace and key of an event.
    pub(crate) event: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// The run, if it is about one.
    pub(crate) run: Option<RunId>,
}

/// What a payload is about; none if it is no record.
pub(crate) fn of(payload: &[u8]) -> Option<Subject<'_>> {
    let Variant { name, members } = serde_json::from_slice::<Payload<_>>(payload).ok()?.record;
    if name == "EventEmitted" {
        return Some(Subject { event: members.namespace.zip(members.key), run: members.execution });
    }
    let of_id = members.id.and_then(|OfId(run)| run);
    Some(Subject { event: None, run: members.run.or(of_id) })
}

/// Members that say what a record is about; each variant has some of them.
#[derive(Debug, Default, Deserialize)]
struct Members<'a> {
    #[serde(borrow, default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    key: Option<Cow<'a, str>>,
    #[serde(default)]
    run: Option<RunId>,
    #[serde(default)]
    execution: Option<RunId>,
    #[serde(default)]
    id: Option<OfId>,
}

/// The run in an id: that of an execution is an object, that of an attempt a text which begins with
/// it. That of an event says nothing.
#[derive(Debug)]
struct OfId(Option<RunId>);

impl<'de> Deserialize<'de> for OfId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OfId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }

            fn visit_str<E>(self, text: &str) -> Result<OfId, E> {
                let run = text.split_once('.').and_then(|(run, _)| run.parse().ok());
                Ok(OfId(run.map(RunId)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OfId, A::Error> {
                #[derive(Deserialize)]
                struct Execution {
                    run: RunId,
                }
                let execution = Execution::deserialize(MapAccessDeserializer::new(map))?;
                Ok(OfId(Some(execution.run)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// A record: an object with one member, the name of its variant.
struct Variant<'a> {
    name: Cow<'a, str>,
    members: Members<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Variant<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only;

        impl<'de> Visitor<'de> for Only {
            type Value = Variant<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with one member")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Variant<'de>, A::Error> {
                let entry = map.next_entry()?;
                let (name, members) = entry.ok_or_else(|| A::Error::custom("no member"))?;
                Ok(Variant { name, members })
            }
        }

        deserializer.deserialize_map(Only)
    }
}

#[cfg(test)]
mod tests {
    use aiflow_model::Record;
    use serde_json::{Value, json};

    use super::*;

    /// One record of each variant, as it stands in the log.
    fn records() -> Vec<Value> {
        let window = json!({"start": 0, "end": 1});
        let execution = json!({"run": 9, "task": "t", "sequence": 1});
        let usage = json!({"rss_bytes_max": 1, "cpu_us": 2});
        vec![
            json!({"DaemonStarted": {"version": "1", "epoch": 1, "boot_id": "7.x", "pid": 3}}),
            json!({"NamespaceAdded": {"namespace": "n"}}),
            json!({"EventEmitted": {"namespace": "n", "key": "k", "value": {"run": 3}, "source": "s", "id": "5.a"}}),
            json!({"EventEmitted": {"namespace": "n", "key": "k", "source": "s", "id": "i", "execution": 4}}),
            json!({"RunStarted": {"run": 9, "namespace": "n", "workflow": "w", "snapshot": 1, "params": {"run": 2}}}),
            json!({"RunStopRequested": {"run": 9}}),
            json!({"RunControlled": {"run": 9, "control": {"task_restarted": {"task": "t"}}, "request": "5.a"}}),
            json!({"RunFinished": {"run": 9, "status": "success"}}),
            json!({"ConditionAdvanced": {"run": 9, "rule": 0, "node": 1, "state": {"count": {"met": 1, "so_far": {}}}}}),
            json!({"FilterFailed": {"run": 9, "rule": 0, "node": 1, "event": 3, "reason": "r"}}),
            json!({"RuleFired": {"run": 9, "rule": 0, "firing": {"events": [1]}}}),
            json!({"TaskExecutionCreated": {"id": execution, "events": [1], "window": window}}),
            json!({"TaskRestartRequested": {"run": 9, "task": "t"}}),
            json!({"TaskExecutionStopRequested": {"id": execution, "reason": "asked"}}),
            json!({"AttemptQueued": {"id": "9.t.1.1"}}),
            json!({"AttemptStarted": {"id": "9.t.1.1", "pid": 5}}),
            json!({"AttemptEnded": {"id": "9.t.1.1", "outcome": "interrupted", "usage": usage}}),
            json!({"RetryScheduled": {"id": execution, "due": 5}}),
            json!({"TaskExecutionFinished": {"id": execution, "status": "success"}}),
            json!({"LogTrimmed": {"before": 9, "reason": "retention"}}),
        ]
    }

    #[test]
    fn the_subject_is_what_the_whole_record_says() {
        let (mut events, mut of_runs) = (0, 0);
        for record in records() {
            let payload = json!({"cause": 1, "record": record}).to_string();
            let whole: Payload<Record> = serde_json::from_str(&payload).unwrap();
            let subject = of(payload.as_bytes()).unwrap();
            assert_eq!(subject.run, whole.record.run(), "{payload}");
            let event = match &whole.record {
                Record::EventEmitted(event) => {
                    Some((event.namespace.as_str().into(), event.key.as_str().into()))
                }
                _ => None,
            };
            assert_eq!(subject.event, event, "{payload}");
            events += u64::from(event.is_some());
            of_runs += u64::from(subject.run.is_some());
        }
        assert_eq!((events, of_runs), (2, 16));
        assert_eq!(of(b"{}"), None);
        assert_eq!(of(br#"{"record":{}}"#), None);
    }
}
