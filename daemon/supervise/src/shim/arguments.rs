//! What a shim is told to do, in words.
//!
//! The daemon writes them, people do not: anything unexpected is refused as a whole.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use crate::PROTOCOL_VERSION;
use crate::confinement::{Confinement, parse_limit};
use crate::user::User;

/// What the daemon asks of the shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) directory: PathBuf,
    pub(crate) attempt: String,
    pub(crate) grace: Duration,
    pub(crate) log_bytes_max: u64,
    pub(crate) log_files_max: u32,
    pub(crate) working_directory: PathBuf,
    /// All variables of the task but those of its secrets.
    pub(crate) environment: BTreeMap<OsString, OsString>,
    pub(crate) confinement: Confinement,
    /// The program's name and arguments; at least one.
    pub(crate) command: Vec<CString>,
}

impl Arguments {
    /// `None` when anything is missing, unknown or of another protocol version.
    pub(crate) fn parse(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let (mut protocol, mut directory, mut attempt) = (None, None, None);
        let (mut grace, mut log_bytes_max, mut log_files_max) = (None, None, None);
        let (mut working_directory, mut environment) = (None, BTreeMap::new());
        let mut confinement = Confinement::default();
        loop {
            let option = words.next()?;
            if option == "--" {
                break;
            }
            let value = words.next()?;
            match option.to_str()? {
                "--protocol" => protocol = Some(number::<u32>(&value)?),
                "--dir" => directory = Some(PathBuf::from(value)),
                "--attempt" => attempt = Some(value.into_string().ok()?),
                "--grace-ms" => grace = Some(Duration::from_millis(number(&value)?)),
                "--log-bytes" => log_bytes_max = Some(number(&value)?),
                "--log-files" => log_files_max = Some(number(&value)?),
                "--cwd" => working_directory = Some(PathBuf::from(value)),
                "--env" => environment.extend([setting(&value)?]),
                "--limit" => confinement.limits.push(parse_limit(value.to_str()?)?),
                "--user" => confinement.user = Some(User::parse(value.to_str()?)?),
                "--secret" => {
                    let (variable, file) = setting(&value)?;
                    confinement.secrets.push((variable.into_string().ok()?, file.into()));
                }
                _ => return None,
            }
        }
        let command: Option<Vec<_>> =
            words.map(|word| CString::new(word.into_vec()).ok()).collect();
        let command = command.filter(|command| !command.is_empty())?;
        if protocol? != PROTOCOL_VERSION {
            return None;
        }
        Some(Self {
            directory: directory?,
            attempt: attempt?,
            grace: grace?,
            log_bytes_max: log_bytes_max?,
            log_files_max: log_files_max?,
            working_directory: working_directory?,
            environment,
            confinement,
            command,
        })
    }
}

fn number<T: std::str::FromStr>(value: &OsStr) -> Option<T> {
    value.to_str()?.parse().ok()
}

fn setting(value: &OsStr) -> Option<(OsString, OsString)> {
    let bytes = value.as_bytes();
    let split = bytes.iter().position(|byte| *byte == b'=').filter(|split| *split > 0)?;
    let name = OsStr::from_bytes(&bytes[..split]).to_owned();
    Some((name, OsStr::from_bytes(&bytes[split + 1..]).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confinement::Limit;

    fn parse(line: &str) -> Option<Arguments> {
        Arguments::parse(line.split(' ').map(OsString::from))
    }

    const GOOD: &str = "--protocol 1 --dir /d --attempt a --grace-ms 5 --log-bytes 9 \
                        --log-files 2 --cwd /w --env LD_X=a=b --env E= \
                        --limit open_files=7 --user 1:2:2,3 --secret KEY_FILE=/k=1 -- sh -c --";

    #[test]
    fn a_whole_command_line_is_read() {
        let arguments = parse(GOOD).unwrap();
        assert_eq!(arguments.directory, PathBuf::from("/d"));
        assert_eq!(arguments.grace, Duration::from_millis(5));
        assert_eq!(arguments.working_directory, PathBuf::from("/w"));
        let variables = [("E", ""), ("LD_X", "a=b")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        assert_eq!(arguments.environment, BTreeMap::from(variables));
        assert_eq!(arguments.command, [c"sh".to_owned(), c"-c".to_owned(), c"--".to_owned()]);
        let Confinement { limits, user, secrets } = arguments.confinement;
        assert_eq!(limits, [(Limit::OpenFiles, 7)]);
        assert_eq!(user.map(|user| (user.uid, user.gid, user.groups)), Some((1, 2, vec![2, 3])));
        assert_eq!(secrets, [("KEY_FILE".to_owned(), PathBuf::from("/k=1"))]);
    }

    #[test]
    fn anything_unexpected_is_refused() {
        for (part, other) in [
            ("--protocol 1", "--protocol 2"),
            ("--attempt a ", ""),
            ("--grace-ms 5", "--grace-ms x"),
            ("--env LD_X=a=b", "--env =b"),
            ("--env E=", "--env E"),
            ("--cwd /w ", ""),
            ("open_files=7", "open_fools=7"),
            ("open_files=7", "open_files=many"),
            ("--user 1:2:2,3", "--user root"),
            ("--user 1:2:2,3", "--user 1:2:"),
            ("--secret KEY_FILE=/k=1", "--secret KEY_FILE"),
            ("--log-files", "--log-fools"),
            (" -- sh -c --", " --"),
            (" -- sh -c --", ""),
        ] {
            assert_eq!(parse(&GOOD.replace(part, other)), None, "{part}");
        }
    }
}
