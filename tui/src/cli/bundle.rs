//! `aiflow bundle`: a copy of the log as text, made by the daemon's program beside the daemon.
//!
//! Must never read the log itself, and never leave a half of a bundle behind.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aiflow_model::redact::Keep;
use aiflow_model::wire::{BundleEnd, Empty};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::output::note;
use super::server_start::find_daemon;
use super::session::Session;

/// From so far before the end the last line is looked for.
const TAIL_BYTES: u64 = 4 << 10;

/// What goes into it, and where it goes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Put keyed hashes in the place of what users wrote: values, commands, sources, reasons
    #[arg(long)]
    redact: bool,
    /// With --redact, but keep: values, definitions, sources, reasons, with commas between
    #[arg(long, value_name = "WORDS", requires = "redact")]
    keep: Option<Keep>,
    /// The file, which must not be there yet
    #[arg(value_name = "FILE", default_value = "aiflow.bundle")]
    file: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Bundled {
    file: PathBuf,
    redacted: bool,
    #[serde(flatten)]
    end: BundleEnd,
}

impl Arguments {
    pub(crate) async fn perform(self, session: &Session) -> Result<(), Failure> {
        // What a daemon that runs has made durable; without one, what the log holds.
        let until = match session.connect().await {
            Ok(client) => Some(client.status(Empty {}).await?.durable),
            Err(Failure::Connect(error)) if error.is_absence() => None,
            Err(failure) => return Err(failure),
        };
        let mut command = Command::new(find_daemon()?);
        command.arg("--home").arg(session.home()?.directory()).arg("bundle");
        if self.redact {
            command.args(["--redact", "--keep", &self.keep.unwrap_or_default().words().join(",")]);
        }
        if let Some(until) = until {
            command.args(["--until", &until.to_string()]);
        }
        let end = write(command, &self.file)?;
        let Self { redact, file, .. } = self;
        if !redact {
            note("nothing in it is hidden: --redact puts hashes in the place of what users wrote");
        }
        let (path, BundleEnd { records, end: at, state_hash }) = (file.display(), &end);
        let text = format!("{path}: {records} records; state at {at}: {state_hash}");
        let bundled = Bundled { file: file.clone(), redacted: redact, end };
        session.output.answer(&bundled, &text)
    }
}

/// Lets the program write the file; what it said at its end.
fn write(mut command: Command, path: &Path) -> Result<BundleEnd, Failure> {
    let failed = |source| Failure::system(format!("cannot write {}", path.display()), source);
    let mut options = OpenOptions::new();
    let file = options.write(true).read(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(failed)?;
    let made = file.try_clone().map_err(failed).and_then(|out| {
        let run = command.stdin(Stdio::null()).stdout(out).output();
        let run =
            run.map_err(|source| Failure::system("cannot run the daemon's program", source))?;
        if !run.status.success() {
            let told = String::from_utf8_lossy(&run.stderr);
            let told = told.trim().trim_start_matches("error: ").to_owned();
            return Err(Failure::input(told, None));
        }
        last_line(&mut file).map_err(failed)
    });
    if made.is_err() {
        // It is of no use, and was not there before.
        let _ = std::fs::remove_file(path);
    }
    made
}

fn last_line(file: &mut File) -> std::io::Result<BundleEnd> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    let last = tail.lines().next_back().unwrap_or_default();
    serde_json::from_str(last).map_err(Into::into)
}
