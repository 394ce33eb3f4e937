//! Every key that a definition may have, for those who describe the language: the schema for
//! editors.
//!
//! Must never name a key: the lists are those that the reader refuses by.

use std::collections::BTreeMap;

use super::condition::{self, ABSENT, COUNT, DEBOUNCE, KINDS, STATE, SUM, THROTTLE};
use super::reader::Mapping;
use super::{clock, confinement, emission, host, param, plugin, task, workflow};

const MAPPINGS: [&Mapping<'static>; 18] = [
    &workflow::WORKFLOW,
    &param::PARAM,
    &task::TASK,
    &task::RETRY,
    &task::RESTART,
    &emission::EMIT,
    &confinement::LIMITS,
    &clock::CLOCK,
    &clock::SOURCE,
    &COUNT,
    &SUM,
    &STATE,
    &host::CUSTOM,
    &plugin::OPERATOR,
    &plugin::EXECUTOR,
    &ABSENT,
    &DEBOUNCE,
    &THROTTLE,
];

/// Whether [`keys`] tells of a mapping.
pub(super) fn is_listed(mapping: &Mapping<'_>) -> bool {
    let is_same = |what: &str, keys: &[&str]| mapping.what == what && mapping.keys == keys;
    MAPPINGS.iter().any(|listed| is_same(listed.what, listed.keys))
        || KINDS.iter().any(|(kind, keys)| is_same(&condition::called(kind), keys))
}

/// The keys of each mapping of a definition, by what faults call the mapping.
#[must_use]
pub fn keys() -> BTreeMap<String, &'static [&'static str]> {
    let mappings = MAPPINGS.iter().map(|mapping| (mapping.what.to_owned(), mapping.keys));
    let conditions = KINDS.iter().map(|(kind, keys)| (condition::called(kind), *keys));
    mappings.chain(conditions).collect()
}
