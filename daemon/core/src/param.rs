//! Parameters of a run: each is the workflow's, of the kind that it says, and none is missing.
//!
//! Must never turn a value into another kind: what fits is taken as it is.

use std::collections::BTreeMap;

use aiflow_model::spec::WorkflowSpec;
use aiflow_model::state::Snapshot;
use aiflow_model::{ErrorCode, JsonText, Rejection};

use crate::definition;

/// Most characters of a wrong value that are shown.
const SHOWN_MAX: usize = 60;

/// Whether a run of the snapshot can start with what is given.
pub(crate) fn check(
    snapshot: &Snapshot,
    given: &BTreeMap<String, JsonText>,
) -> Result<(), Rejection> {
    let spec = &snapshot.spec;
    let name = &spec.name;
    let refused = |code, message: String| Err(Rejection::new(code, message).hint(known(spec)));
    if let Some(param) = given.keys().find(|param| !spec.has_param(param)) {
        return refused(
            ErrorCode::UnknownParam,
            format!("workflow {name} has no parameter {param:?}"),
        );
    }
    let place = |param: &str| {
        let line = definition::line_of_param(&snapshot.source, param);
        line.map_or_else(String::new, |line| format!("; see line {line} of its definition"))
    };
    for (param, kind) in &spec.param_types {
        let Some(value) = given.get(param).or_else(|| spec.params.get(param)) else {
            let place = place(param);
            let message =
                format!("workflow {name} needs the parameter {param:?}, of kind {kind}{place}");
            return refused(ErrorCode::InvalidParam, message);
        };
        if !kind.fits(value) {
            let shown: String = value.as_str().chars().take(SHOWN_MAX).collect();
            let place = place(param);
            let message = format!(
                "parameter {param:?} of workflow {name} has to be of kind {kind}, not {shown}{place}"
            );
            return refused(ErrorCode::InvalidParam, message);
        }
    }
    Ok(())
}

/// The parameters of a workflow, for the one who asks.
fn known(spec: &WorkflowSpec) -> String {
    if spec.params.is_empty() && spec.param_types.is_empty() {
        return "it has none".to_owned();
    }
    let needed = spec.param_types.iter().filter(|(name, _)| !spec.params.contains_key(*name));
    let needed = needed.map(|(name, kind)| format!("{name} ({kind}, needed)"));
    let others = spec.params.keys().map(|name| match spec.param_types.get(name) {
        Some(kind) => format!("{name} ({kind})"),
        None => name.clone(),
    });
    format!("its parameters: {}", needed.chain(others).collect::<Vec<_>>().join(", "))
}
