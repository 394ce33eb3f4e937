//! What all rows share: the directory on a real disk, the programs, the log that was built once.
//!
//! Must never leave anything behind: the directory goes with it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::history;

/// One run of the benchmark.
pub(crate) struct Bench {
    directory: TempDir,
    own: PathBuf,
    homes: u32,
    history: Option<PathBuf>,
    /// Records in the log that is asked questions.
    pub(crate) records: u64,
}

impl Bench {
    pub(crate) fn new(directory: Option<PathBuf>) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot find the own program")?;
        let built = own.ancestors().nth(2).context("the program lies in no build directory")?;
        let parent = directory.unwrap_or_else(|| built.to_path_buf());
        let directory = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(&parent)
            .with_context(|| format!("cannot use {}", parent.display()))?;
        Ok(Self { directory, own, homes: 0, history: None, records: history::RECORDS })
    }

    /// Where the files of comparison lie, beside the homes.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// This program, which is the tiny task too.
    pub(crate) fn own(&self) -> &Path {
        &self.own
    }

    /// A daemon on a fresh home.
    pub(crate) fn daemon(&mut self) -> anyhow::Result<Daemon> {
        self.homes += 1;
        self.daemon_on(&self.directory().join(format!("home{}", self.homes)))
    }

    /// A daemon on a home that is there.
    pub(crate) fn daemon_on(&self, home: &Path) -> anyhow::Result<Daemon> {
        Daemon::start(&self.own.with_file_name("aiflowd"), home)
    }

    /// A home with a log of [`history::RECORDS`] records; built at the first call.
    pub(crate) fn history(&mut self) -> anyhow::Result<PathBuf> {
        if self.history.is_none() {
            let home = self.directory().join("history");
            history::build(&home, history::RECORDS, |_| "flight.departed".to_owned())?;
            self.history = Some(home);
        }
        self.history.clone().context("the log was built")
    }

    /// The file system that everything lies on, and the processors.
    pub(crate) fn describe(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default();
        let system = file_system(self.directory()).unwrap_or_else(|| "unknown".to_owned());
        format!("file system: {system}; processors: {cores}; load at the end: {load}\n")
    }
}

/// Type and options of the file system that holds `path`: the longest mount point above it.
fn file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts
        .lines()
        .filter_map(|line| {
            let (head, tail) = line.split_once(" - ")?;
            let point = head.split(' ').nth(4)?;
            path.starts_with(point).then_some((point.len(), tail))
        })
        // Of two at one point the later hides the earlier.
        .max_by_key(|(length, _)| *length)?;
    let mut words = mount.1.split(' ');
    let kind = words.next()?;
    Some(format!("{kind} ({})", words.nth(1)?))
}
