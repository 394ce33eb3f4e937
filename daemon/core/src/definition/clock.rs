//! Clocks of a definition: `every` and `cron`.
//!
//! Must never read a time that the daemon would not also come to: calendars are tried out.

use std::collections::BTreeMap;

use aiflow_model::EventKey;
use aiflow_model::spec::{Clock, Condition, Late, Missed};
use aiflow_model::time::{Span, Timestamp};

use super::node::{Node, Value};
use super::reader::{Map, Mapping, Reader};
use crate::schedule::{Calendar, EXCEPT_MAX};

/// What may stand beside `every`.
pub(super) const EVERY_KEYS: &[&str] =
    &["every", "clock", "from", "until", "missed", "late", "jitter"];
/// What may stand beside `cron`.
pub(super) const CRON_KEYS: &[&str] = &["cron", "tz", "missed", "jitter", "except"];
pub(super) const CLOCK: Mapping = Mapping { what: "a clock", keys: &["watermark", "idle"] };
pub(super) const SOURCE: Mapping = Mapping { what: "a source", keys: &["key", "idle"] };
const MISSED: [(&str, Missed); 3] =
    [("all", Missed::All), ("latest", Missed::Latest), ("skip", Missed::Skip)];

pub(crate) fn read_every(reader: &mut Reader, map: Map<'_>, subject: &Node) -> Option<Condition> {
    let period = reader.span(subject, "every")?;
    let from = match map.get("from") {
        Some(node) => Some(reader.parse(node, "from")?),
        None => None,
    };
    let (clock, idle) = match map.get("clock") {
        Some(node) => read_clock(reader, node)?,
        None => (Clock::Wall, BTreeMap::new()),
    };
    let until = match map.get("until") {
        Some(node) => Some(read_until(reader, node, from, period)?),
        None => None,
    };
    let late = match map.get("late") {
        Some(node) => read_late(reader, node, &clock)?,
        None => Late::Ignore,
    };
    let missed = read_missed(reader, map)?;
    if let (Some(node), Clock::Watermark(_)) = (map.get("missed"), &clock) {
        let message = "a watermark misses nothing: each window fires once it has passed";
        reader.fault_with_hint(node.place, message, Some("leave `missed` out".to_owned()));
        return None;
    }
    let jitter = match map.get("jitter") {
        Some(node) if clock != Clock::Wall => {
            let message = "only the wall puts windows off; a watermark fires when it has passed";
            reader.fault_with_hint(node.place, message, Some("leave `jitter` out".to_owned()));
            return None;
        }
        Some(node) => Some(reader.span(node, "jitter")?),
        None => None,
    };
    Some(Condition::Every { period, clock, from, missed, until, idle, late, jitter })
}

fn read_until(
    reader: &mut Reader,
    node: &Node,
    from: Option<Timestamp>,
    period: Span,
) -> Option<Timestamp> {
    let until: Timestamp = reader.parse(node, "until")?;
    if from.is_some_and(|from| from.plus(period) > until) {
        let hint = Some("the last window ends at or before `until`".to_owned());
        reader.fault_with_hint(node.place, "no window fits between `from` and `until`", hint);
        return None;
    }
    Some(until)
}

fn read_late(reader: &mut Reader, node: &Node, clock: &Clock) -> Option<Late> {
    let late = reader.word(node, "late", &[("ignore", Late::Ignore), ("rerun", Late::Rerun)])?;
    if *clock == Clock::Wall {
        let hint = Some("leave `late` out, or say `clock: {watermark: my.watermark}`".to_owned());
        reader.fault_with_hint(node.place, "nothing is late on the wall", hint);
        return None;
    }
    Some(late)
}

fn read_missed(reader: &mut Reader, map: Map<'_>) -> Option<Missed> {
    match map.get("missed") {
        Some(node) => reader.word(node, "missed", &MISSED),
        None => Some(Missed::All),
    }
}

pub(crate) fn read_cron(reader: &mut Reader, map: Map<'_>, subject: &Node) -> Option<Condition> {
    let expression = reader.text(subject, "cron")?.to_owned();
    let zone = match map.get("tz") {
        Some(node) => reader.text(node, "tz")?.to_owned(),
        None => "UTC".to_owned(),
    };
    let missed = read_missed(reader, map)?;
    let jitter = match map.get("jitter") {
        Some(node) => Some(reader.span(node, "jitter")?),
        None => None,
    };
    let except = match map.get("except") {
        Some(node) => read_except(reader, node)?,
        None => Vec::new(),
    };
    let condition = Condition::Cron { expression, zone, missed, jitter, except };
    let Condition::Cron { expression, .. } = &condition else { return None };
    match Calendar::of(&condition) {
        Ok(calendar) if calendar.next(Timestamp(0)).is_some() => Some(condition),
        Ok(_) => {
            reader.fault(subject.place, format!("{expression:?} names no time that ever comes"));
            None
        }
        Err(message) => {
            let hint = Some("cron: \"0 6 * * MON\", tz: Europe/Berlin".to_owned());
            reader.fault_with_hint(subject.place, message, hint);
            None
        }
    }
}

/// `wall`, or `{watermark: KEY}` with one or several sources, each of them a key or
/// `{key: KEY, idle: 10m}`; `idle` beside them is that of all that have none of their own.
fn read_clock(reader: &mut Reader, node: &Node) -> Option<(Clock, BTreeMap<EventKey, Span>)> {
    if let Value::Scalar { .. } = node.value {
        return reader
            .word(node, "clock", &[("wall", ())])
            .map(|()| (Clock::Wall, BTreeMap::new()));
    }
    let map = reader.map(node, &CLOCK)?;
    let Some(node) = map.get("watermark") else {
        let hint = Some("clock: {watermark: my.watermark}".to_owned());
        reader.fault_with_hint(node.place, "the clock does not say what ticks", hint);
        return None;
    };
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Scalar { .. } | Value::Map(_) => std::slice::from_ref(node),
    };
    let idle_of_all = match map.get("idle") {
        Some(node) => Some(reader.span(node, "idle")?),
        None => None,
    };
    let mut keys: Vec<EventKey> = Vec::new();
    let mut idle = BTreeMap::new();
    for item in items {
        let (key, own) = read_source(reader, item)?;
        if keys.contains(&key) {
            reader.fault(item.place, format!("`{key}` stands twice"));
        }
        idle.extend(own.or(idle_of_all).map(|span| (key.clone(), span)));
        keys.push(key);
    }
    if keys.is_empty() {
        reader.fault(node.place, "a watermark clock needs at least one event key");
        return None;
    }
    if keys.len() == 1 && !idle.is_empty() {
        let message = "the only source of a clock cannot be passed: nothing else says the time";
        reader.fault_with_hint(node.place, message, Some("leave `idle` out".to_owned()));
        return None;
    }
    Some((Clock::Watermark(keys), idle))
}

/// `KEY`, or `{key: KEY, idle: 10m}`.
fn read_source(reader: &mut Reader, node: &Node) -> Option<(EventKey, Option<Span>)> {
    let Value::Map(_) = node.value else {
        return Some((reader.parse(node, "watermark")?, None));
    };
    let map = reader.map(node, &SOURCE)?;
    let Some(key) = map.get("key") else {
        let hint = Some("{key: my.watermark, idle: 10m}".to_owned());
        reader.fault_with_hint(node.place, "the source does not say its `key`", hint);
        return None;
    };
    let idle = match map.get("idle") {
        Some(node) => Some(reader.span(node, "idle")?),
        None => None,
    };
    Some((reader.parse(key, "key")?, idle))
}

/// Days at which nothing fires: `SAT` or `[SAT, SUN, 2026-12-25]`.
fn read_except(reader: &mut Reader, node: &Node) -> Option<Vec<String>> {
    let items = match &node.value {
        Value::List(items) => items.as_slice(),
        Value::Scalar { .. } | Value::Map(_) => std::slice::from_ref(node),
    };
    if items.len() > EXCEPT_MAX {
        reader.fault(node.place, format!("more than {EXCEPT_MAX} days are left out"));
        return None;
    }
    let mut days = Vec::new();
    let mut tried = Calendar::new("@daily", "UTC").ok()?;
    for item in items {
        let day = reader.text(item, "except")?;
        if tried.leave_out(day).is_err() {
            let hint = Some("except: [SAT, SUN, 2026-12-25]".to_owned());
            let message = format!("{day:?} is neither a date nor a day of the week");
            reader.fault_with_hint(item.place, message, hint);
            return None;
        }
        days.push(day.to_owned());
    }
    Some(days)
}
