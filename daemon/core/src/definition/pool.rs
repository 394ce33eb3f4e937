//! Pools of a definition: what the workflow says of their slots, and what tasks take.
//!
//! Must never let a task wait for what can never be free.

use std::collections::BTreeMap;

use aiflow_model::PoolName;

use super::node::{Node, Value};
use super::reader::{Map, Reader, nearest};

/// Most slots of a pool, runs or tasks at once.
const SLOTS_MAX: u64 = 1_000_000;
/// Priorities lie between this and its negative.
const PRIORITY_MAX: i32 = 1_000;

/// Pool and slots.
pub(crate) type Slots = BTreeMap<PoolName, u32>;

/// `pools: {gpu: 2}` of a workflow.
pub(crate) fn read_pools(reader: &mut Reader, map: Map<'_>) -> Option<Slots> {
    read_slots(reader, map.get("pools")?, "pools")
}

/// A number of things at once, such as `max_active_runs: 3`.
pub(crate) fn read_max(reader: &mut Reader, map: Map<'_>, key: &str) -> Option<u32> {
    let most = reader.number(map.get(key)?, key, 1, SLOTS_MAX)?;
    u32::try_from(most).ok()
}

/// `priority: 5` of a task.
pub(crate) fn read_priority(reader: &mut Reader, map: Map<'_>) -> Option<i32> {
    let node = map.get("priority")?;
    let priority: i32 = reader.parse(node, "priority")?;
    if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&priority) {
        let message = format!("priority has to lie between -{PRIORITY_MAX} and {PRIORITY_MAX}");
        reader.fault(node.place, message);
    }
    Some(priority)
}

/// `pools: gpu`, `pools: [gpu, db]` or `pools: {gpu: 2}` of a task.
pub(crate) fn read_uses(reader: &mut Reader, map: Map<'_>) -> Option<Slots> {
    let node = map.get("pools")?;
    let items = match &node.value {
        Value::Map(_) => return read_slots(reader, node, "pools"),
        Value::Scalar { .. } => std::slice::from_ref(node),
        Value::List(items) => items.as_slice(),
    };
    let mut uses = Slots::new();
    for item in items {
        let name: PoolName = reader.parse(item, "pools")?;
        if uses.insert(name.clone(), 1).is_some() {
            let hint = Some(format!("pools: {{{name}: 2}}"));
            reader.fault_with_hint(item.place, format!("`{name}` stands twice"), hint);
        }
    }
    Some(uses)
}

/// Whether the pools that a task takes from are there, and large enough.
pub(crate) fn check_uses(reader: &mut Reader, task: &Node, uses: &Slots, pools: &Slots) {
    let Value::Map(entries) = &task.value else { return };
    let Some(node) = entries.iter().find(|e| e.key == "pools").map(|e| &e.node) else { return };
    for (name, slots) in uses {
        let Some(size) = pools.get(name) else {
            let names: Vec<&str> = pools.keys().map(PoolName::as_str).collect();
            let hint = nearest(name.as_str(), &names).map_or_else(
                || format!("say how many slots it has, at the top: pools: {{{name}: {slots}}}"),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("the workflow has no pool `{name}`");
            reader.fault_with_hint(node.place, message, Some(hint));
            continue;
        };
        if slots > size {
            let message = format!("{slots} slots of `{name}` are never free: the pool has {size}");
            reader.fault(node.place, message);
        }
    }
}

fn read_slots(reader: &mut Reader, node: &Node, what: &str) -> Option<Slots> {
    let mut slots = Slots::new();
    for entry in reader.open_map(node, what)? {
        match entry.key.parse::<PoolName>() {
            Ok(name) => {
                let number = reader.number(&entry.node, &entry.key, 1, SLOTS_MAX);
                slots.insert(name, number.and_then(|n| u32::try_from(n).ok()).unwrap_or(1));
            }
            Err(error) => reader.fault(entry.place, error.to_string()),
        }
    }
    Some(slots)
}
