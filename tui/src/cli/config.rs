//! `aiflow config …`, and what the file of settings does to the command line.
//!
//! Must never let the file win over a flag or a variable of the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use aiflow_model::config::{self, Entry, SETTINGS};
use clap::Subcommand;
use serde::Serialize;

use super::failure::Failure;
use super::output::{Row, note};
use super::session::Session;

/// What to do with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a file of settings that sets nothing yet, and says what it could.
    Init,
    /// List every setting with its value and where that comes from.
    List,
    /// Print the value of a setting.
    GetValue {
        /// Its name
        key: String,
    },
}

/// The file of settings.
#[derive(Debug, Default)]
pub(crate) struct ConfigFile {
    path: Option<PathBuf>,
    entries: BTreeMap<&'static str, Entry>,
}

impl ConfigFile {
    /// Reads it; a file that is not there sets nothing.
    pub(crate) fn load() -> Result<Self, Failure> {
        let Some(path) = config::path(|name| std::env::var_os(name)) else {
            return Ok(Self::default());
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                return Err(Failure::system(format!("cannot read {}", path.display()), source));
            }
        };
        let entries = config::read(&text).map_err(|fault| {
            Failure::input(format!("{}: {fault}", path.display()), Some("aiflow config init"))
        })?;
        Ok(Self { path: Some(path), entries })
    }

    /// The command line with what the file says in place of what is given by itself.
    pub(crate) fn apply(&self, command: clap::Command) -> clap::Command {
        let has_home = std::env::var_os("AIFLOW_HOME").is_some();
        self.entries.iter().fold(command, |command, (key, entry)| {
            if *key == "home" && has_home {
                return command;
            }
            set_default(command, key, &entry.value)
        })
    }
}

fn set_default(command: clap::Command, key: &str, value: &str) -> clap::Command {
    let command = command.mut_args(|arg| {
        if arg.get_id() == key { arg.default_value(value.to_owned()) } else { arg }
    });
    command.mut_subcommands(|verb| set_default(verb, key, value))
}

/// A setting as it stands.
#[derive(Debug, Serialize)]
struct Line {
    key: &'static str,
    value: String,
    origin: String,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &["key", "value", "origin"];

    fn cells(&self) -> Vec<String> {
        vec![self.key.to_owned(), self.value.clone(), self.origin.clone()]
    }
}

fn lines(session: &Session, file: &ConfigFile) -> Vec<Line> {
    let of = |setting: &config::Setting| {
        let key = setting.key;
        let line = |value: String, origin: String| Line { key, value, origin };
        if let Some(value) = session.flags.get(key) {
            return line(value.clone(), format!("flag --{key}"));
        }
        if let Some(value) = std::env::var(setting.variable).ok().filter(|v| !v.is_empty()) {
            return line(value, format!("environment {}", setting.variable));
        }
        if let (Some(entry), Some(path)) = (file.entries.get(key), &file.path) {
            let origin = format!("file {}:{}", path.display(), entry.line);
            return line(entry.value.clone(), origin);
        }
        let value = match (key, &session.home) {
            ("home", Ok(home)) => home.directory().display().to_string(),
            _ => setting.default.to_owned(),
        };
        line(value, "default".to_owned())
    };
    SETTINGS.iter().map(of).collect()
}

impl Verb {
    pub(crate) fn perform(self, session: &Session) -> Result<(), Failure> {
        let file = ConfigFile::load()?;
        match self {
            Self::Init => init(session, &file),
            Self::List => session.output.list(&lines(session, &file)),
            Self::GetValue { key } => {
                let lines = lines(session, &file);
                let Some(line) = lines.iter().find(|line| line.key == key) else {
                    let what = format!("there is no setting {key:?}");
                    return Err(Failure::input(what, Some("aiflow config list")));
                };
                session.output.answer(line, &line.value)
            }
        }
    }
}

fn init(session: &Session, file: &ConfigFile) -> Result<(), Failure> {
    session.refuse_dry_run("config init")?;
    let Some(path) = &file.path else {
        let what = "nothing says where settings are: neither AIFLOW_CONFIG nor HOME is set";
        return Err(Failure::input(what, Some("AIFLOW_CONFIG=aiflow.yaml aiflow config init")));
    };
    let failed = |source| Failure::system(format!("cannot write {}", path.display()), source);
    if path.exists() {
        note(&format!("{} is there already", path.display()));
        return Ok(());
    }
    if let Some(directory) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    std::fs::write(path, config::template()).map_err(failed)?;
    session.output.write(format!("{}\n", path.display()).as_bytes())
}
