//! Why a verb did not succeed, as people read it: what failed, on what, why, and what to type next.
//!
//! Must never lose a link of the chain of causes, and never show a panic.

use std::io;

use aiflow_client::spool::SpoolError;
use aiflow_client::{CallError, ConnectError, Home, NoHome, RetryError};
use aiflow_model::{ErrorCode, Rejection, exit_code};

use crate::chain::chain;

/// Why a verb did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Home(#[from] NoHome),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0}")]
    Silent(String),
    #[error("the event is not kept either")]
    Spool(#[from] SpoolError),
    /// The definition was refused; the places are told apart.
    #[error("{}", rejection.message)]
    Definition { rejection: Rejection, places: String },
    /// The system says no.
    #[error("{what}")]
    System { what: String, source: io::Error },
    /// What was given cannot be worked with.
    #[error("{what}")]
    Input { what: String, hint: Option<String>, exit: u8 },
    /// Nobody reads what is printed any more: a normal end.
    #[error("nobody reads")]
    NobodyReads,
}

impl From<RetryError> for Failure {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Connect(error) => Self::Connect(error),
            RetryError::Call(error) => Self::Call(error),
            RetryError::Silent { .. } => Self::Silent(error.to_string()),
        }
    }
}

impl Failure {
    /// The system refused something.
    pub(crate) fn system(what: impl Into<String>, source: io::Error) -> Self {
        Self::System { what: what.into(), source }
    }

    /// What was given cannot be worked with.
    pub(crate) fn input(what: impl Into<String>, hint: Option<&str>) -> Self {
        let hint = hint.map(str::to_owned);
        Self::Input { what: what.into(), hint, exit: exit_code::OPERATING }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NobodyReads => exit_code::SUCCESS,
            Self::Connect(ConnectError::Mismatch { .. }) => exit_code::REFUSED,
            Self::Connect(error) if error.is_absence() => exit_code::NO_DAEMON,
            Self::Call(error) if error.is_absence() => exit_code::NO_DAEMON,
            _ if self.rejection().is_some() => exit_code::REFUSED,
            Self::Silent(_) => exit_code::NO_DAEMON,
            Self::Home(_) => exit_code::USAGE,
            Self::Input { exit, .. } => *exit,
            Self::Connect(_)
            | Self::Call(_)
            | Self::Definition { .. }
            | Self::Spool(_)
            | Self::System { .. } => exit_code::OPERATING,
        }
    }

    /// What stderr gets: places, the error with its causes, the hint.
    pub(crate) fn report(&self, home: Option<&Home>) -> String {
        if matches!(self, Self::NobodyReads) {
            return String::new();
        }
        let mut report = String::new();
        if let Self::Definition { places, .. } = self {
            report.push_str(places);
        }
        let code = self.code().map(|code| format!("[{code}]")).unwrap_or_default();
        report.push_str(&format!("error{code}: {}", chain(self)));
        if let Some(hint) = self.hint(home) {
            report.push_str(&format!("\nhint: {hint}"));
        }
        report
    }

    fn rejection(&self) -> Option<&Rejection> {
        match self {
            Self::Call(CallError::Rejected(rejection)) | Self::Definition { rejection, .. } => {
                Some(rejection)
            }
            Self::Connect(ConnectError::Greeting { source, .. }) => match source {
                CallError::Rejected(rejection) => Some(rejection),
                CallError::Disconnected { .. } | CallError::Protocol { .. } => None,
            },
            _ => None,
        }
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Connect(ConnectError::Mismatch { .. }) => Some(ErrorCode::ProtocolMismatch),
            _ => self.rejection().map(|rejection| rejection.code),
        }
    }

    fn hint(&self, home: Option<&Home>) -> Option<String> {
        let server = |verb: &str| {
            let directory = home?.directory().to_string_lossy().into_owned();
            Some(format!("aiflow --home {} server {verb}", shell_word(&directory)))
        };
        match self {
            Self::Home(_) => Some("name a directory with --home DIR".to_owned()),
            Self::Input { hint, .. } => hint.clone(),
            Self::Connect(ConnectError::PathTooLong { .. }) => {
                Some("choose a shorter directory with --home DIR".to_owned())
            }
            Self::Connect(ConnectError::Mismatch { .. }) => {
                Some("use the aiflow that came with the daemon, or start the newer daemon".into())
            }
            Self::Connect(ConnectError::Unreachable { .. }) => server("start"),
            Self::Call(CallError::Disconnected { .. }) | Self::Silent(_) => server("status"),
            _ => self.rejection().and_then(|rejection| rejection.hint.clone()),
        }
    }
}

/// The text as one word of a POSIX shell.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn no_daemon_names_the_socket_the_cause_and_the_command() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let socket = PathBuf::from("/tmp/it is/aiflow.sock");
        let failure = Failure::from(ConnectError::Unreachable { socket, source });
        let home = Home::at("/tmp/it is");
        assert_eq!(
            failure.report(Some(&home)),
            "error: no daemon answers on /tmp/it is/aiflow.sock: entity not found\n\
             hint: aiflow --home '/tmp/it is' server start"
        );
        assert_eq!(failure.exit_code(), exit_code::NO_DAEMON);
    }

    #[test]
    fn a_refusal_shows_its_code_and_hint() {
        let rejection = Rejection::new(ErrorCode::UnknownWorkflow, "there is no workflow x");
        let failure = Failure::from(CallError::from(rejection.hint("aiflow workflow list")));
        assert_eq!(
            failure.report(None),
            "error[E0102]: there is no workflow x\nhint: aiflow workflow list"
        );
        assert_eq!(failure.exit_code(), exit_code::REFUSED);
    }

    #[test]
    fn a_closed_pipe_is_a_quiet_success() {
        assert_eq!(Failure::NobodyReads.report(None), "");
        assert_eq!(Failure::NobodyReads.exit_code(), exit_code::SUCCESS);
    }
}
