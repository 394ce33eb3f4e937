//! Reads a workflow's definition: YAML text to the checked spec, or every fault with its place.
//!
//! All or nothing: a spec comes out only when there is no fault. Must never guess what was meant;
//! a hint says what to write.

mod check;
mod clock;
mod condition;
mod confinement;
mod emission;
mod host;
mod keys;
mod lint;
mod mention;
mod node;
mod param;
mod plugin;
mod pool;
mod reader;
mod reset;
mod task;
mod workflow;

pub use aiflow_model::error::Diagnostic;
use aiflow_model::spec::{Condition, DEFINITION_BYTES_MAX, WorkflowSpec};

pub use keys::keys;
pub use lint::warnings;
pub use param::line_of_param;
use reader::Reader;

/// Reads a definition.
///
/// # Errors
/// Every fault that was found, in the order of the text.
pub fn read(text: &str) -> Result<WorkflowSpec, Vec<Diagnostic>> {
    if text.len() > DEFINITION_BYTES_MAX {
        let message = format!(
            "the text has {} bytes, at most {DEFINITION_BYTES_MAX} are allowed",
            text.len()
        );
        return Err(vec![Diagnostic { line: 1, column: 1, message, hint: None }]);
    }
    let root = node::parse(text).map_err(|fault| vec![fault])?;
    let mut reader = Reader::new(keys::is_listed);
    let draft = workflow::read(&mut reader, &root);
    if let Some(draft) = &draft {
        check::check(&mut reader, draft);
    }
    let mut faults = reader.into_faults();
    faults.sort_by_key(|fault| (fault.line, fault.column));
    match draft {
        Some(draft) if faults.is_empty() => Ok(draft.spec),
        Some(_) | None => Err(faults),
    }
}

/// Reads the condition of a trigger.
///
/// # Errors
/// Every fault that was found.
pub fn read_trigger(text: &str) -> Result<Condition, Vec<Diagnostic>> {
    if text.len() > DEFINITION_BYTES_MAX {
        let message = format!("the condition has more than {DEFINITION_BYTES_MAX} bytes");
        return Err(vec![Diagnostic { line: 1, column: 1, message, hint: None }]);
    }
    let root = node::parse(text).map_err(|fault| vec![fault])?;
    let mut reader = Reader::new(keys::is_listed);
    let condition = workflow::read_trigger(&mut reader, &root);
    let faults = reader.into_faults();
    match condition {
        Some(condition) if faults.is_empty() => Ok(condition),
        _ => Err(faults),
    }
}

#[cfg(test)]
mod tests;
