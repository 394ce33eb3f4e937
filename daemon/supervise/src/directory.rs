//! One attempt directory: private to one user, and every file in it appears whole or not at all.
//!
//! Everything is opened relative to one descriptor and without following symbolic links. It must
//! never overwrite a claim, and it never syncs: a power cut is told from a crash by the boot id.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock, fstat, linkat,
    mkdirat, openat, readlink, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

/// Mode of every file in an attempt directory.
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// The files read here are a few hundred bytes; more is not one of ours.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// An attempt directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be created.
    #[error("the attempt directory {} cannot be created", path.display())]
    Create {
        /// Its path.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It cannot be opened, does not exist, is no directory or is a symbolic link.
    #[error("the attempt directory {} cannot be opened", path.display())]
    Open {
        /// Its path.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another user owns it or may enter it.
    #[error(
        "attempt directory {} has owner {owner} and mode {mode:o}, not {expected_owner} and 700",
        path.display()
    )]
    NotPrivate {
        /// Its path.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
        /// The user id that this process acts as.
        expected_owner: u32,
        /// Its permission bits.
        mode: u32,
    },
}

/// An attempt directory, checked and open.
#[derive(Debug)]
pub(crate) struct AttemptDirectory {
    fd: OwnedFd,
}

/// What became of the wish to own an attempt.
#[derive(Debug)]
pub(crate) enum Taken {
    /// The claim is ours; the lock lives as long as the descriptor.
    Won(OwnedFd),
    /// Somebody else's claim is there.
    Lost,
}

impl AttemptDirectory {
    /// Opens an existing directory and checks that it is ours alone.
    pub(crate) fn open(path: &Path) -> Result<Self, DirectoryError> {
        let open_error =
            |errno: Errno| DirectoryError::Open { path: path.to_owned(), source: errno.into() };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(CWD, path, flags, Mode::empty()).map_err(open_error)?;
        let stat = fstat(&fd).map_err(open_error)?;
        let expected_owner = rustix::process::geteuid().as_raw();
        let mode = stat.st_mode & 0o7777;
        if stat.st_uid != expected_owner || mode & 0o077 != 0 {
            let path = path.to_owned();
            let owner = stat.st_uid;
            return Err(DirectoryError::NotPrivate { path, owner, expected_owner, mode });
        }
        Ok(Self { fd })
    }

    /// Opens the directory, creating its last component when it is missing.
    pub(crate) fn open_or_create(path: &Path) -> Result<Self, DirectoryError> {
        match mkdirat(CWD, path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => Self::open(path),
            Err(errno) => {
                Err(DirectoryError::Create { path: path.to_owned(), source: errno.into() })
            }
        }
    }

    /// Where it lies: absolute, without symbolic links.
    pub(crate) fn path(&self) -> io::Result<PathBuf> {
        let link = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        Ok(OsString::from_vec(readlink(link, Vec::new())?.into_bytes()).into())
    }

    /// Whether this directory still lies where it was opened, and has not been put away.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let (here, there) = (fstat(&self.fd), rustix::fs::lstat(path));
        matches!((here, there), (Ok(here), Ok(there))
            if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino))
    }

    /// Whether a name is there, whatever it is.
    pub(crate) fn contains(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a regular file for reading; `None` when it is not there.
    pub(crate) fn open_file(&self, name: &str) -> io::Result<Option<OwnedFd>> {
        // NONBLOCK, so that a pipe that somebody put there cannot hold the reader.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = match openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        if FileType::from_raw_mode(fstat(&fd)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        Ok(Some(fd))
    }

    /// The content of a small file; `None` when it is not there.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.open_file(name)?.map(|fd| read_all(&fd)).transpose()
    }

    /// Opens a file of the log for appending, creating it when it is missing.
    pub(crate) fn open_append(&self, name: &str) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW;
        openat(&self.fd, name, flags | OFlags::CLOEXEC | OFlags::NONBLOCK, FILE_MODE)
    }

    /// Creates or empties a file for writing.
    pub(crate) fn create(&self, name: &str) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW;
        openat(&self.fd, name, flags | OFlags::CLOEXEC | OFlags::NONBLOCK, FILE_MODE)
    }

    /// Opens a file for writing over what is in it, creating it when it is missing.
    pub(crate) fn open_to_overwrite(&self, name: &str) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW;
        openat(&self.fd, name, flags | OFlags::CLOEXEC | OFlags::NONBLOCK, FILE_MODE)
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> rustix::io::Result<()> {
        renameat(&self.fd, from, &self.fd, to)
    }

    pub(crate) fn remove(&self, name: &str) -> rustix::io::Result<()> {
        unlinkat(&self.fd, name, AtFlags::empty())
    }

    /// Lets a file appear whole under its name. Before a crash: nothing or `NAME.new` is there;
    /// after: the whole file. Only the owner of the claim may publish.
    pub(crate) fn publish(&self, name: &str, content: &str) -> rustix::io::Result<()> {
        let new = format!("{name}.new");
        let fd = self.create(&new)?;
        write_all(&fd, content.as_bytes())?;
        self.rename(&new, name)
    }

    /// Tries to become the owner of the attempt. Of any number of processes that try, at any
    /// time, exactly one ever wins.
    ///
    /// The file is locked and complete before it becomes visible, so that a visible claim without
    /// a lock always means that its shim has ended. A crash leaves at most an unused
    /// `claim.PID.N`.
    pub(crate) fn take_claim(&self, content: &str, lock: bool) -> io::Result<Taken> {
        let (name, fd) = self.create_claim_candidate()?;
        if lock {
            flock(&fd, FlockOperation::NonBlockingLockExclusive)?;
        }
        let taken = write_all(&fd, content.as_bytes()).and_then(|()| self.move_to_claim(&name));
        match taken {
            Ok(()) => Ok(Taken::Won(fd)),
            Err(errno) => {
                // Only tidiness: a candidate that stays behind is never read.
                let _ = self.remove(&name);
                if errno == Errno::EXIST { Ok(Taken::Lost) } else { Err(errno.into()) }
            }
        }
    }

    fn create_claim_candidate(&self) -> io::Result<(String, OwnedFd)> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let pid = std::process::id();
        // A crashed process of the same number may have left its candidate behind, and two
        // threads of one process may try at once.
        for number in 0..1000 {
            let name = format!("claim.{pid}.{number}");
            match openat(&self.fd, &name, flags | OFlags::CLOEXEC, FILE_MODE) {
                Ok(fd) => return Ok((name, fd)),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    fn move_to_claim(&self, from: &str) -> rustix::io::Result<()> {
        match renameat_with(&self.fd, from, &self.fd, "claim", RenameFlags::NOREPLACE) {
            // Some file systems know no such rename; a hard link is as atomic.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                linkat(&self.fd, from, &self.fd, "claim", AtFlags::empty())?;
                let _ = self.remove(from);
                Ok(())
            }
            result => result,
        }
    }
}

/// Whether some process holds the claim. Shared, so that two who ask do not see each other.
pub(crate) fn is_locked(claim: &OwnedFd) -> io::Result<bool> {
    match flock(claim, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            flock(claim, FlockOperation::NonBlockingUnlock)?;
            Ok(false)
        }
        Err(Errno::WOULDBLOCK) => Ok(true),
        Err(errno) => Err(errno.into()),
    }
}

/// Reads a small file from its beginning.
pub(crate) fn read_all(fd: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        match rustix::io::pread(fd, &mut buffer, content.len() as u64) {
            Ok(0) => return Ok(content),
            Ok(count) => content.extend_from_slice(&buffer[..count]),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if content.len() > FILE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too long"));
        }
    }
}

/// Writes everything, across short writes and interruptions.
pub(crate) fn write_all(fd: &OwnedFd, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            // A regular file never takes nothing; treat it as full rather than spin.
            Ok(0) => return Err(Errno::NOSPC),
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn temporary() -> (tempfile::TempDir, PathBuf) {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("attempt");
        (parent, path)
    }

    #[test]
    fn one_of_many_takes_the_claim() {
        let (_parent, path) = temporary();
        let directory = AttemptDirectory::open_or_create(&path).unwrap();
        let won = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        let taken = directory.take_claim("x", true).unwrap();
                        // The descriptor goes out with the result, so that the lock stays.
                        if let Taken::Won(fd) = taken { Some(fd) } else { None }
                    })
                })
                .collect();
            tries.into_iter().filter_map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(won.len(), 1);
        let claim = directory.open_file("claim").unwrap().unwrap();
        assert!(is_locked(&claim).unwrap());
        drop(won);
        assert!(!is_locked(&claim).unwrap());
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1, "no candidate stays behind");
    }

    #[test]
    fn a_directory_others_may_enter_or_a_link_is_refused() {
        let (parent, path) = temporary();
        AttemptDirectory::open_or_create(&path).unwrap();
        let link = parent.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(AttemptDirectory::open(&link), Err(DirectoryError::Open { .. })));
        let opened = AttemptDirectory::open_or_create(&link);
        assert!(matches!(opened, Err(DirectoryError::Open { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        let opened = AttemptDirectory::open(&path);
        assert!(matches!(opened, Err(DirectoryError::NotPrivate { mode: 0o750, .. })));
    }

    #[test]
    fn files_that_are_links_or_pipes_are_refused() {
        let (_parent, path) = temporary();
        let directory = AttemptDirectory::open_or_create(&path).unwrap();
        symlink("/etc/passwd", path.join("exit")).unwrap();
        assert!(directory.read("exit").is_err());
        assert!(directory.create("exit").is_err());
        assert!(directory.open_append("exit").is_err());
        std::os::unix::net::UnixListener::bind(path.join("released")).unwrap();
        assert!(directory.read("released").is_err());
        assert!(directory.read("missing").unwrap().is_none());
    }
}
