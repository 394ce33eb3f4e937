//! Windows that somebody asks for, on the wire.
//!
//! Must never say which windows there are: the clock of the task does.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::{RunId, TaskName};

/// Windows to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Backfill {
    /// Which run.
    pub run: RunId,
    /// Which task.
    pub task: TaskName,
    /// Those that begin at or after this; without `to` the one that holds it.
    #[serde(with = "text")]
    pub from: Timestamp,
    /// Those that begin before this.
    #[serde(default, with = "optional_text")]
    pub to: Option<Timestamp>,
    /// How many at once; 1.
    #[serde(default)]
    pub parallel: Option<u32>,
    /// Identity of the request: asking again with it asks once.
    #[serde(default)]
    pub request: Option<String>,
}

/// Windows that will run.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct BackfillReply {
    /// How many.
    pub windows: u32,
}

/// Times that people write are RFC 3339 on the wire.
mod text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::Timestamp;

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The same of times that may be left out.
mod optional_text {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::time::Timestamp;

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.collect_str(time),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let text: Option<String> = Option::deserialize(from)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}
