//! A definition as it was written: YAML, or a Python file that is made into YAML by its own
//! interpreter.
//!
//! Must never read a definition itself: the daemon does. Places that it tells are brought back to
//! the lines that the user wrote.

use std::path::Path;

use aiflow_client::CallError;
use aiflow_model::error::Diagnostic;
use aiflow_model::{ErrorCode, Namespace, Rejection};

use super::diagnostics;
use super::failure::Failure;
use super::files::unreadable;
use super::python::{self, Interpreter};

/// One definition, and how it was written.
#[derive(Debug)]
pub(crate) struct Definition {
    /// What the daemon reads.
    pub(crate) source: String,
    /// Where the file wants it.
    pub(crate) namespace: Option<Namespace>,
    file: String,
    written: String,
    /// Lines of `source`, each with the line of `written` that it came from; none when both are one
    /// text.
    lines: Option<Vec<(u32, u32)>>,
}

/// The definitions in `file`: one in YAML, or as many as a `.py` file holds.
pub(crate) fn read(file: &Path, interpreter: &Interpreter) -> Result<Vec<Definition>, Failure> {
    let written = std::fs::read_to_string(file).map_err(|source| unreadable(file, source))?;
    let name = file.to_string_lossy().into_owned();
    if !is_python(file) {
        let source = written.clone();
        return Ok(vec![Definition { source, namespace: None, file: name, written, lines: None }]);
    }
    let compiled = python::compile(file, &written, interpreter)?;
    let definition = |found: python::Compiled| Definition {
        source: found.source,
        namespace: found.namespace,
        file: name.clone(),
        written: written.clone(),
        lines: Some(found.lines),
    };
    Ok(compiled.into_iter().map(definition).collect())
}

/// Whether a file is made into definitions by an interpreter.
pub(crate) fn is_python(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "py")
}

impl Definition {
    /// A refusal with, if it is of the definition, all places that are wrong in it.
    pub(crate) fn explain(&self, error: CallError) -> Failure {
        match error {
            CallError::Rejected(rejection) if rejection.code == ErrorCode::InvalidDefinition => {
                self.refused(rejection)
            }
            error => error.into(),
        }
    }

    /// What is wrong, with its places.
    pub(crate) fn refused(&self, rejection: Rejection) -> Failure {
        let faults = self.placed(&rejection.diagnostics);
        let places = diagnostics::faults(&self.file, &self.written, &faults);
        Failure::Definition { rejection, places }
    }

    /// What is not wrong and hardly meant.
    pub(crate) fn warnings(&self, warnings: &[Diagnostic]) -> String {
        diagnostics::warnings(&self.file, &self.written, &self.placed(warnings))
    }

    fn placed(&self, diagnostics: &[Diagnostic]) -> Vec<Diagnostic> {
        diagnostics.iter().map(|one| self.place(one.clone())).collect()
    }

    fn place(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        let Some(lines) = &self.lines else { return diagnostic };
        let before = lines.iter().filter(|(line, _)| *line <= diagnostic.line);
        if let Some((_, line)) = before.max() {
            diagnostic.line = *line;
            diagnostic.column = diagnostics::begin_of(&self.written, *line);
        }
        diagnostic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_at_the_line_that_its_task_was_written_at() {
        let definition = Definition {
            source: "workflow: w\ntasks:\n  a:\n    bash: x\n  b:\n    bahs: y\n".into(),
            namespace: None,
            file: "w.py".into(),
            written: "with Workflow('w'):\n    Bash('a')\n    Bash('b')\n".into(),
            lines: Some(vec![(1, 1), (3, 2), (5, 3)]),
        };
        let mut rejection = Rejection::new(ErrorCode::InvalidDefinition, "x");
        let message = "wrong".to_owned();
        rejection.diagnostics.push(Diagnostic { line: 6, column: 5, message, hint: None });
        let Failure::Definition { places, .. } = definition.refused(rejection) else { panic!() };
        assert_eq!(places, "w.py:3:5: error: wrong\n  3 |     Bash('b')\n    |     ^\n");
    }
}
