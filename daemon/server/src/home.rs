//! The home: where the log, the runs, the files and the socket live, private to one user.
//!
//! Must never use a directory that others can write.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use aiflow_log::DiskStorage;
use aiflow_model::{AttemptId, RunId, SnapshotNumber, exit_code};

use crate::failure::Failure;

/// Longest path of a socket that the kernel takes, less the final zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Paths below the home.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    root: PathBuf,
}

impl Home {
    /// The home by flag, by `AIFLOW_HOME`, or the XDG state directory.
    pub(crate) fn locate(flag: Option<PathBuf>) -> Result<Self, Failure> {
        let from_environment = || std::env::var_os("AIFLOW_HOME").map(PathBuf::from);
        let state_home = || {
            let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
            let user =
                || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
            state.or_else(user).map(|state| state.join("aiflow"))
        };
        let root = flag.or_else(from_environment).or_else(state_home).ok_or_else(|| {
            Failure::new(exit_code::USAGE, "neither --home, AIFLOW_HOME nor HOME is set")
                .hint("aiflowd --home DIR")
        })?;
        let root = std::path::absolute(&root).map_err(|error| {
            let what = format!("cannot use {} as a home", root.display());
            Failure::new(exit_code::OPERATING, what).because(error)
        })?;
        Ok(Self { root })
    }

    /// Makes the home and what lies below it, and checks that it is ours alone.
    pub(crate) fn prepare(&self) -> Result<(), Failure> {
        make_private(&self.root)?;
        let metadata = std::fs::symlink_metadata(&self.root).map_err(|error| {
            let what = format!("cannot look at the home {}", self.root.display());
            Failure::new(exit_code::OPERATING, what).because(error)
        })?;
        let (own, owner, mode) =
            (rustix::process::geteuid().as_raw(), metadata.uid(), metadata.mode() & 0o7777);
        let refuse = |why: String| {
            let what = format!("the home {} is refused: {why}", self.root.display());
            Failure::new(exit_code::OPERATING, what)
        };
        if !metadata.is_dir() {
            return Err(refuse("it is not a directory (or a symbolic link)".to_owned()));
        }
        if owner != own {
            return Err(refuse(format!("user {owner} owns it, not {own}")));
        }
        if mode & 0o022 != 0 {
            return Err(refuse(format!("others can write it (mode {mode:o})"))
                .hint(format!("chmod 700 {}", self.root.display())));
        }
        if self.socket().as_os_str().len() > SOCKET_PATH_BYTES_MAX {
            return Err(refuse(format!(
                "the path of its socket is longer than {SOCKET_PATH_BYTES_MAX} bytes"
            ))
            .hint("use a home with a shorter path"));
        }
        for directory in [self.log(), self.runs(), self.files(), self.spool()] {
            make_private(&directory)?;
        }
        Ok(())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Opens the directory of the log.
    pub(crate) fn open_log(&self) -> Result<DiskStorage, Failure> {
        DiskStorage::open(self.log()).map_err(|error| {
            let what = format!("cannot open the log in {}", self.log().display());
            Failure::new(exit_code::OPERATING, what).because(error)
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.root.join("aiflow.sock")
    }

    /// The history, in SQLite.
    pub(crate) fn history(&self) -> PathBuf {
        self.root.join("history.sqlite")
    }

    /// Where states of the past are kept.
    pub(crate) fn waypoints(&self) -> PathBuf {
        self.root.join("waypoints")
    }

    pub(crate) fn token_key(&self) -> PathBuf {
        self.root.join("token.key")
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.root.join("spool")
    }

    pub(crate) fn hosts(&self) -> PathBuf {
        self.root.join("hosts")
    }

    /// The directory of what the hosts of one version of a workflow need.
    pub(crate) fn host(&self, snapshot: SnapshotNumber) -> PathBuf {
        self.hosts().join(snapshot.to_string())
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The directory of a run.
    pub(crate) fn run(&self, run: RunId) -> PathBuf {
        self.runs().join(run.to_string())
    }

    /// Where the tasks of a run run: those that run as another user apart from all others.
    pub(crate) fn work(&self, run: RunId, user: Option<u32>) -> PathBuf {
        match user {
            None => self.run(run).join("work"),
            Some(uid) => self.run(run).join(format!("work-{uid}")),
        }
    }

    /// Where the attempts of a run have their directories.
    pub(crate) fn attempts(&self, run: RunId) -> PathBuf {
        self.run(run).join("attempts")
    }

    /// The directory of an attempt.
    pub(crate) fn attempt(&self, id: &AttemptId) -> PathBuf {
        let execution = &id.execution;
        let name = format!("{}.{}.{}", execution.task, execution.sequence, id.number);
        self.attempts(execution.run).join(name)
    }
}

fn make_private(directory: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
        let what = format!("cannot create {}", directory.display());
        Failure::new(exit_code::OPERATING, what).because(error)
    })
}
