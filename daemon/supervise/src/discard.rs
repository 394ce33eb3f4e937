//! Takes away a directory with all that lies below it: of an attempt, or of a whole run.
//!
//! It must never let an attempt start: a shim that comes late and holds the directory open finds
//! that it has been put away, and runs nothing.

use std::io;
use std::path::Path;

/// What the name of a directory begins with that is being taken away. A crash leaves such ones
/// behind; they may be removed at any time.
pub const DISCARDED_PREFIX: &str = ".discarded-";

/// Takes the directory away; one that is not there is no fault. Only for attempts whose ends are
/// recorded.
///
/// # Errors
/// What the system says; the directory has its old name or one that begins with
/// [`DISCARDED_PREFIX`].
pub fn discard(directory: &Path) -> io::Result<()> {
    let Some(name) = directory.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let mut put_away = std::ffi::OsString::from(DISCARDED_PREFIX);
    put_away.push(name);
    let put_away = directory.with_file_name(put_away);
    // Before anything in it goes, above all a claim: a shim looks whether it is still in place
    // after it has won one.
    match std::fs::rename(directory, &put_away) {
        Ok(()) => std::fs::remove_dir_all(&put_away),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{AttemptDirectory, Taken};

    #[test]
    fn a_directory_goes_with_all_in_it_and_links_are_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let (run, other) = (parent.path().join("1"), parent.path().join("other"));
        std::fs::create_dir_all(run.join("attempts/a.1.1")).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&other, run.join("link")).unwrap();
        discard(&run).unwrap();
        discard(&run).unwrap();
        assert!(other.join("kept").exists());
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_shim_that_comes_late_finds_its_directory_put_away() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a.1.1");
        let late = AttemptDirectory::open_or_create(&path).unwrap();
        assert!(late.is_at(&path));
        let before = AttemptDirectory::open(&path).unwrap();
        assert!(matches!(before.take_claim("tombstone", false), Ok(Taken::Won(_))));
        // Between the rename and the end of the removal the claim may be free.
        std::fs::rename(&path, parent.path().join(".discarded-a.1.1")).unwrap();
        late.remove("claim").unwrap();
        assert!(matches!(late.take_claim("shim", true), Ok(Taken::Won(_))));
        assert!(!late.is_at(&path), "so it knows that it must not start");
    }
}
