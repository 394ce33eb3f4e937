//! Settings: which there are, what each is by itself, and how the file that sets them is read.
//!
//! A flag is worth more than a variable of the environment, and that more than the file. Pure:
//! whoever asks reads the file and the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name: in the file, and of the flag with `-` for `_`.
    pub key: &'static str,
    /// The variable of the environment that sets it.
    pub variable: &'static str,
    /// What it is if nothing sets it; empty: nothing.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// Every setting.
pub const SETTINGS: [Setting; 10] = [
    Setting {
        key: "home",
        variable: "AIFLOW_HOME",
        default: "",
        about: "the daemon's directory; by itself aiflow in the XDG state directory",
    },
    Setting {
        key: "namespace",
        variable: "AIFLOW_NAMESPACE",
        default: "default",
        about: "the namespace of verbs that have one",
    },
    Setting {
        key: "output",
        variable: "AIFLOW_OUTPUT",
        default: "table",
        about: "how results are written: table, json, yaml, plain",
    },
    Setting {
        key: "snapshot_every",
        variable: "AIFLOW_SNAPSHOT_EVERY",
        default: "250000",
        about: "records from one snapshot of the state to the next",
    },
    Setting {
        key: "segment_bytes",
        variable: "AIFLOW_SEGMENT_BYTES",
        default: "64MiB",
        about: "size of the log's new segments",
    },
    Setting {
        key: "keep_bytes",
        variable: "AIFLOW_KEEP_BYTES",
        default: "",
        about: "the log's oldest segments go while all together take more",
    },
    Setting {
        key: "keep_for",
        variable: "AIFLOW_KEEP_FOR",
        default: "",
        about: "a segment of the log goes when all in it is older",
    },
    Setting {
        key: "keep_output",
        variable: "AIFLOW_KEEP_OUTPUT",
        default: "30d",
        about: "the output of an attempt goes so long after its end",
    },
    Setting {
        key: "keep_runs",
        variable: "AIFLOW_KEEP_RUNS",
        default: "1000",
        about: "runs that have ended and stay in memory",
    },
    Setting {
        key: "no_compress",
        variable: "AIFLOW_NO_COMPRESS",
        default: "false",
        about: "old segments of the log stay as they are",
    },
];

/// What a file sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: String,
    /// Where, from 1.
    pub line: usize,
}

/// A line that sets nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ConfigFault {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// Reads a file of lines `key: value`, with comments behind `#`.
///
/// # Errors
/// The first line that is none, or sets what is no setting.
pub fn read(text: &str) -> Result<BTreeMap<&'static str, Entry>, ConfigFault> {
    let mut entries = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let fault = |message: String| ConfigFault { line, message };
        let Some((key, value)) = text.split_once(':') else {
            return Err(fault(format!("{text:?} sets nothing; write `key: value`")));
        };
        let key = key.trim();
        let known = SETTINGS.iter().find(|setting| setting.key == key).ok_or_else(|| {
            let keys: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
            fault(format!("there is no setting {key:?}; there are: {}", keys.join(", ")))
        })?;
        let value = value.split(" #").next().unwrap_or_default().trim();
        let value = value.trim_matches(['"', '\'']);
        if value.is_empty() {
            return Err(fault(format!("{key} is set to nothing; write a value, or leave it out")));
        }
        if entries.insert(known.key, Entry { value: value.to_owned(), line }).is_some() {
            return Err(fault(format!("{key} is set twice")));
        }
    }
    Ok(entries)
}

/// Where the file is: `AIFLOW_CONFIG`, else `aiflow/config.yaml` in the XDG directory of settings.
#[must_use]
pub fn path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let directory = || {
        let xdg = path("XDG_CONFIG_HOME").filter(|directory| directory.is_absolute());
        xdg.or_else(|| Some(path("HOME")?.join(".config")))
    };
    path("AIFLOW_CONFIG").or_else(|| Some(directory()?.join("aiflow/config.yaml")))
}

/// A file that sets nothing, and says what it could.
#[must_use]
pub fn template() -> String {
    let lines = SETTINGS.iter().map(|setting| {
        let Setting { key, variable, default, about } = setting;
        let value = if default.is_empty() { "..." } else { default };
        format!("# {about}; also {variable}\n# {key}: {value}\n")
    });
    let head =
        "# Settings of AIFlow. A variable of the environment is worth more, a flag most.\n\n";
    format!("{head}{}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_set_what_there_is_to_set() {
        let text = "# ours\n\nhome: /srv/aiflow  # on the fast disk\nkeep_for: \"90d\"\n";
        let entries = read(text).unwrap();
        assert_eq!(entries["home"], Entry { value: "/srv/aiflow".to_owned(), line: 3 });
        assert_eq!(entries["keep_for"].value, "90d");
        assert!(read(&template()).unwrap().is_empty());
        for (text, fault) in [
            ("home", "line 1: \"home\" sets nothing; write `key: value`"),
            ("\nhom: /x", "line 2: there is no setting \"hom\"; there are: home, "),
            ("home:", "line 1: home is set to nothing"),
            ("home: a\nhome: b", "line 2: home is set twice"),
        ] {
            let found = read(text).unwrap_err().to_string();
            assert!(found.starts_with(fault), "{found}");
        }
    }

    #[test]
    fn the_most_explicit_place_of_the_file_wins() {
        let at = |set: &[(&str, &str)]| {
            let set = set.to_vec();
            let value = move |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
            };
            path(value).map(|path| path.display().to_string())
        };
        let home = ("HOME", "/h");
        assert_eq!(at(&[home]).unwrap(), "/h/.config/aiflow/config.yaml");
        assert_eq!(at(&[home, ("XDG_CONFIG_HOME", "/x")]).unwrap(), "/x/aiflow/config.yaml");
        assert_eq!(at(&[home, ("AIFLOW_CONFIG", "c.yaml")]).unwrap(), "c.yaml");
        assert_eq!(at(&[]), None);
    }
}
