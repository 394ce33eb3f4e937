//! `aiflowd bundle`: writes a bundle to stdout, also while a daemon runs, which says up to where.
//!
//! Must never write to the home. The key of the hashes is drawn anew each time, and told to nobody.

use std::io::BufWriter;
use std::path::PathBuf;

use aiflow_log::{LogReader, snapshot};
use aiflow_model::exit_code;
use aiflow_model::redact::{Keep, Redactor};
use aiflow_model::{Offset, State};
use clap::Args;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::bundle;
use crate::failure::Failure;
use crate::home::Home;
use crate::kept;
use crate::start::refuse;
use crate::token::getrandom;

/// What is wanted.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Put keyed hashes in the place of what users wrote.
    #[arg(long)]
    redact: bool,
    /// But for this: values, definitions, sources, reasons, with commas between.
    #[arg(long, default_value = "")]
    keep: Keep,
    /// Only records below this offset; what a daemon says is durable.
    #[arg(long)]
    until: Option<u64>,
}

/// Runs it.
pub(crate) fn run(flag: Option<PathBuf>, asked: &Arguments) -> Result<(), Failure> {
    let home = Home::locate(flag)?;
    let storage = home.open_log()?;
    let end = match asked.until {
        Some(end) => end,
        None => aiflow_log::verify(&storage).map_err(|error| refuse(&home, error))?.next_offset,
    };
    let failed = |error: anyhow::Error| {
        let what = format!("no bundle can be made of the log in {}", home.log().display());
        Failure::new(exit_code::OPERATING, format!("{what}: {error:#}"))
            .hint(format!("aiflowd --home {} log verify", home.root().display()))
    };
    let state = beginning(&storage).map_err(failed)?;
    let mut key = [0; 32];
    getrandom(&mut key).map_err(|error| failed(error.into()))?;
    let hash = |bytes: &[u8]| keyed(&key, bytes);
    let redactor = asked.redact.then(|| Redactor::new(&hash, asked.keep));
    let kept = if asked.redact { asked.keep.words() } else { Vec::new() };
    let mut out = BufWriter::new(std::io::stdout().lock());
    bundle::write(&mut out, &storage, (state, end), redactor.as_ref(), kept).map_err(failed)?;
    Ok(())
}

/// The state from which the log can be folded: the empty one, or that of the oldest snapshot.
fn beginning(storage: &aiflow_log::DiskStorage) -> anyhow::Result<State> {
    let first = LogReader::new(storage.clone()).first_offset()?;
    if first == 0 {
        return Ok(State::empty());
    }
    let offsets = snapshot::offsets(storage)?.into_iter().filter(|offset| *offset >= first);
    let state = offsets.into_iter().find_map(|offset| kept::load(storage, offset).ok());
    state.ok_or_else(|| {
        let first = Offset(first);
        anyhow::anyhow!("it begins at {first}, and no snapshot tells what was before")
    })
}

fn keyed(key: &[u8; 32], bytes: &[u8]) -> u64 {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return 0 };
    mac.update(bytes);
    let tag = mac.finalize().into_bytes();
    tag.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}
