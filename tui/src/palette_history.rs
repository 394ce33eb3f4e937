//! What was chosen in the palette, over sessions: a small file of the client, in the XDG state
//! directory.
//!
//! Must never fail loudly, nor believe the file: what is damaged is left out, what is too much is
//! dropped.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::looked;

/// Choices that are remembered.
pub(crate) const CHOICES_MAX: usize = 50;
/// Longest choice, and most of the file that is looked at, in bytes.
const CHOICE_BYTES_MAX: usize = 400;
const FILE_BYTES_MAX: u64 = 64 << 10;

fn path() -> Option<PathBuf> {
    Some(looked::directory(|name| std::env::var_os(name))?.join("palette-history"))
}

/// What was chosen, the latest last.
pub(crate) fn load() -> Vec<String> {
    path().map(|path| read(&path)).unwrap_or_default()
}

/// Remembers a choice. Sessions beside this one keep theirs.
pub(crate) fn remember(words: &str) {
    if let Some(path) = path() {
        // Where it cannot be kept it is known in this session alone.
        let _ = add(&path, words);
    }
}

/// Puts a choice behind those of before; it is there once.
pub(crate) fn push(choices: &mut Vec<String>, words: String) {
    choices.retain(|known| *known != words);
    choices.push(words);
    let surplus = choices.len().saturating_sub(CHOICES_MAX);
    choices.drain(..surplus);
}

fn read(path: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    let Ok(file) = std::fs::File::open(path) else { return Vec::new() };
    // What was read before a failure counts.
    let _ = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    let mut choices = Vec::new();
    for line in String::from_utf8_lossy(&bytes).lines().map(str::trim) {
        let is_damaged = line.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER);
        if !line.is_empty() && line.len() <= CHOICE_BYTES_MAX && !is_damaged {
            push(&mut choices, line.to_owned());
        }
    }
    choices
}

fn add(path: &Path, words: &str) -> std::io::Result<()> {
    let mut choices = read(path);
    push(&mut choices, words.to_owned());
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    // Put in place whole, so that no other session reads half of it.
    let own = directory.join(format!("palette-history.{}", std::process::id()));
    std::fs::write(&own, choices.join("\n") + "\n")?;
    std::fs::rename(own, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_outlive_the_session_each_once_and_the_latest_last() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("new/palette-history");
        assert_eq!(read(&path), Vec::<String>::new());
        for words in ["stop-run: stop", "show events: events", "stop-run: stop"] {
            add(&path, words).unwrap();
        }
        assert_eq!(read(&path), ["show events: events", "stop-run: stop"]);
        for number in 0..200 {
            add(&path, &format!("go to run {number}")).unwrap();
        }
        let choices = read(&path);
        assert_eq!((choices.len(), choices[0].as_str()), (CHOICES_MAX, "go to run 150"));
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_damaged_file_costs_what_is_damaged() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("palette-history");
        let long = "x".repeat(CHOICE_BYTES_MAX + 1);
        let bytes = [
            b"whole\n\xff\xfe broken\n\x1b[31mred\n\n  spaces  \r\n".as_slice(),
            long.as_bytes(),
            b"\nlast",
        ];
        std::fs::write(&path, bytes.concat()).unwrap();
        assert_eq!(read(&path), ["whole", "spaces", "last"]);
        std::fs::write(&path, vec![b'\n'; 1 << 20]).unwrap();
        assert_eq!(read(&path), Vec::<String>::new());
        // A directory in its place is no reason to fail.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(read(&path), Vec::<String>::new());
        assert!(add(&path, "words").is_err());
    }
}
