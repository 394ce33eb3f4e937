//! Where plugins are found: `aiflow-operator-NAME` and `aiflow-executor-NAME`.
//!
//! Must never start one to find out what it is: its name says it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aiflow_model::PluginName;
use clap::ValueEnum;
use serde::Serialize;

/// What a plugin does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The work of a task.
    Operator,
    /// Runs a task's command elsewhere.
    Executor,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Executor => "executor",
        }
    }
}

/// A plugin that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Where plugins are looked for, in order: `$AIFLOW_PLUGINS`, `plugins` in the home, the `PATH`.
pub(crate) fn places(home: Option<&Path>) -> Vec<PathBuf> {
    let split = |name: &str| {
        let paths = std::env::var_os(name).unwrap_or_default();
        std::env::split_paths(&paths).collect::<Vec<_>>()
    };
    let of_home = home.map(|home| home.join("plugins"));
    [split("AIFLOW_PLUGINS"), of_home.into_iter().collect(), split("PATH")].concat()
}

/// The first program of this kind and name.
pub(crate) fn find(kind: Kind, name: &PluginName, home: Option<&Path>) -> Option<Found> {
    let file = format!("aiflow-{}-{name}", kind.word());
    let mut paths = places(home).into_iter().map(|place| place.join(&file));
    let path = paths.find(|path| is_program(path))?;
    Some(Found { kind, name: name.to_string(), path })
}

/// All plugins, each where it is found first.
pub(crate) fn list(home: Option<&Path>) -> Vec<Found> {
    let mut found = BTreeMap::new();
    for place in places(home) {
        for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let kinds = [Kind::Operator, Kind::Executor];
            let named = kinds.into_iter().find_map(|kind| {
                let name = file.strip_prefix(&format!("aiflow-{}-", kind.word()))?;
                Some((kind, PluginName::new(name).ok()?.to_string()))
            });
            let path = entry.path();
            if let Some((kind, name)) = named.filter(|_| is_program(&path)) {
                found.entry((kind, name.clone())).or_insert(Found { kind, name, path });
            }
        }
    }
    found.into_values().collect()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
