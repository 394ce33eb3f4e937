//! How a condition that gathers forgets: `reset: on fire | per key | per window | never`.
//!
//! Must never let a mode stand where it would mean nothing.

use aiflow_model::spec::{Condition, Reset};

use super::node::Node;
use super::reader::Reader;

const MODES: [(&str, Option<Reset>); 4] = [
    ("on fire", None),
    ("per key", Some(Reset::PerKey)),
    ("per window", Some(Reset::PerWindow)),
    ("never", Some(Reset::Never)),
];

pub(crate) fn read_reset(reader: &mut Reader, node: &Node, of: Condition) -> Option<Condition> {
    let Some(mode) = reader.word(node, "reset", &MODES)? else { return Some(of) };
    if let Some((message, hint)) = misfit(&of, mode) {
        reader.fault_with_hint(node.place, message, Some(hint.to_owned()));
        return None;
    }
    Some(Condition::Reset { of: Box::new(of), mode })
}

/// What is wrong with a mode on a condition, and what to write instead.
fn misfit(of: &Condition, mode: Reset) -> Option<(&'static str, &'static str)> {
    match mode {
        Reset::PerKey if of.nodes().any(|node| !is_of_one_key(node)) => Some((
            "only events have keys of their own, and what gathers them",
            "look at `on` alone, joined by all, any, sequence, count or sum",
        )),
        Reset::PerWindow if !matches!(of, Condition::All(_) | Condition::Count { .. }) => Some((
            "only `all` and `count` gather for each window, without `within`",
            "leave `reset` out; ends of tasks and ticks of clocks keep their windows",
        )),
        Reset::Never if matches!(of, Condition::Sum { carry: true, .. }) => {
            Some(("a sum that carries over is used up", "leave out either `carry` or `reset`"))
        }
        Reset::PerKey | Reset::PerWindow | Reset::Never => None,
    }
}

const fn is_of_one_key(node: &Condition) -> bool {
    matches!(
        node,
        Condition::On { .. }
            | Condition::Any(_)
            | Condition::All(_)
            | Condition::Sequence(_)
            | Condition::Count { .. }
            | Condition::Sum { .. }
            | Condition::Within { .. }
            | Condition::Reset { mode: Reset::Never, .. }
    )
}
