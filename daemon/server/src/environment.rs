//! What a task's environment holds besides its own variables: little, by an allow-list.
//!
//! Must never pass on a variable that is not named here: the daemon's environment may hold secrets.

use std::ffi::OsString;
use std::path::Path;

use aiflow_supervise::User;

use crate::home::Home;

/// Variables of the daemon that tasks get too.
const ALLOWED: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TERM",
    // Where the clients of clusters are, and their configuration.
    "FLINK_HOME",
    "SPARK_HOME",
    "JAVA_HOME",
    "HADOOP_CONF_DIR",
    "YARN_CONF_DIR",
    // Where plugins are.
    "AIFLOW_PLUGINS",
];

/// Those of them that are the daemon's own, and mean nothing to another user.
const OF_USER: &[&str] = &["HOME", "USER", "LOGNAME", "SHELL", "TMPDIR"];

/// The part of a task's environment that comes from the host and the home.
pub(crate) fn of_host(home: &Home, user: Option<&User>) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = ALLOWED
        .iter()
        .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)))
        .collect();
    if let Some(user) = user {
        variables.retain(|(name, _)| !OF_USER.iter().any(|of_user| name == of_user));
        for (name, value) in [("HOME", &user.home), ("USER", &user.name), ("LOGNAME", &user.name)] {
            variables.push((name.into(), value.into()));
        }
    }
    variables.push(("PATH".into(), path()));
    variables.push(("AIFLOW_HOME".into(), home.root().into()));
    variables.push(("AIFLOW_SOCKET".into(), home.socket().into()));
    variables
}

/// The daemon's `PATH` with its own directory in front, so that tasks find `aiflow`.
fn path() -> OsString {
    let inherited =
        std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let own = std::env::current_exe().ok();
    let own = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let parts = own.into_iter().chain(std::env::split_paths(&inherited));
    std::env::join_paths(parts).unwrap_or(inherited)
}
