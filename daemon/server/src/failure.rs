//! Why the daemon ends: what failed, on what, why, and the next command to type.
//!
//! Must never be used for a refused request: that is a `Rejection`.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// An end of the daemon that is not asked for.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: u8, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), source: None, hint: None }
    }

    pub(crate) fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The whole chain in one line.
    pub(crate) fn message(&self) -> String {
        match self.source.as_deref() {
            Some(source) => format!("{}: {}", self.what, chain(source)),
            None => self.what.clone(),
        }
    }

    /// Writes it to stderr and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let mut stderr = std::io::stderr().lock();
        // Nobody is left to tell that stderr is gone.
        let _ = writeln!(stderr, "error: {}", self.message());
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

/// An error and all that led to it, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut links = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        links.push(error.to_string());
        source = error.source();
    }
    links.join(": ")
}
