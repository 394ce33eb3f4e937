//! `aiflowd log replay`: folds a copied log or a bundle, and prints what comes of it.
//!
//! Must never write anything, nor need a daemon, a home or the host that the log came from.

use std::io::Write;
use std::path::{Path, PathBuf};

use aiflow_core::Engine;
use aiflow_log::{DiskStorage, LogReader, snapshot};
use aiflow_model::{Offset, State, exit_code};
use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::Written;
use crate::bundle::Bundle;
use crate::failure::Failure;
use crate::state_hash::state_hash;
use crate::{kept, records};

/// What is folded, and how far.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A copied home, its log, or a bundle of `aiflow bundle`
    path: PathBuf,
    /// The state before the record at this offset [default: the end]
    #[arg(long, value_name = "OFFSET")]
    at: Option<Offset>,
    /// Print all of it as JSON, with the state
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Replayed {
    /// First record that was folded.
    from: Offset,
    /// The record after the last.
    at: Offset,
    /// How many were folded.
    records: u64,
    state_hash: String,
    /// What the bundle says that the hash is, where all of it was folded.
    told: Option<String>,
    state: State,
}

/// Runs it.
pub(super) fn run(asked: &Arguments) -> Result<Written, Failure> {
    let path = asked.path.display();
    let at = asked.at.map(|offset| offset.0);
    let replayed =
        if asked.path.is_file() { of_bundle(&asked.path, at) } else { of_log(asked, at) };
    let replayed = replayed.map_err(|error| {
        Failure::new(exit_code::LOG_REFUSED, format!("cannot replay {path}: {error:#}"))
    })?;
    let text = if asked.json { as_json(&replayed)? } else { words(&replayed) };
    let written = writeln!(std::io::stdout().lock(), "{text}");
    if replayed.told.as_ref().is_some_and(|told| *told != replayed.state_hash) {
        let what = format!("{path} gives another state than it says");
        let hint = "it was changed, or replay differs in this version: send both outputs";
        return Err(Failure::new(exit_code::LOG_REFUSED, what).hint(hint));
    }
    Ok(written)
}

fn as_json(replayed: &Replayed) -> Result<String, Failure> {
    serde_json::to_string(replayed).map_err(|error| {
        Failure::new(exit_code::OPERATING, "cannot write the result").because(error)
    })
}

fn words(replayed: &Replayed) -> String {
    let Replayed { from, at, records, state_hash, told, .. } = replayed;
    let mut words = format!("{records} records, from {from} on\nstate at {at}: {state_hash}");
    match told {
        Some(told) if told == state_hash => words += "\nthe bundle says the same",
        Some(told) => words += &format!("\nthe bundle says {told}"),
        None => {}
    }
    words
}

fn result(from: Offset, engine: Engine, told: Option<String>) -> anyhow::Result<Replayed> {
    let state = engine.into_state();
    let (at, state_hash) = (state.next_offset, state_hash(&state)?);
    Ok(Replayed { from, at, records: at.0 - from.0, state_hash, told, state })
}

fn of_bundle(path: &Path, at: Option<u64>) -> anyhow::Result<Replayed> {
    let bundle = Bundle::open(path)?;
    let from = bundle.head.from;
    let mut engine = Engine::new(bundle.begin());
    let until = at.unwrap_or(u64::MAX);
    anyhow::ensure!(until >= from.0, "it begins at {from}");
    let end = bundle.each(|batch| {
        for logged in batch.records.iter().filter(|logged| logged.offset.0 < until) {
            engine.replay(logged)?;
        }
        Ok(())
    })?;
    anyhow::ensure!(at.is_none_or(|at| at <= end.end.0), "it ends at {}", end.end);
    let is_all = engine.state().next_offset == end.end;
    result(from, engine, is_all.then_some(end.state_hash))
}

fn of_log(asked: &Arguments, at: Option<u64>) -> anyhow::Result<Replayed> {
    let inner = asked.path.join("log");
    let storage = DiskStorage::open(if inner.is_dir() { &inner } else { &asked.path })?;
    let report = aiflow_log::verify(&storage)?;
    if let Some(damage) = report.damage.first() {
        anyhow::bail!("{damage}");
    }
    let (end, first) = (report.next_offset, LogReader::new(storage.clone()).first_offset()?);
    let until = at.unwrap_or(end);
    anyhow::ensure!(until <= end, "it ends at {end}");
    let state = if first == 0 {
        State::empty()
    } else {
        let offsets = snapshot::offsets(&storage)?;
        let usable = offsets.into_iter().filter(|offset| (first..=until).contains(offset));
        let state = usable.into_iter().find_map(|at| kept::load(&storage, at).ok());
        state.with_context(|| {
            format!("it begins at {first}, and no snapshot between there and {until} can be used")
        })?
    };
    let from = state.next_offset;
    let engine = records::replay(&mut LogReader::new(storage), state, until)?;
    result(from, engine, None)
}
