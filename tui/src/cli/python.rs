//! Workflows written in Python: the file is made into definitions by an interpreter of its own.
//!
//! Must never show a traceback of ours, nor run the file in this process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aiflow_model::error::Diagnostic;
use aiflow_model::{ErrorCode, Namespace, Rejection};
use clap::Args;
use serde::Deserialize;

use super::diagnostics;
use super::failure::Failure;

/// The interpreter that a Python file is compiled, and later run, with.
#[derive(Debug, Clone, Args)]
pub(crate) struct Interpreter {
    /// The interpreter for a .py file, which also runs its tasks; needs the package `aiflow`
    #[arg(long, value_name = "PROGRAM", env = "AIFLOW_PYTHON", default_value = "python3")]
    python: PathBuf,
}

/// One workflow of a file.
#[derive(Debug, Deserialize)]
pub(crate) struct Compiled {
    pub(crate) namespace: Option<Namespace>,
    pub(crate) source: String,
    pub(crate) lines: Vec<(u32, u32)>,
}

/// What the compiler prints.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Workflows(Vec<Compiled>),
    Fault(Fault),
}

/// Why there are no definitions.
#[derive(Debug, Deserialize)]
struct Fault {
    message: String,
    hint: Option<String>,
    line: Option<u32>,
    /// The frames of the user's code, outermost first.
    #[serde(default)]
    trace: Vec<String>,
}

/// Compiles a file; `written` is its text.
pub(crate) fn compile(
    file: &Path,
    written: &str,
    interpreter: &Interpreter,
) -> Result<Vec<Compiled>, Failure> {
    let program = interpreter.python.display();
    let mut command = Command::new(&interpreter.python);
    // What the file prints is the user's to read.
    command.args(["-m", "aiflow.compiler"]).arg(file).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().map_err(|source| {
        Failure::system(format!("cannot start {program}, which compiles Python files"), source)
    })?;
    let answer = serde_json::from_slice::<Answer>(&output.stdout).map_err(|_| {
        let what = format!(
            "{program} did not compile {}: it ended with {}",
            file.display(),
            output.status
        );
        let hint = format!("{program} -m pip install ./sdk/python, or name another with --python");
        Failure::input(what, Some(&hint))
    })?;
    match answer {
        Answer::Workflows(workflows) => Ok(workflows),
        Answer::Fault(fault) => Err(refused(file, written, fault)),
    }
}

fn refused(file: &Path, written: &str, fault: Fault) -> Failure {
    let name = file.to_string_lossy();
    let Fault { message, hint, line, trace } = fault;
    let mut places = String::new();
    if let Some(line) = line {
        let column = diagnostics::begin_of(written, line);
        let place = Diagnostic { line, column, message: message.clone(), hint };
        places = diagnostics::faults(&name, written, &[place]);
    } else {
        places.push_str(&format!("{name}: error: {message}\n"));
        places.extend(hint.map(|hint| format!("  hint: {hint}\n")));
    }
    if trace.len() > 1 {
        places.push_str("  by way of\n");
        places.extend(trace.iter().map(|frame| format!("    {frame}\n")));
    }
    let rejection = Rejection::new(
        ErrorCode::InvalidDefinition,
        format!("{name} cannot be made into a definition"),
    );
    Failure::Definition { rejection, places }
}
