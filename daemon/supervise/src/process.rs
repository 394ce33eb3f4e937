//! Who a process is: its number together with its start time, on one boot of the machine.
//!
//! Reads `/proc` only. It must never signal anything, and never treat a bare process number as
//! an identity.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::process::Pid;

/// The kernel's id of the current boot. Files that carry another one were written before a
/// reboot, so that no process they name can be alive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BootId(String);

/// A text that is not a boot id.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a boot id (36 hexadecimal digits and hyphens)")]
pub struct BootIdError {
    /// What was found.
    pub text: String,
}

impl BootId {
    /// Reads the kernel's textual form, for example from a stored record.
    ///
    /// # Errors
    /// [`BootIdError`] unless the text is 36 hexadecimal digits and hyphens.
    pub fn parse(text: &str) -> Result<Self, BootIdError> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if text.len() == 36 && digits {
            Ok(Self(text.to_owned()))
        } else {
            Err(BootIdError { text: text.to_owned() })
        }
    }

    /// The textual form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The id of the current boot.
///
/// # Errors
/// When `/proc` is not mounted or does not hold a boot id.
pub fn boot_id() -> io::Result<BootId> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    BootId::parse(text.trim_end())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A process number and the time when that process started: together unique on one boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// Process number, at least 1.
    pub pid: u32,
    /// Clock ticks since boot at which the process started (field 22 of `/proc/PID/stat`).
    pub start_time: u64,
}

impl ProcessIdentity {
    /// The identity of the process that carries this number now; `None` when there is none.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn of(pid: u32) -> io::Result<Option<Self>> {
        Ok(stat(pid)?.map(|stat| Self { pid, start_time: stat.start_time }))
    }

    /// Whether this very process is there and has not ended (a zombie has ended).
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn is_alive(&self) -> io::Result<bool> {
        let stat = stat(self.pid)?;
        Ok(stat.is_some_and(|stat| stat.start_time == self.start_time && !stat.has_ended()))
    }
}

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    state: u8,
    pub(crate) parent: u32,
    flags: u32,
    pub(crate) start_time: u64,
}

impl Stat {
    pub(crate) fn has_ended(self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Threads of the kernel look like processes without any memory.
    pub(crate) fn is_of_the_kernel(self) -> bool {
        const PF_KTHREAD: u32 = 0x0020_0000;
        self.flags & PF_KTHREAD != 0
    }
}

/// Reads `/proc/PID/stat`; `None` when the process does not exist.
pub(crate) fn stat(pid: u32) -> io::Result<Option<Stat>> {
    let bytes = match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => bytes,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    match parse_stat(&bytes) {
        Some(stat) => Ok(Some(stat)),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "unreadable /proc/PID/stat")),
    }
}

/// Calls back with the number of each process, in rising order. A process that starts meanwhile
/// is seen if its number is higher than the one last told, as that of a child ordinarily is.
pub(crate) fn for_each_pid(mut look: impl FnMut(u32) -> io::Result<()>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, "/proc", flags, Mode::empty())?;
    // Room for a few entries only: the kernel fills it with what is there at that moment, and
    // what is told must not be old.
    let mut buffer = [MaybeUninit::uninit(); 128];
    let mut entries = RawDir::new(directory, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if let Some(pid) = entry.file_name().to_str().ok().and_then(|name| name.parse().ok()) {
            look(pid)?;
        }
    }
    Ok(())
}

/// Whether reading a file of a process failed because the process is no longer there.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::NOENT, rustix::io::Errno::SRCH];
    error.raw_os_error().is_some_and(|code| gone.iter().any(|errno| errno.raw_os_error() == code))
}

/// The kernel's type of a process number; `None` for 0 and for what does not fit.
pub(crate) fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// The number of a process as this crate writes it.
pub(crate) fn from_pid(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

/// The command name stands in parentheses and may itself hold spaces and parentheses, so fields
/// are counted from the last one.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let name_end = bytes.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(bytes.get(name_end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    // The next field is number 5; the flags are number 9, the start time is number 22.
    let flags = fields.nth(4)?.parse().ok()?;
    let start_time = fields.nth(12)?.parse().ok()?;
    Some(Stat { state, parent, flags, start_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_anything() {
        let line = b"7 (a) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 9 9\n";
        let flags = 4_194_560;
        let expected = Stat { state: b'S', parent: 3, flags, start_time: 987_654 };
        assert_eq!(parse_stat(line), Some(expected));
    }

    #[test]
    fn this_process_is_alive_and_its_number_with_another_start_is_not() {
        let me = ProcessIdentity::of(std::process::id()).unwrap().unwrap();
        assert!(me.is_alive().unwrap());
        let other = ProcessIdentity { start_time: me.start_time + 1, ..me };
        assert!(!other.is_alive().unwrap());
        assert_eq!(ProcessIdentity::of(u32::MAX).unwrap(), None);
    }

    #[test]
    fn boot_ids_are_checked() {
        assert!(boot_id().is_ok());
        assert!(BootId::parse("").is_err());
        assert!(BootId::parse("00000000-0000-0000-0000-00000000000g").is_err());
    }
}
