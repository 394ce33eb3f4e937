//! A disk whose power can be cut: an ext4 file system in a file, on a loop device.
//!
//! Never: leave a mount behind, also when a test fails, or touch a mount of a run that lives.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use aiflow_log::DirectoryLock;
use aiflow_test_support::{repository, wait_until};

const IMAGE_BYTES: u64 = 48 << 20;
const PREFIX: &str = "aiflow-power-";

/// How a file system is mounted, one of which each mount takes. Without `noauto_da_alloc` ext4
/// itself guards against a missing sync before a rename; without `delalloc` and in the stronger
/// modes of data it orders more than it promises.
pub(crate) const MOUNTS: [&str; 6] = [
    "noauto_da_alloc",
    "noauto_da_alloc,data=writeback",
    "noauto_da_alloc,data=writeback,nodelalloc",
    "noauto_da_alloc,data=journal",
    "noauto_da_alloc,nodelalloc,commit=1",
    "defaults",
];

/// What is lost when the power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing: all is flushed first.
    Nothing = 0,
    /// What the journal does not hold.
    Data = 1,
    /// All that was not synced.
    All = 2,
}

/// The file system, mounted or not.
pub(crate) struct Disk {
    directory: PathBuf,
    mounted: bool,
    helper: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Says to a later run that this one lives.
    _alive: DirectoryLock,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {}: {}", arguments.join(" "), said.trim()))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Where images lie: in memory where that is a file system, since only the cut is of interest.
fn parent() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() }
}

/// Takes down what runs left behind that were killed.
fn clear_stale(parent: &Path) {
    for entry in std::fs::read_dir(parent).unwrap().flatten() {
        let stale = entry.path();
        let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let Some(_dead) = ours.then(|| DirectoryLock::acquire(&stale).ok()).flatten() else {
            continue;
        };
        let _ = run("umount", &[text(&stale.join("mount"))]);
        let _ = std::fs::remove_dir_all(&stale);
    }
}

impl Disk {
    /// A new file system.
    ///
    /// # Errors
    /// Why this machine cannot have one.
    pub(crate) fn new() -> Result<Self, String> {
        let parent = parent();
        clear_stale(&parent);
        let directory = parent.join(format!("{PREFIX}{}", std::process::id()));
        let made = Self::make(&directory);
        if made.is_err() {
            let _ = std::fs::remove_dir_all(&directory);
        }
        made
    }

    fn make(directory: &Path) -> Result<Self, String> {
        std::fs::create_dir_all(directory.join("mount")).map_err(|error| error.to_string())?;
        let alive = DirectoryLock::acquire(directory).map_err(|error| error.to_string())?;
        let image = directory.join("image");
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=0", text(&image)])?;
        let mut helper = Command::new("python3")
            .arg(repository().join("tests/power/cut.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3: {error}"))?;
        let orders = helper.stdin.take().unwrap();
        let answers = BufReader::new(helper.stdout.take().unwrap());
        let mut disk = Self {
            directory: directory.to_path_buf(),
            mounted: false,
            helper,
            orders,
            answers,
            _alive: alive,
        };
        disk.mount(MOUNTS[0])?;
        // A machine that mounts may still refuse the cut.
        disk.cut(Cut::All, 0)?;
        disk.unmount();
        Ok(disk)
    }

    /// Where the file system is seen.
    pub(crate) fn home(&self) -> PathBuf {
        self.directory.join("mount")
    }

    /// Mounts it; its journal is replayed.
    pub(crate) fn mount(&mut self, options: &str) -> Result<(), String> {
        let options = format!("loop,{options}");
        let (image, home) = (self.directory.join("image"), self.home());
        run("mount", &["-t", "ext4", "-o", &options, text(&image), text(&home)])?;
        self.mounted = true;
        Ok(())
    }

    /// Cuts the power; gives the time at which it began. With a `tear` other than 0, some pages
    /// reach the disk just before.
    pub(crate) fn cut(&mut self, cut: Cut, tear: u64) -> Result<u64, String> {
        let home = self.home();
        writeln!(self.orders, "{} {} {tear}", text(&home), cut as u32).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let began = answer.trim().strip_prefix("done ").and_then(|time| time.parse().ok());
        began.ok_or_else(|| format!("cutting the power: {answer}"))
    }

    /// Unmounts it. The loop device goes too, and all that the system remembers of its content.
    pub(crate) fn unmount(&mut self) {
        let home = self.home();
        // What a killed process held is let go a moment after it is gone.
        wait_until("the file system is unmounted", || run("umount", &[text(&home)]).ok());
        self.mounted = false;
        let image = self.directory.join("image");
        let gone = || {
            let output = Command::new("losetup").args(["-j", text(&image)]).output().unwrap();
            output.stdout.is_empty().then_some(())
        };
        wait_until("the loop device is gone", gone);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
        if self.mounted {
            let home = self.home();
            if run("umount", &[text(&home)]).is_err() {
                // A writer that was not waited for; the device goes when it does.
                let _ = run("umount", &["--lazy", text(&home)]);
            }
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
