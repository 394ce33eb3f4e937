//! The files that a definition lists: found, hashed, named as they will lie in the run's directory.
//!
//! Must never take a file from outside the definition's directory, nor follow a symbolic link.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use aiflow_model::record::FileEntry;
use aiflow_model::wire::FILE_BYTES_MAX;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::failure::Failure;

/// A file to bring: where it is and what the run will see.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FoundFile {
    pub(crate) path: PathBuf,
    pub(crate) entry: FileEntry,
}

/// The `files:` of a definition. One that does not read gives none: the daemon tells why, with
/// line and column.
pub(crate) fn listed(source: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Definition {
        #[serde(default)]
        files: Vec<String>,
    }
    serde_saphyr::from_str(source).map_or_else(|_| Vec::new(), |Definition { files }| files)
}

/// Finds what is listed below `directory` (empty: the present one), folders with all that is in
/// them, in the order of their paths.
pub(crate) fn find(directory: &Path, listed: &[String]) -> Result<Vec<FoundFile>, Failure> {
    let mut paths = BTreeMap::new();
    for name in listed {
        let relative = checked(name)?;
        let mut path = directory.to_owned();
        for component in relative.components() {
            path.push(component);
            refuse_link(&path)?;
        }
        collect(path, relative.to_string_lossy().into_owned(), &mut paths)?;
    }
    paths.into_iter().map(|(name, path)| measure(name, path)).collect()
}

/// What is named by hand: below `directory`, as a listed path is, or else where this program
/// stands, and then under its own name beside the definition. What is in `known` already is not
/// found again.
pub(crate) fn find_further(
    directory: &Path,
    named: &[String],
    known: &[FoundFile],
) -> Result<Vec<FoundFile>, Failure> {
    let mut found = Vec::new();
    for name in named {
        let elsewhere = Path::new(name);
        let is_below = checked(name).is_ok_and(|relative| directory.join(relative).exists());
        if is_below || !elsewhere.exists() {
            found.extend(find(directory, std::slice::from_ref(name))?);
        } else {
            let whole = elsewhere.canonicalize().map_err(|source| unreadable(elsewhere, source))?;
            let parent = whole.parent().unwrap_or(Path::new("/"));
            let own = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.extend(find(parent, &[own])?);
        }
    }
    let mut taken: BTreeSet<&str> = known.iter().map(|file| file.entry.path.as_str()).collect();
    let is_new: Vec<bool> = found.iter().map(|file| taken.insert(&file.entry.path)).collect();
    let mut is_new = is_new.into_iter();
    found.retain(|_| is_new.next().unwrap_or(false));
    Ok(found)
}

/// The relative path that is meant, without `.` and doubled slashes.
fn checked(name: &str) -> Result<PathBuf, Failure> {
    let mut relative = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => relative.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(Failure::input(
                    format!("files: {name:?} does not lie in the directory of the definition"),
                    Some("list paths relative to the definition, without .. and a leading /"),
                ));
            }
        }
    }
    Ok(relative)
}

/// The system has no empty path.
fn present(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn refuse_link(path: &Path) -> Result<fs::Metadata, Failure> {
    let path = present(path);
    let what = || format!("files: cannot read {}", path.display());
    let metadata = fs::symlink_metadata(path).map_err(|source| Failure::system(what(), source))?;
    if metadata.is_symlink() {
        return Err(Failure::input(
            format!("files: {} is a symbolic link", path.display()),
            Some("put the file itself there: a run must not change with what a link points to"),
        ));
    }
    Ok(metadata)
}

fn collect(
    path: PathBuf,
    name: String,
    paths: &mut BTreeMap<String, PathBuf>,
) -> Result<(), Failure> {
    let metadata = refuse_link(&path)?;
    if metadata.is_file() {
        paths.insert(name, path);
        return Ok(());
    }
    if !metadata.is_dir() {
        let what = format!("files: {} is neither a file nor a folder", path.display());
        return Err(Failure::input(what, None));
    }
    let entries = fs::read_dir(present(&path)).map_err(|source| unreadable(&path, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| unreadable(&path, source))?;
        let file_name = entry.file_name();
        let Some(part) = file_name.to_str() else {
            let what = format!("files: the name of {} is not UTF-8", entry.path().display());
            return Err(Failure::input(what, None));
        };
        if part.starts_with('.') || part == "__pycache__" {
            continue;
        }
        let below = if name.is_empty() { part.to_owned() } else { format!("{name}/{part}") };
        collect(entry.path(), below, paths)?;
    }
    Ok(())
}

fn measure(name: String, path: PathBuf) -> Result<FoundFile, Failure> {
    let failed = |source| unreadable(&path, source);
    let mut file = File::open(&path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            read => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
        if bytes > FILE_BYTES_MAX {
            let what = format!("files: {} is larger than {FILE_BYTES_MAX} bytes", path.display());
            return Err(Failure::input(what, Some("let a task fetch large data by itself")));
        }
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let entry = FileEntry { path: name, sha256, bytes, executable: mode & 0o100 != 0 };
    Ok(FoundFile { path, entry })
}

pub(crate) fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::system(format!("cannot read {}", path.display()), source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = tree.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("task.py", "print()");
        write("data/b/2.csv", "2");
        write("data/a.csv", "");
        write("data/.hidden", "h");
        write("data/__pycache__/x.pyc", "p");
        tree
    }

    fn names(directory: &Path, listed: &[&str]) -> Result<Vec<String>, Failure> {
        let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
        Ok(find(directory, &listed)?.into_iter().map(|file| file.entry.path).collect())
    }

    #[test]
    fn the_list_is_read_and_trouble_is_left_to_the_daemon() {
        let source = "workflow: w\nfiles:\n  - a.py\n  - \"b c\"\ntasks: {x: {bash: 'true'}}\n";
        assert_eq!(listed(source), ["a.py", "b c"]);
        for none in ["workflow: w", "files: 3", "files: [1, {a: 2}]", "\t{", "", "files: ~"] {
            assert!(listed(none).is_empty() || none.contains("[1"), "{none}");
        }
    }

    #[test]
    fn folders_come_whole_and_in_order() {
        let tree = tree();
        let found = names(tree.path(), &["task.py", "./data/", "data/a.csv"]).unwrap();
        assert_eq!(found, ["data/a.csv", "data/b/2.csv", "task.py"]);
        assert_eq!(names(tree.path(), &["data/.hidden"]).unwrap(), ["data/.hidden"]);
    }

    #[test]
    fn a_file_is_named_by_its_content() {
        let tree = tree();
        let path = tree.path().join("task.py");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let found = find(tree.path(), &["task.py".into(), "data/a.csv".into()]).unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!((found[0].entry.sha256.as_str(), found[0].entry.bytes), (empty, 0));
        assert!(found[1].entry.executable && !found[0].entry.executable);
    }

    #[test]
    fn what_lies_elsewhere_is_refused() {
        let tree = tree();
        symlink("task.py", tree.path().join("link.py")).unwrap();
        symlink("/", tree.path().join("root")).unwrap();
        symlink("/etc/hostname", tree.path().join("data/link")).unwrap();
        for name in ["/etc/hostname", "../x", "a/../../x", "link.py", "root/etc", "data", "none"] {
            let failure = names(tree.path(), &[name]).expect_err(name);
            assert!(failure.report(None).starts_with("error: "), "{name}");
        }
    }
}
