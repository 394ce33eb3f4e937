//! Where a daemon lives: its directory and its socket.
//!
//! Must never create anything: a home comes into being with its daemon.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Longest path of a socket, in bytes: what fits into `sockaddr_un` with its end.
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The directory of one daemon and the socket that it listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    directory: PathBuf,
    socket: PathBuf,
}

/// Nothing says where the daemon lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no home: none of AIFLOW_HOME, XDG_STATE_HOME and HOME is set")]
pub struct NoHome;

impl Home {
    /// The home in this directory.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        Self { socket: directory.join("aiflow.sock"), directory }
    }

    /// `explicit`, else `$AIFLOW_HOME`, else `aiflow` in the XDG state directory. Without
    /// `explicit`, `$AIFLOW_SOCKET` names the socket.
    ///
    /// # Errors
    /// [`NoHome`] when neither the argument nor the environment names one.
    pub fn from_environment(explicit: Option<PathBuf>) -> Result<Self, NoHome> {
        Self::resolve(explicit, |name| std::env::var_os(name))
    }

    fn resolve(
        explicit: Option<PathBuf>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, NoHome> {
        if let Some(directory) = explicit {
            return Ok(Self::at(directory));
        }
        // An empty variable counts as unset, as the XDG specification has it.
        let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = || {
            let state = path("XDG_STATE_HOME").filter(|directory| directory.is_absolute());
            state.or_else(|| Some(path("HOME")?.join(".local/state")))
        };
        let directory = path("AIFLOW_HOME").or_else(|| Some(state()?.join("aiflow")));
        let home = Self::at(directory.ok_or(NoHome)?);
        Ok(match path("AIFLOW_SOCKET") {
            Some(socket) => Self { socket, ..home },
            None => home,
        })
    }

    /// The daemon's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where events wait for a daemon that is down.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.directory.join("spool")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(explicit: Option<&str>, variables: &[(&str, &str)]) -> Result<Home, NoHome> {
        let variables = variables.to_vec();
        Home::resolve(explicit.map(PathBuf::from), |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_most_explicit_wins() {
        let all = [("HOME", "/h"), ("XDG_STATE_HOME", "/x"), ("AIFLOW_HOME", "/a")];
        let with_socket = [&all[..], &[("AIFLOW_SOCKET", "/s.sock")]].concat();
        assert_eq!(resolve(Some("e"), &with_socket), Ok(Home::at("e")));
        assert_eq!(resolve(None, &all), Ok(Home::at("/a")));
        assert_eq!(resolve(None, &all[..2]), Ok(Home::at("/x/aiflow")));
        assert_eq!(resolve(None, &all[..1]), Ok(Home::at("/h/.local/state/aiflow")));
        assert_eq!(resolve(None, &[]), Err(NoHome));
        let home = resolve(None, &with_socket).unwrap();
        assert_eq!(home.socket(), Path::new("/s.sock"));
        assert_eq!(home.spool(), Path::new("/a/spool"));
    }

    #[test]
    fn empty_and_relative_values_of_xdg_count_as_unset() {
        let variables = [("HOME", "/h"), ("XDG_STATE_HOME", "x"), ("AIFLOW_HOME", "")];
        assert_eq!(resolve(None, &variables), Ok(Home::at("/h/.local/state/aiflow")));
    }
}
