//! The three text files of an attempt directory, as bytes: `claim`, `released`, `exit`.
//!
//! One `key value` per line between the first line `aiflow-shim 1` and the last line `end`, so
//! that a torn file is recognised. Unknown keys are skipped: a later shim may say more. This
//! file must never touch a descriptor.

use crate::process::{BootId, ProcessIdentity};

/// How a task ended, and what its shim observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The end of the process that was executed.
    pub outcome: Outcome,
    /// Whether the shim was asked to stop the task before it ended.
    pub stop_requested: bool,
    /// Whether the grace period ran out, so that the task was killed.
    pub killed_after_grace: bool,
    /// Wall time at which the shim saw the end, microseconds since 1970.
    pub ended_unix_micros: u64,
    /// Largest resident set of any process of the attempt, bytes. Includes the moment before the
    /// program was executed, so it is never less than that of the shim.
    pub max_rss_bytes: u64,
    /// Processor time in user mode of all processes of the attempt, microseconds.
    pub user_cpu_micros: u64,
    /// Processor time in the kernel of all processes of the attempt, microseconds.
    pub system_cpu_micros: u64,
    /// Bytes of the task's output that could not be written to the log.
    pub log_bytes_dropped: u64,
    /// Processes of the attempt that were still there, although killed, when the shim gave up
    /// waiting for them. 0 unless the kernel holds one in an uninterruptible sleep.
    pub left_behind: u32,
}

/// The end of the process that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ended by itself.
    Exited {
        /// Exit code, 0..=255.
        code: i32,
    },
    /// A signal ended it.
    Signaled {
        /// Number of the signal.
        signal: i32,
    },
    /// It never became the program: nothing of the user's ran.
    SpawnFailed {
        /// The kernel's error number.
        errno: i32,
        /// The step that failed and the error in words.
        message: String,
    },
}

/// What the shim wrote immediately before it let the task execute its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The task's first process, which is also the leader of its process group.
    pub process: ProcessIdentity,
    /// The boot in which it was started.
    pub boot_id: BootId,
    /// Wall time of the release, microseconds since 1970.
    pub released_unix_micros: u64,
}

/// A file of an attempt directory does not say what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The file is empty or its end is missing, as after a power cut.
    #[error("the file is torn")]
    Torn,
    /// The file was written by a shim that speaks another version.
    #[error("the first line is `{found}`, not `aiflow-shim 1`")]
    Version {
        /// The first line.
        found: String,
    },
    /// A line that must be there is not.
    #[error("there is no line `{key}`")]
    Missing {
        /// The key of the line.
        key: &'static str,
    },
    /// A line has a value that cannot be.
    #[error("the line `{key}` has the value `{value}`")]
    Invalid {
        /// The key of the line.
        key: &'static str,
        /// Its value.
        value: String,
    },
}

/// Who owns an attempt directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The recovering daemon: no shim may start this attempt any more.
    Tombstone,
    /// A shim.
    Shim { attempt: String, process: ProcessIdentity, boot_id: BootId },
}

const FIRST_LINE: &str = "aiflow-shim 1";
const LAST_LINE: &str = "end";

impl Claim {
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Tombstone => Text::new().line("holder", "tombstone").end(),
            Self::Shim { attempt, process, boot_id } => Text::new()
                .line("holder", "shim")
                .line("attempt", attempt)
                .line("pid", process.pid)
                .line("start_time", process.start_time)
                .line("boot_id", boot_id)
                .end(),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let fields = Fields::parse(bytes)?;
        match fields.text("holder")? {
            "tombstone" => Ok(Self::Tombstone),
            "shim" => Ok(Self::Shim {
                attempt: fields.text("attempt")?.to_owned(),
                process: fields.process()?,
                boot_id: fields.boot_id()?,
            }),
            other => Err(FormatError::Invalid { key: "holder", value: other.to_owned() }),
        }
    }
}

impl Released {
    pub(crate) fn to_text(&self) -> String {
        Text::new()
            .line("pid", self.process.pid)
            .line("start_time", self.process.start_time)
            .line("boot_id", &self.boot_id)
            .line("released_us", self.released_unix_micros)
            .end()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let fields = Fields::parse(bytes)?;
        Ok(Self {
            process: fields.process()?,
            boot_id: fields.boot_id()?,
            released_unix_micros: fields.number("released_us")?,
        })
    }
}

impl Exit {
    pub(crate) fn to_text(&self) -> String {
        let outcome = match &self.outcome {
            Outcome::Exited { code } => format!("exited {code}"),
            Outcome::Signaled { signal } => format!("signaled {signal}"),
            Outcome::SpawnFailed { errno, message } => format!("spawn-failed {errno} {message}"),
        };
        Text::new()
            .line("outcome", outcome)
            .line("stop_requested", self.stop_requested)
            .line("killed_after_grace", self.killed_after_grace)
            .line("ended_us", self.ended_unix_micros)
            .line("max_rss_bytes", self.max_rss_bytes)
            .line("user_cpu_us", self.user_cpu_micros)
            .line("system_cpu_us", self.system_cpu_micros)
            .line("log_bytes_dropped", self.log_bytes_dropped)
            .line("left_behind", self.left_behind)
            .end()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        let fields = Fields::parse(bytes)?;
        Ok(Self {
            outcome: parse_outcome(fields.text("outcome")?)?,
            stop_requested: fields.number("stop_requested")?,
            killed_after_grace: fields.number("killed_after_grace")?,
            ended_unix_micros: fields.number("ended_us")?,
            max_rss_bytes: fields.number("max_rss_bytes")?,
            user_cpu_micros: fields.number("user_cpu_us")?,
            system_cpu_micros: fields.number("system_cpu_us")?,
            log_bytes_dropped: fields.number("log_bytes_dropped")?,
            left_behind: fields.number("left_behind")?,
        })
    }
}

fn parse_outcome(text: &str) -> Result<Outcome, FormatError> {
    let invalid = || FormatError::Invalid { key: "outcome", value: text.to_owned() };
    let (kind, rest) = text.split_once(' ').ok_or_else(invalid)?;
    match kind {
        "exited" => Ok(Outcome::Exited { code: rest.parse().map_err(|_| invalid())? }),
        "signaled" => Ok(Outcome::Signaled { signal: rest.parse().map_err(|_| invalid())? }),
        "spawn-failed" => {
            let (errno, message) = rest.split_once(' ').ok_or_else(invalid)?;
            let errno = errno.parse().map_err(|_| invalid())?;
            Ok(Outcome::SpawnFailed { errno, message: message.to_owned() })
        }
        _ => Err(invalid()),
    }
}

/// A record being written.
struct Text(String);

impl Text {
    fn new() -> Self {
        Self(format!("{FIRST_LINE}\n"))
    }

    fn line(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{key} {value}");
        self
    }

    fn end(mut self) -> String {
        self.0.push_str(LAST_LINE);
        self.0.push('\n');
        self.0
    }
}

/// A record being read.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let text = std::str::from_utf8(bytes).map_err(|_| FormatError::Torn)?;
        // A file system may bring back a file of the right length filled with zeros.
        if text.trim_matches('\0').is_empty() {
            return Err(FormatError::Torn);
        }
        let (first, rest) = text.split_once('\n').ok_or(FormatError::Torn)?;
        if first != FIRST_LINE {
            return Err(FormatError::Version { found: first.chars().take(80).collect() });
        }
        let body = rest.strip_suffix("end\n").ok_or(FormatError::Torn)?;
        if !body.is_empty() && !body.ends_with('\n') {
            return Err(FormatError::Torn);
        }
        Ok(Self(body))
    }

    fn text(&self, key: &'static str) -> Result<&'a str, FormatError> {
        self.0
            .lines()
            .filter_map(|line| line.split_once(' '))
            .find_map(|(found, value)| (found == key).then_some(value))
            .ok_or(FormatError::Missing { key })
    }

    fn number<T: std::str::FromStr>(&self, key: &'static str) -> Result<T, FormatError> {
        let value = self.text(key)?;
        value.parse().map_err(|_| FormatError::Invalid { key, value: value.to_owned() })
    }

    fn process(&self) -> Result<ProcessIdentity, FormatError> {
        Ok(ProcessIdentity { pid: self.number("pid")?, start_time: self.number("start_time")? })
    }

    fn boot_id(&self) -> Result<BootId, FormatError> {
        let value = self.text("boot_id")?;
        BootId::parse(value)
            .map_err(|_| FormatError::Invalid { key: "boot_id", value: value.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(outcome: Outcome) -> Exit {
        Exit {
            outcome,
            stop_requested: true,
            killed_after_grace: false,
            ended_unix_micros: 1_700_000_000_000_000,
            max_rss_bytes: 4096,
            user_cpu_micros: 1,
            system_cpu_micros: 2,
            log_bytes_dropped: 3,
            left_behind: 0,
        }
    }

    fn boot() -> BootId {
        BootId::parse("01234567-89ab-cdef-0123-456789abcdef").unwrap()
    }

    #[test]
    fn every_record_reads_back_as_written() {
        let message = "exec: No such file or directory".to_owned();
        for outcome in [
            Outcome::Exited { code: 255 },
            Outcome::Signaled { signal: 9 },
            Outcome::SpawnFailed { errno: 2, message },
        ] {
            let exit = exit(outcome);
            assert_eq!(Exit::parse(exit.to_text().as_bytes()), Ok(exit));
        }
        let process = ProcessIdentity { pid: 12, start_time: 34 };
        let released = Released { process, boot_id: boot(), released_unix_micros: 5 };
        assert_eq!(Released::parse(released.to_text().as_bytes()), Ok(released));
        let claim = Claim::Shim { attempt: "a 1/b".to_owned(), process, boot_id: boot() };
        assert_eq!(Claim::parse(claim.to_text().as_bytes()), Ok(claim));
        let tombstone = Claim::Tombstone;
        assert_eq!(Claim::parse(tombstone.to_text().as_bytes()), Ok(tombstone));
    }

    #[test]
    fn every_torn_prefix_is_refused() {
        let text = exit(Outcome::Exited { code: 0 }).to_text();
        for length in 0..text.len() {
            assert!(Exit::parse(&text.as_bytes()[..length]).is_err(), "{length}");
        }
        assert_eq!(Exit::parse(&[0; 64]), Err(FormatError::Torn));
    }

    #[test]
    fn unknown_lines_are_skipped_and_other_versions_refused() {
        let text = exit(Outcome::Exited { code: 0 }).to_text();
        let longer = text.replace("left_behind 0\n", "left_behind 0\nnew_key 7\n");
        assert!(Exit::parse(longer.as_bytes()).is_ok());
        let newer = text.replace("aiflow-shim 1", "aiflow-shim 2");
        assert!(matches!(Exit::parse(newer.as_bytes()), Err(FormatError::Version { .. })));
        let shorter = text.replace("outcome exited 0\n", "");
        assert_eq!(Exit::parse(shorter.as_bytes()), Err(FormatError::Missing { key: "outcome" }));
    }
}
