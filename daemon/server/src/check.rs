//! `aiflowd check`: what is wrong in a definition, told by the one reader that uploads meet.
//!
//! Must never touch a home, nor need a daemon that runs.

use std::io::{Read, Write};

use aiflow_core::definition;
use aiflow_model::exit_code;
use aiflow_model::spec::DEFINITION_BYTES_MAX;
use aiflow_model::wire::CheckReply;

use crate::failure::Failure;

/// Reads a definition from stdin and prints what was found.
pub(crate) fn run() -> Result<(), Failure> {
    let mut bytes = Vec::new();
    // One byte more than may be: the reader tells what is too long.
    let limit = DEFINITION_BYTES_MAX as u64 + 1;
    let failed = |what| Failure::new(exit_code::OPERATING, what);
    std::io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| failed("cannot read the definition from stdin").because(error))?;
    let source = String::from_utf8_lossy(&bytes);
    let reply = match definition::read(&source) {
        Ok(spec) => CheckReply {
            warnings: definition::warnings(&source, &spec),
            workflow: Some(spec.name),
            faults: Vec::new(),
        },
        Err(faults) => CheckReply { workflow: None, faults, warnings: Vec::new() },
    };
    let text = serde_json::to_string(&reply)
        .map_err(|error| failed("cannot write the result").because(error))?;
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|error| failed("cannot write to stdout").because(error))
}
