//! `aiflowd log unpack`: a log of a bundle, for whatever looks at copied logs.
//!
//! Must never touch a directory that is there already, nor leave a half of a log behind.

use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aiflow_core::Engine;
use aiflow_log::{DiskStorage, Frame, LogOptions};
use aiflow_model::{Offset, exit_code};
use anyhow::{Context, ensure};
use clap::Args;

use super::Written;
use crate::bundle::Bundle;
use crate::failure::Failure;
use crate::records;
use crate::state_hash::state_hash;

/// Size of the log's segments: nobody writes on, so none is reserved for that.
const SEGMENT_BYTES: u64 = 8 << 20;
/// Frames that are written together.
const FRAMES_MAX: usize = 1_024;

/// From where, and to where.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A bundle of `aiflow bundle`
    bundle: PathBuf,
    /// The directory, which must not be there yet
    directory: PathBuf,
}

/// Runs it.
pub(super) fn run(Arguments { bundle, directory }: &Arguments) -> Result<Written, Failure> {
    let (from, to) = (bundle.display(), directory.display());
    std::fs::DirBuilder::new().mode(0o700).create(directory).map_err(|error| {
        Failure::new(exit_code::OPERATING, format!("cannot make {to}")).because(error)
    })?;
    match unpack(bundle, directory) {
        Ok(end) => Ok(writeln!(std::io::stdout().lock(), "{to}: records 0..{end}")),
        Err(error) => {
            // It was made above, and nothing else is in it.
            let _ = std::fs::remove_dir_all(directory);
            let what = format!("cannot make a log of {from}: {error:#}");
            Err(Failure::new(exit_code::LOG_REFUSED, what)
                .hint(format!("aiflowd log replay {from}")))
        }
    }
}

fn unpack(bundle: &Path, directory: &Path) -> anyhow::Result<Offset> {
    let bundle = Bundle::open(bundle)?;
    let from = bundle.head.from;
    ensure!(from == Offset(0), "it begins at {from}, and a log without its beginning is no log");
    let log = directory.join("log");
    std::fs::DirBuilder::new().mode(0o700).create(&log)?;
    let options = LogOptions { segment_bytes: SEGMENT_BYTES, ..LogOptions::default() };
    let (mut writer, _) = aiflow_log::open(DiskStorage::open(&log)?, options)?;
    let mut engine = Engine::new(bundle.begin());
    let mut frames: Vec<Frame> = Vec::new();
    let end = bundle.each(|batch| {
        for logged in &batch.records {
            engine.replay(logged)?;
        }
        frames.push(records::encode(&batch.records, engine.state().epoch)?);
        if frames.len() >= FRAMES_MAX {
            writer.append(&mut frames).context("the log")?;
            frames.clear();
        }
        Ok(())
    })?;
    if !frames.is_empty() {
        writer.append(&mut frames).context("the log")?;
    }
    ensure!(state_hash(engine.state())? == end.state_hash, "it gives another state than it says");
    Ok(end.end)
}
