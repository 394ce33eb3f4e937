//! What a task of a definition may use and who it is.
//!
//! Must never read a secret: the path alone is the definition's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use aiflow_model::spec::{Confinement, Limits};
use aiflow_model::time::Span;
use bytesize::ByteSize;

use super::node::Node;
use super::reader::{Map, Mapping, Reader};

pub(super) const LIMITS: Mapping = Mapping {
    what: "limits",
    keys: &["memory", "open_files", "processes", "file_size", "cpu_time", "output"],
};
/// Smallest limits with which a program can begin at all.
const MEMORY_MIN: u64 = 1 << 20;
const OPEN_FILES_MIN: u64 = 8;
/// What can be kept of the output of an attempt: four files of the smallest and the largest size.
const OUTPUT: RangeInclusive<u64> = 4 << 15..=4 << 40;

pub(crate) fn read(reader: &mut Reader, map: Map<'_>) -> Confinement {
    let limits = map.get("limits").and_then(|node| read_limits(reader, node));
    let secrets = map.get("secrets").and_then(|node| read_secrets(reader, node));
    let run_as = map.get("run_as").and_then(|node| read_user(reader, node));
    Confinement { limits: limits.unwrap_or_default(), run_as, secrets: secrets.unwrap_or_default() }
}

fn read_limits(reader: &mut Reader, node: &Node) -> Option<Limits> {
    let map = reader.map(node, &LIMITS)?;
    let cpu_time = map.get("cpu_time").and_then(|node| {
        let span: Span = reader.parse(node, "cpu_time")?;
        if span < Span::from_seconds(1) || !span.0.is_multiple_of(Span::from_seconds(1).0) {
            let hint = Some("cpu_time: 10m".to_owned());
            reader.fault_with_hint(node.place, "cpu_time has to be whole seconds", hint);
        }
        Some(span)
    });
    Some(Limits {
        memory: read_size(reader, map, "memory", MEMORY_MIN..=u64::MAX),
        open_files: read_count(reader, map, "open_files", OPEN_FILES_MIN),
        processes: read_count(reader, map, "processes", 1),
        file_size: read_size(reader, map, "file_size", 0..=u64::MAX),
        cpu_time,
        output: read_size(reader, map, "output", OUTPUT),
    })
}

fn read_count(reader: &mut Reader, map: Map<'_>, key: &str, min: u64) -> Option<u64> {
    reader.number(map.get(key)?, key, min, u64::from(u32::MAX))
}

fn read_size(
    reader: &mut Reader,
    map: Map<'_>,
    key: &str,
    range: RangeInclusive<u64>,
) -> Option<u64> {
    let node = map.get(key)?;
    let text = reader.text(node, key)?;
    match text.parse::<ByteSize>() {
        Ok(size) if range.contains(&size.0) => Some(size.0),
        _ => {
            let mut message =
                format!("{key} has to be a size of at least {}", ByteSize(*range.start()));
            if *range.end() < u64::MAX {
                let _ = write!(message, " and at most {}", ByteSize(*range.end()));
            }
            reader.fault_with_hint(node.place, message, Some(format!("{key}: 512MiB")));
            None
        }
    }
}

fn read_user(reader: &mut Reader, node: &Node) -> Option<String> {
    let name = reader.text(node, "run_as")?;
    let is_name = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-$".contains(c));
    if !is_name {
        let hint = Some("run_as: nobody".to_owned());
        reader.fault_with_hint(node.place, "run_as has to be the login name of a user", hint);
    }
    Some(name.to_owned())
}

fn read_secrets(reader: &mut Reader, node: &Node) -> Option<BTreeMap<String, String>> {
    let mut secrets = BTreeMap::new();
    for entry in reader.open_map(node, "secrets")? {
        reader.check_variable(entry);
        let Some(path) = reader.text(&entry.node, "a secret") else { continue };
        if !path.starts_with('/') || path.contains('\0') {
            let message = format!("secret {} has to be the absolute path of a file", entry.key);
            let hint = Some(format!("{}: /etc/aiflow/{}", entry.key, entry.key.to_lowercase()));
            reader.fault_with_hint(entry.node.place, message, hint);
        }
        secrets.insert(entry.key.clone(), path.to_owned());
    }
    Some(secrets)
}
