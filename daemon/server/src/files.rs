//! Files of workflows: kept once by content, copied into the working directory of each run.
//!
//! Must never place a file outside the directory it is meant for, nor store content under a hash
//! that is not its own.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aiflow_model::RunId;
use aiflow_model::error::{ErrorCode, Rejection};
use aiflow_model::record::FileEntry;
use aiflow_model::wire::{DraftWorkflow, FILE_BYTES_MAX, FILE_PIECE_BYTES_MAX, FilePiece, Upload};
use aiflow_supervise::User;
use base64::Engine as _;
use rustix::fs::{Mode, OFlags, ResolveFlags, fchown, mkdirat, openat2};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use sha2::{Digest, Sha256};

use crate::home::Home;

/// Most files of one workflow.
const FILES_MAX: usize = 10_000;

/// A run, and the number of the user if it is not the daemon's.
type PlacedFor = (RunId, Option<u32>);

/// Contents by hash. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct FileStore {
    directory: PathBuf,
    /// For whom the files are in place; the lock also lets one thread place them at a time.
    placed: Arc<Mutex<BTreeSet<PlacedFor>>>,
}

fn invalid(message: String) -> Rejection {
    Rejection::new(ErrorCode::InvalidFile, message)
}

impl FileStore {
    pub(crate) fn new(home: &Home) -> Self {
        Self { directory: home.files(), placed: Arc::default() }
    }

    /// Takes a piece of a file; the last piece makes it part of the store.
    pub(crate) async fn put(&self, piece: FilePiece) -> Result<(), Rejection> {
        let store = self.clone();
        let done = tokio::task::spawn_blocking(move || store.put_blocking(&piece)).await;
        done.unwrap_or_else(|error| Err(invalid(format!("the file was not stored: {error}"))))
    }

    fn put_blocking(&self, piece: &FilePiece) -> Result<(), Rejection> {
        check_hash(&piece.sha256)?;
        if piece.bytes > FILE_BYTES_MAX {
            let message = format!("a file has {} bytes, at most {FILE_BYTES_MAX}", piece.bytes);
            return Err(invalid(message));
        }
        let data = base64::engine::general_purpose::STANDARD
            .decode(&piece.data)
            .map_err(|error| invalid(format!("the piece is not base64: {error}")))?;
        let end = piece.position.saturating_add(data.len() as u64);
        if data.len() > FILE_PIECE_BYTES_MAX || end > piece.bytes {
            return Err(invalid("the piece does not lie within the file".to_owned()));
        }
        self.write_piece(piece, &data, end).map_err(|error| {
            invalid(format!("the file {} cannot be stored: {error}", piece.sha256))
        })
    }

    fn write_piece(&self, piece: &FilePiece, data: &[u8], end: u64) -> io::Result<()> {
        let path = self.directory.join(&piece.sha256);
        if path.exists() {
            return Ok(());
        }
        let partial = self.directory.join(format!("{}.partial", piece.sha256));
        let mut options = OpenOptions::new();
        let file = options.write(true).read(true).create(true).truncate(false).mode(0o600);
        let file = file.open(&partial)?;
        file.write_all_at(data, piece.position)?;
        if end < piece.bytes {
            return Ok(());
        }
        file.set_len(piece.bytes)?;
        if hash_of(&file)? != piece.sha256 {
            std::fs::remove_file(&partial)?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its content has another hash"));
        }
        // Durable before a snapshot can name it.
        file.sync_all()?;
        std::fs::rename(&partial, &path)?;
        File::open(&self.directory)?.sync_all()
    }

    /// Checks that every file of an upload is in the store and has a place of its own.
    pub(crate) async fn check(&self, upload: Box<Upload>) -> Result<Box<Upload>, Rejection> {
        let store = self.clone();
        let done =
            tokio::task::spawn_blocking(move || store.check_blocking(&upload).map(|()| upload));
        done.await.unwrap_or_else(|error| Err(invalid(format!("files not checked: {error}"))))
    }

    /// The same for what is to be watched.
    pub(crate) async fn check_draft(
        &self,
        mut ask: Box<DraftWorkflow>,
    ) -> Result<Box<DraftWorkflow>, Rejection> {
        ask.upload = *self.check(Box::new(ask.upload)).await?;
        Ok(ask)
    }

    fn check_blocking(&self, upload: &Upload) -> Result<(), Rejection> {
        if upload.files.len() > FILES_MAX {
            return Err(invalid(format!("more than {FILES_MAX} files")));
        }
        let mut paths = BTreeSet::new();
        for entry in &upload.files {
            check_hash(&entry.sha256)?;
            if !is_inside(&entry.path) {
                let message = format!("{:?} does not lie within the run's directory", entry.path);
                return Err(invalid(message));
            }
            if !paths.insert(&entry.path) {
                return Err(invalid(format!("{:?} is named twice", entry.path)));
            }
            if !self.directory.join(&entry.sha256).exists() {
                let message = format!("the content of {:?} was not brought along", entry.path);
                return Err(
                    invalid(message).hint("bring each file with file.put before the upload")
                );
            }
        }
        Ok(())
    }

    /// Whether the files of a run are in place already; when another run is being placed, no.
    pub(crate) fn has_placed(&self, run: RunId) -> bool {
        self.placed.try_lock().is_ok_and(|placed| placed.contains(&(run, None)))
    }

    /// Copies a run's files into its working directory, once; into one of its own for another user.
    /// Blocking.
    pub(crate) fn place(
        &self,
        home: &Home,
        run: RunId,
        user: Option<&User>,
        files: &[FileEntry],
    ) -> io::Result<()> {
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = user.map(|user| user.uid);
        if placed.contains(&(run, uid)) {
            return Ok(());
        }
        let work = home.work(run, uid);
        make_directory(&work)?;
        make_directory(&home.attempts(run))?;
        // The mark outlives the daemon: tasks may have changed their files since.
        let name =
            uid.map_or_else(|| "files-placed".to_owned(), |uid| format!("files-placed-{uid}"));
        let mark = home.run(run).join(name);
        if !mark.exists() {
            let place = Place { work: File::open(&work)?.into(), user };
            place.give(&place.work)?;
            for entry in files {
                self.place_one(&place, entry)?;
            }
            File::create(&mark)?;
        }
        placed.insert((run, uid));
        Ok(())
    }

    /// Copies files into `work` below a directory, once. Blocking.
    pub(crate) fn place_beside(&self, directory: &Path, files: &[FileEntry]) -> io::Result<()> {
        let _one_at_a_time = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        let (work, mark) = (directory.join("work"), directory.join("files-placed"));
        if mark.exists() {
            return Ok(());
        }
        make_directory(&work)?;
        let place = Place { work: File::open(&work)?.into(), user: None };
        for entry in files {
            self.place_one(&place, entry)?;
        }
        File::create(&mark).map(drop)
    }

    fn place_one(&self, place: &Place<'_>, entry: &FileEntry) -> io::Result<()> {
        let mode = if entry.executable { Mode::RWXU } else { Mode::RUSR | Mode::WUSR };
        let mut source = File::open(self.directory.join(&entry.sha256))?;
        let mut file = File::from(place.create(Path::new(&entry.path), mode)?);
        io::copy(&mut source, &mut file)?;
        file.flush()
    }
}

/// A working directory that files are placed in, and who owns them.
struct Place<'a> {
    work: OwnedFd,
    user: Option<&'a User>,
}

impl Place<'_> {
    /// Creates a file below, and the directories that lead to it. Links are not followed: in a
    /// directory whose mark a power cut took, tasks may have run.
    fn create(&self, path: &Path, mode: Mode) -> io::Result<OwnedFd> {
        let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
        parents.retain(|parent| !parent.as_os_str().is_empty());
        for parent in parents.into_iter().rev() {
            let (above, name) = (parent.parent().unwrap_or(Path::new("")), parent.file_name());
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let above = self.open(above, flags, Mode::empty())?;
            match mkdirat(&above, name.unwrap_or_default(), Mode::RWXU) {
                Ok(()) => self.give(&self.open(parent, flags, Mode::empty())?)?,
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let file = self.open(path, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC, mode)?;
        self.give(&file)?;
        Ok(file)
    }

    fn open(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        Ok(openat2(&self.work, path, flags | OFlags::CLOEXEC, mode, resolve)?)
    }

    fn give(&self, file: &OwnedFd) -> io::Result<()> {
        let Some(user) = self.user else { return Ok(()) };
        Ok(fchown(file, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))?)
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn is_inside(path: &str) -> bool {
    let is_plain = |component: Component<'_>| matches!(component, Component::Normal(_));
    !path.is_empty() && !path.contains('\0') && Path::new(path).components().all(is_plain)
}

fn check_hash(hash: &str) -> Result<(), Rejection> {
    let is_hex = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex {
        return Ok(());
    }
    Err(invalid("a file's sha256 has to be 64 hex digits in lower case".to_owned()))
}

fn hash_of(file: &File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut position = 0;
    loop {
        let count = file.read_at(&mut buffer, position)?;
        if count == 0 {
            let digest = hasher.finalize();
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(&buffer[..count]);
        position += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_placed_below_and_links_are_not_followed() {
        let parent = tempfile::tempdir().unwrap();
        let (work, outside) = (parent.path().join("work"), parent.path().join("outside"));
        std::fs::create_dir(&work).unwrap();
        std::fs::create_dir(&outside).unwrap();
        let place = Place { work: File::open(&work).unwrap().into(), user: None };
        let mode = Mode::RUSR | Mode::WUSR;
        for path in ["a", "data/x/y.csv", "data/x/z.csv", "data/x/y.csv"] {
            place.create(Path::new(path), mode).unwrap();
            assert!(work.join(path).exists());
        }
        std::os::unix::fs::symlink(&outside, work.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.join("new"), work.join("file")).unwrap();
        for path in ["link/x", "link/deep/x", "file"] {
            assert!(place.create(Path::new(path), mode).is_err(), "{path}");
        }
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn only_places_within_the_run_are_taken() {
        for good in ["a", "data/x.csv", "a b"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "./a", "a\0b"] {
            assert!(!is_inside(bad), "{bad:?}");
        }
    }
}
