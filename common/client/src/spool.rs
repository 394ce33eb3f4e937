//! Events that wait in a directory for a daemon that is down, which takes them in name order.
//!
//! A file is there whole and durable, or not at all. Must never hold an event without an id: the
//! daemon may read a file twice, and the id makes it one event.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aiflow_model::wire::{EVENT_ID_BYTES_MAX, EVENT_VALUE_BYTES_MAX, Emit};

/// Why an event was not kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Without both, a file that is read twice would be two events.
    #[error("the event has no source or no id")]
    NoIdentity,
    /// The daemon would refuse it.
    #[error("the event's {part} has {bytes} bytes, and at most {bytes_max} are allowed")]
    TooLarge {
        /// Which part.
        part: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        bytes_max: usize,
    },
    /// The file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Keeps an event as `<directory>/<uuid v7>.json`: the parameters of `emit` as JSON. When this
/// returns the file is durable. Makes the directory (mode 0700) when it is not there. A crash on
/// the way leaves at most a file whose name begins with a dot.
///
/// # Errors
/// [`SpoolError`]; the event is then not kept.
pub fn keep(directory: &Path, emit: &Emit) -> Result<PathBuf, SpoolError> {
    check(emit)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| SpoolError::Write { path, source }
    };
    let made = DirBuilder::new().mode(0o700).recursive(true).create(directory);
    made.map_err(failed(directory))?;
    let name = crate::new_id();
    let unfinished = directory.join(format!(".{name}.tmp"));
    let finished = directory.join(format!("{name}.json"));
    write_durably(&unfinished, emit).map_err(failed(&unfinished))?;
    std::fs::rename(&unfinished, &finished).map_err(failed(&finished))?;
    // The name itself is durable only when its directory is.
    File::open(directory).and_then(|handle| handle.sync_all()).map_err(failed(directory))?;
    Ok(finished)
}

fn check(emit: &Emit) -> Result<(), SpoolError> {
    let (Some(source), Some(id)) = (&emit.source, &emit.id) else {
        return Err(SpoolError::NoIdentity);
    };
    let parts = [
        ("value", emit.value.as_str().len(), EVENT_VALUE_BYTES_MAX),
        ("source", source.len(), EVENT_ID_BYTES_MAX),
        ("id", id.len(), EVENT_ID_BYTES_MAX),
    ];
    match parts.into_iter().find(|(_, bytes, bytes_max)| bytes > bytes_max) {
        None => Ok(()),
        Some((part, bytes, bytes_max)) => Err(SpoolError::TooLarge { part, bytes, bytes_max }),
    }
}

fn write_durably(path: &Path, emit: &Emit) -> io::Result<()> {
    let mut text = serde_json::to_vec(emit)?;
    text.push(b'\n');
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aiflow_model::{EventKey, JsonText, Namespace};
    use std::os::unix::fs::PermissionsExt;

    fn event(number: u32) -> Emit {
        Emit {
            namespace: Namespace::default_namespace(),
            key: EventKey::new("data.ready").unwrap(),
            value: JsonText::parse(&number.to_string()).unwrap(),
            source: Some("test".to_owned()),
            id: Some(number.to_string()),
            execution: None,
            token: None,
        }
    }

    #[test]
    fn files_are_read_back_in_the_order_of_their_names() {
        let home = tempfile::tempdir().unwrap();
        let spool = home.path().join("spool");
        for number in 0..50 {
            keep(&spool, &event(number)).unwrap();
        }
        let mut paths: Vec<_> =
            std::fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let ids: Vec<_> = paths
            .iter()
            .map(|path| {
                assert_eq!(path.extension().unwrap(), "json", "{}", path.display());
                let emit: Emit = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
                assert_eq!(
                    (emit.key.as_str(), emit.value.as_str()),
                    ("data.ready", emit.id.as_deref().unwrap())
                );
                emit.id.unwrap()
            })
            .collect();
        assert_eq!(ids, (0..50).map(|number: u32| number.to_string()).collect::<Vec<_>>());
        let mode = std::fs::metadata(&spool).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn what_the_daemon_would_refuse_is_not_kept() {
        let home = tempfile::tempdir().unwrap();
        let anonymous = Emit { id: None, ..event(1) };
        assert!(matches!(keep(home.path(), &anonymous), Err(SpoolError::NoIdentity)));
        let value = JsonText::string(&"x".repeat(EVENT_VALUE_BYTES_MAX));
        let large = Emit { value, ..event(1) };
        assert!(matches!(keep(home.path(), &large), Err(SpoolError::TooLarge { .. })));
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
