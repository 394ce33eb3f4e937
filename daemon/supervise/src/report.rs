//! The one line that a shim reports on its pipe before it closes it.
//!
//! Words only. It must never read the pipe: the caller does, in its own way of waiting.

use crate::process::ProcessIdentity;

/// What a shim reports. When the pipe ends without a line the shim died before it could report:
/// wait for its end and `inspect` the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The task was let go. Whether its program could be executed is in the exit.
    Released(ProcessIdentity),
    /// The attempt was claimed before: this shim ran nothing.
    Refused {
        /// Why, in words.
        reason: String,
    },
    /// The shim could not start the task: nothing of the user's ran.
    Failed {
        /// The kernel's error number.
        errno: i32,
        /// The step that failed.
        what: String,
    },
}

/// A line that no shim of this protocol version writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{line}` is not a report of a shim")]
pub struct ReportError {
    /// The line.
    pub line: String,
}

impl Report {
    /// The line, with its line feed.
    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::Released(task) => format!("released {} {}\n", task.pid, task.start_time),
            Self::Refused { reason } => format!("refused {reason}\n"),
            Self::Failed { errno, what } => format!("failed {errno} {what}\n"),
        }
    }
}

/// Reads the line of a report, with or without its line feed.
///
/// # Errors
/// [`ReportError`] for anything that a shim of this version does not write.
pub fn parse_report(line: &str) -> Result<Report, ReportError> {
    parse(line.trim_end_matches('\n')).ok_or_else(|| ReportError { line: line.to_owned() })
}

fn parse(line: &str) -> Option<Report> {
    let (kind, rest) = line.split_once(' ')?;
    match kind {
        "released" => {
            let (pid, start_time) = rest.split_once(' ')?;
            let pid = pid.parse().ok()?;
            let start_time = start_time.parse().ok()?;
            Some(Report::Released(ProcessIdentity { pid, start_time }))
        }
        "refused" => Some(Report::Refused { reason: rest.to_owned() }),
        "failed" => {
            let (errno, what) = rest.split_once(' ')?;
            Some(Report::Failed { errno: errno.parse().ok()?, what: what.to_owned() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_read_back_as_written() {
        for report in [
            Report::Released(ProcessIdentity { pid: 1, start_time: 2 }),
            Report::Refused { reason: "already claimed".to_owned() },
            Report::Failed { errno: 28, what: "write released".to_owned() },
        ] {
            assert_eq!(parse_report(&report.to_line()), Ok(report));
        }
        assert!(parse_report("").is_err());
        assert!(parse_report("released 1").is_err());
        assert!(parse_report("hello 1 2").is_err());
    }
}
